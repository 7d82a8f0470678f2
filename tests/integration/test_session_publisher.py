"""The session publisher through its handler: real stream records of real writes, to a bus, an archive and an agenda."""

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from processors import session_publisher, sqs_consumer
from processors.register.erased import erased_entry
from schemas.life_cycle import latest
from tests.conftest import NOW, Backend, at, login, logout, sqs_record
from tests.life_cycle_outlets import OutletsOfATest, make_outlets


@pytest.fixture
def outlets(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> OutletsOfATest:
    return make_outlets(backend, monkeypatch)


def publish(records: list[dict[str, Any]], context: object = None) -> dict[str, Any]:
    return session_publisher.lambda_handler({"Records": records}, context)


def play_a_life(backend: Backend) -> list[dict[str, Any]]:
    """A session that starts, is refreshed and ends, and one that goes on: the records, created at the tests' noon."""
    backend.sessions.create_session(login("a", expires_at=at(600)))
    backend.sessions.create_session(login("a", minute=1, expires_at=at(660)))
    backend.sessions.expire_session(logout("a", minute=2))
    backend.sessions.create_session(login("b", expires_at=at(600)))
    records = backend.stream_records()
    for record in records:
        record["dynamodb"]["ApproximateCreationDateTime"] = NOW.timestamp()
    return records


def test_what_became_of_sessions_goes_to_the_bus_and_the_archive(backend: Backend, outlets: OutletsOfATest) -> None:
    records = play_a_life(backend)

    assert publish(records) == {"batchItemFailures": []}

    events = outlets.published()
    assert {event["source"] for event in events} == {"session-events"}
    assert sorted(event["detail-type"] for event in events) == ["Session Ended", "Session Started", "Session Started"]
    archived = outlets.lines("archived/")
    assert [detail["kind"] for detail in archived] == ["started", "refreshed", "ended", "started"]
    told = {event["detail"]["id"]: event["detail"] for event in events}
    assert told == {detail["id"]: detail for detail in archived if detail["kind"] != "refreshed"}
    found = latest(event["detail"] for event in events)
    assert {key: detail["over_reason"] for key, detail in found.items()} == {
        ("a", "customer-1"): "user",
        ("b", "customer-1"): None,
    }


def test_refreshes_go_to_the_bus_where_the_settings_ask_for_them(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = play_a_life(backend)
    monkeypatch.setenv("PUBLISH_REFRESHED_SESSIONS", "true")

    publish(records)

    assert outlets.kinds() == ["ended", "refreshed", "started", "started"]


def test_a_redelivery_repeats_the_same_events(backend: Backend, outlets: OutletsOfATest) -> None:
    records = play_a_life(backend)
    publish(records)
    first = {detail["id"]: detail for detail in outlets.details()}
    agenda = outlets.agenda()

    publish(records)

    assert {detail["id"]: detail for detail in outlets.details()} == first
    assert outlets.agenda() == agenda


def test_expiries_are_noted_one_item_a_slot(backend: Backend, outlets: OutletsOfATest) -> None:
    backend.sessions.apply([login(f"s{number}", expires_at=at(600)) for number in range(7)])
    backend.sessions.create_session(login("later", expires_at=at(601)))

    publish(backend.stream_records())

    items = outlets.agenda()
    assert sorted(len(item["entries"]["L"]) for item in items) == [1, 7]
    assert {item["SK"]["S"].partition("#")[0] for item in items} == {
        f"{int(at(minute).timestamp()):012}" for minute in (600, 601)
    }


@pytest.mark.parametrize(
    ("missing", "events", "archived", "noted"),
    [("SESSIONS_BUS_NAME", 0, 4, 0), ("ARCHIVE_STREAM_NAME", 3, 0, 3), ("EXPIRY_AGENDA_TABLE", 3, 4, 0)],
)
def test_each_part_is_off_without_its_setting(
    backend: Backend,
    outlets: OutletsOfATest,
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
    events: int,
    archived: int,
    noted: int,
) -> None:
    records = play_a_life(backend)
    monkeypatch.delenv(missing)

    assert publish(records) == {"batchItemFailures": []}

    sizes = [len(item["entries"]["L"]) for item in outlets.agenda()]
    assert (len(outlets.published()), len(outlets.lines("archived/")), sum(sizes)) == (events, archived, noted)


def test_entries_that_were_throttled_are_sent_again(backend: Backend, outlets: OutletsOfATest) -> None:
    records = play_a_life(backend)
    seen: set[str] = set()

    def throttle_each_once(text: str) -> str | None:
        is_new = text not in seen
        seen.add(text)
        return "ThrottlingException" if is_new else None

    bus, archive = outlets.fail("events", throttle_each_once), outlets.fail("firehose", throttle_each_once)

    assert publish(records) == {"batchItemFailures": []}

    assert (outlets.kinds(), len(outlets.lines("archived/"))) == (["ended", "started", "started"], 4)
    assert (bus.requests, archive.requests) == (2, 2)
    assert outlets.objects("bus/") == {}


def test_an_entry_that_the_bus_refuses_is_set_aside_alone(backend: Backend, outlets: OutletsOfATest) -> None:
    records = play_a_life(backend)
    bus = outlets.fail("events", lambda text: "MalformedDetail" if json.loads(text)["kind"] == "ended" else None)

    assert publish(records) == {"batchItemFailures": []}

    assert (outlets.kinds(), bus.requests) == (["started", "started"], 1)
    [refused] = outlets.lines("bus/")
    assert (refused["kind"], refused["session"]["session_id"]) == ("ended", "a")
    assert len(outlets.lines("archived/")) == 4
    assert outlets.objects("archive/") == {}


def test_an_archive_that_is_down_holds_up_neither_the_bus_nor_the_shard(
    backend: Backend, outlets: OutletsOfATest
) -> None:
    records = play_a_life(backend)
    outlets.fail("firehose", lambda text: "ServiceUnavailableException")

    assert publish(records) == {"batchItemFailures": []}

    assert outlets.kinds() == ["ended", "started", "started"]
    assert [detail["kind"] for detail in outlets.lines("archive/")] == ["started", "refreshed", "ended", "started"]


def test_a_bus_that_lets_requests_hang_until_the_deadline_does_not_hold_up_the_shard(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = play_a_life(backend)
    monkeypatch.delenv("ARCHIVE_STREAM_NAME")
    monkeypatch.setattr("processors.runtime.wiring.concurrency", lambda settings: 1)  # the agenda first, then the bus
    milliseconds = [60_000]

    def hang(text: str) -> str:
        milliseconds[0] = 5_000
        return "RequestTimeout"

    outlets.fail("events", hang)

    assert publish(records, SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds[0])) == {
        "batchItemFailures": []
    }
    assert [detail["kind"] for detail in outlets.lines("bus/")] == ["started", "ended", "started"]


def test_without_a_bucket_what_is_refused_fails_its_record(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = play_a_life(backend)
    monkeypatch.delenv("FAILED_BATCHES_BUCKET")
    outlets.fail("events", lambda text: "MalformedDetail" if json.loads(text)["kind"] == "ended" else None)

    response = publish(records)

    assert response == {"batchItemFailures": [{"itemIdentifier": records[2]["dynamodb"]["SequenceNumber"]}]}


def test_an_entry_that_is_too_large_is_set_aside_alone(backend: Backend, outlets: OutletsOfATest) -> None:
    records = play_a_life(backend)
    records[0]["dynamodb"]["NewImage"]["user_agent"] = {"S": "x" * 262_144}

    assert publish(records) == {"batchItemFailures": []}

    assert outlets.kinds() == ["ended", "started"]
    assert [len(detail["session"]["user_agent"]) for detail in outlets.lines("bus/")] == [262_144]
    assert len(outlets.lines("archived/")) == 4


def test_an_agenda_that_takes_nothing_fails_the_records_of_its_expiries(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = play_a_life(backend)
    monkeypatch.setenv("EXPIRY_AGENDA_TABLE", outlets.agenda_table + "-gone")

    response = publish(records[2:])

    assert response == {"batchItemFailures": [{"itemIdentifier": records[3]["dynamodb"]["SequenceNumber"]}]}
    assert outlets.kinds() == ["ended", "started"]


def test_near_its_deadline_the_handler_leaves_the_batch_to_the_next_delivery(
    backend: Backend, outlets: OutletsOfATest
) -> None:
    records = play_a_life(backend)
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 1_000)

    response = publish(records, context)

    assert response == {"batchItemFailures": [{"itemIdentifier": records[0]["dynamodb"]["SequenceNumber"]}]}
    assert (outlets.published(), outlets.objects("bus/"), outlets.objects("archive/")) == ([], {}, {})


def test_a_record_that_nobody_can_read_is_set_aside_and_holds_up_no_other(
    backend: Backend, outlets: OutletsOfATest
) -> None:
    records = play_a_life(backend)
    records[0]["dynamodb"]["NewImage"]["item_format"] = {"N": "2"}

    assert publish(records) == {"batchItemFailures": []}

    [(_, text)] = outlets.objects("aws/lambda/").items()
    assert (
        json.loads(json.loads(text)["payload"])["Records"][0]["dynamodb"]["SequenceNumber"]
        == (records[0]["dynamodb"]["SequenceNumber"])
    )
    assert outlets.kinds() == ["ended", "started"]


def test_of_an_erased_customers_sessions_the_end_alone_is_told(backend: Backend, outlets: OutletsOfATest) -> None:
    records = play_a_life(backend)
    backend.dynamodb.put_item(TableName=backend.sessions_table, Item=erased_entry("customer-1", at(5)))

    publish(records)

    [detail] = outlets.details()
    shown = {name for name, value in detail["session"].items() if value is not None}
    assert (detail["kind"], shown) == ("ended", {"session_id", "customer_id", "version"})
    assert outlets.lines("archived/") == [detail]


def test_a_session_that_goes_on_after_an_erasure_starts_anew(backend: Backend, outlets: OutletsOfATest) -> None:
    backend.sessions.create_session(login("a", expires_at=at(600)))
    backend.sessions.create_session(login("a", minute=6, expires_at=at(660)))
    backend.dynamodb.put_item(TableName=backend.sessions_table, Item=erased_entry("customer-1", at(5)))

    publish(backend.stream_records())

    [detail] = outlets.details()
    assert (detail["kind"], detail["session"]["started_at"]) == ("started", "2026-03-01T12:05:00.000Z")


def test_a_list_of_the_erased_that_cannot_be_read_fails_the_batch(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = play_a_life(backend)
    monkeypatch.setenv("SESSIONS_TABLE", backend.sessions_table + "-gone")

    response = publish(records)

    assert response == {"batchItemFailures": [{"itemIdentifier": records[0]["dynamodb"]["SequenceNumber"]}]}
    assert outlets.published() == []


@pytest.mark.parametrize("is_whole", [True, False])
def test_our_own_events_that_come_back_in_are_ignored(
    backend: Backend, outlets: OutletsOfATest, is_whole: bool
) -> None:
    publish(play_a_life(backend))
    events = outlets.published()
    before = backend.items()

    messages = [sqs_record(event if is_whole else event["detail"]) for event in events]
    response = sqs_consumer.lambda_handler({"Records": messages}, None)

    assert response == {"batchItemFailures": []}
    assert (backend.items(), backend.messages(backend.rejected_queue)) == (before, [])


def test_metrics_count_what_was_published(
    backend: Backend, outlets: OutletsOfATest, capsys: pytest.CaptureFixture[str]
) -> None:
    records = play_a_life(backend)
    capsys.readouterr()

    publish(records)

    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    counts = {name: line[name][0] for name in ("records_read", "bus_events", "archive_events", "expiries_noted")}
    assert counts == {"records_read": 4, "bus_events": 3, "archive_events": 4, "expiries_noted": 3}


def test_no_log_line_shows_a_session(
    backend: Backend, outlets: OutletsOfATest, capsys: pytest.CaptureFixture[str]
) -> None:
    backend.sessions.create_session(login("secret-session", "secret-customer", expires_at=NOW + timedelta(hours=9)))
    outlets.fail("events", lambda text: "MalformedDetail")
    capsys.readouterr()

    publish(backend.stream_records())

    assert "secret" not in capsys.readouterr().out
