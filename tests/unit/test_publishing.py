"""The publisher: requests of ten, both channels, and what was refused is sent again."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.stub import ANY, Stubber

from ops.publishing.publisher import Channel, Message, Publisher, PublishError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/session-events"


def client(service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload] # the service varies
        service, region_name="eu-west-1", aws_access_key_id="example", aws_secret_access_key="example"
    )


@pytest.fixture
def events() -> Iterator[Stubber]:
    with Stubber(client("events")) as stubber:
        yield stubber


@pytest.fixture
def sqs() -> Iterator[Stubber]:
    with Stubber(client("sqs")) as stubber:
        yield stubber


def publisher(events: Stubber, sqs: Stubber, pauses: list[float] | None = None) -> Publisher:
    pauses = pauses if pauses is not None else []
    return Publisher(
        events=cast("EventBridgeClient", events.client),
        sqs=cast("SQSClient", sqs.client),
        bus_name="session-events",
        queue_url=QUEUE_URL,
        pause=pauses.append,
    )


def over_queue(number: int) -> Message:
    return Message(Channel.QUEUE, "", f'{{"number": {number}}}')


def over_eventbridge(number: int) -> Message:
    return Message(Channel.EVENTBRIDGE, "Login", f'{{"number": {number}}}')


def entries(*numbers: int) -> dict[str, Any]:
    sent = [
        {"EventBusName": "session-events", "Source": ANY, "DetailType": "Login", "Detail": f'{{"number": {number}}}'}
        for number in numbers
    ]
    return {"Entries": sent}


def bodies(*numbers: int) -> dict[str, Any]:
    sent = [{"Id": str(index), "MessageBody": f'{{"number": {number}}}'} for index, number in enumerate(numbers)]
    return {"QueueUrl": QUEUE_URL, "Entries": sent}


def taken(*ids: str) -> list[dict[str, str]]:
    return [{"Id": id_, "MessageId": id_, "MD5OfMessageBody": "-"} for id_ in ids]


def test_messages_go_out_in_requests_of_ten_per_channel_and_are_counted(events: Stubber, sqs: Stubber) -> None:
    events.add_response("put_events", {"Entries": [{"EventId": "1"}] * 10}, entries(*range(10)))
    events.add_response("put_events", {"Entries": [{"EventId": "1"}] * 2}, entries(10, 11))
    sqs.add_response("send_message_batch", {"Successful": taken("0"), "Failed": []}, bodies(99))
    counts: list[int] = []

    messages = [over_queue(99), *(over_eventbridge(number) for number in range(12))]
    publisher(events, sqs).publish(messages, on_published=counts.append)

    assert sorted(counts) == [1, 2, 10]
    events.assert_no_pending_responses()
    sqs.assert_no_pending_responses()


def test_only_the_entries_that_eventbridge_refused_are_sent_again_after_a_pause(events: Stubber, sqs: Stubber) -> None:
    refusal = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
    events.add_response("put_events", {"Entries": [{"EventId": "1"}, refusal, refusal]}, entries(1, 2, 3))
    events.add_response("put_events", {"Entries": [{"EventId": "2"}, refusal]}, entries(2, 3))
    events.add_response("put_events", {"Entries": [{"EventId": "3"}]}, entries(3))
    pauses: list[float] = []

    publisher(events, sqs, pauses).publish(over_eventbridge(number) for number in (1, 2, 3))

    assert pauses == [0.1, 0.2]
    events.assert_no_pending_responses()


def test_only_the_messages_that_the_queue_refused_are_sent_again(events: Stubber, sqs: Stubber) -> None:
    failure = {"Id": "1", "SenderFault": False, "Code": "InternalError", "Message": "try again"}
    sqs.add_response("send_message_batch", {"Successful": taken("0", "2"), "Failed": [failure]}, bodies(1, 2, 3))
    sqs.add_response("send_message_batch", {"Successful": taken("0"), "Failed": []}, bodies(2))

    publisher(events, sqs).publish(over_queue(number) for number in (1, 2, 3))

    sqs.assert_no_pending_responses()


def test_a_channel_that_keeps_refusing_is_an_error_that_says_why(events: Stubber, sqs: Stubber) -> None:
    refusal = {"ErrorCode": "NotAuthorized", "ErrorMessage": "no permission"}
    for _ in range(5):
        events.add_response("put_events", {"Entries": [refusal]}, entries(1))

    with pytest.raises(PublishError, match="refused 1 of the messages 5 times: NotAuthorized no permission"):
        publisher(events, sqs).publish([over_eventbridge(1)])
