"""Lambda handler of the session-events queue and of the session-commands queue.

The batch loop is ours: Powertools' BatchProcessor handles record by record, and would cost a request an event.
"""

from typing import Any

from processors.intake.messages import from_sqs
from processors.runtime import clock, wiring
from processors.runtime.intake import event_processor
from processors.runtime.telemetry import emit_counts, emit_ignored
from schemas.outcomes import Outcome


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
    settings = wiring.read_settings("SESSIONS_TABLE", "REJECTED_EVENTS_QUEUE_URL", context=context)
    now = clock.utc_now()
    messages = [from_sqs(record, now=now) for record in event.get("Records", ())]
    result = event_processor(settings).process(messages, deadline=wiring.deadline(context))
    emit_counts("sqs_consumer", result.counts)
    emit_ignored("sqs_consumer", result.ignored)
    return {
        "batchItemFailures": [
            {"itemIdentifier": message.message_id}
            for message, outcome in zip(messages, result.outcomes, strict=True)
            if outcome is Outcome.RETRY
        ]
    }
