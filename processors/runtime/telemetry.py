"""Logs and metrics: JSON lines on standard output, through Powertools. Never a body, never a token."""

import logging
import sys
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from schemas.secrets import type_name

if TYPE_CHECKING:
    from providers.envelopes import IgnoredEvent

NAMESPACE = "SessionEvents"

_MOST_TYPES = 50
"""Lines of ignored types an invocation; the rest is one line a system."""

_MOST_VALUES = 20
"""Durations of one line: enough for percentiles, and each costs time. CloudWatch allows 100."""

_FORMATTER = LambdaPowertoolsFormatter()


def configure_logging(level: str, *, context: object = None) -> None:
    """Write the log lines of `processors` as JSON to standard output; idempotent.

    Args:
        level: The lowest level that is written.
        context: The Lambda context: every line carries its function and request id.
    """
    package = logging.getLogger("processors")
    package.setLevel(level)
    if not any(handler.formatter is _FORMATTER for handler in package.handlers):
        handler = logging.StreamHandler(_StandardOutput())
        handler.setFormatter(_FORMATTER)
        package.addHandler(handler)
        package.propagate = False
    _FORMATTER.append_keys(
        service=getattr(context, "function_name", None) or "session-event-processor",
        function_request_id=getattr(context, "aws_request_id", None),
    )


def emit_counts(function: str, counts: Mapping[str, int]) -> None:
    """Emit one metric per name, dimension `service`, in CloudWatch's embedded metric format; zeros are left out."""
    metrics = _metrics_of(function)
    for name, count in counts.items():
        if count:
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
    if any(counts.values()):
        metrics.flush_metrics()


def emit_seconds(function: str, name: str, *seconds: float) -> None:
    """Emit durations, dimension `service`; zero as well, so that silence shows.

    Args:
        function: The function, as dimension.
        name: The metric.
        seconds: Any number; of many an even sample of the sorted ones, the longest among them, is emitted.
    """
    if not seconds:
        return
    metrics = _metrics_of(function)
    for value in sorted(seconds, reverse=True)[:: len(seconds) // _MOST_VALUES + 1]:
        metrics.add_metric(name=name, unit=MetricUnit.Seconds, value=value)
    metrics.flush_metrics()


def emit_ignored(function: str, ignored: "Mapping[IgnoredEvent, int]") -> None:
    """Count the ignored events of identity systems by system and type, in the metric `ignored_by_provider`.

    The system is a dimension; the type is a property of the line, to be counted with CloudWatch Logs Insights, because
    senders decide how many types there are, and each combination of dimensions is a metric that costs. Types beyond the
    most frequent ones of an invocation are added up as one.
    """
    lines: Counter[tuple[str, str]] = Counter()
    for number, (kind, count) in enumerate(Counter(ignored).most_common()):
        name = type_name(kind.event_type) if kind.event_type else "(none)"
        lines[kind.provider, name if number < _MOST_TYPES else "(others)"] += count
    for (provider, event_type), count in lines.items():
        metrics = _metrics_of(function)
        metrics.add_dimension(name="provider", value=provider)
        metrics.add_metadata(key="event_type", value=event_type)
        metrics.add_metric(name="ignored_by_provider", unit=MetricUnit.Count, value=count)
        metrics.flush_metrics()


def _metrics_of(function: str) -> EphemeralMetrics:
    """Begin a line of metrics; it carries the request id, as the log lines do."""
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=function)
    request_id = _FORMATTER.get_current_keys().get("function_request_id")
    if request_id is not None:
        metrics.add_metadata(key="function_request_id", value=request_id)
    return metrics


class _StandardOutput:
    """Whatever standard output is when a line is written: test runners and local stacks replace it."""

    def write(self, text: str) -> int:
        # half a surrogate pair, which no output can take, stays the escape that it is in JSON
        return sys.stdout.write(text.encode(errors="backslashreplace").decode())

    def flush(self) -> None:
        sys.stdout.flush()
