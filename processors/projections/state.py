"""A customer's entries and what is stored about them: bounded, pruned and counted. Pure."""

from dataclasses import dataclass, replace

from processors.policies.ending import mark_ending
from schemas.items import ACTIVE, Session
from schemas.projection_items import NEVER, Entry, Projection
from schemas.times import to_epoch_milliseconds, to_epoch_seconds

CAPACITY = 256
"""Most sessions in one projection item."""

MAX_ID_BYTES = 48 * 1024
"""Most bytes of session ids in one projection item."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What bounds a customer's sessions.

    Args:
        capacity: Most sessions to keep in a projection.
        limit: Most sessions that may be live at a time; 0: no limit. `MAX_SESSIONS_PER_CUSTOMER`.
    """

    capacity: int = CAPACITY
    limit: int = 0


def entry_of(session: Session) -> Entry:
    """Make the entry of an active session."""
    return Entry(
        started_at=0 if session.started_at is None else to_epoch_milliseconds(session.started_at),
        expires_at=NEVER if session.expires_at is None else to_epoch_seconds(session.expires_at),
    )


def extend(known: Entry | None, session: Session, now_s: int) -> Entry | None:
    """Fold the image of an active session into its entry: the latest expiry and the earliest start win.

    Returns:
        None where there is no entry and the session has run out, or was never logged in.
    """
    found = entry_of(session)
    if known is None:
        return found if found.expires_at > now_s and session.has_login else None
    if max(known.expires_at, found.expires_at) <= now_s:
        return known  # pruned with the next write; calls for none of its own
    if known.expires_at == NEVER:  # an item of the original schema gets its expiry from its first login
        return known._replace(started_at=min(known.started_at, found.started_at), expires_at=found.expires_at)
    return known._replace(
        started_at=min(known.started_at, found.started_at), expires_at=max(known.expires_at, found.expires_at)
    )


def replace_with(known: Entry | None, session: Session | None, now_s: int) -> Entry | None:
    """Replace an entry with the item as read again; only the mark that it is ending stays.

    Returns:
        None where the session is gone or over. An entry that has run out as well is kept as it is: it is pruned with
        the next write, and calls for none of its own.
    """
    if session is None or session.session_state != ACTIVE or not session.has_login:
        return None
    found = entry_of(session)
    if found.expires_at <= now_s:
        return known if known is not None and known.expires_at <= now_s else None
    if known is None:
        return found
    return found._replace(end_reason=known.end_reason, end_as_of=known.end_as_of)


def apply_policies(state: Projection, rules: Rules, now_s: int) -> tuple[Projection, dict[str, Entry]]:
    """Mark the entries that policies end.

    Returns:
        The state, and every entry whose logout has to be sent: all that are ending, as any logout may have been lost.
    """
    entries = mark_ending(state.sessions, revocation=state.revocation, limit=rules.limit, now_s=now_s)
    ending = {name: entry for name, entry in entries.items() if entry.is_ending and entry.expires_at > now_s}
    return replace(state, sessions=entries) if entries != state.sessions else state, ending


def bound(state: Projection, capacity: int) -> Projection:
    """Keep the entries with the greatest (expiry, id), and note until when a dropped one may be live.

    Entries that are ending are dropped first, and leave the count exact: their logouts are on their way.
    """
    size = sum(len(session_id.encode()) for session_id in state.sessions)
    if len(state.sessions) <= capacity and size <= MAX_ID_BYTES:
        return state
    kept: dict[str, Entry] = {}
    room = MAX_ID_BYTES
    for session_id, entry in sorted(state.sessions.items(), key=_rank, reverse=True):
        room -= len(session_id.encode())
        if len(kept) == capacity or room < 0:
            dropped_until = None if entry.is_ending else entry.expires_at
            return replace(state, sessions=kept, dropped_until=later(state.dropped_until, dropped_until))
        kept[session_id] = entry
    return state


def _rank(item: tuple[str, Entry]) -> tuple[bool, int, str]:
    session_id, entry = item
    return not entry.is_ending, entry.expires_at, session_id


def pruned_and_counted(state: Projection, now_s: int) -> Projection:
    """Make what is stored at a time: entries that have run out are pruned, the live ones counted."""
    expiries = [entry.expires_at for entry in state.sessions.values() if entry.counts(now_s)]
    next_expiry = min(expiries, default=NEVER)
    is_at_least = state.dropped_until is not None and state.dropped_until > now_s
    return replace(
        state,
        sessions={name: entry for name, entry in state.sessions.items() if entry.expires_at > now_s},
        dropped_until=state.dropped_until if is_at_least else None,
        session_count=len(expiries),
        count_valid_until=next_expiry if next_expiry < NEVER else None,
    )


def later(one: int | None, other: int | None) -> int | None:
    """Return the later of two epoch seconds; None is before all."""
    return max((moment for moment in (one, other) if moment is not None), default=None)
