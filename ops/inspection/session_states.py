"""What a session's item says of it, in words: whether it is live, and if not, why and since when."""

from datetime import datetime
from enum import StrEnum

from schemas.items import ACTIVE, Session
from schemas.times import format_rfc3339


class State(StrEnum):
    """What a session is at a time."""

    LIVE = "live"
    ENDED = "ended"
    EXPIRED = "expired"
    OVER_WITH_PARENT = "over_with_parent"
    NO_LOGIN = "no_login"
    """A logout without login: it is remembered, so that a late copy of the login does not begin the session."""


def state_of(session: Session, now: datetime) -> State:
    """Say what a session is at `now`, aware UTC; a child needs its parent attached."""
    return _state_and_end(session, now)[0]


def over_at(session: Session, now: datetime) -> datetime | None:
    """Say when a session that is over was over, aware UTC; None where it is live, or nobody said when."""
    return _state_and_end(session, now)[1]


def _state_and_end(session: Session, now: datetime) -> tuple[State, datetime | None]:
    """Find the earliest of a session's ends, as life-cycle events do: logout, expiry, the parent's end."""
    if not session.has_login:
        return State.NO_LOGIN, session.ended_at
    state, end = State.LIVE, None
    if session.session_state != ACTIVE:
        state, end = State.ENDED, session.ended_at
    expires_at = session.expires_at
    if expires_at is not None and expires_at <= now and (state is State.LIVE or (end is not None and expires_at < end)):
        state, end = State.EXPIRED, expires_at
    if session.parent is not None and not session.parent.is_live(now):
        parents = over_at(session.parent, now)
        if state is State.LIVE or (parents is not None and end is not None and parents < end):
            state, end = State.OVER_WITH_PARENT, parents
    return state, end


def is_used_up(session: Session) -> bool:
    """Whether a login came for the session after it had been logged out: it stays over, for good."""
    return (
        session.session_state != ACTIVE
        and session.ended_at is not None
        and session.last_login_time is not None
        and session.last_login_time > session.ended_at
    )


def explain(session: Session, now: datetime) -> list[str]:
    """Explain a session's state where it surprises people, a sentence each; nothing for most sessions."""
    sentences = []
    if is_used_up(session) and session.ended_at is not None and session.last_login_time is not None:
        sentences.append(
            f"{session.session_id} ended at {format_rfc3339(session.ended_at)} "
            f"({session.end_reason or 'no reason given'}), and a login came for it at "
            f"{format_rfc3339(session.last_login_time)}. Its id is used up: a session that has ended never becomes "
            "live again. The next login needs a new session id."
        )
    match state_of(session, now):
        case State.NO_LOGIN:
            sentences.append(
                f"Only the logout of {session.session_id} has arrived. Its login may be late, or have gone elsewhere; "
                "when it comes, the session stays over."
            )
        case State.OVER_WITH_PARENT:
            sentences.append(f"{session.session_id} is over because its parent {session.parent_session_id} is.")
        case State.ENDED if session.ended_at is None:
            sentences.append(f"{session.session_id} was ended by another writer of the table, who did not say when.")
        case State.LIVE if session.parent_session_id is not None and session.parent is None:
            sentences.append(
                f"Its parent {session.parent_session_id} has not arrived: {session.session_id} is live by itself."
            )
    return sentences
