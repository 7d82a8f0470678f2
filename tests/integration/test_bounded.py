"""A customer with 100,000 sessions: nothing grows with their number, and the count says what it is worth.

What is shown where: the handler of the stream takes all 100,000 records over tables in memory, which count requests and
bytes as DynamoDB does; the honesty of `is_exact` is held against a recount, minute by minute; the engines take some
hundreds of large sessions, more than one page of a Query.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from processors import stream_projector
from processors.projection_table import ProjectionTable
from processors.projections.activity import CustomerActivity
from processors.projections.facts import CustomerFacts, Image
from processors.projections.state import CAPACITY
from processors.session_table import SessionTable
from schemas.item_mapping import write_item
from schemas.items import CLOSING, Session
from schemas.times import to_epoch_seconds
from tests.conftest import NOW, Backend, at, login
from tests.in_memory_clients import InMemoryDynamoDb, InMemorySqs, Request, item_bytes, use_in_memory_clients

CUSTOMER = "customer-1"
SESSIONS = 100_000
BATCH = 1000
LARGEST_PROJECTION = 64 * 1024


def session(session_id: str, expires_at: datetime, *, ended: bool = False, started_at: datetime = NOW) -> Session:
    return Session(
        session_id=session_id,
        customer_id=CUSTOMER,
        session_state=CLOSING if ended else "active",
        started_at=started_at,
        last_login_time=started_at,
        expires_at=expires_at,
        ended_at=started_at if ended else None,
        last_login_event_id="e",
        version=1,
    )


def record(value: Session, number: int) -> dict[str, Any]:
    """The stream record of a write, at a thousand writes a second."""
    return {
        "eventName": "INSERT",
        "dynamodb": {
            "SequenceNumber": str(10**21 + number),
            # after the projection was made: its first records are read again
            "ApproximateCreationDateTime": float(int(NOW.timestamp()) + 10 + number // 1000),
            "NewImage": write_item(value) | {"version": {"N": "1"}},
        },
    }


# --- 100,000 through the handler


@dataclass
class Projector:
    """The projector's handler over tables in memory."""

    dynamodb: InMemoryDynamoDb
    costs: list[list[Request]] = field(default_factory=list)
    """The requests of each batch."""

    def project(self, values: list[Session], first: int) -> None:
        """Project the writes of sessions, the first of which has that number in the stream."""
        self.dynamodb.replace_all("sessions", [write_item(value) | {"version": {"N": "1"}} for value in values])
        records = [record(value, first + number) for number, value in enumerate(values)]
        before = len(self.dynamodb.requests)
        assert stream_projector.lambda_handler({"Records": records}, None) == {"batchItemFailures": []}
        self.costs.append(self.dynamodb.requests[before:])

    @property
    def item(self) -> dict[str, Any]:
        [item] = self.dynamodb.items("projections")
        return item

    def activity(self, now: datetime) -> CustomerActivity:
        client: Any = self.dynamodb
        return ProjectionTable(client, "projections").get_customer_activity(CUSTOMER, now=now)


@pytest.fixture
def projector(monkeypatch: pytest.MonkeyPatch) -> Projector:
    made = Projector(InMemoryDynamoDb())
    use_in_memory_clients(monkeypatch, made.dynamodb, InMemorySqs())
    return made


def cost(requests: list[Request]) -> tuple[int, int]:
    """Requests of a batch, and the bytes of items they moved."""
    return len(requests), sum(request.sent + request.received for request in requests)


@pytest.mark.parametrize("width", [36, 256], ids=["uuid", "longest-id"])
def test_100_000_sessions_cost_a_batch_no_more_than_a_thousand_do(projector: Projector, width: int) -> None:
    largest = 0
    for first in range(0, SESSIONS, BATCH):
        batch = [session(f"{number:0{width}}", at(60 + number % 600)) for number in range(first, first + BATCH)]
        projector.project(batch, first)
        largest = max(largest, item_bytes(projector.item))

    costs = [cost(requests) for requests in projector.costs[1:]]  # the first makes the projection
    assert largest < LARGEST_PROJECTION
    assert max(requests for requests, _ in costs) <= 2
    assert max(size for _, size in costs) <= 2 * LARGEST_PROJECTION
    assert max(size for _, size in costs[50:]) <= 1.01 * max(size for _, size in costs[2:50])
    found = projector.activity(NOW)
    assert (found.session_count, found.is_exact) == (len(found.session_ids), False)
    assert 150 < found.session_count <= CAPACITY
    healed = projector.activity(at(660))
    assert (healed.session_count, healed.is_exact) == (0, True)


def test_the_ends_of_100_000_sessions_cost_a_batch_no_more_than_those_of_a_thousand(projector: Projector) -> None:
    projector.project([session(f"s{number:06}", at(60 + number % 600)) for number in range(BATCH)], 0)
    for first in range(BATCH, SESSIONS, BATCH):
        batch = [
            session(f"s{number - BATCH:06}", at(60 + number % 600), ended=True)
            for number in range(first, first + BATCH)
        ]
        projector.project(batch, SESSIONS + first)

    costs = [cost(requests) for requests in projector.costs[2:]]
    # children are looked for once per end; ends of the last seconds are read again, a hundred a request
    assert max(requests for requests, _ in costs) <= 2 + BATCH + BATCH / 100
    assert max(costs[50:]) <= max(costs[:50])
    assert max(size for _, size in costs) <= 2 * LARGEST_PROJECTION + BATCH * 512
    assert projector.activity(NOW).session_count == 0


