"""The local stacks that run in other terminals: how they say so, and how other commands find them.

Each says so in a file of the user's, which it keeps locked. The lock goes with the process, however that ends, so a
file without a lock is what a killed one left behind.
"""

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.screen import command_line

_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
"""Source: AWS CloudFormation API Reference, CreateStack, StackName."""


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A local stack that is up.

    Attributes:
        process_id: Of the process that runs it.
        name: The stack's name.
        region: The region it stands for.
        endpoint: URL of the local AWS.
        outputs: The template's outputs.
    """

    process_id: int
    name: str
    region: str
    endpoint: str
    outputs: Mapping[str, str]


def state_folder() -> Path:
    """Return where running stacks say so. Source: XDG Base Directory Specification, state home."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "session-event-processor" / "local-stacks"


@contextmanager
def announcing(name: str) -> Iterator[Callable[[RunningStack], None]]:
    """Be the only local stack of this user and name while in this context.

    Yields:
        What announces the stack once it is up.

    Raises:
        CannotRunError: Another one of that name runs, or no stack can have the name.
    """
    path = _file_of(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        if not _lock(file, fcntl.LOCK_EX):
            raise CannotRunError(
                f"a local stack {name} runs already{_process_in(file)}: use it, end it with Ctrl-C, "
                "or start another one with --name"
            )
        file.truncate(0)

        def announce(stack: RunningStack) -> None:
            json.dump(asdict(stack), file)
            file.flush()

        try:
            yield announce
        finally:
            path.unlink(missing_ok=True)


def find_running(name: str | None = None) -> RunningStack:
    """Find a local stack that runs.

    Args:
        name: Its name; None for the only one.

    Raises:
        CannotRunError: None does, or several and none is named, or it is not up yet, or no stack can have the name.
    """
    files = sorted(state_folder().glob("*.json")) if name is None else [_file_of(name)]
    texts = {path.stem: text for path in files if (text := _text_of_running(path)) is not None}
    if len(texts) > 1:
        raise CannotRunError(f"several local stacks run ({', '.join(texts)}): choose one with --name")
    if not texts:
        what = "no local stack is running" if name is None else f"no local stack {name} is running"
        raise CannotRunError(
            f"{what}: start one in another terminal with `{command_line('local')}`, "
            "or name a deployed one with --stack-name"
        )
    [text] = texts.values()
    try:
        return RunningStack(**json.loads(text))
    except (TypeError, ValueError):
        raise CannotRunError("the local stack is starting: try again in a moment") from None


def running_names() -> list[str]:
    """Name the local stacks that run."""
    return [path.stem for path in sorted(state_folder().glob("*.json")) if _text_of_running(path) is not None]


def _file_of(name: str) -> Path:
    """Return where a stack of this name says that it runs; refuse what is no name, as it would lead elsewhere."""
    if not _NAME.fullmatch(name):
        raise CannotRunError(
            f"a stack cannot be called {name!r}: letters, digits and hyphens, a letter first, at most 128 in all"
        )
    return state_folder() / f"{name}.json"


def _text_of_running(path: Path) -> str | None:
    """Read what a stack says; None where its process has ended."""
    try:
        with path.open(encoding="utf-8") as file:
            return None if _lock(file, fcntl.LOCK_SH) else file.read()
    except FileNotFoundError:
        return None


def _lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _process_in(file: IO[str]) -> str:
    file.seek(0)
    try:
        return f", process {json.load(file)['process_id']}"
    except (TypeError, ValueError, KeyError):
        return ""
