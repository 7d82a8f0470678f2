"""Where things are shown: answers on standard output, everything else on standard error."""

# ruff: noqa: PLC0415 (rich is slow to import, and not for --json)

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Timer
from typing import TYPE_CHECKING, Any

import typer

from ops.sessionctl.failures import CannotRunError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

_PATIENCE_SECONDS = 2.0
"""What takes longer shows how far it is."""
_INTERRUPTED = 130
"""The exit code of a shell's command that Ctrl-C ended: 128 and the signal's number."""


def answers() -> "Console":
    """Return a console for tables and text on what is standard output now."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False)


def show_json(document: Any) -> None:
    """Write one JSON document to standard output: with --json, nothing else goes there."""
    typer.echo(json.dumps(document, indent=2))


def say(line: str) -> None:
    """Write a line to standard error: an error, a hint, progress."""
    typer.echo(line, err=True)


def counted(count: int, noun: str) -> str:
    """Write how many there are of something, as `1 line` or `1,200 lines`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def command_line(*arguments: str, program: Sequence[str] | None = None) -> str:
    """Write a command of ours so that it works when it is pasted into another terminal here.

    Args:
        arguments: What follows the program's name.
        program: `sys.argv[0]` and the interpreter; None for those of this process.
    """
    started_as, interpreter = program or (sys.argv[0], sys.executable)
    return " ".join((_own_name(Path(started_as), Path(interpreter)), *arguments))


def _own_name(started_as: Path, interpreter: Path) -> str:
    on_path = shutil.which("sessionctl")
    if on_path is not None and Path(on_path).parent == interpreter.parent:
        return "sessionctl"
    if started_as.name == "sessionctl":
        return _from_here(started_as)
    return f"{_from_here(interpreter)} -m ops.sessionctl"


def _from_here(path: Path) -> str:
    absolute, here = path.absolute(), Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator["Steps"]:
    """Show a progress bar on standard error, where that is a terminal and it takes longer than two seconds.

    Args:
        what: What is under way, as `Reading sessions`.
        total: How many steps there are; None where nobody knows.

    Yields:
        What counts the steps.
    """
    steps = Steps(what, total)
    timer = Timer(_PATIENCE_SECONDS, steps.show)
    timer.daemon = True
    if sys.stderr.isatty():
        timer.start()
    try:
        yield steps
    finally:
        timer.cancel()
        steps.close()


class Steps:
    """Counts the steps of something long, and shows how far it is.

    Attributes:
        done: Steps that are done.
    """

    def __init__(self, what: str, total: int | None) -> None:
        self.done = 0
        self._what = what
        self._total = total
        self._lock = Lock()
        self._is_closed = False
        self._shown: tuple[Progress, TaskID] | None = None

    def advance(self, count: int = 1) -> None:
        """Count steps that are done."""
        self.done += count
        if self._shown is not None:
            bar, task = self._shown
            bar.update(task, completed=self.done)

    def show(self) -> None:
        """Show the bar from now on."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        # what goes to a terminal stands above the bar; what is piped must not be led to standard error
        to_terminal = sys.stdout.isatty()
        bar = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=to_terminal)
        with self._lock:
            if not self._is_closed:
                self._shown = bar, bar.add_task(self._what, total=self._total, completed=self.done)
                bar.start()

    def close(self) -> None:
        """Take the bar away."""
        with self._lock:
            self._is_closed = True
            if self._shown is not None:
                self._shown[0].stop()


@contextmanager
def interruptible(what_is_done: Callable[[], str]) -> Iterator[None]:
    """Turn Ctrl-C, and a request to end, into a line that says what is done and what is not; exit code 130.

    Args:
        what_is_done: Says it, as `12 of 40 are published; run it again for the others.`
    """
    try:
        yield
    except KeyboardInterrupt:
        say(f"Interrupted: {what_is_done()}")
        raise typer.Exit(_INTERRUPTED) from None


def confirm(question: str, *, yes: bool) -> None:
    """Ask a person before something changes.

    Args:
        question: What would happen, as `End 12 sessions?`
        yes: Whether `--yes` has answered already.

    Raises:
        CannotRunError: Nobody can be asked: standard input is not a terminal.
        Exit: The answer is no: exit code 1.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise CannotRunError(f"{question} Nobody can be asked here: repeat the command with --yes, or with --dry-run")
    if not typer.confirm(question, err=True):
        say("Nothing was changed.")
        raise typer.Exit(1)
