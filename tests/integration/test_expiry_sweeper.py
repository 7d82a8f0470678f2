"""The expiry sweeper through its handler: expiries of real sessions, on time, each under one id."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from processors import expiry_sweeper, session_publisher
from processors.expiry_sweeper import UnfinishedSweepError
from processors.life_cycle.agenda import pack, write_agenda_item
from processors.register.erased import erased_entry
from schemas.life_cycle import expired_detail
from tests.conftest import NOW, Backend, at, login, logout
from tests.life_cycle_outlets import OutletsOfATest, make_outlets


@pytest.fixture
def outlets(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> OutletsOfATest:
    return make_outlets(backend, monkeypatch)


def note(backend: Backend, outlets: OutletsOfATest) -> None:
    """Put the expiries of all sessions so far on the agenda; what the bus got of it is thrown away."""
    records = backend.stream_records()
    for record in records:
        record["dynamodb"]["ApproximateCreationDateTime"] = NOW.timestamp()
    session_publisher.lambda_handler({"Records": records}, None)
    outlets.published()


def sweep(monkeypatch: pytest.MonkeyPatch, *, minute: float, context: object = None) -> dict[str, Any]:
    monkeypatch.setattr("processors.runtime.clock.utc_now", lambda: at(minute))
    return expiry_sweeper.lambda_handler({"time": "2001-01-01T00:00:00Z"}, context)


def repr_of(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def summary(**counts: object) -> dict[str, Any]:
    return {"lag_seconds": 0, "published": 0, "passed_over": 0, "set_aside": 0, "unfinished": 0} | counts


@pytest.mark.parametrize(("seconds", "published"), [(0, 0), (6.9, 0), (7, 1), (3_600 * 9, 1)])
def test_an_expiry_is_published_two_seconds_after_its_slot_and_not_before(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch, seconds: float, published: int
) -> None:
    backend.sessions.create_session(login("a", expires_at=at(60)))
    note(backend, outlets)

    result = sweep(monkeypatch, minute=60 + seconds / 60)

    session = backend.sessions.get_session_by_session_id("a", "customer-1")
    assert session is not None
    assert outlets.details() == [expired_detail(session)] * published
    assert len(outlets.agenda()) == 1 - published
    assert result == summary(published=published, lag_seconds=pytest.approx(seconds - 5 if published else 0))


def test_what_was_ended_extended_or_removed_meanwhile_is_passed_over(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = ("ended", "extended", "removed", "expired")
    backend.sessions.apply([login(name, expires_at=at(60)) for name in sessions])
    note(backend, outlets)
    backend.sessions.expire_session(logout("ended", minute=50))
    backend.sessions.create_session(login("extended", minute=55, expires_at=at(90)))
    backend.dynamodb.delete_item(
        TableName=backend.sessions_table, Key={"PK": {"S": "suuid#removed"}, "SK": {"S": "c#customer-1"}}
    )

    result = sweep(monkeypatch, minute=61)

    assert [detail["session"]["session_id"] for detail in outlets.details()] == ["expired"]
    assert result == summary(published=1, passed_over=3, lag_seconds=55)
    assert outlets.agenda() == []


def test_what_the_bus_does_not_take_now_is_written_back_and_published_by_the_next_sweep(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.sessions.apply([login(name, expires_at=at(60)) for name in ("a", "b", "c")])
    note(backend, outlets)
    [whole] = outlets.agenda()
    bus = outlets.fail("events", lambda text: "ThrottlingException" if '"session_id":"b"' in text else None)

    with pytest.raises(UnfinishedSweepError):
        sweep(monkeypatch, minute=61)
    first = [detail["session"]["session_id"] for detail in outlets.details()]
    [rest] = outlets.agenda()
    bus.code_of = lambda text: None
    sweep(monkeypatch, minute=61.1)

    assert first == ["a", "c"]
    assert len(rest["entries"]["L"]) == 1
    assert rest["SK"] != whole["SK"]
    assert [detail["session"]["session_id"] for detail in outlets.details()] == ["b"]
    assert outlets.agenda() == []


def test_an_agenda_item_of_which_nothing_was_published_stays_as_it_is(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.sessions.apply([login(name, expires_at=at(60)) for name in ("a", "b")])
    note(backend, outlets)
    before = outlets.agenda()
    outlets.fail("events", lambda text: "InternalFailure")

    with pytest.raises(UnfinishedSweepError):
        sweep(monkeypatch, minute=61)

    assert outlets.agenda() == before


def test_what_the_bus_refuses_for_good_is_set_aside(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.sessions.apply([login(name, expires_at=at(60)) for name in ("a", "b")])
    note(backend, outlets)
    outlets.fail("events", lambda text: "MalformedDetail" if '"session_id":"b"' in text else None)

    result = sweep(monkeypatch, minute=61)

    assert result == summary(published=1, set_aside=1, lag_seconds=55)
    assert [detail["session"]["session_id"] for detail in outlets.lines("bus/")] == ["b"]
    assert outlets.agenda() == []


def test_what_breaks_the_schema_is_set_aside_and_holds_up_nothing(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.sessions.apply([login(name, expires_at=at(60)) for name in ("a", "b")])
    backend.sessions.create_session(login("c", expires_at=at(59)))
    note(backend, outlets)
    [item] = [found for found in outlets.agenda() if len(found["entries"]["L"]) == 2]
    item["entries"]["L"].append({"S": "damaged"})
    nameless = {"PK": {"S": "due#0"}, "SK": {"S": "!"}, "entries": {"S": "x"}}
    for found in (item, nameless):
        backend.dynamodb.put_item(TableName=outlets.agenda_table, Item=found)
    backend.dynamodb.update_item(
        TableName=backend.sessions_table,
        Key={"PK": {"S": "suuid#c"}, "SK": {"S": "c#customer-1"}},
        UpdateExpression="SET item_format = :format",
        ExpressionAttributeValues={":format": {"N": "2"}},
    )

    result = sweep(monkeypatch, minute=61)

    assert (result["published"], result["set_aside"], result["unfinished"]) == (2, 3, 0)
    aside = [{"S": "damaged"}, nameless, ["suuid#c", "c#customer-1", int(at(59).timestamp())]]
    assert sorted(outlets.lines("agenda/"), key=repr_of) == sorted(aside, key=repr_of)
    assert outlets.agenda() == []


def test_without_a_bucket_what_breaks_the_schema_stays(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FAILED_BATCHES_BUCKET")
    nameless = {"PK": {"S": "due#0"}, "SK": {"S": "!"}, "entries": {"S": "x"}}
    backend.dynamodb.put_item(TableName=outlets.agenda_table, Item=nameless)

    with pytest.raises(UnfinishedSweepError):
        sweep(monkeypatch, minute=61)

    assert outlets.agenda() == [nameless]


@pytest.mark.parametrize("variable", ["EXPIRY_AGENDA_TABLE", "SESSIONS_TABLE"])
def test_a_table_that_cannot_be_read_raises_and_deletes_nothing(
    backend: Backend,
    outlets: OutletsOfATest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
) -> None:
    backend.sessions.create_session(login("a", expires_at=at(60)))
    note(backend, outlets)
    monkeypatch.setenv(variable, "gone")
    capsys.readouterr()

    with pytest.raises(UnfinishedSweepError):
        sweep(monkeypatch, minute=61)

    assert (len(outlets.agenda()), outlets.published()) == (1, [])
    assert '"expiry_lag_seconds":[0' not in capsys.readouterr().out.replace(" ", "")


def test_an_outage_of_hours_is_caught_up_with(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.sessions.apply([login(f"s{number:03}", expires_at=at(60 + number * 10)) for number in range(30)])
    note(backend, outlets)

    result = sweep(monkeypatch, minute=600)

    assert result == summary(published=30, lag_seconds=540 * 60 - 5)
    assert len({detail["id"] for detail in outlets.details()}) == 30
    assert outlets.agenda() == []


def test_a_session_that_two_items_name_is_published_once(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.sessions.create_session(login("a", expires_at=at(60)))
    session = backend.sessions.get_session_by_session_id("a", "customer-1")
    assert session is not None
    [item] = pack([session])
    for digits in ("0" * 16, "0" * 15 + "1"):
        key = {"PK": {"S": "due#0"}, "SK": {"S": f"{item.slot:012}#{digits}"}}
        backend.dynamodb.put_item(TableName=outlets.agenda_table, Item=write_agenda_item(item) | key)

    result = sweep(monkeypatch, minute=61)

    assert (result["published"], len(outlets.details()), outlets.agenda()) == (1, 1, [])


def test_near_its_deadline_the_sweeper_begins_nothing(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.sessions.create_session(login("a", expires_at=at(60)))
    note(backend, outlets)

    with pytest.raises(UnfinishedSweepError):
        sweep(monkeypatch, minute=61, context=SimpleNamespace(get_remaining_time_in_millis=lambda: 1_000))

    assert (outlets.published(), len(outlets.agenda())) == ([], 1)


def test_an_erased_customers_expiry_shows_ids_alone(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.sessions.create_session(login("a", expires_at=at(60), client={"ip": "192.0.2.7"}))
    note(backend, outlets)
    backend.dynamodb.put_item(TableName=backend.sessions_table, Item=erased_entry("customer-1", at(5)))

    sweep(monkeypatch, minute=61)

    [detail] = outlets.details()
    shown = {name for name, value in detail["session"].items() if value is not None}
    assert shown == {"session_id", "customer_id", "version"}


def test_a_run_sweeps_every_few_seconds_for_two_minutes_and_reports_its_lag(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    backend.sessions.create_session(login("a", expires_at=at(60)))
    note(backend, outlets)
    minute, waits = [59.5], list[float]()

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        minute[0] += seconds / 60

    monkeypatch.setenv("EXPIRY_INTERVAL_SECONDS", "5")
    monkeypatch.setattr("processors.runtime.clock.utc_now", lambda: at(minute[0]))
    monkeypatch.setattr("processors.runtime.clock.sleep", sleep)
    capsys.readouterr()

    result = expiry_sweeper.lambda_handler({}, None)

    assert result == summary(published=1, lag_seconds=pytest.approx(5))
    assert waits == [pytest.approx(5)] * 23
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"expiry_lag_seconds"' in line]
    assert [line["expiry_lag_seconds"] for line in lines] == [[0], [pytest.approx(5)], [0]]


def test_an_idle_sweeper_reports_no_lag(
    outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = sweep(monkeypatch, minute=61)

    assert result == summary()
    assert '"expiry_lag_seconds":[0' in capsys.readouterr().out.replace(" ", "")
