"""Lambda handler of the sessions table's stream: keeps the projections, and ends children whose logout missed them."""

import logging
from collections.abc import Iterable
from typing import Any

from processors import clock, runtime
from processors.message_queue import MessageQueue
from processors.missed_logouts import end_missed_children
from processors.projection_table import ProjectionTable
from processors.projections import CustomerFacts, add_record
from processors.session_table import SessionTable
from processors.telemetry import emit_counts
from schemas.errors import MalformedItemError
from schemas.stream import StreamRecord, read_record, sequence_number_of

logger = logging.getLogger(__name__)


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
    settings = runtime.read_settings("SESSIONS_TABLE", "PROJECTIONS_TABLE", "SESSION_EVENTS_QUEUE_URL")
    client = runtime.client("dynamodb")
    sessions = SessionTable(client, settings.sessions_table, clock=clock.utc_now)
    projections = ProjectionTable(
        client, settings.projections_table, batch_statements=settings.batch_statements, clock=clock.utc_now
    )
    commands = MessageQueue(runtime.client("sqs"), settings.session_events_queue_url)
    time_left = runtime.time_left(context)

    records, failed = _read_all(event.get("Records", ()))
    facts: dict[str, CustomerFacts] = {}
    for record in records:
        add_record(facts, record)
    for customer_id in projections.apply(facts, sessions.read_sessions, time_left=time_left):
        failed.update(facts[customer_id].sequence_numbers)
    failed |= end_missed_children(records, sessions, commands)
    emit_counts("stream_projector", {"records": len(records), "customers": len(facts), "failed_records": len(failed)})
    return {"batchItemFailures": [{"itemIdentifier": min(failed, key=_position)}] if failed else []}


def _read_all(raw_records: Iterable[object]) -> tuple[list[StreamRecord], set[str]]:
    """Read what can be read; the rest fails by its sequence number, so that Lambda isolates it and sets it aside."""
    records: list[StreamRecord] = []
    failed: set[str] = set()
    for raw in raw_records:
        try:
            records.append(read_record(raw))
        except MalformedItemError as error:
            number = sequence_number_of(raw)
            logger.error("a stream record cannot be read", extra={"sequence_number": number, "reason": str(error)})
            failed.add(number)
    return records, failed


def _position(sequence_number: str) -> int:
    """Order by value; a record without number fails the whole batch, so it comes first."""
    return int(sequence_number) if sequence_number else -1
