"""Lambda handler of the sessions table's stream: keeps the projections, and ends the sessions that policies end."""

from typing import Any

from processors.projections.projector import Projector
from processors.runtime import clock, wiring
from processors.runtime.telemetry import emit_counts, emit_seconds


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """Merge a batch of stream records into the projections of their customers.

    Args:
        event: A DynamoDB Streams batch, as Lambda hands it over.
        context: The Lambda context; its deadline is kept.

    Returns:
        A partial batch response with the lowest failed sequence number: Lambda delivers from there on again.

    Raises:
        SettingsError: The environment is incomplete: nothing was processed. No record makes it raise.
    """
    needs = ("SESSIONS_TABLE", "PROJECTIONS_TABLE", "SESSION_COMMANDS_QUEUE_URL")
    settings = wiring.read_settings(*needs, context=context)
    sessions = wiring.session_table(settings)
    projector = Projector(
        wiring.projection_table(settings, sessions),
        sessions,
        wiring.message_queue(settings, settings.session_commands_queue_url),
        failed_batches=wiring.failed_batches(settings, context),
        deadline=wiring.deadline(context),
    )
    projected = projector.project(event.get("Records", ()))
    now = clock.utc_now()
    emit_counts("stream_projector", projected.counts)
    delays = [max(0.0, (now - login).total_seconds()) for login in projected.logins]
    emit_seconds("stream_projector", "projection_delay_seconds", *delays)
    lowest = projected.lowest_failed
    return {"batchItemFailures": [] if lowest is None else [{"itemIdentifier": lowest}]}
