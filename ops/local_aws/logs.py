"""What functions log, read from their log groups in CloudWatch Logs, and the metrics in it.

Metrics are lines of JSON in the embedded metric format ("CloudWatch embedded metric format specification"), which
CloudWatch extracts; here they are added up by name.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

_PAGE = 10_000
"""Most events of one GetLogEvents."""


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
        self._tokens: dict[tuple[str, str], str] = {}
        self._invocations: Counter[str] = Counter()

    @property
    def running(self) -> int:
        """How many invocations had begun and not ended when last read."""
        return self._invocations["START"] - self._invocations["END"]

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
            for stream in self._client.describe_log_streams(logGroupName=group).get("logStreams", ()):
                self._read_stream(group, stream["logStreamName"])
        return self.lines[known:]

    def _read_stream(self, group: str, stream: str) -> None:
        token = self._tokens.get((group, stream))
        while True:
            arguments = {"nextToken": token} if token else {}
            page = self._client.get_log_events(
                logGroupName=group, logStreamName=stream, startFromHead=True, limit=_PAGE, **arguments
            )
            for event in page["events"]:
                for line in event["message"].splitlines():
                    self._take(line)
            if page["nextForwardToken"] == token or not page["events"]:
                self._tokens[group, stream] = page["nextForwardToken"]
                return
            token = page["nextForwardToken"]

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
