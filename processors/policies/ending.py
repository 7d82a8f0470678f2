"""Decide which of a customer's sessions a policy ends: pure.

An entry that is ending keeps that mark until its own ended image comes; meanwhile it does not count as live.
"""

from collections.abc import Mapping
from datetime import datetime

from schemas.items import Revocation
from schemas.projection_items import Entry
from schemas.times import from_epoch_milliseconds, to_epoch_milliseconds

REVOKED = "revoked"
LIMIT = "limit"


def mark_ending(
    sessions: Mapping[str, Entry], *, revocation: Revocation | None, limit: int, now_s: int
) -> dict[str, Entry]:
    """Mark the entries that a policy ends.

    Args:
        sessions: The customer's entries.
        revocation: The customer's merged `logout_all` events: any session that started at or before it ends, even if
            its login arrives later.
        limit: Most sessions that may be live; above it the oldest (`started_at`, id) end. 0: no limit.
        now_s: Epoch seconds; an entry that has run out takes no place.

    Returns:
        All entries; those marked before stay marked as they were.
    """
    marked = dict(sessions)
    if revocation is not None:
        marked = {session_id: _revoke(session_id, entry, revocation) for session_id, entry in sessions.items()}
    return marked | _evict(marked, limit, now_s) if limit else marked


def revoked_at(session_id: str, started_at: datetime, revocation: Revocation | None) -> datetime | None:
    """Return when a session was revoked, aware UTC; None where no revocation covers it."""
    if revocation is None or not revocation.covers(session_id, started_at):
        return None
    return revocation.revoked_at if session_id != revocation.except_session_id else revocation.other_revoked_at


def _revoke(session_id: str, entry: Entry, revocation: Revocation) -> Entry:
    if entry.is_ending:
        return entry
    moment = revoked_at(session_id, from_epoch_milliseconds(entry.started_at), revocation)
    return entry if moment is None else entry._replace(end_reason=REVOKED, end_as_of=to_epoch_milliseconds(moment))


def _evict(sessions: Mapping[str, Entry], limit: int, now_s: int) -> dict[str, Entry]:
    live = sorted((entry.started_at, session_id) for session_id, entry in sessions.items() if entry.counts(now_s))
    # the i-th oldest is evicted by the (i + limit)-th
    return {
        session_id: sessions[session_id]._replace(end_reason=LIMIT, end_as_of=pusher[0])
        for (_, session_id), pusher in zip(live, live[limit:], strict=False)
    }
