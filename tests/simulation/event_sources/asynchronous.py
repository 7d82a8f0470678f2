"""Asynchronous invocation: what happens to an event that EventBridge hands to a function.

Source of the rules: AWS Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation":
two more attempts after one and two minutes, and six hours at most.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from tests.simulation.event_sources.invocation import Clock, Event, FunctionError, Invoke, Progress
from tests.simulation.event_sources.sqs import QueueTransport

_RECEIVE_LIMIT = 10


@dataclass(frozen=True)
class AsyncSettings:
    """Settings of a function's asynchronous invocations, named as in CloudFormation's EventInvokeConfig.

    Attributes:
        maximum_retry_attempts: Invocations after the first, 0 to 2.
        maximum_event_age_seconds: Older events are given up.
        retry_delays_seconds: Before the first retry and before the later ones.
    """

    maximum_retry_attempts: int = 2
    maximum_event_age_seconds: float = 6 * 3600
    retry_delays_seconds: Sequence[float] = (60.0, 120.0)


@dataclass(frozen=True)
class DiscardedEvent:
    """An event that is given up.

    Attributes:
        event: As the function got it.
        condition: `RetriesExhausted` or `EventAgeExceeded`.
        invocations: How many times the function was invoked with it.
        error: What the function failed with last.
        discarded_at: Epoch seconds.
    """

    event: Event
    condition: str
    invocations: int
    error: str | None
    discarded_at: float


DiscardEvent: TypeAlias = Callable[[DiscardedEvent], None]
"""Keep what is given up, in the on-failure destination. Where it raises, the event is not given up yet."""


@dataclass(frozen=True)
class _Pending:
    event: Event
    accepted_at: float
    not_before: float
    invocations: int = 0
    error: str | None = None


class AsyncPoller:
    """Takes events from a function's internal queue and invokes the function with each."""

    def __init__(
        self,
        settings: AsyncSettings,
        transport: QueueTransport,
        invoke: Invoke,
        clock: Clock,
        discard: DiscardEvent | None = None,
    ) -> None:
        """Set up, without a call yet.

        Args:
            settings: The settings.
            transport: The internal queue, whose message bodies are events.
            invoke: The function; its answer goes nowhere.
            clock: Epoch seconds.
            discard: The on-failure destination; None drops what is given up, as Lambda does.
        """
        self._settings = settings
        self._transport = transport
        self._invoke = invoke
        self._clock = clock
        self._discard = discard or (lambda _: None)
        self._pending: list[_Pending] = []

    @property
    def is_idle(self) -> bool:
        """Whether no event taken from the queue is waiting for an attempt."""
        return not self._pending

    @property
    def next_due_at(self) -> float | None:
        """When the next attempt is due, epoch seconds; None without one."""
        return min((pending.not_before for pending in self._pending), default=None)

    def poll_once(self) -> Progress:
        """Take events from the queue, and invoke the function with every event that is due."""
        has_received = self._receive()
        due = [pending for pending in self._pending if pending.not_before <= self._clock()]
        for pending in due:
            left = self._attempt(pending)
            self._pending.remove(pending)
            self._pending += left
        return Progress.MORE if has_received or due else Progress.NONE

    def _receive(self) -> bool:
        messages = self._transport.receive(_RECEIVE_LIMIT)
        now = self._clock()
        accepted = [_Pending(json.loads(message["Body"]), now, now) for message in messages]
        self._transport.delete(messages)
        self._pending += accepted
        return bool(messages)

    def _attempt(self, pending: _Pending) -> list[_Pending]:
        """Run the function once; the event comes back if there is something left to do."""
        now = self._clock()
        if now - pending.accepted_at > self._settings.maximum_event_age_seconds:
            return self._give_up(pending, "EventAgeExceeded")
        try:
            self._invoke(pending.event)
        except FunctionError as error:
            failed = replace(pending, invocations=pending.invocations + 1, error=str(error))
            if pending.invocations == self._settings.maximum_retry_attempts:
                return self._give_up(failed, "RetriesExhausted")
            delays = self._settings.retry_delays_seconds
            return [replace(failed, not_before=now + delays[min(pending.invocations, len(delays) - 1)])]
        return []

    def _give_up(self, pending: _Pending, condition: str) -> list[_Pending]:
        self._discard(DiscardedEvent(pending.event, condition, pending.invocations, pending.error, self._clock()))
        return []
