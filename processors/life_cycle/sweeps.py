"""A run of the sweeper: pass after pass, until the next run has begun."""

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime, timedelta

from processors.aws.deadline import NEVER, Deadline
from processors.life_cycle.sweeper import ExpirySweeper, Sweep

RUN_SECONDS = 120
"""Runs start each minute, and late at times: so they overlap."""


def sweep_repeatedly(
    sweeper: ExpirySweeper,
    *,
    interval: int,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
    deadline: Deadline = NEVER,
    on_lag: Callable[[float], None],
) -> tuple[Sweep, Sweep]:
    """Sweep every `interval` seconds for two minutes; once, where the next run is as near as the next sweep.

    Args:
        sweeper: The sweeper.
        interval: Seconds from the begin of one sweep to the begin of the next.
        clock: Aware UTC.
        sleep: Waits for so many seconds.
        deadline: When the caller must have answered.
        on_lag: Takes the lag, in seconds: of the first sweep, and then the greatest of those of each minute. It is not
            called while the agenda cannot be read.

    Returns:
        What all sweeps did together, with the greatest lag; and the last one alone.
    """
    end = clock() + timedelta(seconds=RUN_SECONDS)
    most = 1 if interval >= RUN_SECONDS / 2 else RUN_SECONDS // interval
    total = Sweep()
    minute: list[float] = []
    for number in range(most):
        began = clock()
        last = sweeper.sweep()
        _add(total, last)
        if last.lag_seconds or not last.unfinished:  # what could not be read says nothing about the lag
            minute.append(last.lag_seconds)
        if minute and number % (most // 2 or 1) == 0:
            on_lag(max(minute))
            minute.clear()
        waits = max(0.0, interval - (clock() - began).total_seconds())
        if number + 1 == most or clock() + timedelta(seconds=waits) >= end or deadline.left() <= waits:
            break
        sleep(waits)
    if minute:
        on_lag(max(minute))
    return total, last


def _add(total: Sweep, one: Sweep) -> None:
    for name in (found.name for found in fields(Sweep)):
        added = getattr(total, name) + getattr(one, name)
        setattr(total, name, max(total.lag_seconds, one.lag_seconds) if name == "lag_seconds" else added)
