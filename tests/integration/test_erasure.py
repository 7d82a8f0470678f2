"""Erased stays erased: the erasure of a customer, then redelivery, redrive and replay of all that ever happened."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from ops.erasure.erasing import Erasure
from ops.erasure.receipts import Effect, Receipt
from processors import eventbridge_consumer, sqs_consumer, stream_projector
from processors.projection_table import ProjectionTable
from processors.projections.activity import CustomerActivity
from processors.register.erased import ErasedCustomers, erased_entry
from processors.register.erased_list import hash_of
from processors.runtime import wiring
from processors.session_table import SessionTable
from schemas.errors import NewerFormatError
from schemas.events import Event
from tests.conftest import Backend, at, login, logout, logout_all, sqs_record

CUSTOMER = "customer-1"
OTHER = "customer-2"

DAY: Sequence[Event] = (
    login("live", minute=-60, client={"ip": "192.0.2.1"}),
    login("goes-on", minute=-50),
    login("ended", minute=-45),
    logout("ended", minute=-40),
    login("kid", minute=-39, parent_session_id="live"),
    login("ended-kid", minute=-38, parent_session_id="goes-on"),
    logout("ended-kid", minute=-37, parent_session_id="goes-on"),
    logout("never-seen", minute=-36),
    logout_all(minute=-55, except_session_id="live"),
    login("theirs", OTHER, minute=-30),
    login("live", OTHER, minute=-29),
    login("their-kid", OTHER, minute=-28, parent_session_id="live"),
)
"""A day of two customers, who share a session id."""


@dataclass
class Clock:
    """The time of all that a test does; waiting takes none."""

    now: datetime = field(default_factory=lambda: at(0.005))
    waits: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += timedelta(seconds=seconds)


@dataclass
class World:
    """The system on one engine, with a clock of its own."""

    backend: Backend
    clock: Clock
    projected: int = 0

    @property
    def sessions(self) -> SessionTable:
        return SessionTable(
            self.backend.dynamodb,
            self.backend.sessions_table,
            batch_statements=self.backend.batch_statements,
            clock=self.clock,
        )

    @property
    def projections(self) -> ProjectionTable:
        return ProjectionTable(
            self.backend.dynamodb,
            self.backend.projections_table,
            sessions=self.sessions,
            batch_statements=self.backend.batch_statements,
            clock=self.clock,
        )

    def erasure(self) -> Erasure:
        return Erasure(self.sessions, self.projections, clock=self.clock, sleep=self.clock.sleep)

    def erase(self) -> Receipt:
        return self.erasure().erase(CUSTOMER)

    def consume(self, *events: Event) -> None:
        """Deliver events by the queue."""
        records = [sqs_record(event) for event in events]
        assert sqs_consumer.lambda_handler({"Records": records}, None) == {"batchItemFailures": []}

    def project(self, since: int | None = None) -> None:
        """Project the records that are new in the stream, or those from a position on."""
        records = self.backend.stream_records()
        self._project(records[self.projected if since is None else since :])
        self.projected = len(records)

    def replay_stream(self) -> None:
        """Project every record that there ever was once more, as a redrive of failed batches does."""
        self._project(self.backend.stream_records())

    def _project(self, records: list[dict[str, Any]]) -> None:
        assert stream_projector.lambda_handler({"Records": records}, None) == {"batchItemFailures": []}

    def live_a_day(self) -> None:
        self.consume(*DAY)
        self.project()

    def activity(self, customer_id: str = CUSTOMER) -> CustomerActivity:
        return self.projections.get_customer_activity(customer_id, now=self.clock())

    def traces(self, customer_id: str = CUSTOMER) -> list[dict[str, Any]]:
        """What both tables hold that names the customer; its entry on the list has a hash."""
        tables = (self.backend.sessions_table, self.backend.projections_table)
        return [item for table in tables for item in self.backend.items(table) if customer_id in str(item)]


@pytest.fixture
def world(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> World:
    clock = Clock()
    monkeypatch.setattr("processors.runtime.clock.utc_now", clock)
    return World(backend, clock)


def test_nothing_of_the_customer_is_left_and_all_of_the_others(world: World) -> None:
    world.live_a_day()
    theirs = world.activity(OTHER)
    assert theirs.session_ids == ["live", "theirs"]

    receipt = world.erase()

    assert world.traces() == []
    assert world.activity(OTHER) == theirs
    assert len(world.sessions.get_child_sessions_by_session_id("live")) == 1
    assert receipt.items == {
        Effect.SESSION_DELETED: 4,
        Effect.CHILD_SESSION_DELETED: 2,
        Effect.REVOCATION_DELETED: 1,
    }
    assert receipt.is_projection_deleted
    assert (receipt.erased_at, receipt.customer_sha256) == (at(1 / 60), hash_of(CUSTOMER))
    assert world.clock.waits == [180, 60]


def test_redelivery_redrive_and_replay_of_the_whole_day_bring_nothing_back(world: World) -> None:
    world.live_a_day()
    world.erase()
    theirs = world.activity(OTHER)

    world.consume(*DAY)
    world.project()
    world.replay_stream()
    world.consume(*reversed(DAY))
    world.replay_stream()
    world.projections.rebuild(CUSTOMER)

    assert world.traces() == []
    assert world.activity(OTHER) == theirs


def test_an_erased_event_is_ignored_by_either_consumer(world: World) -> None:
    world.live_a_day()
    world.erase()
    detail = DAY[0].model_dump(mode="json", exclude_none=True)
    envelope = {"id": "e", "source": "idp", "detail-type": "Login", "time": at(0).isoformat(), "version": "0"}

    assert eventbridge_consumer.lambda_handler(envelope | {"detail": detail}, None) == "ignored"
    world.consume(DAY[0])
    assert world.traces() == []


def test_a_login_after_the_erasure_is_a_new_customers(world: World) -> None:
    world.live_a_day()
    world.erase()
    world.consume(login("new", minute=3))
    world.project()

    world.consume(*DAY)
    world.project()
    world.replay_stream()

    found = world.activity()
    assert (found.session_ids, found.last_login_time, found.is_exact) == (["new"], at(3), True)
    assert {item["PK"]["S"] for item in world.traces()} == {"suuid#new", f"c#{CUSTOMER}"}


def test_a_session_that_is_used_while_the_erasure_waits_goes_on_from_the_erasure(world: World) -> None:
    world.live_a_day()

    def use_again(seconds: float) -> None:
        world.clock.sleep(seconds)
        world.consume(login("goes-on", minute=2))
        world.project()

    receipt = Erasure(world.sessions, world.projections, clock=world.clock, sleep=use_again).erase(CUSTOMER)

    session = world.sessions.get_session_by_session_id("goes-on", CUSTOMER)
    assert session is not None
    assert (session.started_at, session.last_login_time) == (receipt.erased_at, at(2))
    assert receipt.items[Effect.START_RAISED] == 1
    assert not receipt.is_projection_deleted
    world.replay_stream()
    found = world.activity()
    assert (found.session_ids, found.last_login_session_id) == (["goes-on"], "goes-on")
    [projection] = [item for item in world.traces() if "sessions" in item]
    started_at = projection["sessions"]["M"]["goes-on"]["L"][0]["N"]
    assert started_at == str(int(receipt.erased_at.timestamp() * 1000))


def test_a_child_session_that_is_used_after_the_erasure_stays_the_last_login(world: World) -> None:
    """The index does not name it to a rebuild: the projection alone knows its login."""
    world.live_a_day()

    def use_again(seconds: float) -> None:
        world.clock.sleep(seconds)
        world.consume(login("kid", minute=2, parent_session_id="live"))
        world.project()

    receipt = Erasure(world.sessions, world.projections, clock=world.clock, sleep=use_again).erase(CUSTOMER)

    assert receipt.items[Effect.START_RAISED] == 1
    found = world.activity()
    assert (found.session_ids, found.last_login_time, found.last_login_session_id) == ([], at(2), "kid")


def test_while_the_erasure_waits_births_and_rebuilds_take_nothing_that_is_erased(world: World) -> None:
    world.consume(*DAY)
    key = {"PK": {"S": f"c#{CUSTOMER}"}}
    world.backend.dynamodb.put_item(TableName=world.backend.sessions_table, Item=erased_entry(CUSTOMER, at(0.01)))
    world.clock.sleep(180)
    world.consume(login("goes-on", minute=2), login("new", minute=2))

    world.project()
    born = world.activity()
    world.backend.dynamodb.delete_item(TableName=world.backend.projections_table, Key=key)
    rebuilt = world.projections.rebuild(CUSTOMER)

    assert born.session_ids == rebuilt.session_ids == ["goes-on", "new"]
    assert born.last_login_time == rebuilt.last_login_time == at(2)
    [projection] = [item for item in world.traces() if "sessions" in item]
    assert "revoked_at" not in projection


def test_a_last_login_ahead_of_the_clock_is_erased_as_well(world: World) -> None:
    world.consume(login("ahead", minute=4))
    world.project()

    receipt = world.erase()

    assert receipt.erased_at == at(4)
    assert world.traces() == []


def test_a_session_that_only_the_projection_names_is_deleted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index may lag behind."""
    world.live_a_day()
    sessions = world.sessions

    def nothing(customers: Collection[str], *, most: int) -> dict[str, list[Any]]:
        return {customer_id: [] for customer_id in customers}

    monkeypatch.setattr(sessions.reader, "find_session_keys", nothing)

    receipt = Erasure(sessions, world.projections, clock=world.clock, sleep=world.clock.sleep).erase(CUSTOMER)

    assert receipt.items[Effect.SESSION_DELETED] == 2  # "live" and "goes-on"


