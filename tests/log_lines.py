"""What the functions may log: every text, what it speaks of, and the facts that it carries. Nothing else."""

import logging
import re
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Any, Self

from processors.intake.masking import mask_id
from schemas.secrets import MASKED_PATTERN


class About(Enum):
    """What a line speaks of."""

    EVENT = "one event: its message id, and its event id where that could be read"
    RECORD = "one stream record, or what it is about: its sequence number"
    ITEM = "one stored item: a fact says which"
    BATCH = "several at once, or a request: how many, or why"


@dataclass(frozen=True, slots=True)
class Line:
    """A log line: what it speaks of, the facts that it always carries, and those that it may carry."""

    about: About
    facts: frozenset[str]
    optional: frozenset[str] = field(default=frozenset())


def _line(about: About, *facts: str, optional: tuple[str, ...] = ()) -> Line:
    named = {About.EVENT: ("message_id", "event_id"), About.RECORD: ("sequence_number",)}.get(about, ())
    return Line(about, frozenset({*facts, *named}), frozenset(optional))


LINES = {
    "event rejected": _line(About.EVENT, "reason"),
    "event will be retried": _line(About.EVENT, "receive_count"),
    "rejected-events queue failed": _line(About.EVENT, "reason", "error_code"),
    "children of a large family could not be read": _line(About.RECORD, "error_code"),
    "sessions could not be paged": _line(About.RECORD, "error_code"),
    "stream record cannot be read": _line(About.RECORD, "reason"),
    "agenda item cannot be read": _line(About.ITEM, "reason"),
    "entry of the erased list cannot be read: repair or delete it": _line(About.ITEM, "partition"),
    "projection cannot be read": _line(About.ITEM, "reason", "advice"),
    "projection cannot be read: made anew from the register": _line(About.ITEM, "exc_info"),
    "projection made from a part of the sessions: run sessionctl rebuild": _line(About.ITEM, "customer_id"),
    "stored item cannot be read: repair or delete it": _line(About.ITEM, "reason"),
    "BatchWriteItem failed": _line(About.BATCH, "table", "items", "error_code"),
    "children could not be read": _line(About.BATCH, "error_code"),
    "deadline reached": _line(About.BATCH, optional=("unprocessed", "table", "unsettled", "searches_left")),
    "expiries could not be read": _line(About.BATCH, "partition", "error_code"),
    "items left unprocessed": _line(About.BATCH, "table", "items"),
    "keys left unprocessed": _line(About.BATCH, "table", "items"),
    "life-cycle events not accepted": _line(About.BATCH, "by", "error_code", "events"),
    "list of erased customers could not be read": _line(About.BATCH, "error_code"),
    "logout commands could not be sent": _line(About.BATCH, "error_code"),
    "logouts without customer_id: session not found yet, will retry": _line(About.BATCH, "count"),
    "more events will be retried": _line(About.BATCH, "count"),
    "optimistic-lock retries exhausted": _line(About.BATCH, "table", "unsettled"),
    "parents could not be read": _line(About.BATCH, "error_code"),
    "records could not be set aside": _line(About.BATCH, "bucket", "key", "records", "error_code"),
    "records set aside": _line(About.BATCH, "bucket", "key", "records"),
    "request failed": _line(About.BATCH, "operation", "table", "items", "error_code"),
    "sessions could not be read again": _line(About.BATCH, "error_code"),
    "sessions could not be searched": _line(About.BATCH, "error_code"),
    "statements failed": _line(About.BATCH, "table", "items", "error_code"),
}

_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def faults_of(text: str, facts: dict[str, Any]) -> list[str]:
    """Say what is wrong with a line, by its text and the facts that it was given."""
    line = LINES.get(text)
    if line is None:
        return [f"{text!r} is not in tests/log_lines.py: say there what it speaks of"]
    missing, unknown = line.facts - facts.keys(), facts.keys() - line.facts - line.optional
    secret = [name for name in ("message_id", "event_id") if facts.get(name) and not _is_masked(str(facts[name]))]
    return [
        *(f"{text!r} lacks {name}" for name in sorted(missing)),
        *(f"{text!r} may not carry {name}" for name in sorted(unknown)),
        *(f"{text!r} shows {name} as it is" for name in secret),
    ]


def _is_masked(text: str) -> bool:
    return mask_id(text) == text or re.search(MASKED_PATTERN, text) is not None


class LogLines(logging.Handler):
    """Looks at every line that the functions log while it is open.

    Attributes:
        faults: What is wrong with them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        facts = {name: value for name, value in vars(record).items() if name not in _OF_EVERY_RECORD}
        if record.exc_info:
            facts["exc_info"] = record.exc_info
        self.faults += faults_of(str(record.msg), facts)

    def __enter__(self) -> Self:
        logging.getLogger("processors").addHandler(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        logging.getLogger("processors").removeHandler(self)
