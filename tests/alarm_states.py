"""What CloudWatch makes of an alarm's data points, minute by minute: the local AWS evaluates alarms without their
dimensions, periods and missing data, and has no metric of a queue, function or table.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import ge, gt, le, lt
from typing import Any

from ops.validation.checks import ALL_ON
from ops.validation.resolution import resolved

_STATISTICS: dict[str, Callable[[list[float]], float]] = {"Sum": sum, "Maximum": max, "Minimum": min}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": gt,
    "GreaterThanOrEqualToThreshold": ge,
    "LessThanThreshold": lt,
    "LessThanOrEqualToThreshold": le,
}
_FARTHER_BACK = 2
"""Data points that are retrieved beyond the evaluation periods, as in the tables of CloudWatch User Guide, "Configuring
how CloudWatch alarms treat missing data": those that are there count before anything is assumed of missing ones."""

Series = Mapping[int, Sequence[float]]
"""What was published, by the minute."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of CloudWatch: another set of dimensions is another metric."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


@cache
def alarms() -> dict[str, dict[str, Any]]:
    """Every alarm of the template, by logical id."""
    resources = resolved(ALL_ON)
    return {name: found["Properties"] for name, found in resources.items() if found["Type"] == "AWS::CloudWatch::Alarm"}


def metrics_of(alarm: Mapping[str, Any]) -> dict[str, Metric]:
    """The metrics that an alarm computes with, by the ids that its expression names."""
    return {each["Id"]: metric_of(each["MetricStat"]["Metric"]) for each in _with_statistic(alarm)}


def metric_of(alarm: Mapping[str, Any]) -> Metric:
    """The metric that an alarm watches; a dimension that is a resource has its logical id as value."""
    dimensions = {(each["Name"], name_in(each["Value"])) for each in alarm["Dimensions"]}
    return Metric(alarm["Namespace"], alarm["MetricName"], frozenset(dimensions))


def name_in(value: Any) -> str:
    """The text that a dimension's value is, or the logical id of the resource that it names."""
    match value:
        case str():
            return value
        case {"Ref": str(name)}:
            return name
        case {"Fn::GetAtt": [str(name), _]}:
            return name
        case {"Fn::Select": [2, {"Fn::Split": ["/", inner]}]}:
            return name_in(inner)
    raise AssertionError(f"no name: {value}")


def _with_statistic(alarm: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in alarm.get("Metrics", ()) if "MetricStat" in each]


def periods_of(alarm: Mapping[str, Any]) -> tuple[int, int, int]:
    """Minutes of a period, how many periods are looked at, and how many of them have to breach."""
    periods = int(alarm["EvaluationPeriods"])
    [seconds] = {
        each["Period"]
        for each in (alarm, *(found["MetricStat"] for found in _with_statistic(alarm)))
        if "Period" in each
    }
    return seconds // 60, periods, int(alarm.get("DatapointsToAlarm", periods))


def is_alarm(alarm: Mapping[str, Any], points: Sequence[float | None]) -> bool:
    """Whether an alarm rings, by its data points up to now; None where one is missing."""
    _, periods, needed = periods_of(alarm)
    compare = _COMPARISONS[alarm["ComparisonOperator"]]
    real = [point for point in points[-periods - _FARTHER_BACK :] if point is not None][-periods:]
    breaching = [point for point in real if compare(point, float(alarm["Threshold"]))]
    assumed = {"breaching": periods - len(real), "notBreaching": 0}[alarm["TreatMissingData"]]
    return len(breaching) + assumed >= needed


def ringing(alarm: Mapping[str, Any], series: Series, *, minutes: int) -> list[int]:
    """After which minutes of the first so many an alarm rings; it is evaluated when a period is over."""
    length, _, _ = periods_of(alarm)
    statistic = _STATISTICS[alarm.get("Statistic", "Maximum")]  # an expression has one value a period
    points: list[float | None] = []
    found = []
    for start in range(0, minutes, length):
        values = [value for minute in range(start, start + length) for value in series.get(minute, ())]
        points.append(statistic(values) if values else None)
        if is_alarm(alarm, points):
            found.append(start + length)
    return found


def value_of(alarm: Mapping[str, Any], published: Mapping[str, Sequence[float]]) -> float:
    """What an alarm's expression makes of what was published in a period, by the ids of its metrics."""
    [expression] = [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]
    values = {each["Id"]: _STATISTICS[each["MetricStat"]["Stat"]] for each in _with_statistic(alarm)}
    names: dict[str, Any] = {
        name: statistic(list(published[name])) if published.get(name) else None for name, statistic in values.items()
    }
    names["FILL"] = lambda value, otherwise: otherwise if value is None else value
    names["IF"] = lambda condition, one, other: one if condition else other
    python = expression.replace(" AND ", " and ").replace(" OR ", " or ")
    return float(eval(python, {"__builtins__": {}}, names))  # noqa: S307 # our own template's expression


def embedded_metrics(lines: Iterable[str]) -> dict[Metric, list[float]]:
    """What CloudWatch extracts from lines of the embedded metric format ("Specification: embedded metric format")."""
    found: dict[Metric, list[float]] = {}
    for line in lines:
        content = json.loads(line)
        for group in content.get("_aws", {}).get("CloudWatchMetrics", ()):
            for names in group["Dimensions"]:
                dimensions = frozenset((name, content[name]) for name in names)
                for metric in group["Metrics"]:
                    values = content[metric["Name"]]
                    key = Metric(group["Namespace"], metric["Name"], dimensions)
                    found.setdefault(key, []).extend(values if isinstance(values, list) else [values])
    return found
