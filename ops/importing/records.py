"""A stored session of any origin as the events that would have made it: pure."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from schemas.errors import MalformedItemError, RejectedEventError
from schemas.events import Event, parse_event
from schemas.item_mapping import read_item
from schemas.items import ACTIVE, Revocation, Session
from schemas.times import format_rfc3339, parse_rfc3339, parse_stored

FIELDS = (
    "session_id",
    "customer_id",
    "parent_session_id",
    "session_state",
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
    "access_token",
    "last_login_event_id",
    "ended_event_id",
)
"""What a session to import may say; the names are the table's."""

_IDS = ("session_id", "customer_id", "parent_session_id")
_CLIENT = {"client_ip": "ip", "user_agent": "user_agent", "device_id": "device_id", "country": "country"}
_MILLISECONDS_FROM = 100_000_000_000
"""A number of at least this is a time in milliseconds: in seconds it would lie beyond the year 5000."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read.

    Args:
        columns: The name in the file of each field that is called something else there.
        namespace: What ids get as a prefix, `provider:tenant`; empty: nothing.
        assume_utc: Read times without zone as UTC; otherwise they are wrong.
    """

    columns: Mapping[str, str]
    namespace: str = ""
    assume_utc: bool = False


def events_of(value: Any, reading: Reading, *, now: datetime) -> list[Event] | None:
    """Return the events that make what a line of JSON, or a row, describes.

    Args:
        value: A session as an object of `FIELDS`, a canonical event, or an item in DynamoDB's JSON (`Item` of a full
            export, `NewImage` of an incremental one).
        reading: How files are read.
        now: Aware UTC; nothing may lie more than five minutes after it.

    Returns:
        None for an item that is no session: an export holds every item of its table.

    Raises:
        RejectedEventError: It is wrong; the reason names the field and shows no value.
    """
    if not isinstance(value, dict):
        raise RejectedEventError("not a JSON object")
    item = value.get("Item", value.get("NewImage"))
    if isinstance(item, dict):
        return _events_of_item(item, reading, now)
    if "Keys" in value and "NewImage" not in value and "session_id" not in value:
        return None  # a deletion in an incremental export
    if isinstance(value.get("event_type"), str):
        event = parse_event(value, sent_at=now)
        if event is None:
            raise RejectedEventError("neither a login nor a logout")
        return [event]
    return _events_of_record({name: value.get(reading.columns.get(name, name)) for name in FIELDS}, reading, now)


def _events_of_item(item: dict[str, Any], reading: Reading, now: datetime) -> list[Event] | None:
    """Read an item of the original schema, of this one, or, with columns named, of any other."""
    try:
        stored = read_item(item)
    except MalformedItemError as error:
        if not reading.columns:
            raise RejectedEventError(str(error)) from None
        stored = None
    if isinstance(stored, Session):
        record = {name: getattr(stored, name, None) for name in FIELDS}
        token = item.get("access_token", {}).get("S")
        return _events_of_record(record | {"access_token": token}, reading, now)
    if isinstance(stored, Revocation):
        return _events_of_revocation(stored, reading, now)
    if not reading.columns:
        return None
    plain = {name: next(iter(typed.values())) for name, typed in item.items() if isinstance(typed, dict) and typed}
    return _events_of_record({name: plain.get(reading.columns.get(name, name)) for name in FIELDS}, reading, now)


def _events_of_revocation(revocation: Revocation, reading: Reading, now: datetime) -> list[Event]:
    pairs = [(revocation.revoked_at, revocation.except_session_id)]
    if revocation.other_revoked_at is not None:
        pairs.append((revocation.other_revoked_at, revocation.other_except_session_id))
    return [
        _event(
            "logout_all",
            at,
            None,
            now,
            {
                "customer_id": _with_namespace(revocation.customer_id, reading),
                "except_session_id": _with_namespace(exception, reading),
            },
        )
        for at, exception in pairs
    ]


def _events_of_record(record: dict[str, Any], reading: Reading, now: datetime) -> list[Event]:
    """Return the logins and the logout of a session: its last login, its first where that was earlier, its end."""
    record = {name: value for name, value in record.items() if value not in (None, "")}
    times = {
        name: _time(name, record[name], reading)
        for name in ("started_at", "last_login_time", "expires_at", "ended_at")
        if name in record
    }
    last = times.get("last_login_time", times.get("started_at"))
    first = times.get("started_at", last)
    is_over = "ended_at" in times or record.get("session_state", ACTIVE) != ACTIVE
    if last is None and "ended_at" not in times:
        raise RejectedEventError("started_at or last_login_time is missing")
    if first is not None and last is not None and first > last:
        raise RejectedEventError("started_at lies after last_login_time")
    ids = {name: _with_namespace(record.get(name), reading) for name in _IDS}
    events: list[Event] = []
    if first is not None and last is not None:
        login = ids | _details(record, times.get("expires_at"))
        events.append(_event("login", last, record.get("last_login_event_id"), now, login))
        if first < last:
            events.append(_event("login", first, None, now, login))
    ended_at = times.get("ended_at", last)
    if is_over and ended_at is not None:
        end = ids | {"reason": record.get("end_reason")}
        events.append(_event("logout", ended_at, record.get("ended_event_id"), now, end))
    return events


def _details(record: Mapping[str, Any], expires_at: datetime | None) -> dict[str, Any]:
    return {
        "client": {wire: record[name] for name, wire in _CLIENT.items() if name in record},
        "source": record.get("source"),
        "access_token": record.get("access_token"),
        "expires_at": None if expires_at is None else format_rfc3339(expires_at),
    }


def _event(event_type: str, occurred_at: datetime, event_id: Any, now: datetime, fields: Mapping[str, Any]) -> Event:
    """Make an event; without an id it gets one by its content, so that importing it again changes nothing."""
    named = {name: value for name, value in fields.items() if value is not None}
    identity = [event_type, format_rfc3339(occurred_at), *(named.get(name) for name in (*_IDS, "except_session_id"))]
    digest = sha256(json.dumps(identity, default=str).encode()).hexdigest()[:32]
    body = {
        **named,
        "event_type": event_type,
        "event_id": event_id or f"import:{digest}",
        "occurred_at": format_rfc3339(occurred_at),
    }
    event = parse_event(body, sent_at=now)
    if event is None:
        raise RejectedEventError("neither a login nor a logout")
    return event


def _with_namespace(identifier: Any, reading: Reading) -> Any:
    return f"{reading.namespace}:{identifier}" if reading.namespace and isinstance(identifier, str) else identifier


def _time(name: str, value: Any, reading: Reading) -> datetime:
    """Read a time: RFC 3339, or epoch seconds or milliseconds.

    Raises:
        RejectedEventError: It is neither.
    """
    if isinstance(value, datetime):
        return value
    try:
        number = None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = None
    try:
        if number is not None:
            return _from_epoch(number)
        return parse_stored(value) if reading.assume_utc else parse_rfc3339(value)
    except (TypeError, ValueError, OverflowError, OSError):
        pass
    raise RejectedEventError(f"{name} is {_wrong_time(value)}")


def _from_epoch(number: float) -> datetime:
    if not math.isfinite(number) or number < 0:
        raise ValueError
    seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _wrong_time(value: Any) -> str:
    try:
        has_no_zone = datetime.fromisoformat(value).tzinfo is None
    except (TypeError, ValueError):
        has_no_zone = False
    if has_no_zone:
        return "a time without zone: give it an offset, or read such times as UTC with --utc"
    return "not a time: write 2026-03-01T10:20:30.123Z, or epoch seconds"
