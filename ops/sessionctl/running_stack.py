"""The local stack that runs in another terminal: how it says so, and how other commands find it.

It says so in a file of the user's, which it keeps locked. The lock goes with the process, however that ends, so a file
without a lock is what a killed one left behind.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.screen import command_line


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A local stack that is up.

    Attributes:
        process_id: Of the `sessionctl local` that runs it.
        region: The region it stands for.
        endpoint: URL of everything but the tables.
        dynamodb_endpoint: URL of the tables.
        outputs: The template's outputs.
    """

    process_id: int
    region: str
    endpoint: str
    dynamodb_endpoint: str
    outputs: Mapping[str, str]


def state_file() -> Path:
    """Return where the running stack says so. Source: XDG Base Directory Specification, state home."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "session-event-processor" / "local-stack.json"


@contextmanager
def announcing() -> Iterator[Callable[[RunningStack], None]]:
    """Be the only local stack of this user while in this context.

    Yields:
        What announces the stack once it is up.

    Raises:
        CannotRunError: Another one runs.
    """
    path = state_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        if not _lock(file, fcntl.LOCK_EX):
            raise CannotRunError(f"a local stack runs already{_process_in(file)}: use it, or end it with Ctrl-C")
        file.truncate(0)

        def announce(stack: RunningStack) -> None:
            json.dump(asdict(stack), file)
            file.flush()

        try:
            yield announce
        finally:
            path.unlink(missing_ok=True)


def find_running() -> RunningStack:
    """Find the local stack that runs.

    Raises:
        CannotRunError: None does, or it is not up yet.
    """
    try:
        file = state_file().open(encoding="utf-8")
    except FileNotFoundError:
        raise CannotRunError(_none_runs("")) from None
    with file:
        if _lock(file, fcntl.LOCK_SH):
            raise CannotRunError(_none_runs(f" (the last one{_process_in(file)} was killed)"))
        text = file.read()
    try:
        return RunningStack(**json.loads(text))
    except (TypeError, ValueError):
        raise CannotRunError("the local stack is starting: try again in a moment") from None


def _none_runs(remark: str) -> str:
    return (
        f"no local stack is running{remark}: start one in another terminal with `{command_line('local')}`, "
        "or name a deployed one with --stack-name"
    )


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
