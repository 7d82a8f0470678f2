"""Lambda handler of an EventBridge rule: one event an invocation, for low volume."""

import json
from typing import Any

from processors.aws.message_queue import MessageQueue
from processors.intake.event_processor import Intake, Message
from processors.runtime import clock, wiring
from processors.runtime.telemetry import emit_counts, emit_ignored
from providers.envelopes import read_eventbridge_events
from schemas.outcomes import Outcome


class RetryLaterError(Exception):
    """The event was not processed: Lambda is to deliver it again. The cause is logged."""


def lambda_handler(event: dict[str, Any], context: object) -> Outcome:
    """Apply one event.

    Args:
        event: An EventBridge event, as Lambda hands it over.
        context: The Lambda context; its deadline is kept.

    Returns:
        What became of it; of several events in one (an array), the outcome that asks most of a reader.

    Raises:
        RetryLaterError: It was not processed; another delivery may succeed.
        SettingsError: The environment is incomplete or a mapping file wrong.
    """
    settings = wiring.read_settings("SESSIONS_TABLE", "REJECTED_EVENTS_QUEUE_URL")
    intake = Intake(
        wiring.session_table(settings),
        MessageQueue(wiring.client("sqs"), settings.rejected_events_queue_url),
        settings.lifetimes,
        clock.utc_now,
    )
    providers = wiring.providers(settings)
    envelope_id = event.get("id") if isinstance(event, dict) else None
    message = Message(
        message_id=envelope_id if isinstance(envelope_id, str) else "",
        body=lambda: _as_text(event),
        read=lambda: read_eventbridge_events(event, sent_at=clock.utc_now(), providers=providers),
    )
    taken = intake.take([message], deadline=wiring.deadline(context))
    emit_counts("eventbridge_consumer", taken.counts)
    emit_ignored("eventbridge_consumer", taken.ignored)
    [outcome] = taken.outcomes
    if outcome is Outcome.RETRY:
        raise RetryLaterError("the event was not processed; its cause is logged")
    return outcome


def _as_text(event: object) -> str:
    try:
        return json.dumps(event, default=str)
    except RecursionError:
        return '"(nested too deeply to be shown)"'
