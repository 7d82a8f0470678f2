"""Read what the rejected-events queue and the dead-letter queues hold, and leave it there."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ops.recovery.queue_messages import QueueMessage, look
from providers.envelopes import read_body
from schemas.errors import RejectedEventError
from schemas.events import to_json

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_EVERY = 100_000
"""More than a demo leaves."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A message of the rejected-events queue.

    Attributes:
        event_id: The event's id, None where it could not be read.
        reason: Why it was rejected.
        text: The whole message, tokens masked by the consumer.
    """

    event_id: str | None
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message of a dead-letter queue.

    Attributes:
        sent_at: When it was first sent, aware UTC.
        event: The event in it without its token, as JSON; or that there is none.
    """

    sent_at: datetime
    event: str


def read_rejections(sqs: "SQSClient", queue_url: str) -> list[Rejection]:
    """Read every message of the rejected-events queue, which stay in it."""
    return [_rejection(message.body) for message in look(sqs, queue_url, most=_EVERY).messages]


def read_dead_letters(sqs: "SQSClient", queue_url: str) -> list[DeadLetter]:
    """Read every message of a dead-letter queue, which stay in it."""
    return [_dead_letter(message) for message in look(sqs, queue_url, most=_EVERY).messages]


def _rejection(body: str) -> Rejection:
    record = json.loads(body)
    return Rejection(record.get("event_id"), record["reason"], body)


def _dead_letter(message: QueueMessage) -> DeadLetter:
    try:
        event = read_body(message.body, sent_at=None)
    except RejectedEventError as error:
        return DeadLetter(message.sent_at, f"no event: {error.reason}")
    return DeadLetter(message.sent_at, json.dumps(to_json(event)) if event else "an event of another kind")
