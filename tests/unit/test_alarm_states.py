"""Every alarm rung: the metrics that AWS publishes, constructed, in its names and dimensions.

Those of our own metrics are rung with what the handlers print, in tests/integration/test_alarms_ring.py.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from ops.validation.checks import ALL_ON
from ops.validation.resolution import resolved
from processors.runtime.telemetry import NAMESPACE
from tests.alarm_scenarios import Minute, Scenario, faults_of
from tests.alarm_states import Metric, alarms, is_alarm, metric_of, metrics_of, name_in, periods_of, ringing, value_of

DIMENSIONS = {
    "AWS::SQS::Queue": (
        "AWS/SQS",
        "QueueName",
        {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
    ),
    "AWS::Lambda::Function": (
        "AWS/Lambda",
        "FunctionName",
        {"Errors", "Throttles", "Duration", "IteratorAge", "Invocations"},
    ),
    "AWS::DynamoDB::Table": (
        "AWS/DynamoDB",
        "TableName",
        {"ReadThrottleEvents", "WriteThrottleEvents", "ConsumedWriteCapacityUnits"},
    ),
    "AWS::KinesisFirehose::DeliveryStream": ("AWS/Firehose", "DeliveryStreamName", {"DeliveryToS3.DataFreshness"}),
}
"""Whose metrics have the resource as their one dimension: the service's own page of its CloudWatch metrics."""


@cache
def published_by_aws() -> frozenset[Metric]:
    """Every metric that AWS publishes of the template's resources, as far as an alarm could watch it."""
    return frozenset(_published_by_aws())


def _published_by_aws() -> Iterator[Metric]:
    for name, resource in resolved(ALL_ON).items():
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind in DIMENSIONS:
            namespace, dimension, metrics = DIMENSIONS[kind]
            yield from (Metric(namespace, metric, frozenset({(dimension, name)})) for metric in metrics)
        for index in properties.get("GlobalSecondaryIndexes", ()) if kind == "AWS::DynamoDB::Table" else ():
            keys = frozenset({("TableName", name), ("GlobalSecondaryIndexName", index["IndexName"])})
            yield from (
                Metric("AWS/DynamoDB", metric, keys) for metric in ("ReadThrottleEvents", "WriteThrottleEvents")
            )
        if kind == "AWS::Lambda::EventSourceMapping" and "EventCount" in str(properties.get("MetricsConfig")):
            # Lambda Developer Guide, "Event source mapping metrics": only where the mapping asks for them
            destination = "OnFailureDestinationDeliveredEventCount"
            yield Metric("AWS/Lambda", destination, frozenset({("EventSourceMappingUUID", name)}))
        if kind == "AWS::S3::Bucket":
            keys = frozenset({("BucketName", name), ("StorageType", "AllStorageTypes")})
            yield Metric("AWS/S3", "NumberOfObjects", keys)
        if kind == "AWS::Events::Rule" and "EventBusName" in properties:
            keys = frozenset({("EventBusName", name_in(properties["EventBusName"])), ("RuleName", name)})
            yield Metric("AWS/Events", "ThrottledRules", keys)


def nothing(_: int) -> list[float]:
    return []


def zero(_: int) -> list[float]:
    return [0]


SCENARIOS = {
    "ApproximateNumberOfMessagesVisible": Scenario(zero, lambda _: [1], within=1),
    # nobody takes messages any more: they age a minute a minute
    "ApproximateAgeOfOldestMessage": Scenario(lambda _: [4], lambda minute: [60 * minute], within=10),
    "Errors": Scenario(lambda _: [0, 0, 0], lambda _: [0, 1, 0], within=3),
    "Throttles": Scenario(nothing, lambda _: [1], within=3),
    "IteratorAge": Scenario(lambda _: [400, 1_900], lambda minute: [60_000 * minute], within=6),
    "OnFailureDestinationDeliveredEventCount": Scenario(nothing, lambda _: [100], within=1),
    # published once a day
    "NumberOfObjects": Scenario(lambda m: [0] * (m % 1440 == 0), lambda m: [3] * (m % 1440 == 0), within=1440),
    "DeliveryToS3.DataFreshness": Scenario(lambda _: [310], lambda minute: [310 + 60 * minute], within=25),
    **dict.fromkeys(
        ("ReadThrottleEvents", "WriteThrottleEvents", "ThrottledRules"), Scenario(nothing, lambda _: [1, 1], within=3)
    ),
}
"""When an alarm on a metric of AWS has to ring: by metric, with what AWS publishes in a minute."""


