"""Pure fold of events into a session: commutative, associative, idempotent.

Every fold takes what is stored and one fact and returns what should be stored; where nothing changes it returns the
very object it was given. Any order and any repetition of the same facts ends in the same value, so a redelivery, a
replay or a race needs no rule of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from schemas.items import ACTIVE, CLOSING, Revocation, Session
from schemas.outcomes import Outcome
from schemas.times import to_epoch_seconds

if TYPE_CHECKING:
    from schemas.events import LoginEvent, LogoutAllEvent, LogoutEvent

    SessionFact: TypeAlias = LoginEvent | LogoutEvent

Item = TypeVar("Item", Session, Revocation)

RETENTION = timedelta(seconds=1_296_000)
"""How long a copy of an event may still arrive: the 14 days of a dead-letter queue, and one."""

GRACE = timedelta(minutes=10)
"""Above the clock skew events are accepted with."""


@dataclass(frozen=True, slots=True)
class Folded(Generic[Item]):
    """Result of folding facts into an item.

    Args:
        item: What to store; None where nothing changes.
        outcomes: One per fact, in order.
    """

    item: Item | None
    outcomes: list[Outcome]


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long sessions may live.

    Args:
        default: From a login to its expiry, where the event names none. `SESSION_TTL_SECONDS`.
        maximum: What any expiry is clipped to, login by login. `SESSION_MAX_LIFETIME_SECONDS`.
    """

    default: timedelta = timedelta(hours=12)
    maximum: timedelta = timedelta(days=7)

    def expiry(self, login: "LoginEvent") -> datetime:
        """When the login's session runs out: floored to the second, never later than the maximum allows."""
        latest = login.occurred_at + self.maximum
        return min(login.expires_at or login.occurred_at + self.default, latest).replace(microsecond=0)

    def clips(self, login: "LoginEvent") -> bool:
        """Whether the login asks for more than the maximum."""
        return login.expires_at is not None and login.expires_at > login.occurred_at + self.maximum


def keep_until(occurred_at: datetime, now: datetime, expires_at: datetime | None = None) -> int:
    """Return when an item may go, in epoch seconds: no late copy of a fact in it can arrive after that.

    Counted from the write as well as from the fact, and never from a setting: a TTL counted from the login alone, or
    from a lifetime that is raised later, revives sessions.
    """
    gone_at = max(occurred_at, now) + RETENTION + GRACE
    return to_epoch_seconds(gone_at if expires_at is None else max(gone_at, expires_at))


def fold_facts(
    stored: Session | None,
    facts: Sequence["SessionFact"],
    *,
    identity: Session,
    lifetimes: Lifetimes,
    now: datetime,
) -> Folded[Session]:
    """Decide what a batch's facts of one session change.

    Args:
        stored: The item as last read, or None where there is none.
        facts: Logins and logouts of this session, in order of arrival.
        identity: The session with nothing known of it but its ids: what to start from where nothing is stored.
        lifetimes: How long sessions may live.
        now: Time of the write, aware UTC; it only moves `ttl`.

    Returns:
        The session to write, and one outcome per fact. `REJECTED` is a login of a child session that belongs to another
        customer.
    """
    before = session = identity if stored is None else stored
    outcomes = []
    for fact in facts:
        if fact.event_type == "logout":
            after, unchanged = fold_logout(session, fact), Outcome.DUPLICATE
        elif session.customer_id not in (None, fact.customer_id):
            after, unchanged = session, Outcome.REJECTED
        else:
            after, unchanged = fold_login(session, fact, lifetimes), _repeated(session, fact)
        outcomes.append(unchanged if after is session else Outcome.APPLIED)
        session = after
    if session is before and not _needs_longer_ttl(before, facts):
        return Folded(None, outcomes)
    ttl = keep_until(max(fact.occurred_at for fact in facts), now, session.expires_at)
    return Folded(replace(session, ttl=max(ttl, before.ttl or 0)), outcomes)


def _needs_longer_ttl(stored: Session, facts: Sequence["SessionFact"]) -> bool:
    """Whether logouts that came after the session's end have to outlast their logins, though they move no end.

    A policy may have ended it long before its publisher did: logins between the two may still be on their way. An
    item of the original schema without `ttl` gets one: a login would give it one later that forgets these logouts.
    """
    logouts = [fact.occurred_at for fact in facts if fact.event_type == "logout"]
    return any(stored.ttl is None or keep_until(at, at) > stored.ttl for at in logouts)


