"""Lambda handler of the session-events queue."""

from datetime import datetime
from typing import Any

from processors.aws.message_queue import MessageQueue
from processors.intake.event_processor import Intake, Message
from processors.runtime import clock, wiring
from processors.runtime.telemetry import emit_counts, emit_ignored
from providers.envelopes import Providers, read_events
from schemas.outcomes import Outcome
from schemas.times import from_epoch_milliseconds


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """Apply a batch of up to 10,000 messages, each on its own.

    Args:
        event: An SQS batch, as Lambda hands it over.
        context: The Lambda context; its deadline is kept.

    Returns:
        A partial batch response that names the messages to deliver again, and no other.

    Raises:
        SettingsError: The environment is incomplete or a mapping file wrong: nothing was processed. No record makes it
            raise.
    """
    settings = wiring.read_settings("SESSIONS_TABLE", "REJECTED_EVENTS_QUEUE_URL")
    concurrency = wiring.concurrency(settings)
    intake = Intake(
        wiring.session_table(settings),
        MessageQueue(wiring.client("sqs"), settings.rejected_events_queue_url, concurrency=concurrency),
        settings.lifetimes,
        clock.utc_now,
    )
    providers = wiring.providers(settings)
    messages = [_message(record, providers) for record in event.get("Records", ())]
    taken = intake.take(messages, deadline=wiring.deadline(context))
    emit_counts("sqs_consumer", taken.counts)
    emit_ignored("sqs_consumer", taken.ignored)
    return {
        "batchItemFailures": [
            {"itemIdentifier": message.message_id}
            for message, outcome in zip(messages, taken.outcomes, strict=True)
            if outcome is Outcome.RETRY
        ]
    }


def _message(record: dict[str, Any], providers: Providers) -> Message:
    body = record.get("body")
    return Message(
        message_id=record.get("messageId") or "",  # Lambda always gives one; an empty one fails the whole batch
        body=lambda: body if isinstance(body, str) else "",
        read=lambda: read_events(body, sent_at=_sent_at(record), providers=providers),
    )


def _sent_at(record: dict[str, Any]) -> datetime:
    """When the message was sent; a hand-made record without it is taken as sent now."""
    attributes = record.get("attributes")
    timestamp = attributes.get("SentTimestamp") if isinstance(attributes, dict) else None
    if isinstance(timestamp, str) and timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 14:
        return from_epoch_milliseconds(int(timestamp))
    return clock.utc_now()
