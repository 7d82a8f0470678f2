"""What an event costs, as the benchmark measured it. What is counted holds on any machine, and a test compares it."""

from __future__ import annotations

from dataclasses import dataclass

from ops.benchmark.due import due_session
from ops.dynamodb_double.sizes import item_size
from processors.aws.event_bus import line_of
from schemas.item_mapping import write_item
from schemas.life_cycle import expired_detail


@dataclass(frozen=True, slots=True)
class StageFigures:
    """One function's work, per event or stream record.

    Attributes:
        write_units: Of tables and indexes.
        read_units: Strongly consistent ones count whole.
        cpu_ms: Client CPU in batches of about a hundred.
        waits: Requests that one batch waits for, one after the other; where each record is worked on by itself, of a
            record.
        is_record_by_record: Whether it waits for each record.
    """

    write_units: float
    read_units: float
    cpu_ms: float
    waits: float
    is_record_by_record: bool = False


@dataclass(frozen=True, slots=True)
class PipelineFigures:
    """A pipeline's stages, on the mixed day.

    Attributes:
        consumer: Per event.
        projector: Per stream record.
    """

    consumer: StageFigures
    projector: StageFigures


OURS = PipelineFigures(StageFigures(2.0, 1.0, 0.18, 3), StageFigures(1.0, 1.35, 0.17, 4))
TEXTBOOK = PipelineFigures(
    StageFigures(4.0, 0.0, 2.73, 3, is_record_by_record=True), StageFigures(1.0, 0.0, 0.84, 1, is_record_by_record=True)
)
PUBLISHER_CPU_MS = 0.20
"""Per stream record, archive and bus on."""
SWEEPER_CPU_MS = 0.25
"""Per agenda entry."""

HOT_CUSTOMER = ((1, 50, 1.0, 0.0, 20, 25), (10, 69, 2.4, 0.02, 48, 704), (100, 148, 5.5, 0.23, 631, 977))
"""One customer, as `ops.benchmark.hot_customer` measures it: projectors at a time, batches of ten records a second,
attempts a batch, share of deliveries that were repeated, median delay and its 99th percentile in milliseconds."""

REQUEST_MS = 5.0
"""What a request to DynamoDB, SQS or EventBridge takes, as in the benchmark."""

ITEM_OVERHEAD_BYTES = 100
"""What DynamoDB stores beside an item. Source: Developer Guide, "DynamoDB item sizes and formats"."""

AGENDA_ENTRY_BYTES = 69
"""Of a session with a UUID."""
AGENDA_ITEM_BYTES = 48
"""Beside the entries."""

PROJECTION_BYTES = 500
"""Of a customer with a few sessions."""


def session_bytes() -> int:
    """Return the bytes of a session's item of usual size."""
    session = due_session(0, 1_795_600_000, 1)
    return item_size(write_item(session)) + len(f"PK{session.key.pk}SK{session.key.sk}version") + 8


def session_key_bytes() -> int:
    """Return the bytes of its keys."""
    session = due_session(0, 1_795_600_000, 1)
    return len(f"PK{session.key.pk}SK{session.key.sk}")


def event_line_bytes() -> int:
    """Return the bytes of a life-cycle event as a line of the archive."""
    return len(line_of(expired_detail(due_session(0, 1_795_600_000, 1)))) + 1
