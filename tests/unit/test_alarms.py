"""What rings when: every alarm of the template, and what the dashboard shows."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ops.validation.checks import ALL_ON
from ops.validation.resolution import resolved
from ops.validation.translation import translate
from schemas.outcomes import Outcome
from tests.alarm_states import Metric, alarms, metrics_of, name_in, periods_of

ROOT = Path(__file__).parents[2]
FUNCTIONS = ("SqsConsumer", "StreamProjector", "EventBridgeConsumer", "SessionPublisher", "ExpirySweeper")
FAILURES = {"stream_projector", "session_publisher"}

# Alarm: namespace, metric, what it is about, statistic, seconds, periods (of which how many), threshold, missing data.
EXPECTED = {
    **{
        f"{queue}Alarm": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", f"{queue}Queue", "Maximum", 60, 1, 1, 0)
        for queue in (
            *("SessionEventsDeadLetter", "SessionCommandsDeadLetter", "RuleDeadLetter"),
            *("DirectDeadLetter", "SessionsBusDeadLetter"),
        )
    },
    "SessionEventsAgeAlarm": (
        "AWS/SQS",
        "ApproximateAgeOfOldestMessage",
        "SessionEventsQueue",
        "Maximum",
        60,
        3,
        3,
        300,
    ),
    "SessionCommandsAgeAlarm": (
        "AWS/SQS",
        "ApproximateAgeOfOldestMessage",
        "SessionCommandsQueue",
        "Maximum",
        60,
        3,
        3,
        120,
    ),
    **{f"{name}ErrorsAlarm": ("AWS/Lambda", "Errors", f"{name}Function", "Sum", 60, 3, 5, 0) for name in FUNCTIONS},
    **{
        f"{name}ThrottlesAlarm": ("AWS/Lambda", "Throttles", f"{name}Function", "Sum", 60, 3, 5, 0)
        for name in FUNCTIONS
    },
    **{
        f"{name}TimeoutsAlarm": ("AWS/Lambda", "Duration", f"{name}Function", "Maximum", 60, 2, 5, limit)
        for name, limit in zip(FUNCTIONS, (28500, 28500, 28500, 57000, 171000), strict=True)
    },
    "RejectedEventsAlarm": ("SessionEvents", "rejected", "sqs_consumer", "Sum", 300, 1, 1, 0),
    "DirectRejectedEventsAlarm": ("SessionEvents", "rejected", "eventbridge_consumer", "Sum", 300, 1, 1, 0),
    "RetriedEventsAlarm": ("SessionEvents", "retry", "sqs_consumer", "Sum", 300, 6, 6, 0),
    "ProjectorFailedRecordsAlarm": ("SessionEvents", "failed_records", "stream_projector", "Sum", 300, 3, 3, 0),
    "PublisherFailedRecordsAlarm": ("SessionEvents", "failed_records", "session_publisher", "Sum", 300, 3, 3, 0),
    "ProjectorSetAsideAlarm": ("SessionEvents", "records_set_aside", "stream_projector", "Sum", 60, 1, 1, 0),
    "PublisherSetAsideAlarm": ("SessionEvents", "records_set_aside", "session_publisher", "Sum", 60, 1, 1, 0),
    "SweeperSetAsideAlarm": ("SessionEvents", "expiries_set_aside", "expiry_sweeper", "Sum", 60, 1, 1, 0),
    **{
        f"{name}FailedBatchesAlarm".removeprefix("Projector"): (
            *("AWS/Lambda", "OnFailureDestinationDeliveredEventCount", f"{function}SessionsStream"),
            *("Sum", 60, 1, 1, 0),
        )
        for name, function in (("Projector", "StreamProjectorFunction"), ("Publisher", "SessionPublisherFunction"))
    },
    "FailedBatchesWaitingAlarm": ("AWS/S3", "NumberOfObjects", "FailedBatchesBucket", "Maximum", 86400, 1, 1, 0),
    "ProjectorLagAlarm": ("AWS/Lambda", "IteratorAge", "StreamProjectorFunction", "Maximum", 60, 3, 3, 120_000),
    "SessionPublisherLagAlarm": ("AWS/Lambda", "IteratorAge", "SessionPublisherFunction", "Maximum", 60, 3, 3, 120_000),
    "ExpiryLagAlarm": ("SessionEvents", "expiry_lag_seconds", "expiry_sweeper", "Maximum", 60, 3, 3, 120),
    "ArchiveDeliveryAlarm": ("AWS/Firehose", "DeliveryToS3.DataFreshness", "ArchiveStream", "Maximum", 300, 2, 2, 900),
    **{
        f"{name}{verb}sThrottledAlarm": ("AWS/DynamoDB", f"{verb}ThrottleEvents", table, "Sum", 60, 3, 5, 0)
        for name, table in (
            ("Sessions", "SessionsTable"),
            ("SessionsIndex", "SessionsTable GSI1_inverse"),
            ("Projections", "ProjectionsTable"),
            ("ExpiryAgenda", "ExpiryAgendaTable"),
        )
        for verb in ("Read", "Write")
    },
    "DirectRuleThrottledAlarm": (
        *("AWS/Events", "ThrottledRules", "AuthEventBus EventBridgeConsumerFunctionAuthEvents"),
        *("Sum", 60, 3, 5, 0),
    ),
    "RuleThrottledAlarm": ("AWS/Events", "ThrottledRules", "AuthEventBus SessionEventsRule", "Sum", 60, 3, 5, 0),
    **{
        f"{name}RuleThrottledAlarm": ("AWS/Events", "ThrottledRules", f"bus {name}EventsRule", "Sum", 60, 3, 5, 0)
        for name in ("Auth0", "Okta", "Cognito", "AwsSignIn", "Salesforce")
    },
    "SilenceAlarm": ("SessionEvents", "logins", "sqs_consumer", "Sum", 60, 60, 60, 1),
}
STOPPED = {"ProjectorStoppedAlarm": "StreamProjectorFunction", "PublisherStoppedAlarm": "SessionPublisherFunction"}
"""Those that compute: the table is written, and the function that reads its stream is not invoked."""
SILENCE_RINGS = {"ExpiryLagAlarm", "SilenceAlarm"}


def facts_of(alarm: dict[str, Any]) -> tuple[Any, ...]:
    about = " ".join(name_in(dimension["Value"]) for dimension in alarm["Dimensions"])
    periods = int(alarm["EvaluationPeriods"])
    return (
        *(alarm["Namespace"], alarm["MetricName"], about.removesuffix(" AllStorageTypes"), alarm["Statistic"]),
        *(alarm["Period"], alarm.get("DatapointsToAlarm", periods), periods, alarm["Threshold"]),
    )


def test_every_alarm_watches_its_metric_with_its_dimension_and_threshold() -> None:
    computed = {name: alarm for name, alarm in alarms().items() if "Metrics" in alarm}

    assert {name: facts_of(alarm) for name, alarm in alarms().items() if name not in computed} == EXPECTED
    assert {name: metrics_of(alarm) for name, alarm in computed.items()} == {
        name: {
            "written": Metric(
                "AWS/DynamoDB", "ConsumedWriteCapacityUnits", frozenset({("TableName", "SessionsTable")})
            ),
            "invoked": Metric("AWS/Lambda", "Invocations", frozenset({("FunctionName", function)})),
        }
        for name, function in STOPPED.items()
    }
    assert {periods_of(alarm) for alarm in computed.values()} == {(5, 2, 2)}


def test_only_what_reports_all_the_time_rings_when_it_says_nothing() -> None:
    missing = {name: alarm["TreatMissingData"] for name, alarm in alarms().items()}

    assert missing == {
        name: "breaching" if name in SILENCE_RINGS else "notBreaching" for name in {**EXPECTED, **STOPPED}
    }


def test_silence_rings_below_and_everything_else_above_its_threshold() -> None:
    below = {name for name, alarm in alarms().items() if alarm["ComparisonOperator"] != "GreaterThanThreshold"}

    assert below == {"SilenceAlarm"}


def test_every_alarm_says_when_it_rings_and_when_all_is_well_again() -> None:
    for alarm in alarms().values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [ALL_ON["AlarmTopicArn"]]


def test_without_a_topic_no_alarm_has_an_action() -> None:
    found = [r["Properties"] for r in resolved().values() if r["Type"] == "AWS::CloudWatch::Alarm"]

    assert found
    assert not any("AlarmActions" in alarm or "OKActions" in alarm for alarm in found)


@pytest.mark.parametrize("parameters", [{}, {"PublishSessionEvents": "true"}, ALL_ON], ids=["none", "bus", "all"])
def test_the_health_alarm_rings_with_any_alarm_that_is_there(parameters: dict[str, str]) -> None:
    resources = resolved(parameters)
    there = {name for name, found in resources.items() if found["Type"] == "AWS::CloudWatch::Alarm"}

    [_, rules] = resources["HealthAlarm"]["Properties"]["AlarmRule"]["Fn::Join"]

    assert {re.fullmatch(r'ALARM\("\$\{(\w+)\}"\)', rule["Fn::Sub"])[1] for rule in rules} == there  # type: ignore[index] # all match


def test_every_function_has_its_alarms_and_every_queue_that_waits_for_a_person() -> None:
    resources = translate(parameters=ALL_ON)["Resources"]
    functions = {name for name, found in resources.items() if found["Type"] == "AWS::Lambda::Function"}
    queues = {name for name, found in resources.items() if found["Type"] == "AWS::SQS::Queue"}
    watched = {about for _, _, about, *_ in EXPECTED.values()}

    assert functions == {f"{name}Function" for name in FUNCTIONS}
    assert queues - watched == {"RejectedEventsQueue"}  # watched by its rate


def test_metrics_survive_every_log_level() -> None:
    for level in ("DEBUG", "INFO", "WARNING", "ERROR"):
        functions = [
            f["Properties"]
            for f in resolved({**ALL_ON, "LogLevel": level}).values()
            if f["Type"] == "AWS::Lambda::Function"
        ]

        # Lambda takes a line without a level for INFO: Lambda Developer Guide, "Log-level filtering".
        assert {function["LoggingConfig"]["ApplicationLogLevel"] for function in functions} <= {"INFO", "DEBUG"}
        assert {function["Environment"]["Variables"]["LOG_LEVEL"] for function in functions} == {level}


@pytest.mark.parametrize("parameters", [{}, ALL_ON], ids=["defaults", "everything"])
def test_the_dashboard_is_json_and_shows_the_outcomes_and_the_delay_from_login_to_projection(
    parameters: dict[str, str],
) -> None:
    [body, names] = resolved(parameters)["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]

    widgets = json.loads(body)["widgets"]

    shown = {(metric[0], metric[1]) for widget in widgets for metric in widget["properties"].get("metrics", ())}
    assert {("SessionEvents", outcome.value) for outcome in Outcome} <= shown
    assert ("SessionEvents", "projection_delay_seconds") in shown
    assert set(names) == {"Rule", "Publisher", "Sweeper", "Direct"}


def test_no_two_widgets_of_the_dashboard_overlap_and_none_is_beyond_its_24_columns() -> None:
    [body, _] = resolved()["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]

    cells = [
        (column, row)
        for widget in json.loads(body)["widgets"]
        for column in range(widget["x"], widget["x"] + widget["width"])
        for row in range(widget["y"], widget["y"] + widget["height"])
    ]

    assert len(cells) == len(set(cells))
    assert max(column for column, _ in cells) == 23


@pytest.mark.parametrize("name", ["Cognito", "AwsSignIn"])
def test_a_rule_of_the_default_bus_is_watched_by_its_name_alone(name: str) -> None:
    alarm = resolved({f"{name}EventBusName": "default"})[f"{name}RuleThrottledAlarm"]["Properties"]

    assert alarm["Dimensions"] == [{"Name": "RuleName", "Value": {"Ref": f"{name}EventsRule"}}]


def test_every_rule_that_takes_events_in_has_its_alarm() -> None:
    rules = {name for name, found in resolved(ALL_ON).items() if found["Type"] == "AWS::Events::Rule"}
    watched = {about.split()[-1] for _, metric, about, *_ in EXPECTED.values() if metric == "ThrottledRules"}

    assert rules - watched == {"ExpirySweeperFunctionEachMinute"}  # a sweeper that is not invoked: ExpiryLagAlarm


def test_tracing_gives_every_function_the_right_to_trace_and_nothing_else_does() -> None:
    for tracing, mode in (("true", "Active"), ("false", "PassThrough")):
        resources = resolved({**ALL_ON, "Tracing": tracing})
        functions = [found["Properties"] for found in resources.values() if found["Type"] == "AWS::Lambda::Function"]
        roles = [resources[function["Role"]["Fn::GetAtt"][0]]["Properties"] for function in functions]

        assert {function["TracingConfig"]["Mode"] for function in functions} == {mode}
        assert all(("xray:PutTraceSegments" in json.dumps(role)) == (mode == "Active") for role in roles)
