"""How far a command of several stages is, and the checkpoint it goes on from."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.screen import Steps, interruptible, progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from ops.rebuilding.checkpoint import Checkpoint


class Stages:
    """Shows a progress bar for each thing that is done, one after the other.

    Attributes:
        counts: How many of each thing are done.
    """

    def __init__(self, bars: ExitStack) -> None:
        self.counts: dict[str, int] = {}
        self._bars = bars
        self._what = ""
        self._steps: Steps | None = None

    def __call__(self, what: str, done: int, total: int | None = None) -> None:
        """Show that so many of something are done."""
        if self._steps is None or what != self._what:
            self._bars.close()
            self._what, self._steps = what, self._bars.enter_context(progress(what.capitalize(), total))
        self._steps.advance(done - self._steps.done)
        self.counts[what] = done

    def __str__(self) -> str:
        """Say what is done, as `12 customers rebuilt`."""
        return ", ".join(f"{count:,} {what}" for what, count in self.counts.items()) or "nothing was changed"


@contextmanager
def stages(what_is_done: "Callable[[Stages], str]") -> Iterator[Stages]:
    """Show how far a command is while in this context, and end it in order with Ctrl-C.

    Args:
        what_is_done: Says after Ctrl-C what is done and what is not.
    """
    with ExitStack() as bars:
        shown = Stages(bars)
        with interruptible(lambda: what_is_done(shown)):
            yield shown


@contextmanager
def open_checkpoint(path: Path | None, purpose: str) -> "Iterator[Checkpoint]":
    """Open the checkpoint of a run.

    Args:
        path: The file; None keeps it for this run alone.
        purpose: What run it is for.

    Raises:
        CannotRunError: The file is something else, or another run's.
    """
    from ops.rebuilding.checkpoint import Checkpoint, CheckpointError  # noqa: PLC0415 (only where it is needed)

    try:
        with Checkpoint(path, purpose) as checkpoint:
            yield checkpoint
    except CheckpointError as error:
        raise CannotRunError(str(error)) from error