def test_suspect_sessions_are_read_again_a_hundred_a_request(projector: Projector) -> None:
    """After an end was merged, older active images are read again: what a replay of the whole stream costs."""
    projector.project([session("ended", at(60), ended=True)], 10**9)
    for first in range(0, 30_000, BATCH):
        values = [session(f"s{number:06}", at(60 + number % 600)) for number in range(first, first + BATCH)]
        projector.project(values, first)

    replayed = [cost(requests) for requests in projector.costs[1:]]
    assert max(requests for requests, _ in replayed) <= 2 + BATCH / 100
    assert max(size for _, size in replayed[15:]) <= 1.01 * max(size for _, size in replayed[:15])
    assert item_bytes(projector.item) < LARGEST_PROJECTION


# --- is_exact, held against a recount


@dataclass
class Recount:
    """What is true: every session of a customer, whatever their number."""

    expiries: dict[str, int] = field(default_factory=dict)

    def count(self, now: int) -> int:
        return sum(expires_at > now for expires_at in self.expiries.values())


def random_life(source: Random, minutes: int) -> Iterator[tuple[datetime, list[Session]]]:
    """A customer's sessions begin, are refreshed and end, in bursts and lulls, minute by minute."""
    live: list[tuple[datetime, str]] = []
    number = 0
    for minute in range(minutes):
        now = at(minute)
        while live and live[0][0] <= now:
            heapq.heappop(live)
        changed = []
        for _ in range(source.choice((0, 0, 1, 2, 12))):
            number += 1
            heapq.heappush(live, (now + timedelta(minutes=source.randrange(1, 90)), f"s{number:05}"))
            changed.append(session(live[-1][1], live[-1][0], started_at=now))
        for _ in range(source.randrange(3)):
            if live:
                expires_at, name = live.pop(source.randrange(len(live)))
                heapq.heapify(live)
                if source.random() < 0.5:
                    changed.append(session(name, expires_at, ended=True))
                else:
                    heapq.heappush(live, (expires_at + timedelta(minutes=30), name))
                    changed.append(session(name, expires_at + timedelta(minutes=30), started_at=now))
        yield now, changed


@pytest.mark.parametrize("seed", range(10))
def test_an_exact_count_is_the_true_one_and_any_other_is_at_least(seed: int) -> None:
    source, truth = Random(seed), Recount()
    clock = [NOW]
    client: Any = InMemoryDynamoDb()
    table = ProjectionTable(
        client, "projections", sessions=SessionTable(client, "sessions"), capacity=30, clock=lambda: clock[0]
    )
    exact = inexact = healed = 0
    for now, changed in random_life(source, 600):
        clock[0] = now
        latest = {value.session_id: value for value in changed}
        facts = CustomerFacts()
        for value in latest.values():
            assert value.expires_at is not None
            is_over = value.session_state == CLOSING
            truth.expiries[value.session_id] = 0 if is_over else to_epoch_seconds(value.expires_at)
            client.table("sessions").load([write_item(value)])
            facts.images.append(Image(value, now.timestamp()))
            facts.sequence_numbers.append(str(10**21))
        table.apply({CUSTOMER: facts} if changed else {})

        answers = []
        for later in (0, 1, 20, 90):
            moment = now + timedelta(minutes=later)
            answer = table.get_customer_activity(CUSTOMER, now=moment)
            true_count = truth.count(to_epoch_seconds(moment))
            assert answer.session_count == true_count if answer.is_exact else answer.session_count <= true_count
            answers.append(answer.is_exact)
        exact, inexact, healed = exact + answers[0], inexact + (not answers[0]), healed + (answers[0] < answers[-1])
    assert min(exact, inexact, healed) > 0


# --- on the engines


def test_customers_with_many_sessions_are_read_in_pages_and_no_more_of_them_than_are_asked_for(
    backend: Backend,
) -> None:
    pages: list[str] = []
    backend.dynamodb.meta.events.register("before-call.dynamodb.Query", lambda **_: pages.append("page"))
    widest = {"user_agent": "\u6f22" * 256, "device_id": "\u6f22" * 256, "country": "\u6f22" * 64}
    events = [
        login(f"s{number:03}", client=widest, source="\u6f22" * 128, event_id=f"{number:03}" + "\u6f22" * 100)
        for number in range(500)
    ]
    assert set(backend.sessions.apply(events)) == {"applied"}

    everything = backend.sessions.get_sessions_by_customer_id(CUSTOMER, now=NOW)
    all_pages = len(pages)
    first = backend.sessions.get_sessions_by_customer_id(CUSTOMER, now=NOW, limit=10)

    assert [found.session_id for found in everything] == [event.session_id for event in events]
    assert all_pages >= 2
    assert [found.session_id for found in first] == [event.session_id for event in events[:10]]
    assert len(pages) == all_pages + 1


def test_a_projection_of_600_sessions_stays_small_and_heals_on_the_engine(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processors.runtime.clock.utc_now", lambda: NOW)
    backend.sessions.apply([login(f"s{number:04}", expires_at=at(60 + number // 10)) for number in range(600)])
    records = backend.stream_records()
    sizes = []
    for start in range(0, len(records), 100):
        batch = {"Records": records[start : start + 100]}
        assert stream_projector.lambda_handler(batch, None) == {"batchItemFailures": []}
        [item] = backend.items(backend.projections_table)
        sizes.append(item_bytes(item))

    activity = backend.projections.get_customer_activity
    assert max(sizes) < 16 * 1024
    assert (activity(CUSTOMER, now=at(1)).session_count, activity(CUSTOMER, now=at(1)).is_exact) == (CAPACITY, False)
    healed = activity(CUSTOMER, now=at(60 + 34))
    assert (healed.session_count, healed.is_exact) == (250, True)