def scenario_of(alarm: dict[str, Any]) -> Scenario | None:
    if alarm["MetricName"] != "Duration":
        return SCENARIOS.get(alarm["MetricName"])
    [(_, function)] = metric_of(alarm).dimensions
    milliseconds = float(resolved(ALL_ON)[function]["Properties"]["Timeout"]) * 1000  # then Lambda stops it
    return Scenario(lambda _: [90, 800], lambda _: [90, milliseconds], within=2)


COMPUTED = sorted(name for name, alarm in alarms().items() if "Metrics" in alarm)
OF_AWS = sorted(
    alarms().keys() - COMPUTED - {n for n, alarm in alarms().items() if alarm.get("Namespace") == NAMESPACE}
)


@pytest.mark.parametrize("name", OF_AWS)
def test_an_alarm_on_a_metric_of_aws_rings_in_time_not_before_and_is_quiet_again(name: str) -> None:
    alarm = alarms()[name]

    scenario = scenario_of(alarm)

    assert scenario is not None, "say in scenario_of when this alarm has to ring"
    assert metric_of(alarm) in published_by_aws()
    assert faults_of(alarm, scenario) == []


def each_period(alarm: dict[str, Any], **published: list[float]) -> Minute:
    """Minutes of an alarm that computes: the value of its expression, once a period."""
    length, _, _ = periods_of(alarm)
    return lambda minute: [value_of(alarm, published)] if minute % length == 0 else []


@pytest.mark.parametrize("name", COMPUTED)
def test_a_reader_of_the_stream_that_is_switched_off_is_noticed_while_sessions_are_written_and_at_rest_not(
    name: str,
) -> None:
    alarm = alarms()[name]
    off = each_period(alarm, written=[2, 9], invoked=[])
    fine: list[dict[str, list[float]]] = [
        {"written": [2, 9], "invoked": [1, 3]},
        {"written": [0]},
        {},
        {"invoked": [1]},
    ]

    for well in fine:
        assert faults_of(alarm, Scenario(each_period(alarm, **well), off, within=10)) == []
    assert set(metrics_of(alarm).values()) <= published_by_aws()


def test_no_alarm_names_a_unit_in_which_its_metric_might_not_be_published() -> None:
    assert [name for name, alarm in alarms().items() if "Unit" in alarm] == []


ALARM = {"Period": 60, "EvaluationPeriods": 3, "Threshold": 0, "ComparisonOperator": "GreaterThanThreshold"}


# 0 is a data point that is well, X one that breaches, - one that is missing: the user guide's own notation
@pytest.mark.parametrize(
    ("points", "breaching", "not_breaching"),
    [
        ("0-X-X", False, False),
        ("0----", False, False),
        ("-----", True, False),
        ("0XX-X", True, True),
        ("--X--", True, False),
        ("XXX--", True, True),
    ],
)
def test_missing_data_is_assumed_only_where_too_little_is_there_as_the_user_guides_table_says(
    points: str, breaching: bool, not_breaching: bool
) -> None:
    values = [{"0": 0.0, "X": 1.0}.get(point) for point in points]

    found = [is_alarm(ALARM | {"TreatMissingData": how}, values) for how in ("breaching", "notBreaching")]

    assert found == [breaching, not_breaching]


def test_some_of_the_periods_are_enough_where_the_alarm_says_so() -> None:
    alarm = ALARM | {"EvaluationPeriods": 5, "DatapointsToAlarm": 3, "TreatMissingData": "notBreaching"}

    assert [is_alarm(alarm, [1, 0, 1, 0, last]) for last in (0, 1)] == [False, True]


def test_the_statistic_is_taken_over_whole_periods() -> None:
    alarm = ALARM | {"Period": 300, "EvaluationPeriods": 1, "Threshold": 2, "TreatMissingData": "notBreaching"}
    series = {1: [1], 4: [2], 5: [1], 9: [1]}

    assert ringing(alarm | {"Statistic": "Sum"}, series, minutes=10) == [5]
    assert ringing(alarm | {"Statistic": "Maximum"}, series, minutes=10) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"Threshold": 100}, "does not ring within 3 minutes"),
        ({"Threshold": -1}, "rings while all is well"),
        ({"EvaluationPeriods": 5, "DatapointsToAlarm": 1}, None),
        ({"EvaluationPeriods": 3, "DatapointsToAlarm": 3, "Period": 300}, "does not ring within 3 minutes"),
        ({"ComparisonOperator": "LessThanThreshold"}, "does not ring within 3 minutes"),
    ],
)
def test_a_wrong_alarm_is_found(change: dict[str, Any], fault: str | None) -> None:
    alarm = alarms()["SqsConsumerErrorsAlarm"]
    scenario = scenario_of(alarm)
    assert scenario is not None

    found = faults_of(alarm | change, scenario)

    assert found[:1] == ([] if fault is None else [fault])
