"""What an erasure says before and after: what it would do, what it did, and what goes later."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from processors.register.erased import ENTRY_LIFETIME
from schemas.times import format_rfc3339

FORMAT = 1
"""Of the receipt as a JSON document."""


class Effect(StrEnum):
    """What becomes of an item."""

    KEPT = "kept"
    SESSION_DELETED = "session_deleted"
    CHILD_SESSION_DELETED = "child_session_deleted"
    REVOCATION_DELETED = "revocation_deleted"
    START_RAISED = "start_raised"
    """The session goes on: its start is the time of the erasure now."""
    REVOCATION_CUT = "revocation_cut"
    """A revocation after the erasure stays, without the older one beside it."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What an erasure would do now.

    Args:
        erased_at: Up to when the customer would be erased, aware UTC.
        items: How many items would have each effect.
        has_projection: Whether a projection is stored.
    """

    erased_at: datetime
    items: Mapping[Effect, int]
    has_projection: bool


@dataclass(frozen=True, slots=True)
class Remainder:
    """A place that is not erased at once.

    Args:
        place: Where.
        until: When it is gone of itself, aware UTC; None: not of itself.
        note: What goes then, or what to do.
    """

    place: str
    until: datetime | None
    note: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an erasure did, and what goes later. It names the customer by a hash alone, so that it may be kept.

    Args:
        customer_sha256: The SHA-256 of the customer id, in hex.
        erased_at: Up to when the customer is erased, aware UTC: a later login is a new customer's.
        finished_at: Aware UTC.
        items: How many items had each effect.
        is_projection_deleted: False: it was made anew, from what goes on.
        remainders: What goes later.
        is_scanned: Whether the register was scanned for what neither index nor projection names.
    """

    customer_sha256: str
    erased_at: datetime
    finished_at: datetime
    items: Mapping[Effect, int]
    is_projection_deleted: bool
    remainders: tuple[Remainder, ...]
    is_scanned: bool = False


ARCHIVE_AFTER = timedelta(hours=1)
"""From the erasure until the archive can be rewritten: what was on its way to it has arrived."""


def remainders(
    erased_at: datetime, now: datetime, latest_expiry: datetime | None, *, is_scanned: bool = False
) -> tuple[Remainder, ...]:
    """Name what an erasure leaves, each with its day.

    Args:
        erased_at: Up to when the customer is erased, aware UTC.
        now: When the erasure ended, aware UTC.
        latest_expiry: The latest expiry of a session deleted, aware UTC; None where none was.
        is_scanned: Whether the register was scanned.
    """
    archive_from = format_rfc3339(erased_at + ARCHIVE_AFTER)
    orphans = Remainder("child sessions without a parent's item", None, "run sessionctl erase --scan to find them")
    return (
        *(() if is_scanned else (orphans,)),
        Remainder("stream", now + timedelta(days=1), "images of the deleted items"),
        Remainder("queues", now + timedelta(days=14), "events not processed, rejected or in a dead-letter queue"),
        Remainder("failed batches", now + timedelta(days=30), "stream records in the failed-batches bucket"),
        Remainder("erased list", erased_at + ENTRY_LIFETIME, "a hash of the customer id"),
        Remainder("expiry agenda", latest_expiry, "keys of sessions, until their expiry is due"),
        Remainder("point-in-time recovery", now + timedelta(days=35), "earlier states of both tables"),
        Remainder("backups", None, "on-demand backups and exports: delete those that you made"),
        Remainder("function logs", None, "ids of events and sessions, as long as the log groups keep their lines"),
        Remainder("archive", None, f"run sessionctl erase --archive at {archive_from} or later"),
    )


def receipt_document(receipt: Receipt, *, stack: str, without: Collection[str] = ()) -> dict[str, Any]:
    """Write a receipt as JSON.

    Args:
        receipt: The receipt.
        stack: What the user calls the stack.
        without: Places that the stack does not have.
    """
    return {
        "receipt": "erasure",
        "format": FORMAT,
        "stack": stack,
        "customer_sha256": receipt.customer_sha256,
        "erased_at": format_rfc3339(receipt.erased_at),
        "finished_at": format_rfc3339(receipt.finished_at),
        "items": {effect.value: count for effect, count in receipt.items.items()},
        "projection": "deleted" if receipt.is_projection_deleted else "made anew",
        "scanned": receipt.is_scanned,
        "later": [
            {
                "place": remainder.place,
                "until": None if remainder.until is None else format_rfc3339(remainder.until),
                "note": remainder.note,
            }
            for remainder in receipt.remainders
            if remainder.place not in without
        ],
    }
