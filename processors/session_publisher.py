"""Lambda handler of the sessions table's stream, its second reader: publishes what became of each session."""

from typing import Any

from processors.runtime import wiring
from processors.runtime.life_cycle import session_publisher
from processors.runtime.telemetry import emit_counts


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """Publish a batch of stream records to the bus and the archive, and put expiries on the agenda.

    Args:
        event: A DynamoDB Streams batch, as Lambda hands it over.
        context: The Lambda context; its deadline is kept.

    Returns:
        A partial batch response with the lowest failed sequence number: Lambda delivers from there on again.

    Raises:
        SettingsError: The environment is incomplete: nothing was processed. No record makes it raise.
    """
    settings = wiring.read_settings("SESSIONS_TABLE", context=context)
    published = session_publisher(settings, context).publish(event.get("Records", ()))
    emit_counts("session_publisher", published.counts)
    lowest = published.lowest_failed
    return {"batchItemFailures": [] if lowest is None else [{"itemIdentifier": lowest}]}
