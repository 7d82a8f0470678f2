"""Files of events, and what is refused on the way."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from typer.testing import CliRunner

from ops.publishing.publisher import Channel, Publisher
from ops.sessionctl.app import app
from ops.sessionctl.event_files import Entry, NotEventsError, read_entries, to_message
from ops.sessionctl.options import Via
from ops.sessionctl.screen import command_line
from ops.sessionctl.sending import publish_entries
from schemas.errors import RejectedEventError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENT = {
    "event_id": "e-1",
    "event_type": "login",
    "occurred_at": "2026-03-01T11:00:00Z",
    "customer_id": "c-1",
    "session_id": "s-1",
}
WRAPPED = {"source": "idp", "detail-type": "Login", "detail": EVENT}


def entries(text: str) -> list[tuple[str, str]]:
    return [(entry.place, entry.text) for entry in read_entries(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}\n{"a": 2}\n', [("line 1", '{"a": 1}'), ("line 2", '{"a": 2}')]),
        ('\n{"a": 1}\n\nbad\n', [("line 2", '{"a": 1}'), ("line 4", "bad")]),
        ('bad\n{"a": 1}', [("line 1", "bad"), ("line 2", '{"a": 1}')]),
        ('[{"a": 1},\n {"a": 2}]', [("event 1", '{"a": 1}'), ("event 2", '{"a": 2}')]),
        ('{\n  "a": 1\n}\n', [("line 1", '{\n  "a": 1\n}')]),
        ('[{"a": 1},\n{"a": 2}\n', [("line 1", '[{"a": 1},\n{"a": 2}')]),
        ('\ufeff{"a": 1}', [("line 1", '{"a": 1}')]),
        ("  \n", []),
    ],
    ids=["lines", "a bad line", "a bad first line", "array", "one object", "broken array", "byte order mark", "empty"],
)
def test_json_and_json_lines_are_told_apart(text: str, expected: list[tuple[str, str]]) -> None:
    assert entries(text) == expected


@pytest.mark.parametrize("event", [EVENT, WRAPPED], ids=["bare", "in an EventBridge event"])
def test_for_the_bus_an_event_is_taken_out_of_its_envelope_and_the_detail_type_found(event: dict[str, Any]) -> None:
    message = to_message(Entry("line 1", json.dumps(event)), Channel.EVENTBRIDGE, now=NOW)

    assert message is not None
    assert (message.detail_type, json.loads(message.body)) == ("Login", EVENT)


def test_for_the_queue_an_event_goes_as_it_is() -> None:
    text = json.dumps(WRAPPED, indent=1)

    message = to_message(Entry("line 1", text), Channel.QUEUE, now=NOW)

    assert message is not None
    assert message.body == text


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"customer_id": None}, "customer_id is missing"),
        ({"occurred_at": "2026-03-01T12:10:00Z"}, "more than 5 minutes after"),
        ({"event_type": None}, "event_type is missing"),
        ({"event_type": ["login"]}, "event_type must be a string"),
    ],
)
def test_what_a_consumer_would_reject_is_refused_before_it_is_sent(
    channel: Channel, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RejectedEventError, match=reason):
        to_message(Entry("line 1", json.dumps(EVENT | change)), channel, now=NOW)


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize(
    "event",
    [
        EVENT | {"event_type": "password_change"},
        {
            "eventType": "user.mfa.factor.activate",
            "uuid": "u-1",
            "published": "2026-03-01T11:00:00Z",
            "version": "0",
            "actor": {"id": "u"},
        },
    ],
    ids=["canonical", "okta"],
)
def test_what_a_consumer_would_ignore_is_not_sent(channel: Channel, event: dict[str, Any]) -> None:
    assert to_message(Entry("line 1", json.dumps(event)), channel, now=NOW) is None


def test_an_event_of_an_identity_system_goes_to_the_queue_as_no_rule_of_the_bus_takes_it() -> None:
    event = {
        "id": "q",
        "time": 1772362800000,
        "realmId": "r",
        "type": "LOGIN",
        "userId": "u",
        "sessionId": "s",
        "clientId": "app",
    }
    entry = Entry("line 1", json.dumps(event))

    assert to_message(entry, Channel.QUEUE, now=NOW) is not None
    with pytest.raises(RejectedEventError, match="send an event of an identity system with --via sqs"):
        to_message(entry, Channel.EVENTBRIDGE, now=NOW)


def test_a_page_with_examples_in_it_is_not_a_list_of_events() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    page = readme + json.dumps(EVENT) + "\n"

    with pytest.raises(NotEventsError, match=r"\d+ of \d+ lines are not JSON objects"):
        list(read_entries(page))


def test_a_file_that_means_nothing_here_is_published_to_the_end_without_an_error(
    events: Stubber, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "\n".join(json.dumps(EVENT | {"event_type": "password_change"}) for _ in range(8))

    stack: Any = Target(events.client)
    report = publish_entries(stack, text, name="f", via=Via.EVENTBRIDGE, source="me", validate=True, strict=True)

    assert (report.ignored, report.is_complete) == (8, True)
    assert capsys.readouterr().err == (
        "Published 0 of 8 events to stack test over EventBridge; 8 ignored, neither login nor logout.\n"
    )


def test_without_validation_only_what_the_channel_cannot_carry_is_refused() -> None:
    bad = Entry("line 1", json.dumps({"event_type": "login"}))

    queued = to_message(Entry("line 1", "no json"), Channel.QUEUE, now=NOW, validate=False)
    put = to_message(bad, Channel.EVENTBRIDGE, now=NOW, validate=False)

    assert queued is not None
    assert put is not None
    assert (queued.body, put.detail_type) == ("no json", "Login")
    with pytest.raises(RejectedEventError, match="nothing says its detail-type"):
        to_message(Entry("line 1", "{}"), Channel.EVENTBRIDGE, now=NOW, validate=False)


@pytest.fixture
def events() -> Iterator[Stubber]:
    client = boto3.client("events", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        yield stubber


@dataclass
class Target:
    """As much of a stack as publishing needs."""

    events: Any
    name: str = "stack test"

    def publisher(self, source: str) -> Publisher:
        sqs: Any = None
        return Publisher(events=self.events, sqs=sqs, bus_name="bus", queue_url="", source=source, pause=lambda _: None)


def test_entries_that_are_refused_are_sent_again_and_those_refused_five_times_are_reported_with_their_place(
    events: Stubber, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = {"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}
    events.add_response("put_events", {"Entries": [{"EventId": "1"}, refused, refused]}, {"Entries": [ANY] * 3})
    events.add_response("put_events", {"Entries": [{"EventId": "2"}, refused]}, {"Entries": [ANY] * 2})
    for _ in range(3):
        events.add_response("put_events", {"Entries": [refused]}, {"Entries": [ANY]})
    text = "\n".join(json.dumps(EVENT | {"event_id": f"e-{number}"}) for number in range(3))

    stack: Any = Target(events.client)
    report = publish_entries(stack, text, name="f", via=Via.EVENTBRIDGE, source="me", validate=True, strict=False)

    assert (report.published, report.is_complete) == (2, False)
    assert capsys.readouterr().err.splitlines() == [
        "Published 2 of 3 events to stack test over EventBridge.",
        "f, line 3: refused by EventBridge: InternalFailure try again",
    ]
    events.assert_no_pending_responses()


def test_how_many_were_taken_is_said_also_where_an_error_is_the_end(
    events: Stubber, capsys: pytest.CaptureFixture[str]
) -> None:
    events.add_response("put_events", {"Entries": [{"EventId": "1"}] * 10})
    events.add_client_error("put_events", "ExpiredTokenException")
    text = "\n".join(json.dumps(EVENT) for _ in range(11))

    stack: Any = Target(events.client)
    with pytest.raises(events.client.exceptions.ClientError):
        publish_entries(stack, text, name="f", via=Via.EVENTBRIDGE, source="me", validate=True, strict=False)

    assert capsys.readouterr().err == "Published 10 of 11 events to stack test over EventBridge.\n"


@pytest.mark.parametrize("duration", ["30", "1w", "-5m", "", "30 m"])
def test_a_duration_of_another_form_is_a_usage_error(duration: str) -> None:
    result = CliRunner().invoke(
        app, ["publish", "login", "--customer", "c", "--session", "s", f"--expires-in={duration}"]
    )

    assert result.exit_code == 2
    assert "is not a duration like" in result.stderr


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (("/elsewhere/bin/sessionctl", "/elsewhere/bin/python"), "/elsewhere/bin/sessionctl local"),
        (("/x/ops/sessionctl/__main__.py", "/elsewhere/bin/python"), "/elsewhere/bin/python -m ops.sessionctl local"),
    ],
)
def test_lines_to_paste_begin_with_a_program_that_is_there(program: tuple[str, str], expected: str) -> None:
    assert command_line("local", program=program) == expected


def test_help_needs_neither_boto3_nor_the_models() -> None:
    code = (
        "import sys\nfrom ops.sessionctl.app import app\n"
        "try: app(['publish', '--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'boto3', 'botocore', 'schemas.events', 'samtranslator', 'moto'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 (ours)

    assert result.stdout.splitlines()[-1] == "[]"
