"""When an alarm has to ring: good minutes, bad minutes, good minutes again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.alarm_states import periods_of, ringing

Minute = Callable[[int], Sequence[float]]
"""What is published in a minute, counted from when things became as they are."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What an alarm's metric says when all is well, and when it is not.

    Args:
        good: A minute in which all is well.
        bad: A minute in which it is not.
        within: After how many bad minutes somebody has to know.
    """

    good: Minute
    bad: Minute
    within: int


def faults_of(alarm: Mapping[str, Any], scenario: Scenario) -> list[str]:
    """Play a scenario and say what the alarm did wrong."""
    length, periods, needed = periods_of(alarm)
    calm = length * (periods + 3)
    phases = [(scenario.good, calm), (scenario.bad, scenario.within), (scenario.good, calm)]
    rings = ringing(alarm, _series(phases, length), minutes=_end(phases, length))
    begin, end = calm, calm + _whole(scenario.within, length)
    faults = []
    if any(minute <= begin for minute in rings):
        faults.append("rings while all is well")
    if not any(begin < minute <= end for minute in rings):
        faults.append(f"does not ring within {scenario.within} minutes")
    if end + calm in rings:
        faults.append("still rings when all is well again")
    if needed > 1:
        once = [(scenario.good, calm), (scenario.bad, length), (scenario.good, calm)]
        if ringing(alarm, _series(once, length), minutes=_end(once, length)):
            faults.append("rings for a single bad period")
    return faults


def _whole(minutes: int, length: int) -> int:
    return -(-minutes // length) * length


def _end(phases: Sequence[tuple[Minute, int]], length: int) -> int:
    return sum(_whole(minutes, length) for _, minutes in phases)


def _series(phases: Sequence[tuple[Minute, int]], length: int) -> dict[int, Sequence[float]]:
    series: dict[int, Sequence[float]] = {}
    start = 0
    for publish, minutes in phases:
        whole = _whole(minutes, length)
        series |= {start + minute: publish(minute) for minute in range(whole)}
        start += whole
    return series
