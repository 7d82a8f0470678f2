"""What functions log is read whole, each line once, in whatever order it arrives."""

from typing import Any

import pytest

from ops.local_aws.logs import FunctionLogs, metrics_of

EMF = '{"_aws":{"CloudWatchMetrics":[{"Metrics":[{"Name":"applied"}]}]},"applied":[2.0, 1.0]}'


class Logs:
    """One log group whose events are in the order of their times, as CloudWatch Logs gives them."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def add(self, at: int, message: str) -> None:
        self.events.append({"logStreamName": "stream", "timestamp": at, "message": message})

    def get_paginator(self, operation: str) -> "Logs":
        assert operation == "filter_log_events"
        return self

    def paginate(self, *, logGroupName: str, startTime: int) -> list[dict[str, Any]]:  # noqa: N803 # boto3's names
        assert logGroupName == "group"
        found = sorted(
            (event for event in self.events if event["timestamp"] >= startTime), key=lambda e: e["timestamp"]
        )
        return [{"events": found[:1]}, {"events": found[1:]}]


def test_lines_that_arrive_late_with_earlier_times_are_read_and_none_is_read_twice() -> None:
    client = Logs()
    logs = FunctionLogs(client, ["group"])
    client.add(10_000, EMF)
    client.add(20_000, "a line")
    logs.read()

    client.add(15_000, EMF)
    client.add(15_000, EMF)  # two alike are two
    late = logs.read()
    again = logs.read()

    assert (late, again) == ([], [])
    assert logs.metrics == {"applied": 9}
    assert logs.lines == ["a line"]


@pytest.mark.parametrize(
    "line", ["", "plain", '{"_aws": 1}', '{"_aws":{"CloudWatchMetrics":[{"Metrics":[{"Name":"x"}]}]}}']
)
def test_a_line_that_only_looks_like_metrics_is_none(line: str) -> None:
    assert metrics_of(line) == {}