def fold_login(stored: Session, login: "LoginEvent", lifetimes: Lifetimes) -> Session:
    """Fold a login into a session.

    Expiry and last login are the maximum over all logins, the start is the minimum. The login with the greatest
    (`occurred_at`, `event_id`) gives the descriptive attributes, all of them: what it lacks is removed. A session that
    was ended stays ended. One of the original schema without `expires_at` gets the login's.
    """
    expires_at = lifetimes.expiry(login)
    if stored.expires_at is not None and stored.expires_at > expires_at:
        expires_at = stored.expires_at
    started_at = login.occurred_at
    if stored.started_at is not None and stored.started_at < started_at:
        started_at = stored.started_at
    if stored.last_login_time is not None and _login_order(stored) >= (login.occurred_at, login.event_id):
        if expires_at == stored.expires_at and started_at == stored.started_at:
            return stored
        return replace(stored, expires_at=expires_at, started_at=started_at)
    token = login.access_token
    return Session(
        session_id=stored.session_id,
        customer_id=login.customer_id,
        parent_session_id=stored.parent_session_id,
        session_state=stored.session_state,
        started_at=started_at,
        last_login_time=login.occurred_at,
        last_login_event_id=login.event_id,
        expires_at=expires_at,
        ended_at=stored.ended_at,
        ended_event_id=stored.ended_event_id,
        end_reason=stored.end_reason,
        access_token_sha256=None if token is None else sha256(token.get_secret_value().encode()).hexdigest(),
        client_ip=login.client.ip,
        user_agent=login.client.user_agent,
        device_id=login.client.device_id,
        country=login.client.country,
        source=login.source,
        ttl=stored.ttl,
        version=stored.version,
    )


def fold_logout(stored: Session, logout: "LogoutEvent") -> Session:
    """Fold a logout into a session: over, whatever the clocks say, and over for good.

    The logout with the smallest (`occurred_at`, `event_id`) gives `ended_at`, `ended_event_id` and `end_reason`. A
    state that is not known here means over, and is kept.
    """
    if not stored.ends_after(logout.occurred_at, logout.event_id):
        return stored
    return replace(
        stored,
        session_state=CLOSING if stored.session_state == ACTIVE else stored.session_state,
        ended_at=logout.occurred_at,
        ended_event_id=logout.event_id,
        end_reason=logout.reason,
    )


def fold_logouts_all(
    stored: Revocation | None, events: Sequence["LogoutAllEvent"], *, now: datetime
) -> Folded[Revocation]:
    """Decide what a batch's `logout_all` events of one customer change in the revocation item.

    Args:
        stored: The item as last read, or None where there is none.
        events: The customer's events, in order of arrival.
        now: Time of the write, aware UTC; it only moves `ttl`.
    """
    merged, outcomes = stored, []
    for event in events:
        before, merged = merged, merge_revocations(merged, _revocation_of(event))
        outcomes.append(Outcome.DUPLICATE if merged == before else Outcome.APPLIED)
    if merged is None or merged == stored:
        return Folded(None, outcomes)
    ttl = keep_until(max(event.occurred_at for event in events), now)
    return Folded(replace(merged, ttl=max(ttl, (stored and stored.ttl) or 0)), outcomes)


def _revocation_of(event: "LogoutAllEvent") -> Revocation:
    return Revocation(
        customer_id=event.customer_id, revoked_at=event.occurred_at, except_session_id=event.except_session_id
    )


def merge_revocations(one: Revocation | None, other: Revocation) -> Revocation:
    """Keep the newest revocation and the newest with another exception: enough to answer for any number of them.

    `ttl` and `version` are those of the first.
    """
    if one is None:
        return other
    newest: dict[str | None, datetime] = {}
    for exception, revoked_at in _pairs(one) + _pairs(other):
        newest[exception] = max(revoked_at, newest.get(exception, revoked_at))
    ranked = sorted(newest.items(), key=lambda pair: (pair[1], pair[0] or ""), reverse=True)
    second = ranked[1] if len(ranked) > 1 else (None, None)
    return replace(
        one,
        revoked_at=ranked[0][1],
        except_session_id=ranked[0][0],
        other_revoked_at=second[1],
        other_except_session_id=second[0],
    )


def _pairs(revocation: Revocation) -> list[tuple[str | None, datetime]]:
    pairs = [(revocation.except_session_id, revocation.revoked_at)]
    if revocation.other_revoked_at is not None:
        pairs.append((revocation.other_except_session_id, revocation.other_revoked_at))
    return pairs


def _login_order(stored: Session) -> tuple[datetime | None, str]:
    return stored.last_login_time, stored.last_login_event_id or ""


def _repeated(stored: Session, login: "LoginEvent") -> Outcome:
    is_same = _login_order(stored) == (login.occurred_at, login.event_id)
    return Outcome.DUPLICATE if is_same else Outcome.STALE
