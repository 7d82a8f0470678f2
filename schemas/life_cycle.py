"""Life-cycle events of sessions: the `detail` of an event, and the one rule by which a reader keeps the present state.

Each event carries the whole state of its session, so a reader needs no table of seen ids: duplicates, reorderings, and
gaps before the last event change nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.items import ACTIVE, Session
from schemas.times import format_rfc3339, to_epoch_seconds

SOURCE = "session-events"
"""The `source` of the EventBridge events."""

FORMAT = 1

STARTED, REFRESHED, ENDED, EXPIRED = "started", "refreshed", "ended", "expired"

DETAIL_TYPES: Mapping[str, str] = {
    STARTED: "Session Started",
    REFRESHED: "Session Refreshed",
    ENDED: "Session Ended",
    EXPIRED: "Session Expired",
}
"""The `detail-type` of the EventBridge event, by kind."""

TIMES = ("started_at", "last_login_time", "expires_at", "ended_at")
TEXTS = ("end_reason", "client_ip", "user_agent", "device_id", "country", "source")
IDS = ("session_id", "customer_id", "parent_session_id")
MEMBERS = (*IDS, *TIMES, *TEXTS)
"""The members of `session`, other than `version`."""


@dataclass(frozen=True, slots=True)
class Over:
    """How a session's time ended.

    Args:
        at: When, aware UTC; None while it is live.
        reason: The logout's reason, `expired` or `deleted`; None where unknown, and while it is live.
    """

    at: datetime | None = None
    reason: str | None = None


def over_as_of(session: Session, moment: datetime) -> Over:
    """Return a session's own end: the earlier of its logout and its expiry. Its parent is not considered.

    Args:
        session: The session. The end of one that another writer ended without saying when is `moment`.
        moment: Aware UTC. An expiry after it has not happened yet, unless a logout came even later.
    """
    expired = Over(session.expires_at, EXPIRED)
    if session.session_state != ACTIVE:
        ended = Over(session.ended_at or moment, session.end_reason)
        return expired if session.expires_at and ended.at and session.expires_at < ended.at else ended
    return expired if session.expires_at and session.expires_at <= moment else Over()


def detail_of(kind: str, session: Session, *, occurred_at: datetime, over: Over) -> dict[str, Any]:
    """Make the `detail` of a life-cycle event. Its id is the same for every delivery of one change.

    Args:
        kind: One of `DETAIL_TYPES`.
        session: The session as the event shows it; a missing version counts as 0.
        occurred_at: When it happened, aware UTC.
        over: Its end.
    """
    version = session.version or 0
    number = to_epoch_seconds(session.expires_at) if kind == EXPIRED and session.expires_at else version
    pk, sk = session.key
    return {
        "id": f"{pk}/{sk}/{number}/{kind}",
        "format": FORMAT,
        "kind": kind,
        "occurred_at": format_rfc3339(occurred_at),
        "over_at": _time(over.at),
        "over_reason": over.reason,
        "session": {name: getattr(session, name) for name in IDS}
        | {"version": version}
        | {name: _time(getattr(session, name)) for name in TIMES}
        | {name: getattr(session, name) for name in TEXTS},
    }


def expired_detail(session: Session, *, ids_only: bool = False) -> dict[str, Any]:
    """Make the `detail` of an expiry.

    Args:
        session: The session, active, as it is stored after its expiry.
        ids_only: Show nothing of it but its ids, as of an erased customer's.

    Raises:
        ValueError: The session never expires.
    """
    if session.expires_at is None:
        raise ValueError("a session without expires_at does not expire")
    detail = detail_of(EXPIRED, session, occurred_at=session.expires_at, over=Over(session.expires_at, EXPIRED))
    return with_ids_only(detail) if ids_only else detail


def with_ids_only(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Remove from a `detail` what its session says beyond ids and version."""
    shown = {*IDS, "version"}
    session = {name: value if name in shown else None for name, value in detail["session"].items()}
    return {**detail, "session": session}


def latest(details: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Keep the latest event of each session, whatever order and how often they come.

    It is the event with the greatest version; of one version, the expiry. A child session is over at the earliest of
    its own end and its parent's: where the parent's is strictly earlier, `over_reason` is `parent`.

    Args:
        details: The `detail` of life-cycle events, as of the bus or the archive.

    Returns:
        By (session id, customer id), of a child session by (parent's id, session id). A session is live where `over_at`
        is None.
    """
    kept: dict[tuple[str, str], dict[str, Any]] = {}
    for detail in details:
        key = _key(detail["session"])
        if key not in kept or _order(detail) > _order(kept[key]):
            kept[key] = dict(detail)
    for child in kept.values():
        parent = kept.get((child["session"]["parent_session_id"], child["session"]["customer_id"]))
        if (
            parent
            and not parent["session"]["parent_session_id"]
            and (parent["over_at"] or "~") < (child["over_at"] or "~")
        ):
            child |= {"over_at": parent["over_at"], "over_reason": "parent"}
    return kept


def _key(session: Mapping[str, Any]) -> tuple[str, str]:
    parent_id = session["parent_session_id"]
    return (session["session_id"], session["customer_id"]) if parent_id is None else (parent_id, session["session_id"])


def _order(detail: Mapping[str, Any]) -> tuple[int, bool, bool]:
    """Order by version, expired last; an end that another writer made without raising the version counts as well."""
    return detail["session"]["version"], detail["kind"] == EXPIRED, detail["kind"] == ENDED


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_rfc3339(moment)
