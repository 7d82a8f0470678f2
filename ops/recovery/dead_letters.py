"""Dead letters: whose they are, why they may be there, and where a redrive sends them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.recovery.grouping import source_of
from ops.recovery.queue_messages import QueueMessage
from processors.aws.message_queue import MAX_MESSAGE_BYTES
from processors.intake.masking import mask_body
from processors.intake.vocabulary import Vocabulary
from providers.envelopes import IgnoredEvent, Providers, RejectedEvent, read_events
from schemas.events import LogoutEvent, to_json

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_QUEUES = {
    "events": "SessionEventsDeadLetterQueueUrl",
    "commands": "SessionCommandsDeadLetterQueueUrl",
    "rule": "RuleDeadLetterQueueUrl",
    "direct": "DirectDeadLetterQueueUrl",
}
"""Dead-letter queues and the template's outputs that name them."""

WAITS_FOR_LOGIN = "a logout without customer_id, whose login has not come"
FAILED = "a valid event: the consumer's log says why it failed"


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """A dead-letter queue of the stack.

    Attributes:
        name: What commands call it: `events`, `commands`, `rule` or `direct`.
        url: Its URL.
        destination: URL of the queue that a redrive sends to. The session-events queue for all of them: its consumer
            takes commands too, and only the projector may send to the commands' own queue.
    """

    name: str
    url: str
    destination: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message of a dead-letter queue.

    Attributes:
        queue: The queue's name.
        message: The message.
        reason: Why it may be there.
        source: The identity system, or what the event calls its source.
        event: The event without its token; None where there is none, or several.
    """

    queue: str
    message: QueueMessage
    reason: str
    source: str
    event: Mapping[str, Any] | None

    def facts(self) -> dict[str, str]:
        """Name what a filter may ask for."""
        event = self.event or {}
        return {
            "queue": self.queue,
            "reason": self.reason,
            "source": self.source,
            "id": self.message.message_id,
            "event": str(event.get("event_id") or ""),
            "type": str(event.get("event_type") or ""),
            "customer": str(event.get("customer_id") or ""),
            "session": str(event.get("session_id") or ""),
        }


def dead_letter_queues(outputs: Mapping[str, str]) -> list[DeadLetterQueue]:
    """List the stack's dead-letter queues; that of the direct path only where that is on."""
    return [
        DeadLetterQueue(name, outputs[output], outputs["SessionEventsQueueUrl"])
        for name, output in _QUEUES.items()
        if output in outputs
    ]


def event_of(body: str) -> str:
    """Return the event in a message: what Lambda reports of a failed asynchronous invocation contains it.

    Source: Lambda Developer Guide, "Capturing records of Lambda asynchronous invocations": `requestPayload`.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if isinstance(content, dict) and "requestPayload" in content and "requestContext" in content:
        return json.dumps(content["requestPayload"])
    return body


def read_dead_letter(queue: str, message: QueueMessage, providers: Providers) -> DeadLetter:
    """Say what a message of a dead-letter queue is; nothing is raised because of its content."""
    body = event_of(message.body)
    found = read_events(body, sent_at=message.sent_at, providers=providers)
    first = found[0]
    event: Mapping[str, Any] | None = None
    if isinstance(first, RejectedEvent):
        reason = f"not a valid event: {first.error.reason}"
    elif isinstance(first, IgnoredEvent):
        reason = "neither a login nor a logout: a redrive has it ignored"
    elif len(found) > 1:
        reason = f"{len(found):,} events in one message: the consumer's log says which failed"
    else:
        event = to_json(first)
        waits = isinstance(first, LogoutEvent) and first.customer_id is None
        reason = WAITS_FOR_LOGIN if waits else FAILED
    if "ERROR_CODE" in message.attributes:  # EventBridge says why it could not deliver
        reason = f"EventBridge could not deliver it: {message.attributes['ERROR_CODE']}"
    return DeadLetter(queue, message, reason, source_of(body, found), event)


def shown_body(message: QueueMessage, vocabulary: Vocabulary) -> str:
    """Return a message's text with everything masked that nobody may see, tokens among it."""
    return mask_body(event_of(message.body), vocabulary)


def sender(
    sqs: "SQSClient", destination: str, is_meant: Callable[[QueueMessage], bool], failures: dict[str, str]
) -> Callable[[Sequence[QueueMessage]], list[str]]:
    """Make what sends messages of a dead-letter queue to where they are processed.

    Args:
        sqs: A boto3 SQS client.
        destination: URL of the queue to send to.
        is_meant: Whether a message is to be sent.
        failures: Takes the ids of messages that SQS refused, with the error's code.

    Returns:
        A function that returns the ids of the messages that SQS acknowledged.
    """

    def send(messages: Sequence[QueueMessage]) -> list[str]:
        sent: list[str] = []
        for part in _fitting([message for message in messages if is_meant(message)]):
            entries = [
                {"Id": str(number), "MessageBody": event_of(message.body)} for number, message in enumerate(part)
            ]
            response = sqs.send_message_batch(QueueUrl=destination, Entries=entries)  # type: ignore[arg-type] # dicts of that shape
            sent += [part[int(entry["Id"])].message_id for entry in response.get("Successful", ())]
            failures.update({part[int(entry["Id"])].message_id: entry["Code"] for entry in response.get("Failed", ())})
        return sent

    return send


def _fitting(messages: Sequence[QueueMessage]) -> list[list[QueueMessage]]:
    """Cut messages into requests that SQS takes; a message too large for that with others goes alone."""
    parts: list[list[QueueMessage]] = []
    size = 0
    for message in messages:
        length = len(message.body.encode())
        if not parts or size + length > MAX_MESSAGE_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(message)
        size += length
    return parts
