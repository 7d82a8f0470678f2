"""Messages that wait for a person: looked at and given back, worked off, grouped, and judged."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ops.recovery.dead_letters import (
    FAILED,
    WAITS_FOR_LOGIN,
    dead_letter_queues,
    event_of,
    read_dead_letter,
    sender,
)
from ops.recovery.grouping import Entry, FilterError, grouped, matcher
from ops.recovery.queue_messages import QueueMessage, Worked, depth, look, work_off
from ops.recovery.rejected import Rejected, read_rejected, why_not_replayed
from ops.recovery.republishing import Republished, republisher
from processors.aws.message_queue import MessageQueue
from processors.intake.rejections import rejection
from processors.runtime.intake import vocabulary_of
from providers.envelopes import BUNDLED
from schemas.errors import RejectedEventError
from schemas.times import format_rfc3339

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
AGE = timedelta(days=15)
LOGIN = {
    "event_id": "e-1",
    "event_type": "login",
    "occurred_at": "2026-03-02T09:00:00.000Z",
    "customer_id": "customer-1",
    "session_id": "session-1",
}
OKTA = {
    "eventType": "user.session.start",
    "uuid": "0b0c0d0e-1111-11f1-8a2b-0123456789ab",
    "published": "2026-03-02T09:00:00.000Z",
    "outcome": {"result": "SUCCESS"},
    "actor": {"id": "00u-1", "type": "User"},
    "authenticationContext": {"externalSessionId": "102-1"},
}
AUTH0 = {
    "log_id": "900",
    "data": {
        "type": "s",
        "date": "2026-03-02T09:00:00.000Z",
        "user_id": "auth0|u-1",
        "details": {"session_id": "s-auth0"},
    },
}


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "example")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield


@pytest.fixture
def sqs() -> Any:
    return boto3.client("sqs", region_name="eu-west-1")


def queue_with(sqs: Any, *bodies: str, name: str = "queue") -> str:
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body)
    return url


def visible(sqs: Any, url: str) -> int:
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"])


def bodies_in(sqs: Any, url: str) -> list[str]:
    return [message.body for message in look(sqs, url).messages]


def message(body: str, **attributes: str) -> QueueMessage:
    return QueueMessage("m-1", body, NOW, 1, attributes, "receipt")


def rejected(event: Any, reason: str = "no mapping recognises it", *, cut: bool = False) -> str:
    text = rejection(
        RejectedEventError(reason, event_id="e-1"),
        message_id="m-0",
        body=event if isinstance(event, str) else json.dumps(event),
        now=NOW,
        vocabulary=vocabulary_of(BUNDLED.mappings),
    )
    return json.dumps(json.loads(text) | {"body_cut": True}) if cut else text


def why(event: Any, reason: str = "no mapping recognises it", **further: Any) -> str | None:
    found = read_rejected(message(rejected(event, reason, **further)))
    return why_not_replayed(found, BUNDLED, now=NOW, max_event_age=AGE)


def test_a_look_reads_every_message_and_leaves_each_visible_at_once(sqs: Any) -> None:
    url = queue_with(sqs, *(str(number) for number in range(25)))

    seen = look(sqs, url)

    assert sorted(int(message.body) for message in seen.messages) == list(range(25))
    assert seen.total == 25
    assert visible(sqs, url) == 25


def test_a_look_reads_no_more_than_it_was_told_and_says_of_how_many(sqs: Any) -> None:
    url = queue_with(sqs, *(str(number) for number in range(25)))

    seen = look(sqs, url, most=12)

    assert len(seen.messages) == 12
    assert seen.total == 25
    assert visible(sqs, url) == 25


def test_a_look_that_is_interrupted_gives_everything_back(sqs: Any) -> None:
    url = queue_with(sqs, *(str(number) for number in range(25)))

    def interrupt(count: int) -> None:
        if count >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look(sqs, url, on_read=interrupt)

    assert visible(sqs, url) == 25


def test_what_is_done_is_deleted_and_the_rest_is_visible_again(sqs: Any) -> None:
    url = queue_with(sqs, *(str(number) for number in range(25)))

    worked = work_off(sqs, url, lambda messages: [each.message_id for each in messages if int(each.body) % 5])

    assert (worked.total, worked.done, worked.kept) == (25, 20, 5)
    assert sorted(map(int, bodies_in(sqs, url))) == [0, 5, 10, 15, 20]


def test_work_that_is_interrupted_deletes_nothing_that_was_not_done(sqs: Any) -> None:
    url = queue_with(sqs, *(str(number) for number in range(25)))
    worked = Worked()

    def act(messages: Sequence[QueueMessage]) -> list[str]:
        if worked.done:
            raise KeyboardInterrupt
        return [each.message_id for each in messages]

    with pytest.raises(KeyboardInterrupt):
        work_off(sqs, url, act, worked=worked)

    assert worked.done == 10
    assert visible(sqs, url) == 15


def test_what_comes_back_while_it_is_worked_off_does_not_keep_it_going_for_ever(sqs: Any) -> None:
    url = queue_with(sqs, "poison")

    def send_it_back(messages: Sequence[QueueMessage]) -> list[str]:
        for each in messages:
            sqs.send_message(QueueUrl=url, MessageBody=each.body)
        return [each.message_id for each in messages]

    worked = work_off(sqs, url, send_it_back)

    assert 1 <= worked.done <= 110
    assert visible(sqs, url) == 1


def test_a_redrive_sends_what_was_meant_and_keeps_what_sqs_refuses(sqs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    dead, events = queue_with(sqs, "a", "b", "c"), queue_with(sqs, name="events")
    send_batch = sqs.send_message_batch
    refused = {"Failed": [{"Id": "0", "Code": "InternalError", "SenderFault": False}]}

    def refusing(**request: Any) -> Any:
        entries = [entry for entry in request["Entries"] if entry["MessageBody"] != "b"]
        answer = send_batch(**request | {"Entries": entries}) if entries else {}
        position = next((entry["Id"] for entry in request["Entries"] if entry["MessageBody"] == "b"), None)
        return answer if position is None else answer | {"Failed": [refused["Failed"][0] | {"Id": position}]}

    monkeypatch.setattr(sqs, "send_message_batch", refusing)
    failures: dict[str, str] = {}

    worked = work_off(sqs, dead, sender(sqs, events, lambda each: each.body != "c", failures))

    assert bodies_in(sqs, events) == ["a"]
    assert sorted(bodies_in(sqs, dead)) == ["b", "c"]
    assert (worked.done, worked.kept) == (1, 2)
    assert list(failures.values()) == ["InternalError"]


def test_messages_that_are_too_large_for_one_request_go_in_several(sqs: Any) -> None:
    large = "x" * 200_000
    dead, events = queue_with(sqs, large, large, "small"), queue_with(sqs, name="events")

    worked = work_off(sqs, dead, sender(sqs, events, lambda _: True, {}))

    assert worked.done == 3
    assert depth(sqs, events) == 3


def test_every_dead_letter_queue_of_the_outputs_is_sent_to_the_session_events_queue() -> None:
    outputs = {
        "SessionEventsQueueUrl": "events",
        "SessionEventsDeadLetterQueueUrl": "dead-events",
        "SessionCommandsDeadLetterQueueUrl": "dead-commands",
        "RuleDeadLetterQueueUrl": "dead-rule",
    }

    queues = dead_letter_queues(outputs)
    with_direct = dead_letter_queues(outputs | {"DirectDeadLetterQueueUrl": "dead-direct"})

    assert [queue.name for queue in queues] == ["events", "commands", "rule"]
    assert with_direct[-1].url == "dead-direct"
    assert {queue.destination for queue in with_direct} == {"events"}


def test_the_event_in_lambdas_record_of_a_failed_invocation_is_what_is_sent() -> None:
    event = {"source": "com.example.auth", "detail-type": "Login", "detail": LOGIN}
    record = {"version": "1.0", "requestContext": {"condition": "RetriesExhausted"}, "requestPayload": event}

    assert json.loads(event_of(json.dumps(record))) == event
    assert event_of("{cut off") == "{cut off"


@pytest.mark.parametrize(
    ("body", "attributes", "reason", "source"),
    [
        (json.dumps(LOGIN | {"source": "auth-1"}), {}, FAILED, "auth-1"),
        (
            json.dumps(
                {name: value for name, value in LOGIN.items() if name != "customer_id"} | {"event_type": "logout"}
            ),
            {},
            WAITS_FOR_LOGIN,
            "unknown",
        ),
        ("{cut", {}, "not a valid event: ", "unknown"),
        (json.dumps(OKTA), {}, FAILED, "okta"),
        (
            json.dumps(LOGIN),
            {"ERROR_CODE": "NO_PERMISSIONS"},
            "EventBridge could not deliver it: NO_PERMISSIONS",
            "unknown",
        ),
    ],
)
def test_a_dead_letter_says_why_it_may_be_there_and_whose_it_is(
    body: str, attributes: dict[str, str], reason: str, source: str
) -> None:
    letter = read_dead_letter("events", message(body, **attributes), BUNDLED)

    assert letter.reason.startswith(reason)
    assert letter.source == source


def test_a_dead_letters_facts_show_no_token() -> None:
    letter = read_dead_letter("events", message(json.dumps(LOGIN | {"access_token": "example-token-1"})), BUNDLED)

    assert "example-token" not in json.dumps(letter.facts()) + json.dumps(letter.event)
    assert letter.facts()["customer"] == "customer-1"


def test_reasons_that_differ_in_values_and_places_are_one_group() -> None:
    entries = [
        Entry("a", "event 3 of the message: occurred_at lies 1,000 seconds back", "x", NOW),
        Entry("b", "occurred_at lies 20 seconds back", "x", NOW + timedelta(hours=1)),
        Entry("c", "occurred_at lies 20 seconds back", "y", NOW),
    ]

    first, second = grouped(entries)

    assert (first.count, first.source, first.example_id) == (2, "x", "b")
    assert (first.oldest, first.newest) == (NOW, NOW + timedelta(hours=1))
    assert second.source == "y"


def test_filters_must_all_hold_and_an_unknown_name_says_which_there_are() -> None:
    is_meant = matcher(["source=auth0*", "queue=events"], ("source", "queue"))

    assert is_meant({"source": "auth0|x", "queue": "events"})
    assert not is_meant({"source": "auth0|x", "queue": "rule"})
    with pytest.raises(FilterError, match="one of source, queue"):
        matcher(["colour=red"], ("source", "queue"))


def test_an_event_that_is_valid_by_todays_mappings_can_be_published_again() -> None:
    assert why(AUTH0) is None


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (LOGIN | {"access_token": "example-token-1"}, "masked here, and read by its mapping: access_token"),
        (OKTA, "masked here, and read by its mapping: result"),
        (OKTA | {"client": {"userAgent": {"rawUserAgent": "a browser of somebody"}}}, "rawUserAgent"),
        (LOGIN | {"session_id": ""}, "still not valid: session_id"),
        ("{cut off", "still not valid: "),
        (LOGIN | {"occurred_at": "2026-02-01T09:00:00.000Z"}, "too old by now"),
        ({"nothing": "known"}, "still not valid: "),
    ],
)
def test_an_event_that_cannot_be_published_again_says_why(event: Any, expected: str) -> None:
    assert expected in str(why(event))


def test_an_event_of_which_only_a_part_is_kept_is_not_published_again() -> None:
    assert why(AUTH0, cut=True) == "only a part of it is kept"


def test_a_masked_name_of_the_length_of_one_that_the_mapping_reads_keeps_an_event_from_being_published() -> None:
    masked = json.loads(rejected(AUTH0))
    body = json.loads(masked["body"])
    elsewhere = read_rejected(message(json.dumps(masked | {"body": json.dumps(body | {"<name 1, 99>": "<text, 5>"})})))
    body["data"]["<name 1, 2>"] = "<text, 5>"  # may be `ip`
    found = read_rejected(message(json.dumps(masked | {"body": json.dumps(body)})))

    def why_not(rejection: Rejected) -> str | None:
        return why_not_replayed(rejection, BUNDLED, now=NOW, max_event_age=AGE)

    assert why_not(elsewhere) is None
    assert why_not(found) == "masked here, and read by its mapping: ip"


def test_a_message_that_the_intake_did_not_write_is_named_and_not_shown() -> None:
    found = read_rejected(message("example-token-1"))

    assert found.reason.startswith("not a message of the intake")
    assert "example-token" not in json.dumps(found.request(""))


def test_what_is_valid_is_published_and_leaves_the_queue_and_the_rest_stays_until_it_is_written_down(sqs: Any) -> None:
    url = queue_with(sqs, rejected(AUTH0), rejected("{cut off", "not valid JSON"))
    events = queue_with(sqs, name="events")
    result = Republished()
    written: list[Any] = []

    def replay(*, is_kept: bool) -> None:
        act = republisher(
            MessageQueue(sqs, events),
            lambda each: why_not_replayed(each, BUNDLED, now=NOW, max_event_age=AGE),
            is_meant=lambda _: True,
            result=result,
            write_down=lambda requests: written.extend(requests) or is_kept,  # type: ignore[func-returns-value] # None
        )
        work_off(sqs, url, act)

    replay(is_kept=False)
    after_first = depth(sqs, url)
    replay(is_kept=True)

    [body] = bodies_in(sqs, events)
    assert json.loads(body) == AUTH0
    assert after_first == 1
    assert depth(sqs, url) == 0
    assert written[0]["reason"] == "not valid JSON"
    assert written[0]["body_sha256"]


def test_an_event_that_the_queue_does_not_take_stays_rejected(sqs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    url, events = queue_with(sqs, rejected(AUTH0)), queue_with(sqs, name="events")
    refusing = {"Failed": [{"Id": "0", "Code": "InternalError", "SenderFault": False}]}
    monkeypatch.setattr(sqs, "send_message_batch", lambda **_: refusing)
    result = Republished()

    act = republisher(
        MessageQueue(sqs, events), lambda _: None, is_meant=lambda _: True, result=result, write_down=lambda _: False
    )
    work_off(sqs, url, act)

    assert result.refused == {"InternalError": 1}
    assert depth(sqs, url) == 1


def test_names_outside_ascii_survive_the_publishing(sqs: Any) -> None:
    url, events = (
        queue_with(sqs, rejected(AUTH0)),
        queue_with(sqs, name="e"),
    )
    raw = json.loads(bodies_in(sqs, url)[0])
    sqs.purge_queue(QueueUrl=url)
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(raw | {"body": json.dumps({"Ж𝕏": 1}, ensure_ascii=False)}))
    result = Republished()

    act = republisher(
        MessageQueue(sqs, events), lambda _: None, is_meant=lambda _: True, result=result, write_down=lambda _: False
    )
    work_off(sqs, url, act)

    assert json.loads(bodies_in(sqs, events)[0]) == {"Ж𝕏": 1}


def test_the_time_of_a_rejection_is_what_the_intake_wrote() -> None:
    assert read_rejected(message(rejected(LOGIN))).rejected_at == NOW
    assert format_rfc3339(NOW) in rejected(LOGIN)