def test_a_preview_writes_nothing_and_says_what_the_erasure_then_does(world: World) -> None:
    world.live_a_day()
    before = world.backend.items(), world.backend.items(world.backend.projections_table)

    preview = world.erasure().preview(CUSTOMER)

    assert (world.backend.items(), world.backend.items(world.backend.projections_table)) == before
    assert preview.has_projection
    receipt = world.erase()
    assert (preview.items, preview.erased_at) == (receipt.items, receipt.erased_at)


def test_a_child_of_the_original_schema_goes_with_its_parent_where_that_is_one_customers(world: World) -> None:
    world.live_a_day()
    for parent in ("goes-on", "live"):  # two customers have a session "live"
        child = {"PK": f"suuid#{parent}", "SK": "child#suuid#old", "last_login_time": "2026-03-01T11:00:00"}
        item = {name: {"S": text} for name, text in child.items()}
        world.backend.dynamodb.put_item(TableName=world.backend.sessions_table, Item=item)

    world.erase()

    children = [item for item in world.backend.items() if item["SK"]["S"] == "child#suuid#old"]
    assert [child["PK"]["S"] for child in children] == ["suuid#live"]


def test_an_item_of_a_later_release_stops_the_erasure_before_anything_is_deleted(world: World) -> None:
    world.live_a_day()
    key = {"PK": {"S": "suuid#goes-on"}, "SK": {"S": f"c#{CUSTOMER}"}}
    world.backend.dynamodb.update_item(
        TableName=world.backend.sessions_table,
        Key=key,
        UpdateExpression="SET item_format = :two",
        ExpressionAttributeValues={":two": {"N": "2"}},
    )

    with pytest.raises(NewerFormatError):
        world.erasure().preview(CUSTOMER)
    with pytest.raises(NewerFormatError):
        world.erase()

    assert world.sessions.get_session_by_session_id("live", CUSTOMER) is not None


