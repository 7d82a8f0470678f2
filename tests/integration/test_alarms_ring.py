"""Alarms on our own metrics, rung with what the handlers print: name, dimension and value as they emit them.

Those on metrics of AWS: tests/unit/test_alarm_states.py.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest

from ops.validation.checks import ALL_ON
from ops.validation.resolution import resolved
from processors import eventbridge_consumer, expiry_sweeper, session_publisher, sqs_consumer, stream_projector
from processors.eventbridge_consumer import RetryLaterError
from processors.expiry_sweeper import UnfinishedSweepError
from processors.runtime.telemetry import NAMESPACE
from tests.alarm_scenarios import Minute, Scenario, faults_of
from tests.alarm_states import Metric, alarms, embedded_metrics, metric_of
from tests.conftest import NOW, Backend, at, login, logout, sqs_record
from tests.deployed_stack import on_moto_alone as pytest_generate_tests  # noqa: F401 # pytest calls it
from tests.life_cycle_outlets import OutletsOfATest, make_outlets

Emitted: TypeAlias = Mapping[Metric, list[float]]

ALARMS = {name: alarm for name, alarm in alarms().items() if alarm.get("Namespace") == NAMESPACE}
VISIBILITY_MINUTES = -(-resolved(ALL_ON)["SessionEventsQueue"]["Properties"]["VisibilityTimeout"] // 60)
"""After so many minutes a message that is retried is there again."""


class Handlers:
    """The handlers on one backend, each invocation answered with the metrics that it printed."""

    def __init__(
        self,
        backend: Backend,
        outlets: OutletsOfATest,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.backend = backend
        self.outlets = outlets
        self.monkeypatch = monkeypatch
        self.capsys = capsys

    def invoke(self, function: Callable[..., object], event: object) -> Emitted:
        self.capsys.readouterr()
        context = SimpleNamespace(
            function_name="any", aws_request_id="r-1", get_remaining_time_in_millis=lambda: 30_000
        )
        with suppress(RetryLaterError, UnfinishedSweepError):
            function(event, context)
        return embedded_metrics(self.capsys.readouterr().out.splitlines())

    def consume(self, *events: Any) -> Emitted:
        return self.invoke(sqs_consumer.lambda_handler, {"Records": [sqs_record(event) for event in events]})

    def take_from_bus(self, **detail: str) -> Emitted:
        fields = {"event_id": "e1", "occurred_at": "2026-03-01T12:00:00Z", "customer_id": "c", "session_id": "s1"}
        event = {"id": "bus-1", "source": "example", "detail-type": "Login", "detail": fields | detail}
        return self.invoke(eventbridge_consumer.lambda_handler, event)

    def records(self) -> list[dict[str, Any]]:
        records = self.backend.stream_records()
        for record in records:
            record["dynamodb"]["ApproximateCreationDateTime"] = NOW.timestamp()
        return records

    def project(self, records: list[dict[str, Any]]) -> Emitted:
        return self.invoke(stream_projector.lambda_handler, {"Records": records})

    def publish(self, records: list[dict[str, Any]]) -> Emitted:
        return self.invoke(session_publisher.lambda_handler, {"Records": records})

    def sweep(self, *, minute: float) -> Emitted:
        with self.monkeypatch.context() as patch:
            patch.setattr("processors.runtime.clock.utc_now", lambda: at(minute))
            return self.invoke(expiry_sweeper.lambda_handler, {})

    def with_settings(self, invoke: Callable[[], Emitted], **settings: str) -> Emitted:
        with self.monkeypatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name, value)
            return invoke()


@pytest.fixture
def handlers(backend: Backend, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Handlers:
    monkeypatch.setenv("REJECTED_EVENTS_QUEUE_URL", backend.rejected_queue)
    return Handlers(backend, make_outlets(backend, monkeypatch), monkeypatch, capsys)


def unreadable(record: dict[str, Any]) -> dict[str, Any]:
    images = record["dynamodb"] | {"NewImage": record["dynamodb"]["NewImage"] | {"item_format": {"N": "2"}}}
    return record | {"dynamodb": images}


def played(handlers: Handlers) -> dict[str, tuple[Emitted, Emitted, int]]:
    """By alarm: what the handlers emit in a good and in a bad invocation, and after how many minutes it has to ring."""
    login_taken, waiting = handlers.consume(login("s1", expires_at=at(60))), handlers.consume(logout("nobody", None))
    rejected = handlers.consume("{")
    [record] = handlers.records()
    broken = [unreadable(record)]
    projected, published = handlers.project([record]), handlers.publish([record])
    late = handlers.sweep(minute=65)
    swept = handlers.sweep(minute=66)
    key = {"PK": {"S": "due#0"}, "SK": {"S": "!"}}
    handlers.backend.dynamodb.put_item(TableName=handlers.outlets.agenda_table, Item=key)
    gone = {"PROJECTIONS_TABLE": "gone", "EXPIRY_AGENDA_TABLE": "gone"}
    return {
        "RejectedEventsAlarm": (login_taken, rejected, 5),
        "DirectRejectedEventsAlarm": (handlers.take_from_bus(), handlers.take_from_bus(session_id=""), 5),
        "RetriedEventsAlarm": (login_taken, waiting, 30),
        "ProjectorFailedRecordsAlarm": (
            projected,
            handlers.with_settings(lambda: handlers.project([record]), **gone),
            15,
        ),
        "PublisherFailedRecordsAlarm": (
            published,
            handlers.with_settings(lambda: handlers.publish([record]), **gone),
            15,
        ),
        "ProjectorSetAsideAlarm": (projected, handlers.project(broken), 1),
        "PublisherSetAsideAlarm": (published, handlers.publish(broken), 1),
        "SweeperSetAsideAlarm": (swept, handlers.sweep(minute=67), 1),
        "ExpiryLagAlarm": (swept, late, 3),
        "SilenceAlarm": (login_taken, {}, int(ALL_ON["SilenceAlarmMinutes"]) + 2),
    }


def every(minutes: int, values: list[float]) -> Minute:
    return lambda minute: values if minute % minutes == 0 else []


def test_each_alarm_on_our_metrics_rings_with_what_the_handlers_emit_and_is_quiet_without(handlers: Handlers) -> None:
    scenarios = played(handlers)

    assert scenarios.keys() == ALARMS.keys(), "say in `played` when this alarm has to ring"
    for name, (good, bad, within) in scenarios.items():
        metric = metric_of(ALARMS[name])
        assert metric in {**good, **bad}, f"{name}: the handlers emit no such metric"
        pause = VISIBILITY_MINUTES if name == "RetriedEventsAlarm" else 1
        scenario = Scenario(every(1, good.get(metric, [])), every(pause, bad.get(metric, [])), within)
        assert faults_of(ALARMS[name], scenario) == [], name


def test_a_sweeper_that_does_not_run_rings_as_well(handlers: Handlers) -> None:
    alarm = ALARMS["ExpiryLagAlarm"]
    swept = handlers.sweep(minute=1)[metric_of(alarm)]

    assert faults_of(alarm, Scenario(every(1, swept), lambda _: [], within=5)) == []
