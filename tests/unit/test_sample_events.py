"""The sample events: what developers invoke functions with, and publishers copy."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ops.demo.samples import SAMPLES, SAMPLES_SENT_AT, SampleError, load_samples
from ops.publishing.publisher import Channel, Message
from providers.envelopes import read_body
from schemas.errors import RejectedEventError
from schemas.events import Event, LoginEvent, parse_event
from schemas.item_mapping import read_item
from schemas.items import Session
from tests.eventbridge import read_eventbridge_event

BARE = ("login.json", "child-login.json", "logout.json", "logout-all.json")


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text(encoding="utf-8"))


def read_message(message: Message, *, sent_at: datetime) -> Event | None:
    if message.channel is Channel.QUEUE:
        return read_body(message.body, sent_at=sent_at)
    envelope = {"id": "1", "source": "com.example.auth", "detail-type": message.detail_type}
    return read_eventbridge_event(envelope | {"detail": json.loads(message.body)}, sent_at=sent_at)


@pytest.mark.parametrize("name", BARE)
def test_bare_samples_are_canonical_events(name: str) -> None:
    event = parse_event(sample(name), sent_at=SAMPLES_SENT_AT)

    assert event is not None


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("sqs-*.json")), ids=lambda path: path.name)
def test_queue_samples_have_the_checksum_of_their_body_and_were_sent_after_they_occurred(path: Path) -> None:
    records = sample(path.name)["Records"]

    sent = {record["attributes"]["SentTimestamp"] for record in records}

    assert all(
        hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest() == record["md5OfBody"]
        for record in records
    )
    assert {int(moment) // 1000 for moment in sent} == {int(SAMPLES_SENT_AT.timestamp())}


@pytest.mark.parametrize(
    "name",
    [
        "sqs-login.json",
        "sqs-logout.json",
        "sqs-logout-all.json",
        "sqs-eventbridge-envelope.json",
        "sqs-sns-envelope.json",
    ],
)
def test_single_queue_samples_hold_one_good_event(name: str) -> None:
    (record,) = sample(name)["Records"]

    event = read_body(record["body"], sent_at=SAMPLES_SENT_AT)

    assert event is not None


def test_the_mixed_batch_holds_good_and_malformed_events() -> None:
    refused = []

    records = sample("sqs-mixed-batch.json")["Records"]
    for record in records:
        try:
            read_body(record["body"], sent_at=SAMPLES_SENT_AT)
        except RejectedEventError as error:
            refused.append(error.reason)

    assert (len(records), len(refused)) == (5, 3)


@pytest.mark.parametrize("name", ["eventbridge-login.json", "eventbridge-logout.json"])
def test_eventbridge_samples_are_good_events_that_occurred_before_they_were_sent(name: str) -> None:
    event = read_eventbridge_event(sample(name))

    assert event is not None
    assert event.occurred_at < datetime.fromisoformat(sample(name)["time"])


def test_stream_images_are_items_of_the_sessions_table_under_their_own_keys() -> None:
    records = [record["dynamodb"] for record in sample("dynamodb-stream.json")["Records"]]

    images = [record[side] for record in records for side in ("OldImage", "NewImage") if side in record]
    items = [read_item(image) for image in images]

    assert all(isinstance(item, Session) for item in items)
    assert [item.key for item in items if item] == [(image["PK"]["S"], image["SK"]["S"]) for image in images]
    assert [record["Keys"] for record in records] == [
        {"PK": record["NewImage"]["PK"], "SK": record["NewImage"]["SK"]} for record in records
    ]


def test_samples_to_publish_occurred_in_the_hour_before_now_whatever_now_is() -> None:
    now = datetime(2031, 7, 1, 12, 0, tzinfo=UTC)

    messages = load_samples(now=now)

    events = []
    for message in messages:
        try:
            events.append(read_message(message, sent_at=now))
        except RejectedEventError:
            continue
    moments = [event.occurred_at for event in events if event]
    assert len(messages) - len(events) == 3
    assert now - timedelta(hours=1) <= min(moments)
    assert max(moments) < now


def test_samples_go_over_both_channels_and_leave_live_sessions_behind() -> None:
    now = datetime.now(UTC)

    messages = load_samples(now=now)

    logins = [json.loads(message.body) for message in messages if message.detail_type == "Login"]
    expiring = [LoginEvent.model_validate({"event_type": "login"} | login).expires_at for login in logins]
    assert {message.channel for message in messages} == set(Channel)
    assert all(expires_at > now for expires_at in expiring if expires_at)


def test_a_directory_without_samples_is_an_error_that_says_where(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="no sample events in"):
        load_samples(now=SAMPLES_SENT_AT, directory=tmp_path)


def test_a_file_that_is_no_event_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"colour": "green"}')

    with pytest.raises(SampleError, match=r"other\.json is neither"):
        load_samples(now=SAMPLES_SENT_AT, directory=tmp_path)
