"""Virtual time and cooperative tasks: whoever waits gives way, and the earliest event in the heap goes on."""

import heapq
from collections.abc import Callable
from functools import partial
from typing import Any

from greenlet import getcurrent, greenlet

PREVIOUS, PRESENT, NEXT = "previous", "present", "next"
"""Releases of the handlers."""


class KilledError(BaseException):
    """Ends a task from outside. No `Exception`, so that no code under test can catch it by accident."""


class Task:
    """Code that runs until it waits.

    Args:
        name: For the trace.
        body: What to run; what it returns or raises is kept.
        hub: Where control goes when it ends.
        may_fail: Whether its error is somebody else's business; otherwise it is a mistake of the simulation.
    """

    def __init__(self, name: str, body: Callable[[], Any], hub: greenlet, *, may_fail: bool) -> None:
        self.name = name
        self.result: Any = None
        self.error: BaseException | None = None
        self.is_done = False
        self.is_idle = False  # waits for a wake-up, which may come early
        self.clock_skew = 0.0
        self.release = PRESENT
        self.is_invocation = False
        self.began_at = 0.0
        self.functions: Any = None  # those it is an invocation of
        self.writes = 0
        self.may_fail = may_fail
        self.in_flight: list[Callable[[], Any]] = []  # what the service was asked for and has not done yet
        self.waits = 0
        self.waiter: Task | None = None
        self._body = body
        self.greenlet = greenlet(self._run, hub)

    def _run(self) -> None:
        try:
            self.result = self._body()
        except BaseException as error:  # noqa: BLE001 # kept for whoever waits for the task
            self.error = error
        self.is_done = True


class Scheduler:
    """The event heap.

    Args:
        start: Epoch seconds at which time begins.
    """

    def __init__(self, start: float) -> None:
        self.now = start
        self.steps = 0
        self.current: Task | None = None
        self._heap: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._count = 0
        self._hub = getcurrent()
        self._tasks: dict[Task, None] = {}

    def at(self, when: float, action: Callable[..., object], *args: Any) -> None:
        """Run an action at a time; of two at one time the one asked for first goes first."""
        self._count += 1
        heapq.heappush(self._heap, (max(when, self.now), self._count, action, args))

    def spawn(self, name: str, body: Callable[[], Any], *, may_fail: bool = False) -> Task:
        """Start a task, as soon as the caller waits; one that may not fail passes its error on to `run`."""
        task = Task(name, body, self._hub, may_fail=may_fail)
        self._tasks[task] = None
        self.at(self.now, self._resume, task, task.waits)
        return task

    def sleep(self, seconds: float) -> None:
        """Wait in a task."""
        task = self._this_task()
        self.at(self.now + seconds, self._resume, task, task.waits)
        self._hub.switch()

    def idle(self, until: float | None) -> None:
        """Wait in a task until a wake-up, or the time given."""
        task = self._this_task()
        if until is not None:
            self.at(until, self._resume, task, task.waits)
        task.is_idle = True
        self._hub.switch()

    def wake(self, task: Task) -> None:
        """Let an idle task go on; any other has no need of it."""
        if task.is_idle:
            self._resume(task, task.waits)

    def join(self, task: Task) -> None:
        """Wait in a task until another one is done."""
        if not task.is_done:
            task.waiter = self._this_task()
            self._hub.switch()

    def kill(self, task: Task) -> None:
        """End a task that waits."""
        if not task.is_done:
            task.waits += 1
            self.at(self.now, self._throw, task)

    def run(self, is_over: Callable[[], bool], max_steps: int) -> bool:
        """Go on until something is the case; answers False where it did not come to that in so many steps."""
        give_up = self.steps + max_steps
        while not is_over():
            if self.steps >= give_up or not self._heap:
                return not self._heap and is_over()
            self.now, _, action, args = heapq.heappop(self._heap)
            self.steps += 1
            action(*args)
        return True

    def close(self) -> None:
        """End all tasks."""
        self._heap.clear()
        for task in list(self._tasks):
            if not task.is_done:
                self._throw(task)

    def _this_task(self) -> Task:
        assert self.current is not None, "only a task can wait"
        return self.current

    def _resume(self, task: Task, wait: int) -> None:
        if task.waits == wait and not task.is_done:
            self._switch(task, task.greenlet.switch)

    def _throw(self, task: Task) -> None:
        if not task.is_done:
            self._switch(task, partial(self._end, task))

    @staticmethod
    def _end(task: Task) -> None:
        try:
            task.greenlet.throw(KilledError())
        except KilledError as error:  # it had not begun
            task.error = error
        task.is_done = True

    def _switch(self, task: Task, switch: Callable[[], Any]) -> None:
        outer, self.current = self.current, task
        task.waits += 1
        task.is_idle = False
        switch()
        self.current = outer
        if task.is_done:
            self._tasks.pop(task, None)
            if task.error is not None and not task.may_fail and not isinstance(task.error, KilledError):
                raise task.error
            if task.waiter is not None:
                self.at(self.now, self._resume, task.waiter, task.waiter.waits)
                task.waiter = None


class Jobs:
    """Tasks that a run has to wait for.

    Args:
        scheduler: Where they run.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self.under_way = 0
        self._scheduler = scheduler

    def start(self, name: str, body: Callable[[], object]) -> None:
        """Start one."""
        self.under_way += 1
        self._scheduler.spawn(name, partial(self._run, body))

    def _run(self, body: Callable[[], object]) -> None:
        try:
            body()
        finally:
            self.under_way -= 1
