"""Items of the projections table: one per customer.

The stored form: `sessions` maps each live session's id to `[started_at (epoch ms), expires_at (epoch s)]`, so that
10 to 15 sessions fit one write unit (1 KB). One that is ending has `end_reason` and `end_as_of` (epoch ms) too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from schemas import attributes as read
from schemas.attributes import Attributes
from schemas.errors import MalformedItemError, NewerFormatError
from schemas.items import Revocation
from schemas.keys import Key, customer_partition
from schemas.times import format_rfc3339

NEVER = 253_402_300_799
"""9999-12-31T23:59:59Z, the expiry of a session of the original schema, which has none."""

ITEM_FORMAT = 1
"""The greatest `item_format` that is read here; an item without one has format 1, and is written without one."""

OWNED_ATTRIBUTES: Mapping[str, str] = {
    "customer_id": "S",
    "last_login_time": "S",
    "last_login_session_id": "S",
    "revoked_at": "S",
    "except_session_id": "S",
    "other_revoked_at": "S",
    "other_except_session_id": "S",
    "session_count": "N",
    "count_valid_until": "N",
    "trusted_after": "N",
    "dropped_until": "N",
    "sessions": "M",
}
"""Our attributes with their types, `version` and the key apart: a write removes those that it does not set."""


class Entry(NamedTuple):
    """A session, until it runs out or its end is seen. Once marked as ending it no longer counts."""

    started_at: int
    """Epoch milliseconds; 0 where an item of the original schema names no start."""
    expires_at: int
    """Epoch seconds."""
    end_reason: str | None = None
    """The policy that ends it; None: none does."""
    end_as_of: int | None = None
    """The `occurred_at` of the logout that ends it, in epoch milliseconds."""

    @property
    def is_ending(self) -> bool:
        """Whether a policy ends it: its logout was sent, and its own end has not been seen yet."""
        return self.end_reason is not None

    def counts(self, now_s: float) -> bool:
        """Whether it counts as live at a time in epoch seconds."""
        return not self.is_ending and now_s < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """What is known of a customer, and the state of the merge that keeps it exact.

    Args:
        customer_id: The customer.
        last_login_time: The latest login ever seen, aware UTC.
        last_login_session_id: Its session; of two at one time the greater id.
        sessions: Top-level sessions that were live when last written, by id.
        revocation: The customer's merged `logout_all` events.
        end_watermark: Epoch seconds of the newest end merged; a record created at or before it (plus slack) is read
            again. Stored as `trusted_after`. None: no end seen.
        dropped_until: Epoch seconds until which the count is "at least"; None: exact.
        session_count: Sessions live at the time of the write.
        count_valid_until: Epoch seconds of the next expiry among them, when the count changes by itself; None: never.
    """

    customer_id: str
    last_login_time: datetime | None = None
    last_login_session_id: str | None = None
    sessions: Mapping[str, Entry] = field(default_factory=dict)
    revocation: Revocation | None = None
    end_watermark: int | None = None
    dropped_until: int | None = None
    session_count: int = 0
    count_valid_until: int | None = None


def projection_key(customer_id: str) -> Key:
    """Key of a customer's item; the table has no sort key."""
    return Key(customer_partition(customer_id))


def read_projection(attributes: Attributes) -> Projection:
    """Read an item of the projections table.

    Raises:
        NewerFormatError: A later release wrote it.
        MalformedItemError: It breaks the schema.
    """
    if (read.number(attributes, "item_format") or ITEM_FORMAT) > ITEM_FORMAT:
        raise NewerFormatError(f"projection item {attributes.get('PK')} has a greater item_format than {ITEM_FORMAT}")
    try:
        customer_id = read.require_text(attributes, "customer_id")
        revoked_at = read.time(attributes, "revoked_at")
        return Projection(
            customer_id=customer_id,
            last_login_time=read.time(attributes, "last_login_time"),
            last_login_session_id=read.text(attributes, "last_login_session_id"),
            sessions={session_id: _read_entry(entry["L"]) for session_id, entry in attributes["sessions"]["M"].items()},
            revocation=None
            if revoked_at is None
            else Revocation(
                customer_id=customer_id,
                revoked_at=revoked_at,
                except_session_id=read.text(attributes, "except_session_id"),
                other_revoked_at=read.time(attributes, "other_revoked_at"),
                other_except_session_id=read.text(attributes, "other_except_session_id"),
            ),
            end_watermark=read.number(attributes, "trusted_after"),
            dropped_until=read.number(attributes, "dropped_until"),
            session_count=read.number(attributes, "session_count") or 0,
            count_valid_until=read.number(attributes, "count_valid_until"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        key = attributes.get("PK")
        raise MalformedItemError(f"projection item {key} breaks the schema ({type(error).__name__})") from None


def write_projection(projection: Projection) -> dict[str, dict[str, Any]]:
    """Write an item of the projections table; what is None is left out, and `version` is the store's to set."""
    revocation = projection.revocation
    texts = {
        "PK": projection_key(projection.customer_id).pk,
        "customer_id": projection.customer_id,
        "last_login_time": projection.last_login_time and format_rfc3339(projection.last_login_time),
        "last_login_session_id": projection.last_login_session_id,
        "revoked_at": revocation and format_rfc3339(revocation.revoked_at),
        "except_session_id": revocation and revocation.except_session_id,
        "other_revoked_at": revocation and revocation.other_revoked_at and format_rfc3339(revocation.other_revoked_at),
        "other_except_session_id": revocation and revocation.other_except_session_id,
    }
    numbers = {
        "session_count": projection.session_count,
        "count_valid_until": projection.count_valid_until,
        "trusted_after": projection.end_watermark,
        "dropped_until": projection.dropped_until,
    }
    sessions = {session_id: {"L": _write_entry(entry)} for session_id, entry in projection.sessions.items()}
    return {
        **{name: {"S": text} for name, text in texts.items() if text is not None},
        **{name: {"N": str(number)} for name, number in numbers.items() if number is not None},
        "sessions": {"M": sessions},
    }


def _read_entry(values: list[Any]) -> Entry:
    started_at, expires_at, *ending = values
    if not ending:
        return Entry(int(started_at["N"]), int(expires_at["N"]))
    end_reason, end_as_of = ending
    return Entry(int(started_at["N"]), int(expires_at["N"]), end_reason["S"], int(end_as_of["N"]))


def _write_entry(entry: Entry) -> list[dict[str, str]]:
    values = [{"N": str(entry.started_at)}, {"N": str(entry.expires_at)}]
    if entry.end_reason is not None and entry.end_as_of is not None:
        values += [{"S": entry.end_reason}, {"N": str(entry.end_as_of)}]
    return values
