"""Simulated Lambda: each invocation of a real handler is a task of its own, and may die at any request it makes."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Any

from processors import (
    eventbridge_consumer,
    expiry_sweeper,
    session_publisher,
    sqs_consumer,
    stream_projector,
)
from tests.simulation.event_sources.invocation import FunctionError
from tests.simulation.faults import Fault, Faults
from tests.simulation.network import CrashError, Network
from tests.simulation.scheduler import PRESENT, KilledError, Scheduler, Task

_HANDLERS: Mapping[str, Any] = {
    "sqs_consumer": sqs_consumer,
    "eventbridge_consumer": eventbridge_consumer,
    "stream_projector": stream_projector,
    "session_publisher": session_publisher,
    "expiry_sweeper": expiry_sweeper,
}
_TIMEOUT_SECONDS = {"session_publisher": 60.0, "expiry_sweeper": 180.0}
"""As in template.yaml; 30 seconds of the others."""

_EXPECTED_ERRORS = ("RetryLaterError", "UnfinishedSweepError")
FATAL_BODY = '{"event_type":"kills the function"}'
MAX_CLOCK_SKEW_SECONDS = 300.0


class Context:
    """A Lambda context, as much of it as handlers read."""

    def __init__(self, clock: Callable[[], float], timeout: float) -> None:
        self._clock = clock
        self._deadline = clock() + timeout

    def get_remaining_time_in_millis(self) -> int:
        return int(1000 * (self._deadline - self._clock()))


class Functions:
    """The functions.

    Args:
        scheduler: Time and tasks.
        network: Where a killed invocation leaves what it was about to do.
        source: The run's one source of randomness.
        faults: What goes wrong.
        note: Takes lines of the trace.
        fail: Takes a violated claim.
        clients: What stands in the place of boto3's clients, by service.
        environment: Variables beside those that all functions have.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        network: Network,
        source: Random,
        faults: Faults,
        note: Callable[[str], None],
        fail: Callable[[str, str], None],
        *,
        clients: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.source = source
        self.clients = clients
        self.environment = environment or {}
        self.running: dict[Task, None] = {}
        self.invocations = 0
        self.release = PRESENT
        """What an invocation that begins now runs."""
        self._scheduler = scheduler
        self.network = network
        self._faults = faults
        self._note = note
        self._fail = fail

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Run a handler once, and wait for it.

        Raises:
            FunctionError: It raised, died, ran out of time, or its answer was lost.
        """
        self.invocations += 1
        name = f"{function}#{self.invocations}"
        task = self._scheduler.spawn(name, partial(self._body, function, event), may_fail=True)
        self._set_clock(task, function)
        task.release, task.is_invocation = self.release, True
        task.functions, task.began_at = self, self._scheduler.now
        self.running[task] = None
        self._scheduler.at(self._scheduler.now + _TIMEOUT_SECONDS.get(function, 30.0), self._time_out, task)
        self._scheduler.join(task)
        if task.error is not None:
            raise FunctionError(type(task.error).__name__) from None
        if self._faults.strikes(Fault.RESPONSE_LOST):
            self._note(f"{name} answer lost")
            raise FunctionError("the response was lost")
        has_failures = isinstance(task.result, dict) and task.result.get("batchItemFailures")
        if has_failures and self._faults.strikes(Fault.WHOLE_BATCH_FAILURE):
            raise FunctionError("the whole batch failed")
        return task.result

    def _set_clock(self, task: Task, function: str) -> None:
        """Let a function's clock be wrong, except beside an erasure, and behind except on the direct path.

        One list of erased customers serves all invocations here, so its age would mean nothing. A direct login is
        judged by the function's clock, and nobody knows which invocation took it whose answer was lost. A sweeper whose
        clock is ahead would publish before the time.
        """
        if Fault.ERASED not in self._faults and self._faults.strikes(Fault.CLOCK_SKEW):
            behind = 0.0 if function == "eventbridge_consumer" else -MAX_CLOCK_SKEW_SECONDS
            ahead = 0.0 if function == "expiry_sweeper" else MAX_CLOCK_SKEW_SECONDS
            task.clock_skew = self.source.uniform(behind, ahead)

    def _body(self, function: str, event: dict[str, Any]) -> Any:
        task = self._scheduler.current
        assert task is not None
        self._note(f"{task.name} begins")
        try:
            is_fatal = any(record.get("body") == FATAL_BODY for record in event.get("Records", ()))
            if is_fatal and self.source.random() < 0.5:
                raise CrashError
            result = self._run(function, event)
            if is_fatal:
                raise CrashError
        except Exception as error:
            if type(error).__name__ not in _EXPECTED_ERRORS:
                self._fail("no handler raises because of a record", f"{task.name}: {error!r}")
            self._note(f"{task.name} raised {error!r}")
            raise
        except (CrashError, KilledError) as error:
            self._note(f"{task.name} died: {type(error).__name__}")
            raise
        finally:
            self.running.pop(task, None)
        self._note(f"{task.name} answered {json.dumps(result)}")
        return json.loads(json.dumps(result))

    def _run(self, function: str, event: dict[str, Any]) -> Any:
        context = Context(lambda: self._scheduler.now, _TIMEOUT_SECONDS.get(function, 30.0))
        return _HANDLERS[function].lambda_handler(event, context)

    def _time_out(self, task: Task) -> None:
        if not task.is_done:
            self.network.abandon(task.in_flight)
            task.in_flight = []
            self.running.pop(task, None)
            self._scheduler.kill(task)
