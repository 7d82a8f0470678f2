"""A recount of one customer's session items, and in what a projection contradicts it: pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from processors.projections.activity import activity_at
from processors.projections.state import CAPACITY, MAX_ID_BYTES
from schemas.items import Session
from schemas.keys import CHILD_PREFIX, Key
from schemas.projection_items import NEVER, Projection
from schemas.times import format_rfc3339, from_epoch_milliseconds, to_epoch_milliseconds

_LATEST_VERSION = to_epoch_milliseconds(datetime(9999, 1, 1, tzinfo=UTC))


class Kind(StrEnum):
    """What is wrong with a projection."""

    MISSING = "missing"
    """A live session is not counted."""
    GHOST = "ghost"
    """A session is counted that is not live, or not there."""
    NOT_ENDED = "not_ended"
    """A policy decided to end a session, but it is live: the logout has not arrived."""
    LAST_LOGIN_TOO_LOW = "last_login_too_low"
    INEXACT = "inexact"
    """It says "at least" although all of its customer's sessions would fit."""
    UNREADABLE = "unreadable"
    """The item breaks the schema, or is of a later release."""
    IN_FLIGHT = "in_flight"
    """It differs, but by a change so recent that it may still be under way."""


class Counted(NamedTuple):
    """What a session item says, as far as it is counted.

    Args:
        session_id: The session, or child session.
        pk: Partition key of the item.
        sk: Its sort key.
        is_live: Whether it is a top-level session that is live.
        last_login_ms: Its last login in epoch milliseconds; None where none came.
        version: Its `version`, which is the time of its last write in epoch milliseconds.
    """

    session_id: str
    pk: str
    sk: str
    is_live: bool
    last_login_ms: int | None
    version: int | None

    @property
    def is_child(self) -> bool:
        """Whether it is a child session, which no count includes."""
        return self.sk.startswith(CHILD_PREFIX)

    @property
    def written_at(self) -> datetime | None:
        """When the item was last written, aware UTC; None where its version does not say."""
        return None if self.version is None else from_epoch_milliseconds(max(self.version, 0))


def counted_of(session: Session, now: datetime) -> Counted:
    """Take out of a session what is counted at a time (aware UTC)."""
    pk, sk = session.key
    last_login = session.last_login_time
    return Counted(
        session_id=session.session_id,
        pk=pk,
        sk=sk or "",
        is_live=session.parent_session_id is None and session.is_live(now),
        last_login_ms=None if last_login is None else to_epoch_milliseconds(last_login),
        version=session.version if session.version is not None and session.version < _LATEST_VERSION else None,
    )


