"""What became of an event: seen in the register, the queues of failures and the logs, or waited for."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from ops.sessionctl.app import app
from ops.tracing.awaiting import Waiting
from ops.tracing.evidence import Verdict
from ops.tracing.places import Finding, in_dead_letters, in_logs, in_rejected
from processors.runtime.settings import Settings
from processors.sqs_consumer import lambda_handler as consume
from schemas.events import Event, to_json
from schemas.times import format_rfc3339
from tests.conftest import Backend, at, login, logout, logout_all, sqs_record
from tests.deployed_stack import NAME, deploy
from tests.deployed_stack import on_moto_alone as pytest_generate_tests  # noqa: F401 # pytest calls it


@pytest.fixture
def outputs(backend: Backend) -> dict[str, str]:
    return {"SessionEventsQueueUrl": backend.events_queue, "RejectedEventsQueueUrl": backend.rejected_queue}


def verdicts(
    backend: Backend,
    outputs: dict[str, str],
    events: list[Event],
    send: Callable[[Event], None],
    *,
    timeout_seconds: float = 30,
) -> dict[str, Verdict | None]:
    """Publish events, wait for them, and say what became of each; a second passes at each look."""
    clock = iter(at(60) + timedelta(seconds=number) for number in range(10_000))
    waiting = Waiting(
        backend.sessions,
        backend.sqs,
        outputs,
        [(event, json.dumps(to_json(event))) for event in events],
        pause=lambda _: None,
    )
    for event in events:
        send(event)
    settled: list[int] = []
    waiting.wait(timeout_seconds=timeout_seconds, now=lambda: next(clock), on_settled=settled.append)
    assert sum(settled) == len(events)
    return {awaited.event.event_id: awaited.verdict for awaited in waiting.events}


def test_each_kind_of_event_is_seen_to_have_its_effect_or_to_need_none(
    backend: Backend, outputs: dict[str, str]
) -> None:
    def process(event: Event) -> None:
        consume({"Records": [sqs_record(event)]}, None)

    backend.sessions.apply([login("known", minute=2), login("known", minute=5), logout("over", minute=1)])
    events: list[Event] = [
        login("new", event_id="new"),
        login("known", minute=5, event_id="login-known-5"),
        login("known", minute=3, event_id="old"),
        login("tab", parent_session_id="new", event_id="child"),
        logout("known", event_id="out"),
        logout("over", minute=30, event_id="later-out"),
        logout("new", None, event_id="without-customer"),
        logout_all(event_id="all"),
        login("tab", "customer-2", parent_session_id="new", event_id="theirs"),
    ]

    assert verdicts(backend, outputs, events, process) == {
        "new": Verdict.APPLIED,
        "login-known-5": Verdict.DUPLICATE,
        "old": Verdict.STALE,
        "child": Verdict.APPLIED,
        "out": Verdict.APPLIED,
        "later-out": Verdict.STALE,
        "without-customer": Verdict.APPLIED,
        "all": Verdict.APPLIED,
        "theirs": Verdict.REJECTED,
    }


def test_an_event_that_waits_is_said_to_wait_and_one_that_vanished_is_not_known(
    backend: Backend, outputs: dict[str, str]
) -> None:
    def enqueue(event: Event) -> None:
        backend.sqs.send_message(QueueUrl=backend.events_queue, MessageBody=json.dumps(to_json(event)))

    waits = verdicts(backend, outputs, [login("a")], enqueue, timeout_seconds=5)
    backend.messages(backend.events_queue)
    backend.sqs.purge_queue(QueueUrl=backend.events_queue)
    vanished = verdicts(backend, outputs, [login("b")], lambda event: None, timeout_seconds=5)

    assert list(waits.values()) == [Verdict.QUEUED]
    assert list(vanished.values()) == [Verdict.UNKNOWN]


def test_an_event_is_found_in_a_dead_letter_queue_and_stays_there(backend: Backend, outputs: dict[str, str]) -> None:
    url = backend.sqs.create_queue(QueueName="failed")["QueueUrl"]
    queues = outputs | {"SessionEventsDeadLetterQueueUrl": url}

    def fail(event: Event) -> None:
        backend.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(to_json(event)))

    assert list(verdicts(backend, queues, [logout("a", None)], fail).values()) == [Verdict.DEAD_LETTER]
    found = in_dead_letters(backend.sqs, queues, ["logout-a-30", "other"], most=10)
    assert [finding.place for finding in found.values()] == ["dead-letter queue events"]
    assert len(backend.messages(url)) == 1


def test_a_rejected_event_is_found_by_its_id_masked_or_not_or_by_what_was_sent(backend: Backend) -> None:
    bad = json.dumps(to_json(login("s", event_id="plain")) | {"session_id": ""})
    secret = json.dumps({"event_id": "x" * 60, "event_type": "login"})
    nameless = "{no json"
    consume({"Records": [sqs_record(body) for body in (bad, secret, nameless)]}, None)

    found = in_rejected(
        backend.sqs,
        backend.rejected_queue,
        {"plain": None, "x" * 60: None, "nameless": nameless, "elsewhere": "{}"},
        most=100,
    )

    assert found.keys() == {"plain", "x" * 60, "nameless"}
    assert found["plain"] == Finding(Verdict.REJECTED, "rejected-events queue", "session_id is empty")


def test_the_log_names_what_was_rejected_after_its_message_is_gone(backend: Backend) -> None:
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName="/aws/lambda/consumer")
    logs.create_log_stream(logGroupName="/aws/lambda/consumer", logStreamName="1")
    now = datetime.now(UTC)
    lines = [
        {"message": "event rejected", "event_id": "e-1", "reason": "session_id is empty"},
        {"message": "event rejected", "event_id": "e-10", "reason": "another one"},
    ]
    logs.put_log_events(
        logGroupName="/aws/lambda/consumer",
        logStreamName="1",
        logEvents=[
            {"timestamp": int(now.timestamp() * 1000), "message": text}
            for text in (*map(json.dumps, lines), "not JSON: e-1")
        ],
    )

    class Functions:
        def get_function_configuration(self, **_: Any) -> dict[str, Any]:
            return {"FunctionName": "consumer"}

    outputs = {"SqsConsumerFunctionName": "consumer"}
    found = list(in_logs(Functions(), logs, outputs, "e-1", since=now - timedelta(minutes=5)))

    assert [(finding.verdict, finding.place) for finding in found] == [(Verdict.REJECTED, "log of consumer")]
    assert "session_id is empty" in found[0].text


@pytest.fixture
def stack(backend: Backend) -> Backend:
    deploy(backend)
    backend.sessions.apply(
        [
            login("s-1", event_id="in-1"),
            logout("s-1", event_id="out-1"),
            login("tab", parent_session_id="s-1", event_id="in-2"),
        ]
    )
    return backend


def trace(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["trace", *arguments, "--stack-name", NAME])


@pytest.mark.parametrize(
    ("event_id", "text"),
    [
        ("in-1", "the last login of session s-1 of customer customer-1, at 2026-03-01T12:00:00.000Z"),
        ("out-1", "it ended session s-1 of customer customer-1 at 2026-03-01T12:30:00.000Z (user)"),
        ("in-2", "the last login of session tab of customer customer-1"),
    ],
)
@pytest.mark.parametrize("where", [(), ("--session", "s-1"), ("--customer", "customer-1")])
def test_trace_finds_an_event_in_the_register(stack: Backend, event_id: str, text: str, where: tuple[str, ...]) -> None:
    result = trace(event_id, *where)

    assert result.exit_code == 0, result.stderr
    assert f"Event {event_id}: applied" in result.stdout
    assert text in result.stdout


def test_trace_says_what_was_rejected_and_why(stack: Backend) -> None:
    consume({"Records": [sqs_record(to_json(login("s", event_id="bad")) | {"session_id": ""})]}, None)

    document = json.loads(trace("bad", "--json").stdout)

    assert document["verdict"] == "rejected"
    assert document["findings"] == [
        {"place": "rejected-events queue", "verdict": "rejected", "text": "session_id is empty"}
    ]


def test_trace_is_honest_about_what_leaves_no_trace(stack: Backend) -> None:
    result = trace("nope")

    assert result.exit_code == 1
    assert "No place that was searched says what became of event nope." in result.stderr
    assert "Messages that wait in the queue of session events: 0." in result.stderr
    assert "What leaves no trace: a copy;" in result.stderr


def test_a_large_register_is_searched_only_when_asked_to(stack: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.sessionctl.trace._MUCH", 1)

    refused, asked = trace("in-1"), trace("in-1", "--scan")

    assert refused.exit_code == 1
    assert "Not searched: the register, of about " in refused.stderr
    assert asked.exit_code == 0


@pytest.fixture
def consumer(stack: Backend, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Processes what is in the queue whenever the command line waits; counts the waits."""
    monkeypatch.setattr("processors.runtime.clock.utc_now", lambda: datetime.now(UTC))
    waits: list[str] = []

    def pause(_: float) -> None:
        sent_at = {"attributes": {"SentTimestamp": str(int(datetime.now(UTC).timestamp() * 1000))}}
        bodies = stack.messages(stack.events_queue)
        waits.extend(map(str, bodies))
        if bodies:
            consume({"Records": [sqs_record(body) | sent_at for body in bodies]}, None)

    monkeypatch.setattr("ops.tracing.awaiting.time.sleep", pause)
    return waits


