"""Which of a customer's sessions are to end, decided where the customer's state is serialised: pure.

An entry that is told to end keeps that mark until its own ended image comes; it does not count as live meanwhile.
"""

from collections.abc import Mapping
from datetime import datetime

from schemas.items import Revocation
from schemas.projection_items import Entry
from schemas.times import from_epoch_milliseconds, to_epoch_milliseconds

REVOKED = "revoked"
LIMIT = "limit"


def tell(sessions: Mapping[str, Entry], *, revocation: Revocation | None, limit: int, now: int) -> dict[str, Entry]:
    """Mark the entries that are to end.

    Args:
        sessions: The customer's entries.
        revocation: What its `logout_all` events come to: what began at or before it ends, however late it arrives.
        limit: Most sessions that may be live; above it the oldest (`started_at`, id) end. 0: no limit.
        now: Epoch seconds; an entry that has run out takes no place.

    Returns:
        All entries; those marked before stay marked as they were.
    """
    told = {session_id: _revoke(session_id, entry, revocation) for session_id, entry in sessions.items()}
    if limit:
        told |= _evict(told, limit, now)
    return told


def revoked_at(session_id: str, started_at: datetime, revocation: Revocation | None) -> datetime | None:
    """When a session was revoked, aware UTC; None where it is not covered."""
    if revocation is None or not revocation.covers(session_id, started_at):
        return None
    return revocation.revoked_at if session_id != revocation.except_session_id else revocation.other_revoked_at


def _revoke(session_id: str, entry: Entry, revocation: Revocation | None) -> Entry:
    if entry.end_reason is not None:
        return entry
    moment = revoked_at(session_id, from_epoch_milliseconds(entry.started_at), revocation)
    return entry if moment is None else entry._replace(end_reason=REVOKED, ended_at=to_epoch_milliseconds(moment))


def _evict(sessions: Mapping[str, Entry], limit: int, now: int) -> dict[str, Entry]:
    live = sorted((entry.started_at, session_id) for session_id, entry in sessions.items() if entry.is_live(now))
    # each is pushed out by the session that many places younger
    return {
        session_id: sessions[session_id]._replace(end_reason=LIMIT, ended_at=pusher[0])
        for (_, session_id), pusher in zip(live, live[limit:], strict=False)
    }
