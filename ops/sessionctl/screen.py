"""Where things are shown: answers on standard output, everything else on standard error."""

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console


def answers() -> "Console":
    """Return a console for tables and text on what is standard output now."""
    from rich.console import Console  # noqa: PLC0415 (slow to import, and not for --json)

    return Console(file=sys.stdout, highlight=False)


def show_json(document: Any) -> None:
    """Write one JSON document to standard output: with --json, nothing else goes there."""
    typer.echo(json.dumps(document, indent=2))


def say(line: str) -> None:
    """Write a line to standard error: an error, a hint, progress."""
    typer.echo(line, err=True)


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
