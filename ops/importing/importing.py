"""Import files of sessions into the register: what is wrong is set aside, and a run that ended goes on where it was.

Events are folded as those of any publisher, so importing a file again, or beside live events, changes nothing twice.
The age rule is the intake's: sessions of any age are taken.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ops.importing.files import Line, find_files, read_lines
from ops.importing.records import Reading, events_of
from ops.rebuilding.checkpoint import Checkpoint
from ops.rebuilding.scanning import Pace
from processors.register.sessions import Lifetimes
from processors.runtime import clock as clocks
from processors.session_table import CHILD_OF_ANOTHER, SessionTable
from schemas.errors import RejectedEventError
from schemas.events import Event
from schemas.outcomes import Outcome

_LINES_A_STEP = 100
_ROUNDS = 5
_BACK_OFF_SECONDS = 2.0
_NOT_HERE = "its session is not in the register: give its customer_id"


class StoppedError(Exception):
    """The table does not answer; everything before is imported. The message says up to where."""


@dataclass(slots=True)
class Summary:
    """What an import did, or would do.

    Args:
        lines: Lines read.
        live: Of these, sessions that are live now.
        applied: Lines that changed the register.
        unchanged: Lines whose facts the register knew already.
        erased: Lines of customers who were erased since: they are ignored.
        not_sessions: Items of an export that are no sessions.
        clipped: Lines whose expiry lies beyond the longest lifetime that is set, which shortens it.
        reasons: What is wrong with lines, and with how many.
        first: The first line of each reason.
    """

    lines: int = 0
    live: int = 0
    applied: int = 0
    unchanged: int = 0
    erased: int = 0
    not_sessions: int = 0
    clipped: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    @property
    def wrong(self) -> int:
        """How many lines are wrong."""
        return self.reasons.total()

    def document(self) -> dict[str, Any]:
        """Write it as JSON."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        reasons = [
            {"reason": reason, "lines": count, "first": self.first[reason]}
            for reason, count in self.reasons.most_common()
        ]
        return numbers | {"wrong": self.wrong, "reasons": reasons}

    @classmethod
    def of(cls, document: dict[str, Any] | None) -> "Summary":
        """Read it again, out of a checkpoint."""
        if document is None:
            return cls()
        summary = cls(**{name: document[name] for name in _NUMBERS})
        for found in document["reasons"]:
            summary.reasons[found["reason"]] = found["lines"]
            summary.first[found["reason"]] = found["first"]
        return summary


_NUMBERS = ("lines", "live", "applied", "unchanged", "erased", "not_sessions", "clipped")


