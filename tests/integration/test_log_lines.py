"""What the five functions print on a bad day: each line says which function and request, and which event it means."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partialmethod
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from processors import eventbridge_consumer, expiry_sweeper, session_publisher, sqs_consumer, stream_projector
from processors.eventbridge_consumer import RetryLaterError
from processors.expiry_sweeper import UnfinishedSweepError
from processors.intake.event_processor import _MOST_RETRIES_NAMED
from processors.projection_table import ProjectionTable
from processors.register.erased import ERASED_PARTITION
from processors.runtime import wiring
from tests.conftest import NOW, Backend, at, login, logout, logout_all, sqs_record
from tests.deployed_stack import on_moto_alone as pytest_generate_tests  # noqa: F401 # pytest calls it
from tests.fuzz.hostile import TEXT, TOKEN
from tests.life_cycle_outlets import OutletsOfATest, make_outlets
from tests.log_lines import LINES, About

SEVERITY = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
FUNCTIONS = {
    module.__name__.rpartition(".")[2]: module.lambda_handler
    for module in (sqs_consumer, eventbridge_consumer, stream_projector, session_publisher, expiry_sweeper)
}
PAGED = {"children of a large family could not be read", "sessions could not be paged"}
ELSEWHERE = PAGED | {
    "projection cannot be read: made anew from the register",
    "projection made from a part of the sessions: run sessionctl rebuild",
}
"""Lines that this day does not bring about; other tests do, and every test checks the lines that it sees."""
PLAYED = {text for text, line in LINES.items() if line.about is not About.BATCH} - ELSEWHERE
Line = dict[str, Any]


@pytest.fixture
def outlets(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> OutletsOfATest:
    monkeypatch.setenv("REJECTED_EVENTS_QUEUE_URL", backend.rejected_queue)
    return make_outlets(backend, monkeypatch)


class Day:
    """A bad day of the five functions.

    Args:
        backend: Tables and queues.
        monkeypatch: Sets the environment.
    """

    def __init__(self, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
        self.backend = backend
        self.monkeypatch = monkeypatch
        self.invocations = 0

    def invoke(self, function: str, event: object, *, milliseconds: int = 30_000) -> None:
        self.invocations += 1
        context = SimpleNamespace(
            function_name=function,
            aws_request_id=f"request-{self.invocations}",
            get_remaining_time_in_millis=lambda: milliseconds,
        )
        with suppress(RetryLaterError, UnfinishedSweepError):
            FUNCTIONS[function](event, context)

    def consume(self, *events: Any, milliseconds: int = 30_000) -> None:
        records = [sqs_record(event, f"m-{number}") for number, event in enumerate(events)]
        self.invoke("sqs_consumer", {"Records": records}, milliseconds=milliseconds)

    def play(self, outlets: OutletsOfATest) -> None:
        """Good, rejected, retried, poison, throttled and outrun by others, on each function."""
        entry = {"PK": {"S": ERASED_PARTITION}, "SK": {"S": TEXT}}
        self.backend.dynamodb.put_item(TableName=self.backend.sessions_table, Item=entry)
        self._intake()
        records = self._records()
        self._streams(records, outlets)
        self._expiries(outlets)

    def _intake(self) -> None:
        bad = login("s0", access_token=TOKEN).model_dump(mode="json", exclude_none=True) | {"session_id": TEXT * 20}
        waiting = logout("nobody", None)
        self.consume(login("s1", access_token=TOKEN, client={"user_agent": TEXT}), bad, "{" + TEXT, waiting)
        self.consume(*(login(f"late-{number}") for number in range(30)), milliseconds=500)
        for operation in ("BatchGetItem", "PutItem"):
            with self.failing("dynamodb", operation, "ThrottlingException"):
                self.consume(login(f"throttled-{operation}"))
        with self.failing("dynamodb", "PutItem", "ConditionalCheckFailedException"):
            self.consume(login("outrun"))
        with self.failing("dynamodb", "Query", "InternalServerError"):
            self.consume(logout("nobody", None))
        with self.of_a_later_format(
            self.backend.sessions_table, {"PK": {"S": "suuid#s1"}, "SK": {"S": "c#customer-1"}}
        ):
            self.consume(login("s1", minute=1))
        detail = {"event_id": "e-1", "occurred_at": "2026-03-01T12:00:00Z", "session_id": "s2", "access_token": TOKEN}
        event = {"id": "bus-1", "source": "example", "detail-type": "Logout", "time": "2026-03-01T12:00:01Z"}
        for received in (detail, {**detail, "customer_id": 17}, {**detail, "event_id": f"{TOKEN} {TEXT}"}):
            self.invoke("eventbridge_consumer", event | {"detail": received})
        with self.setting("REJECTED_EVENTS_QUEUE_URL", self.backend.rejected_queue + "-gone"):
            self.consume(bad)
            self.invoke("eventbridge_consumer", event | {"detail": {}})

    def _records(self) -> list[dict[str, Any]]:
        sessions = self.backend.sessions
        sessions.expire_session(logout("child", minute=1))
        sessions.apply([login("child", parent_session_id="s1"), login("s9", expires_at=at(60))])
        sessions.apply([logout_all("customer-9", minute=2)])
        records = self.backend.stream_records()
        for record in records:
            record["dynamodb"]["ApproximateCreationDateTime"] = NOW.timestamp()
        return records

    def _streams(self, records: list[dict[str, Any]], outlets: OutletsOfATest) -> None:
        unreadable = json.loads(json.dumps(records[0]))
        unreadable["dynamodb"]["NewImage"]["item_format"] = {"N": "2"}
        readers = ("stream_projector", "session_publisher")
        for function in readers:
            self.invoke(function, {"Records": [unreadable]})
            with self.setting("FAILED_BATCHES_BUCKET", "no-such-bucket"):
                self.invoke(function, {"Records": [unreadable]})
            with self.setting("SESSIONS_TABLE", self.backend.sessions_table + "-gone"):
                self.invoke(function, {"Records": records})
        for operation in ("Query", "BatchGetItem"):
            with self.failing("dynamodb", operation, "InternalServerError"):
                self.invoke("stream_projector", {"Records": records})
        with self.setting("SESSION_COMMANDS_QUEUE_URL", self.backend.commands_queue + "-gone"):
            self.invoke("stream_projector", {"Records": records})
        with self.failing("dynamodb", "BatchWriteItem", "InternalServerError"):
            self.invoke("session_publisher", {"Records": records})
        for function in readers:
            self.invoke(function, {"Records": records})
        [projection, *_] = self.backend.items(self.backend.projections_table)
        with self.of_a_later_format(self.backend.projections_table, {"PK": projection["PK"]}):
            self.invoke("stream_projector", {"Records": records})
        outlets.fail("events", lambda text: "InternalFailure")
        self.invoke("session_publisher", {"Records": records})

    def _expiries(self, outlets: OutletsOfATest) -> None:
        self.monkeypatch.setattr("processors.runtime.clock.utc_now", lambda: at(61))
        self.backend.dynamodb.put_item(
            TableName=outlets.agenda_table, Item={"PK": {"S": "due#0"}, "SK": {"S": "!"}, "entries": {"S": TEXT}}
        )
        self.invoke("expiry_sweeper", {})
        outlets.faulty.clear()
        with self.setting("EXPIRY_AGENDA_TABLE", "gone"):
            self.invoke("expiry_sweeper", {})
        self.invoke("expiry_sweeper", {})

    @contextmanager
    def failing(self, service: str, operation: str, code: str) -> Iterator[None]:
        client = wiring.client(service)

        def fail(**_: Any) -> None:
            raise client.exceptions.from_code(code)({"Error": {"Code": code, "Message": TEXT}}, operation)

        with hooked(client, f"before-call.{service}.{operation}", fail):
            yield

    @contextmanager
    def of_a_later_format(self, table: str, key: dict[str, Any]) -> Iterator[None]:
        dynamodb = self.backend.dynamodb
        for number in (2, 1):
            dynamodb.update_item(
                TableName=table,
                Key=key,
                UpdateExpression="SET item_format = :format",
                ExpressionAttributeValues={":format": {"N": str(number)}},
            )
            if number == 2:
                yield

    @contextmanager
    def setting(self, name: str, value: str) -> Iterator[None]:
        with self.monkeypatch.context() as patch:
            patch.setenv(name, value)
            yield


@contextmanager
def hooked(client: Any, name: str, hook: Callable[..., None]) -> Iterator[None]:
    client.meta.events.register(name, hook)
    try:
        yield
    finally:
        client.meta.events.unregister(name, hook)


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[Line]:
    out, err = capsys.readouterr()
    assert err == ""
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def played(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], list[Line]]:
    def play(level: str) -> list[Line]:
        monkeypatch.setenv("LOG_LEVEL", level)
        Day(backend, monkeypatch).play(outlets)
        return lines_of(capsys)

    return play


@pytest.mark.slow
@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
def test_every_line_says_which_function_and_request_and_what_it_is_about_at_every_level(
    played: Callable[[str], list[Line]], level: str
) -> None:
    lines = played(level)

    said = [line for line in lines if "_aws" not in line]
    texts = {(line["service"], line["message"]) for line in said}
    assert all(line["function_request_id"].startswith("request-") for line in lines)
    assert {line["service"] for line in lines if "_aws" in line} == set(FUNCTIONS)
    assert {line["service"] for line in said} == set(FUNCTIONS)
    assert {line["level"] for line in said} == set(SEVERITY[max(SEVERITY.index(level), 1) : 4])
    for line in said:
        known = LINES[line["message"]]
        assert line.keys() >= known.facts - {"event_id"}
        assert {"level", "location", "timestamp"} <= line.keys()
    shown = json.dumps(lines)
    assert TEXT not in shown
    assert TOKEN not in shown
    if level in ("DEBUG", "INFO"):
        assert {text for _, text in texts} >= PLAYED


def test_an_event_that_is_retried_is_named_each_time_with_how_often_it_was_received(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "WARNING")
    poison = sqs_record(logout("nobody", None, event_id="e-poison"), "m-poison")
    poison["attributes"]["ApproximateReceiveCount"] = "7"
    secret = sqs_record(logout("nobody", None, event_id="bearer 0123456789"), "m-secret")

    Day(backend, monkeypatch).invoke("sqs_consumer", {"Records": [sqs_record(login()), secret, poison]})

    named = [line for line in lines_of(capsys) if line.get("message") == "event will be retried"]
    assert [(line["message_id"], line["receive_count"]) for line in named] == [("m-poison", 7), ("m-secret", 1)]
    assert named[0]["event_id"] == "e-poison"
    assert named[1]["event_id"].startswith("<text, 17, ")


def test_of_an_outage_the_events_received_most_often_are_named_and_the_others_counted(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "WARNING")
    records = [sqs_record(login(f"s{number}"), f"m-{number}") for number in range(100)]
    records[77]["attributes"]["ApproximateReceiveCount"] = "12"
    monkeypatch.setenv("SESSIONS_TABLE", "gone")

    Day(backend, monkeypatch).invoke("sqs_consumer", {"Records": records})

    lines = lines_of(capsys)
    named = [line["message_id"] for line in lines if line.get("message") == "event will be retried"]
    [rest] = [line["count"] for line in lines if line.get("message") == "more events will be retried"]
    assert named == ["m-77", *(f"m-{number}" for number in range(_MOST_RETRIES_NAMED - 1))]
    assert len(named) + rest == 100


def test_whichever_query_fails_the_record_is_named_whose_sessions_are_read_page_by_page(
    backend: Backend, outlets: OutletsOfATest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("processors.policies.cascade.LARGEST_FAMILY_A_STEP", 1)
    small = partialmethod(ProjectionTable.__init__, capacity=3)
    monkeypatch.setattr(ProjectionTable, "__init__", small)
    day = Day(backend, monkeypatch)
    children = [login(f"child-{number}", "many", parent_session_id="s0") for number in range(3)]
    backend.sessions.apply([*(login(f"s{number}", "many", expires_at=at(600)) for number in range(6)), *children])
    known = backend.stream_records()
    day.invoke("stream_projector", {"Records": known})
    backend.sessions.apply([logout("s0", "many", minute=-2), logout_all("many", minute=5)])
    records = {"Records": backend.stream_records()[len(known) :]}
    numbers = {record["dynamodb"]["SequenceNumber"] for record in records["Records"]}
    capsys.readouterr()

    for failing in range(8):
        with nth_failing(wiring.client("dynamodb"), "Query", failing):
            day.invoke("stream_projector", records)

    paged = [line for line in lines_of(capsys) if line.get("message") in PAGED]
    assert {line["message"] for line in paged} == PAGED
    assert {line["sequence_number"] for line in paged} <= numbers


@contextmanager
def nth_failing(client: Any, operation: str, number: int) -> Iterator[None]:
    calls = count()

    def fail(**_: Any) -> None:
        if next(calls) == number:
            raise ClientError({"Error": {"Code": "InternalServerError", "Message": TEXT}}, operation)

    with hooked(client, f"before-call.dynamodb.{operation}", fail):
        yield
