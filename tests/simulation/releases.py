"""Releases before and after this one, over the same tables: rolled out, rolled back, and rolled out again.

A release is chosen by invocation, as Lambda does: one that began before a deployment ends by the rules it began with.

- The previous release has all the rules of `tests/simulation/old_rules.py` that concern what is stored.
- The next release writes `item_format` 2, which this one must neither write nor take for its own.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

from ops.dynamodb_double.tables import Item
from processors import projection_table
from processors.register import session_writes
from schemas import item_mapping
from tests.simulation.old_rules import OLD_RULES
from tests.simulation.reading import NEXT_FORMAT, without_next_format
from tests.simulation.scheduler import NEXT, PREVIOUS, Scheduler

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

RULES_OF_STORAGE = (
    "born-of-the-batch",
    "removals-ignored",
    "restores-unread",
    "kept-for-the-setting",
    "items-put-whole",
    "counted-versions",
)


@contextmanager
def releases_of(simulation: "Simulation") -> Iterator[None]:
    """Let each invocation have the rules of its release, for a while."""
    scheduler = simulation.scheduler
    with ExitStack() as stack:
        for rule in RULES_OF_STORAGE:
            for target, name, make in OLD_RULES[rule]:
                present = getattr(target, name)
                dispatch = _either(scheduler, PREVIOUS, present, make(present))
                stack.enter_context(mock.patch.object(target, name, dispatch))
        for target, name, make in (
            (item_mapping, "_check", _reads_next_format),
            (projection_table, "read_projection", _reads_next_format),
            (session_writes, "write_item", _writes_next_format),
            (projection_table, "write_projection", _writes_next_format),
        ):
            present = getattr(target, name)
            stack.enter_context(mock.patch.object(target, name, _either(scheduler, NEXT, present, make(present))))
        yield


def _either(scheduler: Scheduler, release: str, present: Callable[..., Any], other: Callable[..., Any]) -> Any:
    def call(*arguments: Any, **more: Any) -> Any:
        task = scheduler.current
        is_other = task is not None and task.release == release
        return (other if is_other else present)(*arguments, **more)

    return call


def _reads_next_format(read: Callable[..., Any]) -> Callable[..., Any]:
    return lambda attributes, *more: read(without_next_format(attributes), *more)


def _writes_next_format(write: Callable[..., Item]) -> Callable[..., Item]:
    return lambda value: {**write(value), "item_format": NEXT_FORMAT}


def check_write(old: Item | None, new: Item | None, scheduler: Scheduler, fail: Callable[[str, str], None]) -> None:
    """Check that an invocation leaves alone what a later release wrote."""
    task = scheduler.current
    is_newer = old is not None and old.get("item_format") == NEXT_FORMAT
    if task is not None and task.is_invocation and is_newer and task.release != NEXT:
        fail("what a later release wrote stays", f"{task.name}: {old} became {new}")
