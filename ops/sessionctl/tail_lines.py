"""A life-cycle event as a line for people."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ops.sessionctl.durations import in_words
from schemas.times import parse_rfc3339

_KIND_WIDTH = 9
_MOST_PADDING = 40
_REMEMBERED = 1000

_WIDE = 100
"""Columns from which on a line has room for the date."""

_LESS_NEEDED = ("alignment", "over", "child", "reason", "customer")
"""What goes, in this order, where a line does not fit."""


class Lines:
    """Lines of life-cycle events, in columns as wide as what came so far.

    Args:
        has_customer: Whether they name the customer.
    """

    def __init__(self, *, has_customer: bool = True) -> None:
        self._has_customer = has_customer
        self._widths = {"session": 0, "customer": 0}

    def line_of(self, detail: Mapping[str, Any], *, now: datetime, width: int | None = None) -> str:
        """Write an event as one line; ids are always whole.

        Args:
            detail: The event's `detail`.
            now: Aware UTC.
            width: Columns of the terminal, None for any; what does not fit is left out, and the session never.
        """
        cells = self._cells(detail, now)
        if width is not None and width < _WIDE:
            del cells["date"]
        line = self._aligned(cells)
        for left_out in _LESS_NEEDED:
            if width is None or len(line) <= width:
                break
            cells.pop(left_out, None)
            line = _joined(cells)
        return line

    def _cells(self, detail: Mapping[str, Any], now: datetime) -> dict[str, str]:
        session = detail["session"]
        parent, reason = session["parent_session_id"], detail["over_reason"]
        cells = {
            "date": detail["occurred_at"][:10],
            "time": detail["occurred_at"][11:19],
            "kind": f"{detail['kind']:<{_KIND_WIDTH}}",
            "session": session["session_id"],
            "customer": session["customer_id"],
            "child": f"child of {parent}" if parent is not None else "",
            "reason": reason if reason is not None and reason != detail["kind"] else "",
            "over": _over(detail, now),
        }
        if not self._has_customer:
            del cells["customer"]
        return {name: _printable(cell) for name, cell in cells.items()}

    def _aligned(self, cells: Mapping[str, str]) -> str:
        for column in self._widths.keys() & cells.keys():
            self._widths[column] = max(self._widths[column], min(len(cells[column]), _MOST_PADDING))
        return _joined({name: cell.ljust(self._widths.get(name, 0)) for name, cell in cells.items()})


class Repeats:
    """Recognises events that came before, as far as the last thousand tell: delivery is at least once."""

    def __init__(self) -> None:
        self._ids: deque[str] = deque(maxlen=_REMEMBERED)

    def is_repeat(self, detail: Mapping[str, Any]) -> bool:
        """Whether an event of this id came before; remembers it."""
        if detail["id"] in self._ids:
            return True
        self._ids.append(detail["id"])
        return False


def _joined(cells: Mapping[str, str]) -> str:
    return "  ".join(cell for cell in cells.values() if cell).rstrip()


def _over(detail: Mapping[str, Any], now: datetime) -> str:
    """Say how long ago the session's time ended, or when it runs out."""
    moment, expires_at = detail["over_at"], detail["session"]["expires_at"]
    if moment is not None:
        return f"over {in_words(abs(now - parse_rfc3339(moment)))} ago"
    if expires_at is None:
        return ""
    left = parse_rfc3339(expires_at) - now
    return f"runs out in {in_words(left)}" if left.total_seconds() > 0 else f"ran out {in_words(-left)} ago"


def _printable(text: str) -> str:
    """Escape what would act on a terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
