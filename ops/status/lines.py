"""A line of the status: what was looked at, how it is, and the next command. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How something is."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing; nobody needs to do anything."""
    UNKNOWN = "unknown"
    """It could not be looked at."""
    WAITS = "waits"
    """Somebody has to do something."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at.

    Attributes:
        name: What it is.
        state: How it is.
        words: The same in words.
        commands: What to run next, in order; empty where nothing is to be done.
        facts: What was measured, for programs.
    """

    name: str
    state: State
    words: str
    commands: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Write it for programs."""
        return {
            "name": self.name,
            "state": self.state.value,
            "words": self.words,
            "commands": list(self.commands),
            "facts": dict(self.facts),
        }


@dataclass(frozen=True, slots=True)
class Commands:
    """Writes commands that are about the same stack.

    Attributes:
        ours: Writes a command of ours from its arguments.
        aws_options: What `aws` needs to find the stack's account and region.
    """

    ours: Callable[..., str]
    aws_options: Sequence[str] = ()

    def aws(self, *arguments: str) -> str:
        """Write a command of the AWS CLI."""
        return " ".join(("aws", *arguments, *self.aws_options))

    def logs(self, group: str) -> str:
        """Write the command that shows warnings and errors of a log group."""
        shown = ("--filter-pattern", "'?WARNING ?ERROR'", "--query", "'events[-20:].message'", "--output", "text")
        return self.aws("logs", "filter-log-events", "--log-group-name", group, *shown)


def waits(lines: Sequence[Line]) -> bool:
    """Whether somebody has to do something, be it to get the rights to look."""
    return any(line.state in (State.WAITS, State.UNKNOWN) for line in lines)


def in_words(duration: timedelta) -> str:
    """Write a duration in its largest unit."""
    seconds = max(0, int(duration.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def several(count: int, what: str) -> str:
    """Write a number of things."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
