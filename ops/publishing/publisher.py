"""Publish events the two ways auth systems do: PutEvents on the event bus, SendMessage to the session-events queue."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

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


MessageT = TypeVar("MessageT", bound=Message)


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
        source: What the publisher calls itself on the bus.
        pause: Waits the given number of seconds before another attempt.
    """

    events: "EventBridgeClient"
    sqs: "SQSClient"
    bus_name: str
    queue_url: str
    source: str = SOURCE
    pause: Callable[[float], None] = time.sleep

    def publish(
        self,
        messages: Iterable[MessageT],
        *,
        on_published: Callable[[int], None] = lambda count: None,
        on_refused: Callable[[MessageT, str], None] | None = None,
    ) -> None:
        """Publish every message.

        Args:
            messages: What to publish, in order.
            on_published: Called after each request with how many messages it took.
            on_refused: Called with each message that was refused five times, and why; the others are published.

        Raises:
            PublishError: Some were refused five times, and there is no `on_refused`.
        """
        for channel, batch in _batches(messages):
            refused = self._publish_batch(channel, batch)
            for message, reason in refused:
                if on_refused is None:
                    raise PublishError(f"{channel} refused {len(refused)} of the messages {_ATTEMPTS} times: {reason}")
                on_refused(message, reason)
            on_published(len(batch) - len(refused))

    def _publish_batch(self, channel: Channel, batch: Sequence[MessageT]) -> list[tuple[MessageT, str]]:
        """Publish what fits one request; answer what is still refused after every attempt, and why."""
        put = self._put_events if channel is Channel.EVENTBRIDGE else self._send_messages
        refused: list[tuple[MessageT, str]] = []
        for attempt in range(_ATTEMPTS):
            if attempt:
                self.pause(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
            refused = [(batch[index], reason) for index, reason in put(batch).items()]
            if not refused:
                break
            batch = [message for message, _ in refused]
        return refused

    def _put_events(self, batch: Sequence[Message]) -> dict[int, str]:
        """Answer what was refused: its position, and why."""
        response = self.events.put_events(
            Entries=[
                {
                    "EventBusName": self.bus_name,
                    "Source": self.source,
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


def _batches(messages: Iterable[MessageT]) -> Iterator[tuple[Channel, list[MessageT]]]:
    """Fill a request per channel, and answer each as it is full; the rest at the end."""
    waiting: defaultdict[Channel, list[MessageT]] = defaultdict(list)
    for message in messages:
        waiting[message.channel].append(message)
        if len(waiting[message.channel]) == _ENTRIES_PER_REQUEST:
            yield message.channel, waiting.pop(message.channel)
    yield from waiting.items()
