"""Real TTL deletion: what DynamoDB takes away changes no answer, and what comes late revives nothing.

DynamoDB Local 2.6.1 sweeps a table within a second of TTL being enabled for the first time, then every ten seconds, and
takes about 16 items a sweep: so the tables here are small, and TTL is enabled when the test wants it.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from threading import Event
from typing import Any

import pytest

from schemas.events import LoginEvent, LogoutEvent
from schemas.outcomes import Outcome
from tests.engine.conftest import Engine, at_once

pytestmark = pytest.mark.engine

REAL_NOW = datetime.now(UTC).replace(microsecond=0)
"""TTL goes by the wall clock, so the histories do."""
LONG_AGO = REAL_NOW - timedelta(days=17)
"""More than an item is kept after its facts and its write."""

NO_SWEEP = "the engine deletes nothing by TTL"

SetClock = Callable[[datetime], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Puts the handlers' clock."""

    def put(moment: datetime) -> None:
        monkeypatch.setattr("processors.runtime.clock.utc_now", lambda: moment)

    return put


def login(session_id: str, occurred_at: datetime, **fields: Any) -> LoginEvent:
    return LoginEvent(
        event_id=f"login-{session_id}-{occurred_at:%d%H%M}",
        occurred_at=occurred_at,
        customer_id="customer-1",
        session_id=session_id,
        **fields,
    )


def logout(session_id: str, occurred_at: datetime) -> LogoutEvent:
    return LogoutEvent(
        event_id=f"logout-{session_id}", occurred_at=occurred_at, customer_id="customer-1", session_id=session_id
    )


OLD: list[Any] = [
    *(login(f"old-{number}", LONG_AGO + timedelta(minutes=number)) for number in range(6)),
    *(logout(f"old-{number}", LONG_AGO + timedelta(hours=1)) for number in range(0, 6, 2)),
    logout("unknown", LONG_AGO),
]
"""Sessions that ran out or were ended two weeks ago, and a logout whose login has not come."""
YOUNG: list[Any] = [
    *(login(f"young-{number}", REAL_NOW - timedelta(minutes=60 - number)) for number in range(5)),
    login("ended", REAL_NOW - timedelta(minutes=80)),
    logout("ended", REAL_NOW - timedelta(minutes=70)),
]
"""Live sessions, and a tombstone that must stay: a late copy of its login would be live."""
LIVE = [f"young-{number}" for number in range(5)]


def enable_ttl(engine: Engine) -> None:
    engine.dynamodb.update_time_to_live(
        TableName=engine.sessions_table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"}
    )


def await_deletion(engine: Engine, session_ids: set[str]) -> None:
    """Wait until the engine's sweep has taken these sessions, and look that it took no other."""
    others = engine.stored_sessions().keys() - session_ids
    deadline = time.monotonic() + 150
    while engine.stored_sessions().keys() & session_ids:
        assert time.monotonic() < deadline, NO_SWEEP
        time.sleep(0.05)
    assert engine.stored_sessions().keys() == others


def assert_exact(engine: Engine) -> None:
    """The young sessions are live, and only they."""
    activity = engine.projections.get_customer_activity("customer-1", now=REAL_NOW)
    assert (activity.session_ids, activity.is_exact) == (LIVE, True)
    assert activity.last_login_session_id == "young-4"
    assert activity.last_login_time == REAL_NOW - timedelta(minutes=56)
    stored = engine.sessions.get_sessions_by_customer_id("customer-1", now=REAL_NOW)
    assert [session.session_id for session in stored] == LIVE


@pytest.fixture
def aged(engine: Engine, set_clock: SetClock) -> Engine:
    """The register as it stands after seventeen days, projected, with everything old about to be deleted."""
    set_clock(LONG_AGO + timedelta(hours=2))
    engine.consume([OLD])
    set_clock(REAL_NOW)
    engine.consume([YOUNG])
    engine.settle()
    return engine