class Aside:
    """The file of lines that are wrong, each a JSON object with place, reason and the line; a context manager.

    It holds what the lines hold, so it is for this user alone.

    Args:
        path: The file, made where there is one to write.
        size: Its bytes at the checkpoint: what came after it is written again. None: it must not be there yet.
    """

    def __init__(self, path: Path, size: int | None) -> None:
        self._path = path
        self._size = size
        self._file: IO[str] | None = None

    def __enter__(self) -> "Aside":
        """Cut it to what the checkpoint knows."""
        if self._size is not None and self._path.exists():
            with self._path.open("r+b") as file:
                file.truncate(self._size)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        if self._file is not None:
            self._file.close()

    def add(self, line: Line, reason: str) -> None:
        """Write a line that is wrong."""
        if self._file is None:
            self._path.touch(mode=0o600)
            self._file = self._path.open("a", encoding="utf-8")
        self._file.write(json.dumps({"place": line.place, "reason": reason, "line": line.text}) + "\n")

    def flush(self) -> int:
        """Write what is buffered; return the size of the file in bytes."""
        if self._file is None:
            return self._size or 0
        self._file.flush()
        return self._file.tell()


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """Imports a file, or the files of a folder.

    Args:
        path: The file or folder.
        reading: How files are read.
        sessions: The register; None: nothing is written (a dry run).
        lifetimes: How long sessions may live, to tell what is clipped.
        checkpoint: Where the run stands.
        aside: Where lines that are wrong are written; None: they are only counted.
        pace: Bounds the lines a second.
        clock: Aware UTC.
        sleep: Waits for so many seconds.
        on_progress: Learns how far it is.
    """

    path: Path
    reading: Reading
    sessions: SessionTable | None
    lifetimes: Lifetimes
    checkpoint: Checkpoint
    aside: Aside | None = None
    pace: Pace = field(default_factory=Pace)
    clock: Callable[[], datetime] = field(default_factory=lambda: clocks.utc_now)
    sleep: Callable[[float], object] = time.sleep
    on_progress: Callable[[str, int], object] = lambda _what, _count: None

    def run(self) -> Summary:
        """Import every line that is not imported yet.

        Raises:
            ImportFileError: There is no file, or one cannot be read on. Everything before is imported.
            StoppedError: The table does not answer. Everything before is imported.
        """
        summary = Summary.of(self.checkpoint.get("summary"))
        position = self.checkpoint.get("position") or ["", 0]
        for file in find_files(self.path):
            name = str(file.relative_to(self.path)) if self.path.is_dir() else ""
            if name < position[0]:
                continue
            after = position[1] if name == position[0] else 0
            lines = (line for line in read_lines(file, name, self.reading) if line.number > after)
            for part in _parts(lines, min(_LINES_A_STEP, self.pace.batch)):
                self.pace.take(len(part))
                self._import_part(part, summary)
                self._keep(summary, name, part[-1].number)
        return summary

    def _keep(self, summary: Summary, name: str, number: int) -> None:
        self.checkpoint.set("summary", summary.document())
        self.checkpoint.set("aside", self.aside.flush() if self.aside is not None else 0)
        self.checkpoint.set("position", [name, number])
        self.on_progress("lines imported" if self.sessions is not None else "lines read", summary.lines)

    def _import_part(self, part: Sequence[Line], summary: Summary) -> None:
        now = self.clock()
        good: list[tuple[Line, list[Event]]] = []
        for line in part:
            summary.lines += 1
            try:
                if line.problem is not None:
                    raise RejectedEventError(line.problem)
                events = events_of(line.value, self.reading, now=now)
            except RejectedEventError as error:
                self._set_aside(line, error.reason, summary)
                continue
            if events is None:
                summary.not_sessions += 1
                continue
            self._count(events, now, summary)
            good.append((line, events))
        if self.sessions is not None:
            self._write(self.sessions, good, summary)

    def _count(self, events: Sequence[Event], now: datetime, summary: Summary) -> None:
        """Count what is live, and what would live longer than the settings allow."""
        logins = [event for event in events if event.event_type == "login"]
        summary.clipped += any(self.lifetimes.clips(login) for login in logins)
        summary.live += len(logins) > 0 and len(logins) == len(events) and self.lifetimes.expiry(logins[0]) > now

    def _write(self, sessions: SessionTable, good: Sequence[tuple[Line, list[Event]]], summary: Summary) -> None:
        events = [event for _, several in good for event in several]
        outcomes = self._apply(sessions, events, good[0][0] if good else None)
        position = 0
        for line, several in good:
            found = outcomes[position : position + len(several)]
            position += len(several)
            if Outcome.RETRY in found:
                self._set_aside(line, _NOT_HERE, summary)
            elif Outcome.REJECTED in found:
                self._set_aside(line, CHILD_OF_ANOTHER, summary)
            elif Outcome.APPLIED in found:
                summary.applied += 1
            elif Outcome.IGNORED in found:
                summary.erased += 1
            else:
                summary.unchanged += 1

    def _apply(self, sessions: SessionTable, events: Sequence[Event], first: Line | None) -> list[Outcome]:
        """Fold events; those that were not processed again, after a pause.

        Returns:
            The outcomes; `RETRY` for a logout alone whose session is not in the register.

        Raises:
            StoppedError: Others were not processed either.
        """
        outcomes = sessions.apply(events)
        for attempt in range(1, _ROUNDS):
            again = [number for number, outcome in enumerate(outcomes) if outcome is Outcome.RETRY]
            if not again or all(events[number].customer_id is None for number in again):
                return outcomes
            self.sleep(_BACK_OFF_SECONDS * attempt)
            for number, outcome in zip(again, sessions.apply([events[number] for number in again]), strict=True):
                outcomes[number] = outcome
        if any(o is Outcome.RETRY and event.customer_id is not None for o, event in zip(outcomes, events, strict=True)):
            where = "" if first is None else f" after {first.place}"
            raise StoppedError(f"the table does not answer, or is throttled,{where}")
        return outcomes

    def _set_aside(self, line: Line, reason: str, summary: Summary) -> None:
        summary.reasons[reason] += 1
        summary.first.setdefault(reason, line.place)
        if self.aside is not None:
            self.aside.add(line, reason)


def _parts(lines: Iterator[Line], size: int) -> Iterator[list[Line]]:
    while part := list(islice(lines, size)):
        yield part
