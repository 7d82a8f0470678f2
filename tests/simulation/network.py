"""Between a function and a service: latency, an SDK that tries again, and a network that loses what it is given.

A request is a list of steps, each of which the service carries out at an instant of its own. What the service was asked
for happens whether or not the one who asked still lives.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from tests.simulation.faults import Fault, Faults
from tests.simulation.scheduler import Scheduler

READ_TIMEOUT_SECONDS = 4.0
SDK_ATTEMPTS = 3
"""Both as `processors.runtime.wiring` configures its clients."""

HANG_SECONDS = 100.0
"""Longer than any function's timeout."""

Step = Callable[[], Any]


class CrashError(BaseException):
    """The function's sandbox dies. No `Exception`: nothing in it gets a chance to react."""


def client_error(operation: str, code: str, kind: type[ClientError] = ClientError) -> ClientError:
    return kind({"Error": {"Code": code, "Message": "simulated"}}, operation)


class Network:
    """The way to a service.

    Args:
        scheduler: Time, and the task that asks.
        source: The run's one source of randomness.
        faults: What goes wrong.
    """

    def __init__(self, scheduler: Scheduler, source: Random, faults: Faults) -> None:
        self.pending_late = 0
        self.before_step: Callable[[], None] = lambda: None
        self.is_swift = Fault.FLOOD in faults
        """Whether a request takes as long as at the service itself: the steps of one follow each other at once.

        Else they lie far apart, so that any two requests overlap; a request of a hundred keys then takes seconds.
        """
        self._scheduler = scheduler
        self._source = source
        self._faults = faults

    def request(self, operation: str, steps: Sequence[Step], *, writes: bool = False) -> list[Any]:
        """Have the steps carried out; their results, in their order.

        Raises:
            ClientError: Throttled, again and again.
            ReadTimeoutError: No answer, again and again. Whether it was carried out is not known.
            CrashError: The caller died.
        """
        task = self._scheduler.current
        if task is None:  # the simulation itself looks
            return [step() for step in steps]
        error: Exception | None = None
        for attempt in range(SDK_ATTEMPTS):
            if attempt:
                self._scheduler.sleep(self._source.uniform(0.02, 1.0))
            if writes and self._faults.strikes(Fault.CRASH_BETWEEN if task.writes else Fault.CRASH_BEFORE):
                raise CrashError
            if self._faults.strikes(Fault.THROTTLED_REQUEST):
                self._scheduler.sleep(self._latency())
                error = client_error(operation, self._source.choice(("ThrottlingException", "InternalServerError")))
                continue
            if self._faults.strikes(Fault.REQUEST_LOST, 0.3):
                error = self._time_out(operation)
                continue
            if writes and self._faults.strikes(Fault.LATE_WRITE):
                self._land_later(steps)
                if self._source.random() < 0.5:
                    self._scheduler.sleep(HANG_SECONDS)  # until the invocation times out
                error = self._time_out(operation)
                continue
            results = self._carry_out(steps)
            if writes:
                task.writes += 1
            if self._faults.strikes(Fault.SDK_RETRY, 1.0 if writes else 0.1):
                if self._source.random() < 0.5:
                    error = self._time_out(operation)
                continue
            if writes and self._faults.strikes(Fault.CRASH_AFTER):
                raise CrashError
            return results
        raise error or self._time_out(operation)

    def _carry_out(self, steps: Sequence[Step]) -> list[Any]:
        task = self._scheduler.current
        assert task is not None
        order = list(range(len(steps)))
        self._source.shuffle(order)
        results: list[Any] = [None] * len(steps)
        task.in_flight = [steps[position] for position in order]
        for number, position in enumerate(order):
            self._scheduler.sleep(0.0001 if number and self.is_swift else self._latency())
            del task.in_flight[0]
            self.before_step()
            results[position] = steps[position]()
        return results

    def abandon(self, steps: Sequence[Step]) -> None:
        """Decide what becomes of what was under way when its caller was killed."""
        if steps and self._faults.strikes(Fault.LATE_WRITE, 5.0):
            self._land_later(steps)

    def _land_later(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self.pending_late += 1
            # an erasure waits for all that may still be written by an older list: no request takes ten minutes
            latest = 60.0 if Fault.ERASED in self._faults else 600.0
            delay = self._source.choice((5.0, 40.0, latest)) * self._source.random()
            self._scheduler.at(self._scheduler.now + delay, self._land, step)

    def _land(self, step: Step) -> None:
        self.pending_late -= 1
        step()

    def _time_out(self, operation: str) -> Exception:
        self._scheduler.sleep(READ_TIMEOUT_SECONDS)
        return ReadTimeoutError(endpoint_url=f"https://simulated/{operation}")

    def _latency(self) -> float:
        """Milliseconds, seldom a second: enough spread for any two requests to overtake each other."""
        draw = self._source.random()
        if self.is_swift:
            return 0.004 + 0.02 * draw
        return 0.002 + 0.02 * draw if draw < 0.9 else 1.5 * self._source.random()
