"""Take the events out of a file that holds other things as well: slow, so only where the fast reader found any."""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from ops.analytics.problems import Found, Kind
from schemas.life_cycle import DETAIL_TYPES, FORMAT, TIMES
from schemas.times import parse_rfc3339

GZIP_MAGIC = b"\x1f\x8b"
"""Source: RFC 1952 section 2.3.1."""

MAX_VERSION = 10**17
"""A version is a number of milliseconds or small; four times this fits 64 bits."""

_MAX_LINE_BYTES = 8 * 1024 * 1024
"""Far more than an item of 400 KB makes; a longer line is not read into memory."""

_CUT = (EOFError, gzip.BadGzipFile, zlib.error)


class NotAnEventError(ValueError):
    """A line is not a life-cycle event of ours; says why."""


class NewerFormatError(ValueError):
    """A line is an event of a later release."""


@dataclass(slots=True)
class Sifted:
    """What a file holds.

    Attributes:
        lines: The events, a line each.
        found: Everything else.
    """

    lines: list[bytes] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed, whatever it is called."""
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


def sift(path: Path, name: str) -> Sifted:
    """Separate the events of a file from what cannot be used.

    Args:
        path: The file.
        name: What to call it.
    """
    sifted = Sifted()
    try:
        with _open(path) as file:
            for number, line in enumerate(_lines(file), start=1):
                _sift_line(sifted, line, f"{name}, line {number}")
    except _CUT as error:
        sifted.found.append(Found(Kind.CUT_OFF, f"{name}: {len(sifted.lines):,} events before the cut ({error})"))
    except OSError as error:
        sifted.found.append(Found(Kind.UNREADABLE_FILE, f"{name}: {error.strerror or error}"))
    return sifted


def _open(path: Path) -> BufferedIOBase:
    if path.stat().st_size and is_gzip(path):
        return gzip.open(path, "rb")
    return path.open("rb")


def _lines(file: BufferedIOBase) -> Iterator[bytes]:
    while line := file.readline(_MAX_LINE_BYTES):
        yield line


def _sift_line(sifted: Sifted, line: bytes, place: str) -> None:
    if not line.strip():
        return
    try:
        check(line)
    except NewerFormatError as error:
        sifted.found.append(Found(Kind.NEWER_FORMAT, f"{place}: {error}"))
    except NotAnEventError as error:
        sifted.found.append(Found(Kind.NOT_AN_EVENT, f"{place}: {error}"))
    else:
        sifted.lines.append(line.rstrip(b"\r\n"))


def check(line: bytes) -> None:
    """Check that a line is a life-cycle event that can be read here.

    Raises:
        NotAnEventError: It is not.
        NewerFormatError: A later release wrote it.
    """
    try:
        detail = json.loads(line, object_pairs_hook=_unique)
    except NotAnEventError:
        raise
    except (ValueError, RecursionError):
        raise NotAnEventError("it is not valid JSON") from None
    if not isinstance(detail, dict):
        raise NotAnEventError("it is not a JSON object")
    form = detail.get("format")
    if isinstance(form, int) and form > FORMAT:
        raise NewerFormatError(f"format {form}; this program reads {FORMAT}")
    if form != FORMAT:
        raise NotAnEventError("it has no format")
    _check_detail(detail)


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a member that is there twice: of two, each reader takes another one. Source: RFC 8259 section 4."""
    found = dict(members)
    if len(found) < len(members):
        raise NotAnEventError("it has a member twice")
    return found


def _check_detail(detail: dict[str, Any]) -> None:
    session = detail.get("session")
    if not isinstance(session, dict):
        raise NotAnEventError("it has no session")
    if detail.get("kind") not in DETAIL_TYPES:
        raise NotAnEventError("its kind is unknown")
    for name in ("id", "occurred_at"):
        if not isinstance(detail.get(name), str):
            raise NotAnEventError(f"it has no {name}")
    version = session.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or not 0 <= version <= MAX_VERSION:
        raise NotAnEventError("its session's version is not a whole number")
    if not isinstance(session.get("session_id"), str) or not (
        isinstance(session.get("customer_id"), str) or session.get("parent_session_id")
    ):
        raise NotAnEventError("its session has no ids")
    _check_values(detail, session)


def _check_values(detail: dict[str, Any], session: dict[str, Any]) -> None:
    times = {"occurred_at": detail["occurred_at"], "over_at": detail.get("over_at")}
    for name, value in (times | {name: session.get(name) for name in TIMES}).items():
        if value is not None and not _is_time(value):
            raise NotAnEventError(f"its {name} is not a time")
    try:
        json.dumps(detail, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise NotAnEventError("it holds half of a surrogate pair, which is not text") from None


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(parse_rfc3339(value))
    except ValueError:
        return False