def test_a_list_that_cannot_be_read_is_a_retry(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.consume(*DAY)
    records = world.backend.stream_records()
    unreadable = ErasedCustomers(world.backend.dynamodb, "no-such-table", clock=world.clock)
    monkeypatch.setattr("processors.runtime.wiring._erased_customers", lambda *_: unreadable)

    projected = stream_projector.lambda_handler({"Records": records}, None)
    message = sqs_record(login("later", minute=1))
    consumed = sqs_consumer.lambda_handler({"Records": [message]}, None)

    assert projected == {"batchItemFailures": [{"itemIdentifier": records[0]["dynamodb"]["SequenceNumber"]}]}
    assert consumed == {"batchItemFailures": [{"itemIdentifier": message["messageId"]}]}
    assert world.backend.items(world.backend.projections_table) == []


def test_a_container_reads_the_list_once_a_minute(world: World) -> None:
    queries: list[str] = []
    events = wiring.client("dynamodb").meta.events

    def count(params: dict[str, Any], **_: Any) -> None:
        values = params.get("ExpressionAttributeValues", {})
        queries.extend(value["S"] for value in values.values() if value == {"S": "erased"})

    events.register("before-parameter-build.dynamodb.Query", count)
    try:
        for seconds in (0, 59, 1, 0):  # the third is a minute after the first
            world.clock.sleep(seconds)
            world.consume(login("a", OTHER))
            world.project()
    finally:
        events.unregister("before-parameter-build.dynamodb.Query", count)

    assert queries == ["erased"] * 2


class CrashError(Exception):
    """The process that erases dies."""


def test_a_crash_before_any_request_ends_right_when_it_is_run_again(world: World) -> None:
    events = world.backend.dynamodb.meta.events
    for survived in range(100):
        customer_id, start = f"customer-of-round-{survived:03}", len(world.backend.stream_records())
        world.clock.now = at(0.005)
        day = _day_of(customer_id)
        world.consume(*day)
        world.project()
        crash = _Crash(survived)
        events.register("before-call.dynamodb", crash)
        try:
            world.erasure().erase(customer_id)
        except CrashError:
            pass
        finally:
            events.unregister("before-call.dynamodb", crash)
        if crash.left >= 0:
            break

        world.erasure().erase(customer_id)

        world.consume(*day)
        world.project(since=start)
        assert world.traces(customer_id) == []

    assert survived >= 20


class _Crash:
    """A botocore event handler that raises at a request."""

    def __init__(self, survived: int) -> None:
        self.left = survived

    def __call__(self, **_: Any) -> None:
        self.left -= 1
        if self.left == -1:
            raise CrashError


def _day_of(customer_id: str) -> Sequence[Event]:
    live, kid = f"live-of-{customer_id}", f"kid-of-{customer_id}"
    return (
        login(live, customer_id, minute=-60),
        login(kid, customer_id, minute=-39, parent_session_id=live),
        logout_all(customer_id, minute=-61),
    )
