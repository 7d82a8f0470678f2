"""Publish events the two ways auth systems do: PutEvents on the event bus, SendMessage to the session-events queue."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

SOURCE = "com.example.auth"
"""What the publishers of samples and demo call themselves on the bus."""

_ENTRIES_PER_REQUEST = 10
"""The most that PutEvents and SendMessageBatch take."""
_ATTEMPTS = 5
_FIRST_PAUSE_SECONDS = 0.1


class Channel(StrEnum):
    """What carries an event: a rule on the event bus, or the publisher's own SendMessage."""

    EVENTBRIDGE = "eventbridge"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to publish.

    Attributes:
        channel: What carries it.
        detail_type: The EventBridge detail-type; empty for what goes to the queue directly.
        body: The text to send. EventBridge takes JSON objects only.
    """

    channel: Channel
    detail_type: str
    body: str


class PublishError(RuntimeError):
    """A channel kept refusing messages; says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Sends messages in requests of ten, in order per channel, and sends again what a channel refused.

    A repeated request can make copies, as it does in life: consumers fold them.

    Attributes:
        events: A boto3 EventBridge client.
        sqs: A boto3 SQS client.
        bus_name: The event bus.
        queue_url: The session-events queue.
        pause: Waits the given number of seconds before another attempt.
    """

    events: "EventBridgeClient"
    sqs: "SQSClient"
    bus_name: str
    queue_url: str
    pause: Callable[[float], None] = time.sleep

    def publish(self, messages: Iterable[Message], *, on_published: Callable[[int], None] = lambda count: None) -> None:
        """Publish every message.

        Args:
            messages: What to publish, in order.
            on_published: Called after each request with how many messages it took.

        Raises:
            PublishError: Some were refused five times.
        """
        for channel, batch in _batches(messages):
            self._publish_batch(channel, batch)
            on_published(len(batch))

    def _publish_batch(self, channel: Channel, batch: Sequence[Message]) -> None:
        put = self._put_events if channel is Channel.EVENTBRIDGE else self._send_messages
        refusals: list[str] = []
        for attempt in range(_ATTEMPTS):
            if attempt:
                self.pause(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
            refused = put(batch)
            if not refused:
                return
            batch, refusals = [batch[index] for index in refused], sorted(set(refused.values()))
        raise PublishError(f"{channel} refused {len(batch)} of the messages {_ATTEMPTS} times: {'; '.join(refusals)}")

    def _put_events(self, batch: Sequence[Message]) -> dict[int, str]:
        """Answer what was refused: its position, and why."""
        response = self.events.put_events(
            Entries=[
                {
                    "EventBusName": self.bus_name,
                    "Source": SOURCE,
                    "DetailType": message.detail_type,
                    "Detail": message.body,
                }
                for message in batch
            ]
        )
        return {
            index: f"{entry['ErrorCode']} {entry.get('ErrorMessage', '')}".strip()
            for index, entry in enumerate(response["Entries"])
            if "ErrorCode" in entry
        }

    def _send_messages(self, batch: Sequence[Message]) -> dict[int, str]:
        """Answer what was refused: its position, and why."""
        response = self.sqs.send_message_batch(
            QueueUrl=self.queue_url,
            Entries=[{"Id": str(index), "MessageBody": message.body} for index, message in enumerate(batch)],
        )
        return {
            int(failure["Id"]): f"{failure['Code']} {failure.get('Message', '')}".strip()
            for failure in response.get("Failed", [])
        }


def _batches(messages: Iterable[Message]) -> Iterator[tuple[Channel, list[Message]]]:
    """Fill a request per channel, and answer each as it is full; the rest at the end."""
    waiting: defaultdict[Channel, list[Message]] = defaultdict(list)
    for message in messages:
        waiting[message.channel].append(message)
        if len(waiting[message.channel]) == _ENTRIES_PER_REQUEST:
            yield message.channel, waiting.pop(message.channel)
    yield from waiting.items()