def test_what_ttl_deletes_changes_no_answer(aged: Engine) -> None:
    old = {event.session_id for event in OLD}
    assert aged.stored_sessions().keys() == old | {*LIVE, "ended"}

    enable_ttl(aged)
    await_deletion(aged, old)
    removals = [record for record in aged.stream_records() if record["eventName"] == "REMOVE"]
    aged.project(removals)

    assert len(removals) == len(old)
    assert {record["userIdentity"]["principalId"] for record in removals} == {"dynamodb.amazonaws.com"}
    assert all("NewImage" not in record["dynamodb"] for record in removals)
    assert_exact(aged)


def test_last_login_stays_where_ttl_has_deleted_every_session(engine: Engine, set_clock: SetClock) -> None:
    set_clock(LONG_AGO + timedelta(hours=2))
    engine.consume([OLD])
    engine.settle()
    set_clock(REAL_NOW)

    enable_ttl(engine)
    await_deletion(engine, {event.session_id for event in OLD})
    engine.settle()

    activity = engine.projections.get_customer_activity("customer-1", now=REAL_NOW)
    assert (activity.session_count, activity.last_login_session_id) == (0, "old-5")
    assert activity.last_login_time == LONG_AGO + timedelta(minutes=5)
    assert engine.sessions.get_last_login_time_by_customer_id("customer-1") is None


def test_copies_that_come_after_ttl_deleted_the_tombstone_revive_nothing(aged: Engine) -> None:
    enable_ttl(aged)
    await_deletion(aged, {event.session_id for event in OLD})

    aged.consume([[event] for event in OLD + YOUNG])
    aged.project_by_threads(4)
    aged.settle()

    assert_exact(aged)
    too_old = aged.sqs.take("rejected")
    assert len(too_old) == sum(isinstance(event, LoginEvent) for event in OLD)
    assert all("MAX_EVENT_AGE_SECONDS" in rejection["reason"] for rejection in too_old)
    assert not any(
        session.is_live(REAL_NOW) for name, session in aged.stored_sessions().items() if name.startswith("old")
    )


def test_eight_threads_and_the_sweep_at_once_end_exact(aged: Engine) -> None:
    old_records = aged.stream_records()
    is_swept = Event()

    def sweep() -> None:
        enable_ttl(aged)
        deadline = time.monotonic() + 150
        while all(record["eventName"] != "REMOVE" for record in aged.stream_records()):
            assert time.monotonic() < deadline, NO_SWEEP
            time.sleep(0.05)
        is_swept.set()

    def deliver(seed: int) -> None:
        while not is_swept.is_set():
            aged.consume([[event] for event in Random(seed).sample(OLD + YOUNG, 10)], threads=1)

    def project(seed: int) -> None:
        while not is_swept.is_set():
            aged.project_again_and_again(old_records, Random(seed))

    at_once([sweep, *(partial(deliver, seed) for seed in range(4)), *(partial(project, seed) for seed in range(3))])
    aged.consume([OLD + YOUNG])
    aged.project_by_threads(4)
    aged.settle()

    assert_exact(aged)
    assert all("MAX_EVENT_AGE_SECONDS" in rejection["reason"] for rejection in aged.sqs.take("rejected"))


def test_an_item_deleted_between_the_read_and_the_write_of_a_batch_is_written_anew(aged: Engine) -> None:
    """The refresh is decided upon an item that is gone when it is written: the race is lost, and run again."""
    deleted: list[str] = []

    def sweep_before_the_first_update(params: dict[str, Any], **_: Any) -> None:
        texts = [statement["Statement"] for statement in params.get("Statements", ())]
        is_update = "UpdateExpression" in params or any("UPDATE" in text for text in texts)
        if is_update and not deleted:
            deleted.append("old-1")
            enable_ttl(aged)
            await_deletion(aged, {event.session_id for event in OLD})

    for operation in ("UpdateItem", "BatchExecuteStatement"):
        aged.dynamodb.meta.events.register(
            f"before-parameter-build.dynamodb.{operation}", sweep_before_the_first_update
        )
    outcome = aged.sessions.create_session(login("old-1", REAL_NOW - timedelta(minutes=70)))
    aged.settle()

    assert (outcome, deleted) == (Outcome.APPLIED, ["old-1"])
    assert aged.races.lost[aged.sessions_table] == 1
    activity = aged.projections.get_customer_activity("customer-1", now=REAL_NOW)
    assert activity.session_ids == ["old-1", *LIVE]
