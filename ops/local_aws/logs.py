"""What functions log, read from their log groups in CloudWatch Logs, and the metrics in it.

Metrics are lines of JSON in the embedded metric format ("CloudWatch embedded metric format specification"), which
CloudWatch extracts; here they are added up by name.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

_OVERLAP_MS = 180_000
"""An invocation's lines come when it ends, in the order of their times: some stand before lines read already."""


class FunctionLogs:
    """The log groups of a stack's functions, read on from where the last reading ended.

    Args:
        client: A boto3 CloudWatch Logs client.
        groups: Names of log groups.

    Attributes:
        lines: All lines so far that functions wrote themselves and that are no metrics.
        metrics: Sum of every metric so far, by name.
    """

    def __init__(self, client: Any, groups: list[str]) -> None:
        self.lines: list[str] = []
        self.metrics: Counter[str] = Counter()
        self._client = client
        self._groups = groups
        self._newest_ms: Counter[str] = Counter()
        self._last: dict[str, Counter[tuple[int, str, str]]] = {group: Counter() for group in groups}
        self._invocations: Counter[str] = Counter()

    @property
    def position(self) -> int:
        """Grows with every line read."""
        return len(self.lines) + self._invocations.total() + self.metrics.total()

    def read(self) -> list[str]:
        """Read on.

        Returns:
            The new lines that are no metrics.
        """
        known = len(self.lines)
        for group in self._groups:
            self._read_group(group)
        return self.lines[known:]

    def _read_group(self, group: str) -> None:
        """Read the newest part again, and take what was not in it the last time."""
        pages = self._client.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=max(0, self._newest_ms[group] - _OVERLAP_MS)
        )
        found = Counter(
            (event["timestamp"], event["logStreamName"], event["message"]) for page in pages for event in page["events"]
        )
        for timestamp, _, message in sorted((found - self._last[group]).elements()):
            self._newest_ms[group] = max(self._newest_ms[group], timestamp)
            for line in message.splitlines():
                self._take(line)
        self._last[group] = found

    def _take(self, line: str) -> None:
        kind = line.partition(" ")[0]
        if kind in ("START", "END", "REPORT", "INIT_START"):
            self._invocations[kind] += 1
            return
        metrics = metrics_of(line)
        self.metrics.update(metrics)
        if not metrics:
            self.lines.append(line)


def metrics_of(line: str) -> Counter[str]:
    """Read the metrics of a line in the embedded metric format; empty for any other line.

    A value may be a number or a list of them.
    """
    if '"_aws"' not in line:
        return Counter()
    try:
        record = json.loads(line)
        names = [metric["Name"] for group in record["_aws"]["CloudWatchMetrics"] for metric in group["Metrics"]]
        return Counter({name: _sum(record[name]) for name in names})
    except (KeyError, TypeError, ValueError):
        return Counter()  # a log line that only looks like one


def _sum(value: Any) -> int:
    return round(sum(value)) if isinstance(value, list) else round(value)
