"""What the stored items say of an event: pure.

An item keeps the newest login and the earliest end, with the ids of those two events, and no list of all it has seen.
So a copy, and a login older than the stored one, leave no trace: what can be said is that the item needs nothing of
them. The rules are the register's own (`processors.register.sessions`).
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from processors.register.sessions import fold_logout, fold_logouts_all
from schemas.events import Event, LoginEvent, LogoutAllEvent, LogoutEvent
from schemas.items import Revocation, Session
from schemas.keys import Key, child_session_key, revocation_key, session_key
from schemas.outcomes import Outcome


class Verdict(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    STALE = "stale"
    """A login older than the stored one, or a logout later than the stored end: it changes nothing."""
    REJECTED = "rejected"
    DEAD_LETTER = "dead_letter"
    QUEUED = "queued"
    UNKNOWN = "unknown"

    @property
    def is_settled(self) -> bool:
        """Whether the event has had its effect, or needs none."""
        return self in (Verdict.APPLIED, Verdict.DUPLICATE, Verdict.STALE)


Stored = Session | Revocation


def keys_of(event: Event) -> list[Key]:
    """Return the keys of the items that an event is about; none for a logout that names no customer."""
    if isinstance(event, LogoutAllEvent):
        return [revocation_key(event.customer_id)]
    if event.parent_session_id is not None:
        return [child_session_key(event.parent_session_id, event.session_id)]
    return [] if event.customer_id is None else [session_key(event.session_id, event.customer_id)]


def before(event: Event, stored: Sequence[Stored]) -> Verdict | None:
    """Say what an event will be, by the items as they are before it is sent.

    Returns:
        Duplicate or stale where they need nothing of it; None where it will change something.
    """
    if not is_contained(event, stored):
        return None
    return Verdict.DUPLICATE if names(event, stored) or isinstance(event, LogoutAllEvent) else Verdict.STALE


def after(event: Event, stored: Sequence[Stored]) -> Verdict | None:
    """Say what became of an event that would have changed the items as they were before it was sent.

    Returns:
        Applied where they name it, or cannot name it; stale where a newer login or an earlier end stands there now;
        None where they do not hold it yet.
    """
    if not is_contained(event, stored):
        return None
    return Verdict.APPLIED if names(event, stored) or isinstance(event, LogoutAllEvent) else Verdict.STALE


def is_contained(event: Event, stored: Sequence[Stored]) -> bool:
    """Say whether the items need nothing of an event: applying it (again) would change none of them."""
    match event:
        case LoginEvent():
            return any(_holds_login(session, event) for session in _sessions(stored))
        case LogoutEvent():
            held = [fold_logout(session, event) is session for session in _sessions(stored)]
            return any(held) if event.customer_id is not None else bool(held) and all(held)
        case LogoutAllEvent():
            revocations = [item for item in stored if isinstance(item, Revocation)]
            return any(_holds_revocation(revocation, event) for revocation in revocations)


def names(event: Event, stored: Sequence[Stored]) -> bool:
    """Say whether an item names an event as one that counts: the newest login, the first one, or the earliest end."""
    sessions = _sessions(stored)
    is_first = isinstance(event, LoginEvent) and any(each.started_at == event.occurred_at for each in sessions)
    return is_first or any(event.event_id in (each.last_login_event_id, each.ended_event_id) for each in sessions)


def _sessions(stored: Sequence[Stored]) -> list[Session]:
    return [item for item in stored if isinstance(item, Session)]


def _holds_login(session: Session, login: LoginEvent) -> bool:
    """Compare with the newest login and the start; the expiry depends on settings that only the functions know."""
    if session.last_login_time is None or session.customer_id != login.customer_id:
        return False
    newest: tuple[datetime, str] = (session.last_login_time, session.last_login_event_id or "")
    has_start = session.started_at is not None and session.started_at <= login.occurred_at
    return newest >= (login.occurred_at, login.event_id) and has_start


def _holds_revocation(revocation: Revocation, event: LogoutAllEvent) -> bool:
    return fold_logouts_all(revocation, [event], now=event.occurred_at).outcomes[0] is not Outcome.APPLIED
