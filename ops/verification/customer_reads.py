"""One customer's items of both tables, read strongly consistent: what a second look compares."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from ops.verification.comparing import Counted, Kind, Mismatch, Recount, compare, counted_of
from processors.aws.conditional_writes import Item
from processors.aws.errors import raising_read_errors
from processors.projection_table import ProjectionTable
from processors.session_table import SessionTable
from schemas import attributes as read
from schemas.errors import MalformedItemError, NewerFormatError
from schemas.items import Session
from schemas.keys import CHILD_PREFIX, CUSTOMER_PREFIX, Key, customer_partition, session_key
from schemas.projection_items import projection_key, read_projection
from schemas.times import from_epoch_milliseconds

_ALL = 1_000_000_000
_LATEST_MICROSECONDS = 253_402_300_799_000_000


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at one customer found.

    Args:
        items: How many session items are the customer's.
        live: How many top-level sessions are live.
        is_exact: False where the projection says "at least".
        mismatches: In what the projection is wrong.
        unreadable: Keys of session items that cannot be read.
    """

    items: int
    live: int
    is_exact: bool
    mismatches: tuple[Mismatch, ...]
    unreadable: tuple[Key, ...] = ()


class CustomerReads:
    """Reads customers one by one.

    Args:
        sessions: The register.
        projections: The projections.
        clock: Aware UTC.
    """

    def __init__(self, sessions: SessionTable, projections: ProjectionTable, *, clock: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._projections = projections
        self._clock = clock

    def look(self, customer_id: str, known: Collection[Key] = ()) -> Look:
        """Read a customer's projection, then the sessions that it, the index or the caller names, with their children.

        Args:
            customer_id: The customer.
            known: Keys of session items that a scan found: the index may be late, and names no children.

        Raises:
            ReadError: A table could not be read.
        """
        key = projection_key(customer_id)
        with raising_read_errors():
            stored = self._projections.store.read([key]).get(key)
        sessions, unreadable = self._read_sessions(customer_id, known, _entries_of(stored))
        now = self._clock()
        counted = [counted_of(session, now) for session in sessions]
        return compare_items(customer_id, counted, stored, now, unreadable=unreadable)

    def _read_sessions(
        self, customer_id: str, known: Collection[Key], entries: Collection[str]
    ) -> tuple[list[Session], tuple[Key, ...]]:
        reader = self._sessions.reader
        named = {session_key(name, customer_id) for name in entries}
        named.update(known, reader.find_session_keys([customer_id], most=_ALL)[customer_id] or ())
        family = reader.find_family_keys({key.pk for key in named if (key.sk or "").startswith(CUSTOMER_PREFIX)})
        own = customer_partition(customer_id)
        keys = named | {key for key in family if key.sk == own or (key.sk or "").startswith(CHILD_PREFIX)}
        items = reader.read_items(keys)
        erased = self._sessions.erased.current()
        rest = [erased.rest_of(session) for session in items.sessions.values() if session.customer_id == customer_id]
        unreadable = [key for key in items.unreadable if key.sk == own or key in known]
        return [session for session in rest if session is not None], tuple(sorted(unreadable))


def compare_items(
    customer_id: str,
    items: Collection[Counted],
    stored: Item | None,
    now: datetime,
    *,
    unreadable: tuple[Key, ...] = (),
) -> Look:
    """Compare what was counted of a customer's items with the projection; pure.

    Args:
        customer_id: The customer.
        items: What was counted of the customer's items, children included.
        stored: The projection's item, or None.
        now: Aware UTC.
        unreadable: Keys of session items that cannot be read.
    """
    counted = Recount.of(items)
    try:
        projection = None if stored is None else read_projection(stored)
    except MalformedItemError as error:
        kind = "is of a later release: update sessionctl" if isinstance(error, NewerFormatError) else str(error)
        found = Mismatch(customer_id, Kind.UNREADABLE, kind, str(len(counted.live)), "cannot be read")
        return Look(len(items), len(counted.live), True, (found,), unreadable)
    mismatches = tuple(compare(customer_id, counted, projection, now, written_at=_written_at(stored)))
    is_exact = projection is None or projection.dropped_until is None or now.timestamp() >= projection.dropped_until
    return Look(len(items), len(counted.live), is_exact, mismatches, unreadable)


def _entries_of(stored: Item | None) -> Collection[str]:
    """List the sessions that a projection names; none where it cannot be read."""
    try:
        return () if stored is None else read_projection(stored).sessions
    except MalformedItemError:
        return ()


def _written_at(stored: Item | None) -> datetime | None:
    """Return when a projection was last written, aware UTC: its version is that time in epoch microseconds."""
    version = None if stored is None else read.number(stored, "version")
    is_time = version is not None and 0 <= version < _LATEST_MICROSECONDS
    return from_epoch_milliseconds(version // 1000) if is_time and version is not None else None
