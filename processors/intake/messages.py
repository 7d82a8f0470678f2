"""A message on its way in, from a queue or an event bus."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from providers.envelopes import Providers, ReadEvent, read_eventbridge_events, read_events
from schemas.times import from_epoch_milliseconds

LARGE_CHARACTERS = 32_768
"""Above it a message is handled after the others of its batch."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that holds one event, or several.

    Attributes:
        message_id: The SQS message's or the EventBridge event's id.
        content: The text of an SQS message, or an EventBridge event as Lambda hands it over.
        sent_at: When it was sent, aware UTC.
        receive_count: How often it was received, this delivery included. Source: SQS, `ApproximateReceiveCount`.
    """

    message_id: str
    content: object
    sent_at: datetime
    receive_count: int = 1

    @property
    def body(self) -> str:
        """The original as text, for the rejected-events queue."""
        if isinstance(self.content, str):
            return self.content
        try:
            return json.dumps(self.content, default=str)
        except RecursionError:
            return '"(nested too deeply to be shown)"'

    @property
    def is_large(self) -> bool:
        """Whether it is larger than one event with its tokens, so that it may hold very many."""
        return isinstance(self.content, str) and len(self.content) > LARGE_CHARACTERS

    def read(self, providers: Providers) -> list[ReadEvent]:
        """Read the events; at least one result. Nothing is raised because of the content."""
        if isinstance(self.content, str):
            return read_events(self.content, sent_at=self.sent_at, providers=providers)
        return read_eventbridge_events(self.content, sent_at=self.sent_at, providers=providers)


def from_sqs(record: Mapping[str, Any], *, now: datetime) -> Message:
    """Return the message of an SQS record.

    Args:
        record: A record of an SQS batch. A hand-made one without attributes counts as sent now, and received once.
        now: Aware UTC.
    """
    body, message_id = record.get("body"), record.get("messageId")
    attributes = record.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    sent_at = _digits(attributes.get("SentTimestamp"))
    return Message(
        message_id=message_id if isinstance(message_id, str) else "",
        content=body if isinstance(body, str) else "",
        sent_at=now if sent_at is None else from_epoch_milliseconds(sent_at),
        receive_count=_digits(attributes.get("ApproximateReceiveCount")) or 1,
    )


def from_eventbridge(event: object, *, now: datetime) -> Message:
    """Return the message of an EventBridge event.

    Args:
        event: The event as Lambda hands it over.
        now: Aware UTC. The event's own `time` is the publisher's word: the earlier of the two counts as sent.
    """
    event_id = event.get("id") if isinstance(event, dict) else None
    content = {} if isinstance(event, str) else event  # a text is no EventBridge event
    return Message(message_id=event_id if isinstance(event_id, str) else "", content=content, sent_at=now)


def _digits(value: object) -> int | None:
    is_number = isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 14
    return int(str(value)) if is_number else None