@dataclass(slots=True)
class Recount:
    """What the session items say of one customer.

    Args:
        live: Top-level sessions that are live, by id.
        over: Top-level sessions that are not, by id.
        newest: The session with the latest login, child sessions included; None where no login came.
    """

    live: dict[str, Counted] = field(default_factory=dict)
    over: dict[str, Counted] = field(default_factory=dict)
    newest: Counted | None = None

    @classmethod
    def of(cls, items: Iterable[Counted]) -> "Recount":
        """Count items of one customer, in any order."""
        recount = cls()
        for item in items:
            recount.add(item)
        return recount

    def add(self, item: Counted) -> None:
        """Count one more item."""
        if not item.is_child:
            (self.live if item.is_live else self.over)[item.session_id] = item
        if item.last_login_ms is not None and (
            self.newest is None or item.last_login_ms > (self.newest.last_login_ms or 0)
        ):
            self.newest = item

    @property
    def last_login_time(self) -> datetime | None:
        """The latest login, aware UTC; None where none came."""
        milliseconds = None if self.newest is None else self.newest.last_login_ms
        return None if milliseconds is None else from_epoch_milliseconds(milliseconds)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A projection that is wrong, with both sides in words.

    Args:
        customer_id: Whose projection it is.
        kind: What is wrong with it.
        problem: The same as a sentence.
        items: What the session items say.
        projection: What the projection says.
        changed_at: When the items that make the difference were last written, aware UTC; None where nothing says.
        touch: The child session's item that mends it by a touch: rebuilding does not read child sessions.
    """

    customer_id: str
    kind: Kind
    problem: str
    items: str
    projection: str
    changed_at: datetime | None = None
    touch: Key | None = None


def compare(
    customer_id: str, counted: Recount, projection: Projection | None, now: datetime, *, written_at: datetime | None
) -> Iterator[Mismatch]:
    """Name everything in which a projection contradicts the recount.

    Its last login may be newer, as items of old sessions are gone; where it says "at least", its count may be lower.

    Args:
        customer_id: The customer.
        counted: The recount at `now`.
        projection: The projection, or None.
        now: Aware UTC.
        written_at: When the projection was last written, aware UTC; None where nothing says.
    """
    known = projection or Projection(customer_id=customer_id)
    activity = activity_at(known, customer_id, now)
    shown = set(activity.session_ids)
    ending = {name for name in counted.live if name in known.sessions and known.sessions[name].is_ending}
    missing, ghosts = counted.live.keys() - shown - ending, shown - counted.live.keys()
    if missing and activity.is_exact:
        changed_at = _latest([counted.live[name].written_at for name in missing])
        problem = "live sessions are not counted" if projection else "there is no projection"
        child = counted.newest if counted.newest is not None and counted.newest.is_child else None
        touch = Key(child.pk, child.sk) if child is not None and projection is None else None
        yield Mismatch(customer_id, Kind.MISSING, problem, *_sides(counted, shown), changed_at, touch)
        if projection is None:
            return  # that it knows no login either goes without saying
    if ghosts:
        over = [counted.over.get(name) for name in ghosts]
        changed_at = _latest([None if item is None else item.written_at for item in over])
        problem = "sessions are counted that are not live"
        yield Mismatch(customer_id, Kind.GHOST, problem, *_sides(counted, shown), changed_at)
    if ending:
        problem = "a policy ended sessions, but their logouts have not arrived"
        yield Mismatch(customer_id, Kind.NOT_ENDED, problem, *_sides(counted, shown), written_at)
    yield from _compare_logins(customer_id, counted, activity.last_login_time)
    if known.dropped_until == NEVER and _fits(counted.live):
        problem = 'it says "at least", but all sessions fit into it'
        count = f"at least {activity.session_count}"
        yield Mismatch(customer_id, Kind.INEXACT, problem, str(len(counted.live)), count, written_at)


def _compare_logins(customer_id: str, counted: Recount, known: datetime | None) -> Iterator[Mismatch]:
    found, newest = counted.last_login_time, counted.newest
    if found is None or newest is None or (known is not None and known >= found):
        return
    yield Mismatch(
        customer_id,
        Kind.LAST_LOGIN_TOO_LOW,
        "the last login is older than the session items know",
        items=format_rfc3339(found),
        projection=format_rfc3339(known) if known else "no login",
        changed_at=newest.written_at,
        touch=Key(newest.pk, newest.sk) if newest.is_child else None,
    )


def _fits(live: Iterable[str]) -> bool:
    names = list(live)
    return len(names) <= CAPACITY and sum(len(name.encode()) for name in names) <= MAX_ID_BYTES


def _latest(moments: list[datetime | None]) -> datetime | None:
    """Return the latest, None where one is unknown: it may be later."""
    known = [moment for moment in moments if moment is not None]
    return max(known) if len(known) == len(moments) else None


def _sides(counted: Recount, shown: set[str]) -> tuple[str, str]:
    live = counted.live.keys()
    return _in_words(len(live), live - shown), _in_words(len(shown), shown - live)


def _in_words(count: int, only_here: set[str]) -> str:
    named = sorted(only_here)[:3] + (["…"] if len(only_here) > 3 else [])
    return f"{count}, only here: {', '.join(named)}" if named else str(count)
