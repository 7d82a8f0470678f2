"""What the stream makes of a customer's projection: pure. No counter, a merge.

The stream delivers at least once, and of different sessions in any order. What keeps the projection exact anyway: live
images extend, ended images remove, and a live image that may be older than an end already merged is not believed: the
session item is read again instead.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from processors.policies.ending import tell
from processors.register.sessions import merge_revocations
from schemas.items import ACTIVE, Revocation, Session
from schemas.keys import Key
from schemas.projection_items import NEVER, Entry, Projection
from schemas.stream import StreamRecord
from schemas.times import to_epoch_milliseconds, to_epoch_seconds

CAPACITY = 256
"""Most sessions in one projection item."""

MAX_ID_BYTES = 48 * 1024
"""Most bytes of session ids in one projection item."""

CLOCK_SLACK_SECONDS = 5
"""Above the rounding of `ApproximateCreationDateTime` and the skew between DynamoDB's partitions."""


@dataclass(frozen=True, slots=True)
class Image:
    """A session as a stream record shows it.

    Args:
        session: The item after the change.
        created_at: Epoch seconds of the record, by DynamoDB's clock.
    """

    session: Session
    created_at: float

    @property
    def is_live(self) -> bool:
        """Whether it shows a session that was not ended; it may have run out."""
        return self.session.session_state == ACTIVE


@dataclass(slots=True)
class CustomerFacts:
    """What a batch of stream records says of one customer."""

    images: list[Image] = field(default_factory=list)
    revocations: list[Revocation] = field(default_factory=list)
    sequence_numbers: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CustomerActivity:
    """What analysts ask of a customer.

    Args:
        customer_id: Whose.
        last_login_time: Aware UTC; None for a customer never seen.
        last_login_session_id: The session of the last login, possibly a child session.
        session_count: Live top-level sessions, right at the time asked for.
        is_exact: False where the customer has more sessions than are kept: the count is "at least".
        session_ids: The sessions counted, sorted by id.
    """

    customer_id: str
    last_login_time: datetime | None
    last_login_session_id: str | None
    session_count: int
    is_exact: bool
    session_ids: list[str]


class Merged(NamedTuple):
    """What a merge comes to."""

    projection: Projection
    """The customer's projection."""
    is_changed: bool
    """Whether it has to be written."""
    told: Mapping[str, Entry]
    """The sessions that are told to end: their commands are to be sent, again if need be."""


def add_record(facts: dict[str, CustomerFacts], record: StreamRecord) -> None:
    """Add what a record says to the facts of its customer.

    A tombstone without login says nothing of the customer: no image of its session was ever live. Nor does a child
    session of the original schema, which names no customer.
    """
    value = record.after
    if value is None or value.customer_id is None or (isinstance(value, Session) and not value.has_login):
        return
    customer = facts.setdefault(value.customer_id, CustomerFacts())
    customer.sequence_numbers.append(record.sequence_number)
    if isinstance(value, Session):
        customer.images.append(Image(value, record.created_at))
    else:
        customer.revocations.append(value)


def doubted(projection: Projection | None, facts: CustomerFacts) -> set[Key]:
    """Find the sessions whose live images may be older than what is already merged."""
    return {image.session.key for image in facts.images if _counts(image) and not _is_believed(image, projection)}


def merge(
    projection: Projection | None,
    facts: CustomerFacts,
    *,
    customer_id: str,
    read_again: Mapping[Key, Session],
    now: datetime,
    capacity: int = CAPACITY,
    limit: int = 0,
) -> Merged:
    """Merge a batch's facts into a customer's projection.

    Args:
        projection: The stored projection, or None.
        facts: What the batch says of the customer.
        customer_id: Whose.
        read_again: The session items of `doubted(projection, facts)`, read after the projection was; a session without
            item is over.
        now: Aware UTC; sessions that have run out are pruned.
        capacity: Most sessions to keep.
        limit: Most sessions that may be live at a time; 0: no limit.

    Returns:
        The projection, whether it has to be written, and the sessions told to end. An ended image always changes it:
        its write raises `version`, so that whoever holds an older view of that session loses the race.
    """
    before = projection or Projection(customer_id=customer_id)
    seconds = to_epoch_seconds(now)
    sessions = dict(before.sessions)
    ended = {image.session.session_id: image for image in facts.images if _counts_ended(image)}
    for session_id in ended:
        sessions.pop(session_id, None)
    current = [_current(image, before, read_again) for image in facts.images if _counts(image)]
    for session in current:
        if session is not None and session.session_id not in ended:
            _add_or_remove(sessions, session, seconds)
    revocation = _revocation(before, facts.revocations)
    told: Mapping[str, Entry] = {}
    if facts.revocations or current:  # ended images alone tell nobody to end, so they need not send again either
        sessions = tell(sessions, revocation=revocation, limit=limit, now=seconds)
        told = _to_command(sessions, seconds)
    kept, dropped_until = _bound(sessions, capacity)
    last_login_time, last_login_session_id = _last_login(before, facts, current)
    found: dict[str, Any] = {
        "sessions": kept,
        "dropped_until": max(dropped_until, before.dropped_until),
        "last_login_time": last_login_time,
        "last_login_session_id": last_login_session_id,
        "revocation": revocation,
    }
    if not ended and all(value == getattr(before, name) for name, value in found.items()):
        return Merged(before, False, told)
    found["trusted_after"] = max(
        [before.trusted_after, *(math.ceil(image.created_at) or 1 for image in ended.values())]
    )
    return Merged(replace(before, **(found | _at_write(kept, found["dropped_until"], seconds))), True, told)