def publish(*arguments: str, text: str | None = None) -> Result:
    options = ("--via", "sqs", "--wait", "--stack-name", NAME)
    return CliRunner().invoke(app, ["publish", *arguments, *options], input=text)


def test_publish_says_what_became_of_the_event(stack: Backend, consumer: list[str]) -> None:
    event = ("login", "--customer", "c", "--session", "s-2", "--event-id", "e-1")

    first = publish(*event)
    stored = stack.sessions.get_session_by_session_id("s-2", "c")
    assert stored is not None
    again = publish(*event, "--occurred-at", format_rfc3339(stored.last_login_time or at(0)), "--json")

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert "e-1: applied: the register holds it." in first.stderr
    assert json.loads(again.stdout)["outcome"]["verdict"] == "duplicate"


def test_publish_says_what_became_of_each_event_of_a_file(stack: Backend, consumer: list[str]) -> None:
    now = format_rfc3339(datetime.now(UTC))
    fields = {"event_type": "login", "occurred_at": now, "customer_id": "c"}
    good = fields | {"event_id": "good", "session_id": "s-3"}
    theirs = fields | {"event_id": "theirs", "session_id": "tab", "parent_session_id": "s-1"}

    result = publish("-", text=json.dumps([good, theirs]))

    assert result.exit_code == 1
    assert "Outcome: 1 applied, 1 rejected." in result.stderr
    assert "theirs: rejected: rejected-events queue: the child session belongs to another customer" in result.stderr


def test_publish_follows_an_event_of_an_identity_system_to_the_id_that_the_stacks_namespace_gives_it(
    stack: Backend, consumer: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUSTOMER_NAMESPACE", "provider")
    monkeypatch.setattr(
        "ops.sessionctl.stacks.Stack.settings", lambda _: Settings.from_environment(os.environ, needs=())
    )
    now = format_rfc3339(datetime.now(UTC))
    detail = {
        "eventType": "user.session.start",
        "uuid": "0b0c0d0e-1111-11f1-8a2b-0123456789ab",
        "published": now,
        "outcome": {"result": "SUCCESS"},
        "actor": {"id": "00u-1", "type": "User"},
        "authenticationContext": {"externalSessionId": "102-1"},
    }
    event: dict[str, Any] = {
        "id": "1",
        "source": "aws.partner/okta.com/example/stream",
        "detail-type": "SystemLog",
        "time": now,
    }
    event |= {"version": "0", "account": "0" * 12, "region": "us-east-1", "resources": [], "detail": detail}

    result = publish("-", "--timeout", "1", text=json.dumps(event))

    assert result.exit_code == 0, result.stderr
    assert "applied: the register holds it." in result.stderr
