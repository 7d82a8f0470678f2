"""Lambda handler of the sessions table's stream: keeps the projections, and ends the sessions that policies end."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from processors.aws.message_queue import MessageQueue
from processors.policies.cascade import cascade
from processors.policies.commands import Command
from processors.policies.enforcement import end_sessions_beyond_capacity, end_told_sessions
from processors.projection_table import ProjectionTable
from processors.projections.merge import CustomerFacts, add_record
from processors.runtime import clock, wiring
from processors.runtime.telemetry import emit_counts
from processors.session_table import SessionTable
from schemas.errors import MalformedItemError
from schemas.stream import StreamRecord, read_record, sequence_number_of

logger = logging.getLogger(__name__)


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """Merge a batch of stream records into the projections of their customers.

    Every command that a record calls for is sent after the projections were written and before the batch is answered;
    what cannot be sent fails its record. So a crash in between loses nothing.

    Args:
        event: A DynamoDB Streams batch, as Lambda hands it over.
        context: The Lambda context; its deadline is kept.

    Returns:
        A partial batch response with the lowest failed sequence number: Lambda delivers from there on again.

    Raises:
        SettingsError: The environment is incomplete: nothing was processed. No record makes it raise.
    """
    settings = wiring.read_settings("SESSIONS_TABLE", "PROJECTIONS_TABLE", "SESSION_EVENTS_QUEUE_URL")
    client = wiring.client("dynamodb")
    concurrency = wiring.concurrency(settings)
    sessions = SessionTable(
        client,
        settings.sessions_table,
        batch_statements=settings.batch_statements,
        clock=clock.utc_now,
        concurrency=concurrency,
    )
    projections = ProjectionTable(
        client,
        settings.projections_table,
        batch_statements=settings.batch_statements,
        clock=clock.utc_now,
        limit=settings.max_sessions_per_customer,
        concurrency=concurrency,
    )
    queue = MessageQueue(wiring.client("sqs"), settings.session_events_queue_url, concurrency=concurrency)
    time_left = wiring.time_left(context)

    records, failed = _read_all(event.get("Records", ()))
    facts: dict[str, CustomerFacts] = {}
    for record in records:
        add_record(facts, record)
    merged = projections.apply(facts, sessions.read_sessions, time_left=time_left)
    for customer_id in facts.keys() - merged.keys():
        failed.update(facts[customer_id].sequence_numbers)

    commands = end_told_sessions(facts, merged)
    for found, unread in (
        end_sessions_beyond_capacity(facts, merged, sessions, time_left=time_left),
        cascade(records, sessions, time_left=time_left),
    ):
        commands += found
        failed |= unread
    failed |= _send(queue, commands, time_left)
    counts = {
        "records": len(records),
        "customers": len(facts),
        "commands": len(commands),
        "failed_records": len(failed),
    }
    emit_counts("stream_projector", counts)
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


def _send(queue: MessageQueue, commands: Sequence[Command], time_left: Callable[[], float]) -> set[str]:
    """Send commands; those that cannot be sent fail their records."""
    failures = queue.send([command.body for command in commands], time_left=time_left)
    for code in set(failures.values()):
        logger.warning("logout commands could not be sent", extra={"error_code": code})
    return {commands[position].sequence_number for position in failures}


def _position(sequence_number: str) -> int:
    """Order by value; a record without number fails the whole batch, so it comes first."""
    return int(sequence_number) if sequence_number else -1
