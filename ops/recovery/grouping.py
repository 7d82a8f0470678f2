"""What waits, grouped by reason and source; and filters that choose among it. Pure."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from providers.envelopes import IgnoredEvent, ReadEvent, RejectedEvent

UNKNOWN = "unknown"

_PLACE = re.compile(r"^event \d+ of the message: ")
_DETAIL = re.compile(r"\d[\d.,]*|'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that waits.

    Attributes:
        entry_id: What `show` takes.
        reason: Why it waits.
        source: Whose it is.
        at: Since when, aware UTC; None where nothing says it.
    """

    entry_id: str
    reason: str
    source: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Group:
    """Things that wait for the same reason and are of the same source.

    Attributes:
        reason: The reason of the newest; others may name other values.
        source: Whose they are.
        count: How many were read.
        oldest: Since when the oldest waits, aware UTC; None where nothing says it.
        newest: The same of the newest.
        example_id: The newest, for `show`.
    """

    reason: str
    source: str
    count: int
    oldest: datetime | None
    newest: datetime | None
    example_id: str


def grouped(entries: Iterable[Entry]) -> list[Group]:
    """Group by reason and source, the largest group first; values and places in a reason make no group of their own."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((kind_of(entry.reason), entry.source), []).append(entry)
    return sorted(map(_group, groups.values()), key=lambda group: (-group.count, group.reason, group.source))


def kind_of(reason: str) -> str:
    """Return a reason without the values and places that it names."""
    return _DETAIL.sub("…", _PLACE.sub("", reason))


def source_of(body: str, found: Sequence[ReadEvent] = ()) -> str:
    """Say which system an event is of: what it was read as, what it calls itself, or what its envelope says.

    Args:
        body: The message, masked or not.
        found: What was read in it.
    """
    for event in found:
        named = event.provider if isinstance(event, IgnoredEvent) else getattr(event, "source", None)
        if named and not isinstance(event, RejectedEvent):
            return str(named)
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return UNKNOWN
    return _named_source(content) or UNKNOWN


def _named_source(content: Any) -> str | None:
    if not isinstance(content, dict):
        return None
    inner = _named_source(content.get("detail"))
    source = content.get("source")
    return inner or (source if isinstance(source, str) and source and not source.startswith("<") else None)


def _group(entries: Sequence[Entry]) -> Group:
    dated = [entry.at for entry in entries if entry.at is not None]
    newest = max(entries, key=lambda entry: (entry.at is not None, entry.at.timestamp() if entry.at else 0.0))
    return Group(
        reason=_PLACE.sub("", newest.reason),
        source=newest.source,
        count=len(entries),
        oldest=min(dated, default=None),
        newest=max(dated, default=None),
        example_id=newest.entry_id,
    )


class FilterError(ValueError):
    """A filter is not one; the message says what would be."""


def matcher(filters: Sequence[str], names: Sequence[str]) -> Callable[[Mapping[str, str]], bool]:
    """Make what chooses by facts: all filters must hold.

    Args:
        filters: Each `NAME=PATTERN`, with `*` and `?` in the pattern as in a shell.
        names: The names there are.

    Raises:
        FilterError: One names nothing known.
    """
    wanted = []
    for text in filters:
        name, separator, pattern = text.partition("=")
        if not separator or name not in names:
            raise FilterError(f"{text!r} is not NAME=PATTERN with one of {', '.join(names)} as name")
        wanted.append((name, pattern))
    return lambda facts: all(fnmatchcase(facts.get(name, ""), pattern) for name, pattern in wanted)
