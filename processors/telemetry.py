"""Logs and metrics: JSON lines on standard output, through Powertools. Never a body, never a token."""

import logging
import sys
from collections.abc import Mapping

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

NAMESPACE = "SessionEvents"


def configure_logging(level: str) -> None:
    """Write the log lines of `processors` as JSON to standard output; idempotent."""
    package = logging.getLogger("processors")
    package.setLevel(level)
    if not package.handlers:
        handler = logging.StreamHandler(_StandardOutput())
        handler.setFormatter(LambdaPowertoolsFormatter())
        package.addHandler(handler)
        package.propagate = False


def emit_counts(function: str, counts: Mapping[str, int]) -> None:
    """Emit one metric per name, dimension `service`, in CloudWatch's embedded metric format; zeros are left out."""
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=function)
    for name, count in counts.items():
        if count:
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
    if any(counts.values()):
        metrics.flush_metrics()


class _StandardOutput:
    """Whatever standard output is when a line is written: test runners and local stacks replace it."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()
