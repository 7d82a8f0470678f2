"""Sessions and customers, as tables for people and as JSON for programs."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from ops.inspection.customers import CustomerView
from ops.inspection.devices import device_of
from ops.inspection.session_states import State, explain, over_at, state_of
from ops.sessionctl.durations import distance, relative
from ops.sessionctl.options import Form
from ops.sessionctl.rows import Column, Row, printable, show_rows
from ops.sessionctl.screen import answers
from processors.projections.activity import CustomerActivity
from schemas.items import Session
from schemas.times import format_rfc3339, parse_stored

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


def session_document(session: Session | None, now: datetime | None = None) -> dict[str, Any] | None:
    """Write a session's attributes, times as RFC 3339; its device; and what it is at `now` (None: the clock)."""
    if session is None:
        return None
    now = now or datetime.now(UTC)
    values = {name: getattr(session, name) for name in _FIELDS}
    attributes = {name: _plain(value) for name, value in values.items() if value is not None}
    if (device := device_of(session.user_agent)) is not None:
        attributes["device"] = device
    over = over_at(session, now)
    if over is not None:
        attributes["over_at"] = format_rfc3339(over)
    return attributes | {"is_live": session.is_live(now), "state": state_of(session, now).value}


def family_document(child: Session) -> dict[str, Any]:
    """Write a child session and its parent, None where only the child is known."""
    return {"child": session_document(child), "parent": session_document(child.parent)}


def customer_document(view: CustomerView, now: datetime) -> dict[str, Any]:
    """Write a customer's projection, and sessions: each with its children."""
    activity = view.activity
    children: dict[str, list[dict[str, Any] | None]] = {}
    for session in view.sessions:
        if session.parent_session_id is not None:
            children.setdefault(session.parent_session_id, []).append(session_document(session, now))
    tops = [session for session in view.sessions if session.parent_session_id is None]
    return {
        "customer_id": activity.customer_id,
        "session_count": activity.session_count,
        "is_exact": activity.is_exact,
        "last_login_time": _plain(activity.last_login_time),
        "last_login_session_id": activity.last_login_session_id,
        "sessions": [
            (session_document(top, now) or {}) | {"children": children.pop(top.session_id, [])} for top in tops
        ],
        "other_children": [child for family in children.values() for child in family],
        "not_shown": view.left_out,
        "notes": [sentence for session in view.surprising for sentence in explain(session, now)],
    }


def last_login_document(activity: CustomerActivity) -> dict[str, Any]:
    """Write a customer's last login; nulls where there is none."""
    return {
        "customer_id": activity.customer_id,
        "last_login_time": _plain(activity.last_login_time),
        "last_login_session_id": activity.last_login_session_id,
    }


def session_columns(now: datetime, *, with_customer: bool = False) -> list[Column]:
    """Return the columns of a list of sessions, for the rows of `session_rows`."""
    customer = [Column("Customer", "customer_id", priority=1, is_wide=not with_customer)]
    return [
        Column("Session", "session_id", drawn=_tree),
        *customer,
        Column("State", "state", drawn=lambda row: _state(row, now), is_text=True),
        Column("Device", "device", priority=2),
        Column("Last active", "last_login_time", shown=relative(now), priority=3),
        Column("Started", "started_at", shown=relative(now), priority=5),
        Column("Country", "country", priority=4),
        Column("Address", "client_ip", priority=6),
        Column("Runs out", "expires_at", shown=relative(now), is_wide=True),
        Column("Ended", "ended_at", is_wide=True),
        Column("Reason", "end_reason", is_wide=True),
        Column("Parent", "parent_session_id", is_wide=True),
        Column("Source", "source", is_wide=True),
        Column("Device id", "device_id", is_wide=True),
        Column("Last login event", "last_login_event_id", is_wide=True),
        Column("User agent", "user_agent", is_wide=True),
    ]


def session_rows(sessions: Iterable[Session], now: datetime) -> Iterable[Row]:
    """Make rows of sessions; a client without user agent shows its device's id."""
    for session in sessions:
        document = session_document(session, now) or {}
        yield document if "device" in document else document | {"device": session.device_id}


def show_sessions(title: str, sessions: Iterable[Session], form: Form, now: datetime) -> int:
    """Show sessions in the order given."""
    return show_rows(session_rows(sessions, now), session_columns(now), form, title=title)


