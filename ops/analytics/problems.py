"""What an archive holds that cannot be used, or should not be there: counted and named, never silently dropped."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

_SHOWN = 10
"""Examples that a report names."""


class Kind(StrEnum):
    """The kinds of problems, as a report calls them."""

    CUT_OFF = "files cut off"
    UNREADABLE_FILE = "files that cannot be read"
    OTHER_FILE = "files that are neither .json nor .gz"
    NOT_AN_EVENT = "lines that are not events"
    NEWER_FORMAT = "events of a newer format"
    MIXED = "archives mixed"
    TWO_CONTENTS = "event ids with two contents"
    CLOCK_AHEAD = "events from a clock that is ahead"
    EMPTY_RANGE = "an empty range"


ADVICE = {
    Kind.CUT_OFF: "Whole lines before the cut are used. Copy these files again.",
    Kind.UNREADABLE_FILE: "They are left out. Copy them again, or remove them.",
    Kind.OTHER_FILE: "They are left out.",
    Kind.NOT_AN_EVENT: "They are left out. A line of the archive is the detail of a life-cycle event.",
    Kind.NEWER_FORMAT: "They are left out. Update this program.",
    Kind.MIXED: "All are read as one. Where they are of two stacks, make a report of each.",
    Kind.TWO_CONTENTS: "One of them is used. An id has one content, unless archives are mixed, another program writes "
    "to the table, or a customer was erased between two deliveries.",
    Kind.CLOCK_AHEAD: "They are read as they are. Check the clock of the publisher, or of this machine.",
    Kind.EMPTY_RANGE: "No session was live in it. Check --since and --until.",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of problem of one archive.

    Attributes:
        kind: What is wrong.
        count: How many files, lines or events; of "archives mixed" how many archives.
        examples: Some of them, by name.
    """

    kind: Kind
    count: int
    examples: tuple[str, ...]

    @property
    def advice(self) -> str:
        """What is done about it, and what to do."""
        return ADVICE[self.kind]


@dataclass(frozen=True, slots=True)
class Found:
    """One problem at one place.

    Attributes:
        kind: What is wrong.
        place: The file, line or event.
        count: How many of them the place stands for.
    """

    kind: Kind
    place: str
    count: int = 1


def gather(found: Iterable[Found]) -> tuple[Problem, ...]:
    """Count problems by kind, in the order of `Kind`."""
    by_kind: dict[Kind, list[Found]] = {}
    for one in found:
        by_kind.setdefault(one.kind, []).append(one)
    return tuple(_problem(kind, by_kind[kind]) for kind in Kind if kind in by_kind)


def _problem(kind: Kind, found: Sequence[Found]) -> Problem:
    examples = tuple(one.place for one in found[:_SHOWN])
    return Problem(kind, sum(one.count for one in found), examples)