def activity_at(projection: Projection | None, customer_id: str, now: datetime) -> CustomerActivity:
    """Answer for a customer at a time: expiry needs no write, it is in the state."""
    projection = projection or Projection(customer_id=customer_id)
    seconds = now.timestamp()
    live = sorted(name for name, entry in projection.sessions.items() if entry.is_live(seconds))
    return CustomerActivity(
        customer_id=customer_id,
        last_login_time=projection.last_login_time,
        last_login_session_id=projection.last_login_session_id,
        session_count=len(live),
        is_exact=seconds >= projection.dropped_until,
        session_ids=live,
    )


def _to_command(sessions: Mapping[str, Entry], now: int) -> dict[str, Entry]:
    """Find the sessions whose commands are to be sent: all that are told to end, as any may have been lost."""
    return {name: entry for name, entry in sessions.items() if entry.end_reason is not None and entry.expires_at > now}


def _counts(image: Image) -> bool:
    return image.is_live and image.session.parent_session_id is None


def _counts_ended(image: Image) -> bool:
    return not image.is_live and image.session.parent_session_id is None


def _is_believed(image: Image, projection: Projection | None) -> bool:
    if image.session.expires_at is None:  # of the original schema: a login may have given it an expiry since
        return False
    trusted_after = 0 if projection is None else projection.trusted_after
    return trusted_after == 0 or image.created_at > trusted_after + CLOCK_SLACK_SECONDS


def _current(image: Image, projection: Projection, read_again: Mapping[Key, Session]) -> Session | None:
    return image.session if _is_believed(image, projection) else read_again.get(image.session.key)


def _add_or_remove(sessions: dict[str, Entry], session: Session, now: int) -> None:
    """Add or extend a live session; remove one that turned out to be ended when it was read again."""
    if session.session_state != ACTIVE:
        sessions.pop(session.session_id, None)
        return
    expires_at = NEVER if session.expires_at is None else to_epoch_seconds(session.expires_at)
    started_at = 0 if session.started_at is None else to_epoch_milliseconds(session.started_at)
    known = sessions.get(session.session_id, Entry(started_at, 0))
    if known.expires_at == NEVER:  # an item of the original schema ends when its first login says, however early
        sessions.pop(session.session_id)
        known = known._replace(expires_at=0)
    if max(known.expires_at, expires_at) <= now or not session.has_login:
        return
    sessions[session.session_id] = known._replace(
        started_at=min(known.started_at, started_at), expires_at=max(known.expires_at, expires_at)
    )


def _bound(sessions: dict[str, Entry], capacity: int) -> tuple[dict[str, Entry], int]:
    """Keep those with the greatest (expiry, id), and say until when a dropped one may be live (0: none dropped).

    Those told to end go first: their commands are on their way.
    """
    size = sum(len(session_id.encode()) for session_id in sessions)
    if len(sessions) <= capacity and size <= MAX_ID_BYTES:
        return sessions, 0
    kept: dict[str, Entry] = {}
    room = MAX_ID_BYTES
    ranked = sorted(sessions.items(), key=_rank, reverse=True)
    for session_id, entry in ranked:
        room -= len(session_id.encode())
        if len(kept) == capacity or room < 0:
            return kept, entry.expires_at if entry.end_reason is None else 0
        kept[session_id] = entry
    return kept, 0


def _rank(item: tuple[str, Entry]) -> tuple[bool, int, str]:
    session_id, entry = item
    return entry.end_reason is None, entry.expires_at, session_id


def _last_login(
    before: Projection, facts: CustomerFacts, read_again: Iterable[Session | None]
) -> tuple[datetime | None, str | None]:
    """Find the latest login; images that are not believed count: a login that was is a login that was."""
    logins = [
        (session.last_login_time, session.session_id)
        for session in (*(image.session for image in facts.images), *read_again)
        if session is not None and session.last_login_time is not None
    ]
    if before.last_login_time is not None:
        logins.append((before.last_login_time, before.last_login_session_id or ""))
    return max(logins, default=(None, None))


def _revocation(before: Projection, revocations: Iterable[Revocation]) -> Revocation | None:
    merged = before.revocation
    for revocation in revocations:
        merged = merge_revocations(merged, replace(revocation, ttl=None, version=None))
    return merged


def _at_write(sessions: Mapping[str, Entry], dropped_until: int, now: int) -> dict[str, Any]:
    """What is stored of sessions at a time: those that have run out are pruned, the live ones are counted."""
    expiries = [entry.expires_at for entry in sessions.values() if entry.is_live(now)]
    next_expiry = min(expiries, default=NEVER)
    return {
        "sessions": {name: entry for name, entry in sessions.items() if entry.expires_at > now},
        "dropped_until": dropped_until if dropped_until > now else 0,
        "session_count": len(expiries),
        "count_valid_until": next_expiry if next_expiry < NEVER else None,
    }