def show_session(session: Session, children: Sequence[Session], now: datetime) -> None:
    """Show everything about a session: its state explained, its attributes, its parent or its children."""
    row = session_document(session, now) or {}
    lines: list[tuple[str, str | Text]] = [("state", _state(row, now))]
    if "device" in row:
        lines.append(("device", row["device"]))
    for name in _FIELDS:
        value = getattr(session, name)
        if value is not None and name not in ("session_state", "version"):
            lines.append((name, _with_distance(value, now) if isinstance(value, datetime) else printable(str(value))))
    _show_lines(lines)
    _show_notes(explain(session, now))
    if session.parent is not None:
        answers().print()
        show_sessions("Its parent", [session.parent], Form.TABLE, now)
    if children:
        answers().print()
        show_sessions("Its child sessions", children, Form.TABLE, now)


def show_customer(view: CustomerView, form: Form, now: datetime, *, every: bool) -> None:
    """Show a customer's projection, and sessions; with a form for programs the sessions alone.

    Args:
        view: What was read.
        form: How the sessions are shown.
        now: The moment that counts.
        every: Whether those are all, or the live ones.
    """
    if form in (Form.NAME, Form.CSV):
        show_rows(session_rows(view.sessions, now), session_columns(now), form)
        return
    activity = view.activity
    count = ("" if activity.is_exact else "at least ") + f"{activity.session_count:,}"
    lines: list[tuple[str, str | Text]] = [
        ("customer", activity.customer_id),
        ("live sessions", Text(count, style="bold")),
    ]
    if activity.last_login_time is not None:
        lines.append(("last login", _with_distance(activity.last_login_time, now)))
        lines.append(("on session", f"{activity.last_login_session_id}{_became(view.last_login, now)}"))
    _show_lines(lines)
    if view.sessions:
        answers().print()
        show_sessions("Sessions" if every else "Live sessions", view.sessions, form, now)
    _show_notes([sentence for session in view.surprising for sentence in explain(session, now)])
    if view.left_out:
        _show_notes([f"{view.left_out:,} more ended or expired: --all shows them."])


def show_last_login(activity: CustomerActivity) -> None:
    """Show when a customer last logged in."""
    if activity.last_login_time is not None:
        moment = _with_distance(activity.last_login_time, datetime.now(UTC))
        answers().print(f"{moment} on session {activity.last_login_session_id}", markup=False, soft_wrap=True)


def _show_lines(lines: Sequence[tuple[str, "str | Text"]]) -> None:
    """Show names and values; a long value is never broken, so that it can be copied."""
    console, width = answers(), max(len(name) for name, _ in lines)
    for name, value in lines:
        console.print(Text.assemble(f"{name:<{width}}  ", value), soft_wrap=True)


def _show_notes(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        answers().print()
        answers().print(sentence, style="yellow", markup=False, soft_wrap=not answers().is_terminal)


def _tree(row: Row) -> str:
    return f"{'└ ' if row.get('parent_session_id') else ''}{row['session_id']}"


def _state(row: Row, now: datetime) -> Text:
    """Say what a session is, since when and why."""
    since = f" {distance(parse_stored(row['over_at']), now)}" if "over_at" in row else ""
    match row["state"]:
        case State.LIVE:
            return Text("live", style="green")
        case State.EXPIRED:
            return Text(f"ran out{since}")
        case State.OVER_WITH_PARENT:
            return Text(f"over with its parent{since}")
        case State.NO_LOGIN:
            return Text(f"logged out{since}, no login yet")
        case _:
            reason = row.get("end_reason")
            return Text(f"ended{since}" + (f" ({printable(reason)})" if reason else ""))


def _became(session: Session | None, now: datetime) -> str:
    """Say what became of the session of the last login, where it is not live."""
    if session is None or session.is_live(now):
        return ""
    return f": {_state(session_document(session, now) or {}, now).plain}"


def _plain(value: Any) -> Any:
    return format_rfc3339(value) if isinstance(value, datetime) else value


def _with_distance(moment: datetime, now: datetime) -> str:
    """Write a time, and how far away that is: `2026-03-01T10:20:30.123Z (1 h 5 min ago)`."""
    return f"{format_rfc3339(moment)} ({distance(moment, now, units=2)})"
