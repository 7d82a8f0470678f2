"""The register restored to a point in time, as docs/operations.md tells it, beside one that never was restored."""

from collections.abc import Sequence
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from ops.rebuilding.checkpoint import Checkpoint
from ops.rebuilding.projections import RebuildAll, touch_all
from ops.verification.verifying import Verifier
from processors import sqs_consumer, stream_projector
from processors.projections.activity import CustomerActivity
from schemas.events import Event
from tests.conftest import NOW, Backend, at, create_tables, login, logout, logout_all, sqs_record

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("clock_of_the_tests")]

CUSTOMERS = [f"customer-{number}" for number in range(4)]
NOT_COMPARED = {"version", "ttl", "ended_at", "ended_event_id", "end_reason"}
"""The first two are of the time of the write; the others name one of several things that ended a session."""


def history(random: Random, *, since: float, until: float, number: int) -> list[Event]:
    """Logins, refreshes, children, logouts and revocations of a few customers within these minutes."""
    events: list[Event] = []
    for _ in range(number):
        customer, minute = random.choice(CUSTOMERS), round(random.uniform(since, until), 3)
        session, kind = f"s-{customer[-1]}-{random.randrange(5)}", random.random()
        if kind < 0.55:
            events.append(login(session, customer, minute=minute, expires_at=at(600)))
        elif kind < 0.7:
            events.append(login(f"{session}-kid", customer, minute=minute, parent_session_id=session))
        elif kind < 0.93:
            events.append(logout(session, customer, minute=minute))
        else:
            events.append(logout_all(customer, minute=minute))
    return events


class Stack:
    """Consumer and projector over a register, in the place of which a restored one may come."""

    def __init__(self, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
        self.backend = backend
        self._monkeypatch = monkeypatch
        self._seen = 0

    def consume(self, events: Sequence[Event | dict[str, Any]]) -> None:
        """Have events consumed and projected, and the logouts that policies decide upon them."""
        todo: list[Event | dict[str, Any]] = list(events)
        while todo or len(self.backend.stream_records()) > self._seen:
            records = [sqs_record(event) for event in todo]
            assert sqs_consumer.lambda_handler({"Records": records}, None) == {"batchItemFailures": []}
            changes = self.backend.stream_records()[self._seen :]
            self._seen += len(changes)
            assert stream_projector.lambda_handler({"Records": changes}, None) == {"batchItemFailures": []}
            todo = [*self.backend.messages(self.backend.commands_queue)]

    def restore(self, items: Sequence[dict[str, Any]]) -> None:
        """Put a table with these items, none of which is in its stream, in the place of the register."""
        name, unused = f"restored-{uuid4().hex}", f"unused-{uuid4().hex}"
        create_tables(self.backend.dynamodb, name, unused)
        for item in items:
            self.backend.dynamodb.put_item(TableName=name, Item=item)
        for table in (unused, self.backend.sessions_table):
            self.backend.dynamodb.delete_table(TableName=table)
        self.backend.sessions_table = name
        self._monkeypatch.setenv("SESSIONS_TABLE", name)
        self._seen = len(self.backend.stream_records())

    def tell_everything_again(self) -> None:
        """`sessionctl rebuild register`, what the stream then brings, and `sessionctl rebuild all`."""
        backend = self.backend
        with Checkpoint(None, "register") as checkpoint:
            touch_all(backend.sessions, checkpoint)
        self.consume([])
        sent: list[str] = []
        with Checkpoint(None, "all") as checkpoint:
            RebuildAll(
                sessions=backend.sessions, projections=backend.projections, send=sent.extend, checkpoint=checkpoint
            ).run()
            assert checkpoint.problems() == {}
        for body in sent:
            backend.sqs.send_message(QueueUrl=backend.commands_queue, MessageBody=body)
        self.consume(backend.messages(backend.commands_queue))

    def verify(self) -> bool:
        """`sessionctl verify`."""
        verifier = Verifier(self.backend.sessions, self.backend.projections, clock=lambda: NOW, sleep=lambda _: None)
        return verifier.verify_all().is_clean

    def register(self) -> list[dict[str, Any]]:
        items = self.backend.items()
        return [{name: value for name, value in item.items() if name not in NOT_COMPARED} for item in items]

    def activities(self) -> dict[str, CustomerActivity]:
        return {name: self.backend.projections.get_customer_activity(name, now=NOW) for name in CUSTOMERS}


def counted(activities: dict[str, CustomerActivity]) -> dict[str, Any]:
    return {name: (found.last_login_time, found.session_ids, found.is_exact) for name, found in activities.items()}


@pytest.fixture
def stack(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Stack:
    return Stack(backend, monkeypatch)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("is_rebuilt_first", [True, False], ids=["rebuilt, then replayed", "replayed, then rebuilt"])
def test_with_the_events_since_then_published_again_it_ends_as_if_nothing_had_happened(
    stack: Stack, seed: int, is_rebuilt_first: bool
) -> None:
    random = Random(seed)
    before = history(random, since=-120, until=-60, number=30)
    after = history(random, since=-60, until=0, number=30)
    stack.consume(before)
    taken = stack.backend.items()
    stack.consume(after)
    expected = stack.register(), counted(stack.activities())

    stack.restore(taken)
    assert stack.register() != expected[0]
    replayed = [*random.sample(before, 10), *after]  # whoever replays a day takes more of it than was lost
    random.shuffle(replayed)
    if is_rebuilt_first:
        stack.tell_everything_again()
        stack.consume(replayed)
    else:
        stack.consume(replayed)
        stack.tell_everything_again()

    assert (stack.register(), counted(stack.activities())) == expected
    assert stack.verify()


def test_without_them_projections_agree_with_the_restored_register_and_last_logins_stay(stack: Stack) -> None:
    ended, begun = "customer-0", "customer-1"
    stack.consume([login("a", ended, minute=-90, expires_at=at(600)), login("b", ended, minute=-89)])
    taken = stack.backend.items()
    stack.consume([logout("a", ended, minute=-30), login("c", begun, minute=-20), login("b", ended, minute=-10)])

    stack.restore(taken)
    stack.tell_everything_again()
    found = stack.activities()

    assert stack.verify()
    assert found[ended].session_ids == ["a", "b"], "a logout after the copy is forgotten: the session is live again"
    assert found[begun].session_ids == [], "and so is a login"
    assert (found[ended].last_login_time, found[begun].last_login_time) == (at(-10), at(-20)), "these never go back"


def test_until_everything_was_told_again_projections_say_what_the_lost_register_said(stack: Stack) -> None:
    stack.consume([login("a", "customer-0", minute=-90, expires_at=at(600))])
    taken = stack.backend.items()
    stack.consume([logout("a", "customer-0", minute=-30)])

    stack.restore(taken)

    assert stack.activities()["customer-0"].session_ids == []
    assert not stack.verify(), "so the runbook's rebuild is needed"
