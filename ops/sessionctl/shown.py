"""Sessions and customers, as tables for people and as JSON for programs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from ops.inspection.tables import plain_table, state_in_words
from ops.sessionctl.durations import distance
from ops.sessionctl.screen import answers
from processors.projections.activity import CustomerActivity
from schemas.items import Session
from schemas.times import format_rfc3339

_WIDE = 100
"""Columns from which on tables have room for where a session comes from."""

_FIELDS = (
    "customer_id",
    "session_id",
    "parent_session_id",
    "started_at",
    "last_login_time",
    "expires_at",
    "ended_at",
    "end_reason",
    "client_ip",
    "user_agent",
    "device_id",
    "country",
    "source",
    "last_login_event_id",
    "ended_event_id",
    "access_token_sha256",
    "session_state",
    "version",
)
"""Attributes of a session in the order in which people ask for them."""


def session_document(session: Session | None) -> dict[str, Any] | None:
    """Write a session's attributes, times as RFC 3339, and whether it is live right now."""
    if session is None:
        return None
    values = {name: getattr(session, name) for name in _FIELDS}
    attributes = {name: _plain(value) for name, value in values.items() if value is not None}
    return attributes | {"is_live": session.is_live(datetime.now(UTC))}


def family_document(child: Session) -> dict[str, Any]:
    """Write a child session and its parent, None where only the child is known."""
    return {"child": session_document(child), "parent": session_document(child.parent)}


def customer_document(activity: CustomerActivity, sessions: Sequence[Session]) -> dict[str, Any]:
    """Write a customer's projection, and sessions."""
    return {
        "customer_id": activity.customer_id,
        "session_count": activity.session_count,
        "is_exact": activity.is_exact,
        "last_login_time": _plain(activity.last_login_time),
        "last_login_session_id": activity.last_login_session_id,
        "sessions": [session_document(session) for session in sessions],
    }


def last_login_document(activity: CustomerActivity) -> dict[str, Any]:
    """Write a customer's last login; nulls where there is none."""
    return {
        "customer_id": activity.customer_id,
        "last_login_time": _plain(activity.last_login_time),
        "last_login_session_id": activity.last_login_session_id,
    }


def show_session(session: Session) -> None:
    """Show everything about a session."""
    now = datetime.now(UTC)
    details = Table.grid(padding=(0, 2))
    details.add_column(no_wrap=True)
    details.add_column(overflow="fold")
    details.add_row("state", state_in_words(session, now))
    for name in _FIELDS:
        value = getattr(session, name)
        if value is not None and name not in ("session_state", "version"):
            details.add_row(name, Text(_with_distance(value, now) if isinstance(value, datetime) else str(value)))
    answers().print(details)


def show_family(child: Session) -> None:
    """Show a child session, and its parent."""
    show_session(child)
    parents = [] if child.parent is None else [child.parent]
    show_sessions(f"Its parent, {child.parent_session_id}", parents)


def show_customer(activity: CustomerActivity, sessions: Sequence[Session], *, every: bool) -> None:
    """Show a customer's projection, and sessions.

    Args:
        activity: The projection.
        sessions: The sessions to show.
        every: Whether those are all, or the live ones.
    """
    count = ("" if activity.is_exact else "at least ") + f"{activity.session_count:,}"
    summary = Table.grid(padding=(0, 2))
    summary.add_row("customer", Text(activity.customer_id))
    summary.add_row("live sessions", Text(count, style="bold"))
    summary.add_row("last login", Text(_last_login(activity)))
    answers().print(summary)
    if sessions:
        answers().print()
        show_sessions("Sessions" if every else "Live sessions", sessions)


def show_last_login(activity: CustomerActivity) -> None:
    """Show when a customer last logged in."""
    answers().print(_last_login(activity), markup=False, soft_wrap=True)


def show_sessions(title: str, sessions: Sequence[Session]) -> None:
    """Show sessions, the oldest first."""
    console, now = answers(), datetime.now(UTC)
    table = plain_table(f"{title} (times are UTC)")
    table.add_column("Session", overflow="fold")
    table.add_column("State")
    table.add_column("Started", no_wrap=True)
    table.add_column("Until", no_wrap=True)
    if console.width >= _WIDE:
        table.add_column("From", overflow="fold")
    for session in sorted(sessions, key=lambda session: (session.started_at or now, session.session_id)):
        origin = " ".join(filter(None, (session.client_ip, session.country, session.device_id)))
        cells = (
            Text(session.session_id),
            state_in_words(session, now),
            _clock(session.started_at),
            _clock(session.ended_at or session.expires_at),
            Text(origin),
        )
        table.add_row(*cells[: len(table.columns)])
    console.print(table)


def _last_login(activity: CustomerActivity) -> str:
    if activity.last_login_time is None:
        return "never"
    moment = _with_distance(activity.last_login_time, datetime.now(UTC))
    return f"{moment} on session {activity.last_login_session_id}"


def _plain(value: Any) -> Any:
    return format_rfc3339(value) if isinstance(value, datetime) else value


def _clock(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""


def _with_distance(moment: datetime, now: datetime) -> str:
    """Write a time, and how far away that is: `2026-03-01T10:20:30.123Z (1 h 5 min ago)`."""
    return f"{format_rfc3339(moment)} ({distance(moment, now, units=2)})"
