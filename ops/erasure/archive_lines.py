"""The lines of an archive's object, and what is left of them under an erasure: pure."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas.times import format_rfc3339, parse_stored


@dataclass(slots=True)
class Rest:
    """What is left of an object.

    Args:
        lines: The lines that stay.
        removed: How many were removed.
        shortened: How many had their start raised.
    """

    lines: list[bytes] = field(default_factory=list)
    removed: int = 0
    shortened: int = 0


def rest_of(data: bytes, customer_id: str, erased_at: datetime) -> Rest:
    """Return what is left of an object's lines; pure.

    A line goes where its session's newest login is not after the erasure. Where the session goes on, an older start is
    raised to the erasure. Lines that cannot be read, or are other customers', stay as they are.

    Args:
        data: Lines of JSON, each the `detail` of a life-cycle event, or a record that Firehose could not deliver.
        customer_id: The customer.
        erased_at: Aware UTC.
    """
    rest = Rest()
    for line in data.splitlines(keepends=True):
        undelivered = _undelivered(line)
        if undelivered is not None:
            record, inner = undelivered
            within = rest_of(inner, customer_id, erased_at)
            rest.removed += within.removed
            rest.shortened += within.shortened
            if within.removed or within.shortened:
                text = base64.b64encode(b"".join(within.lines)).decode()
                rest.lines += [] if not within.lines else [_line({**record, "rawData": text})]
                continue
        detail = detail_of(line, customer_id)
        kept = detail if detail is None else _rest_of_detail(detail, erased_at)
        if detail is not None and kept is None:
            rest.removed += 1
        elif kept is not detail and kept is not None:
            rest.lines.append(_line(kept))
            rest.shortened += 1
        else:
            rest.lines.append(line)
    return rest


def _rest_of_detail(detail: dict[str, Any], erased_at: datetime) -> dict[str, Any] | None:
    """Return what is left of an event: itself, one with a later start, or None."""
    session = detail["session"]
    newest = _time(session.get("last_login_time") or session.get("started_at") or session.get("ended_at"))
    if newest is None or newest <= erased_at:
        return None
    started_at = _time(session.get("started_at"))
    if started_at is None or started_at >= erased_at:
        return detail
    return {**detail, "session": {**session, "started_at": format_rfc3339(erased_at)}}


def lines_in(data: bytes) -> Iterator[bytes]:
    """Yield the lines of an object, also those in records that Firehose could not deliver."""
    for line in data.splitlines(keepends=True):
        undelivered = _undelivered(line)
        yield from [line] if undelivered is None else undelivered[1].splitlines(keepends=True)


def _undelivered(line: bytes) -> tuple[dict[str, Any], bytes] | None:
    """Read a record that Firehose could not deliver.

    Source: Firehose Developer Guide, "Handle data delivery failures".
    """
    if b'"rawData"' not in line:
        return None
    record = _value(line)
    try:
        return (record, base64.b64decode(record["rawData"])) if isinstance(record, dict) else None
    except (KeyError, TypeError, ValueError):
        return None


def detail_of(line: bytes, customer_id: str) -> dict[str, Any] | None:
    """Read a line that is an event of the customer's; None for any other."""
    if b'"customer_id"' not in line:
        return None
    detail = _value(line)
    session = detail.get("session") if isinstance(detail, dict) else None
    return detail if isinstance(session, dict) and session.get("customer_id") == customer_id else None


def _value(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _time(text: Any) -> datetime | None:
    try:
        return parse_stored(text)
    except (TypeError, ValueError, AttributeError):
        return None
