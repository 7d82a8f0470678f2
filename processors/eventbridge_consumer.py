"""Lambda handler of an EventBridge rule: one event an invocation, for low volume."""

from typing import Any

from processors.intake.messages import from_eventbridge
from processors.runtime import clock, wiring
from processors.runtime.intake import event_processor
from processors.runtime.telemetry import emit_counts, emit_ignored
from schemas.outcomes import Outcome


class RetryLaterError(Exception):
    """The event was not processed: Lambda is to deliver it again. The cause is logged."""


def lambda_handler(event: dict[str, Any], context: object) -> Outcome:
    """Apply one event.

    Args:
        event: An EventBridge event, as Lambda hands it over.
        context: The Lambda context; its deadline is kept.

    Returns:
        What became of it; of several events in one (an array), the most severe outcome.

    Raises:
        RetryLaterError: It was not processed; another delivery may succeed.
        SettingsError: The environment is incomplete or a mapping file wrong.
    """
    settings = wiring.read_settings("SESSIONS_TABLE", "REJECTED_EVENTS_QUEUE_URL", context=context)
    message = from_eventbridge(event, now=clock.utc_now())
    result = event_processor(settings).process([message], deadline=wiring.deadline(context))
    emit_counts("eventbridge_consumer", result.counts)
    emit_ignored("eventbridge_consumer", result.ignored)
    [outcome] = result.outcomes
    if outcome is Outcome.RETRY:
        raise RetryLaterError("the event was not processed; its cause is logged")
    return outcome
