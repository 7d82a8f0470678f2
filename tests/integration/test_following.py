"""A queue and a rule of one's own: what they deliver, who may send, and that nothing of them stays."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
import typer
from botocore.exceptions import ClientError
from moto import mock_aws
from typer.testing import CliRunner

from ops.following.subscription import (
    ALIVE_EVERY,
    LEFT_AFTER,
    Subscription,
    SubscriptionError,
    pattern_of,
    remove_leftovers,
)
from ops.schema_export.asyncapi import example_event
from ops.sessionctl.app import app
from ops.signals import EndedBySignalError, ending_by_signal
from schemas.life_cycle import DETAIL_TYPES
from tests.conftest import REGION

BUS = "prod-sessions"
NOW = datetime.now(UTC)


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {"ACCESS_KEY_ID": "testing", "SECRET_ACCESS_KEY": "testing", "DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws():
        client = boto3.client("events")
        client.create_event_bus(Name=BUS)
        yield client


@pytest.fixture
def sqs(events: Any) -> Any:
    return boto3.client("sqs")


def put(events: Any, kind: str, customer_id: str = "customer-1001") -> None:
    event = example_event(kind)
    event["detail"]["session"]["customer_id"] = customer_id
    entry = {"EventBusName": BUS, "Source": event["source"], "DetailType": event["detail-type"]}
    assert events.put_events(Entries=[entry | {"Detail": json.dumps(event["detail"])}])["FailedEntryCount"] == 0


def received(subscription: Subscription) -> list[tuple[str, str]]:
    details = [event["detail"] for event in subscription.receive(wait_seconds=0)]
    return sorted((detail["kind"], detail["session"]["customer_id"]) for detail in details)


def what_is_there(events: Any, sqs: Any) -> list[str]:
    rules: list[str] = [rule["Name"] for rule in events.list_rules(EventBusName=BUS)["Rules"]]
    return [*rules, *sqs.list_queues().get("QueueUrls", [])]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, [(kind, customer) for kind in sorted(DETAIL_TYPES) for customer in ("customer-1001", "customer-2")]),
        ({"customer_id": "customer-2", "kinds": ["ended"]}, [("ended", "customer-2")]),
        (
            {"customer_id": "customer-2", "kinds": ["expired", "ended"]},
            [("ended", "customer-2"), ("expired", "customer-2")],
        ),
        ({"kinds": ["started"]}, [("started", "customer-1001"), ("started", "customer-2")]),
    ],
)
def test_only_what_was_chosen_is_delivered(
    events: Any, sqs: Any, choice: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    with Subscription(events, sqs, BUS, pattern_of(**choice)) as subscription:
        for kind in DETAIL_TYPES:
            for customer_id in ("customer-1001", "customer-2"):
                put(events, kind, customer_id)

        assert received(subscription) == expected
        assert received(subscription) == []


def test_nobody_but_the_rule_may_send_and_nothing_is_kept_for_long(events: Any, sqs: Any) -> None:
    with Subscription(events, sqs, BUS, pattern_of()) as subscription:
        url = sqs.get_queue_url(QueueName=subscription.name)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        rule_arn = events.describe_rule(Name=subscription.name, EventBusName=BUS)["Arn"]

    [statement] = json.loads(attributes["Policy"])["Statement"]
    assert (statement["Principal"], statement["Action"]) == ({"Service": "events.amazonaws.com"}, "sqs:SendMessage")
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": rule_arn}}
    assert statement["Resource"] == attributes["QueueArn"]
    assert int(attributes["MessageRetentionPeriod"]) <= 900


@pytest.mark.parametrize("error", [EndedBySignalError, KeyboardInterrupt, BrokenPipeError, KeyError])
def test_whatever_ends_it_rule_and_queue_are_gone(events: Any, sqs: Any, error: type[BaseException]) -> None:
    with pytest.raises(error), Subscription(events, sqs, BUS, pattern_of()) as subscription:
        raise error

    assert what_is_there(events, sqs) == []
    assert not subscription.remains


@pytest.mark.parametrize("operation", ["PutRule", "CreateQueue", "PutTargets"])
def test_what_was_made_before_a_refusal_is_removed_again(events: Any, sqs: Any, operation: str) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)

    for client in (events, sqs):
        client.meta.events.register(f"before-call.*.{operation}", refuse)

    with pytest.raises(ClientError), Subscription(events, sqs, BUS, pattern_of()):
        pass

    assert what_is_there(events, sqs) == []


def test_a_rule_without_its_target_is_an_error_and_removed(
    events: Any, sqs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = {"FailedEntries": [{"ErrorCode": "ConcurrentModification", "ErrorMessage": "try later"}]}
    monkeypatch.setattr(events, "put_targets", lambda **_: failed)

    with pytest.raises(SubscriptionError, match="ConcurrentModification: try later"):
        Subscription(events, sqs, BUS, pattern_of()).__enter__()

    assert what_is_there(events, sqs) == []


def test_what_cannot_be_removed_is_said_and_does_not_hide_what_ended_it(events: Any, sqs: Any) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "expired"}}, "DeleteRule")

    events.meta.events.register("before-call.*.DeleteRule", refuse)

    with pytest.raises(KeyError), Subscription(events, sqs, BUS, pattern_of()) as subscription:
        raise KeyError

    assert subscription.remains


def test_what_a_killed_run_left_is_removed_and_a_run_that_shows_life_stays(events: Any, sqs: Any) -> None:
    long_ago = NOW - LEFT_AFTER - timedelta(seconds=2)
    left = Subscription(events, sqs, BUS, pattern_of(), clock=lambda: long_ago).__enter__()
    without_queue = Subscription(events, sqs, BUS, pattern_of(), clock=lambda: long_ago).__enter__()
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=without_queue.name)["QueueUrl"])
    ticks = iter([long_ago, long_ago, long_ago + ALIVE_EVERY])
    alive = Subscription(events, sqs, BUS, pattern_of(), clock=lambda: next(ticks)).__enter__()
    alive.receive(wait_seconds=0)
    young = Subscription(events, sqs, BUS, pattern_of(), clock=lambda: NOW).__enter__()
    events.create_event_bus(Name="other-sessions")
    elsewhere = Subscription(events, sqs, "other-sessions", pattern_of(), clock=lambda: long_ago).__enter__()

    removed = remove_leftovers(events, sqs, BUS, now=NOW)

    assert removed == sorted([left.name, without_queue.name])
    assert sorted(name.rpartition("/")[2] for name in what_is_there(events, sqs)) == sorted(
        [alive.name, alive.name, young.name, young.name, elsewhere.name]
    )
    assert remove_leftovers(events, sqs, BUS, now=NOW) == []


def make_stack(**outputs: str) -> None:
    needed = ("EventBusName", "SessionEventsQueueUrl", "SessionsTableName", "ProjectionsTableName")
    template = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": value} for name, value in {**dict.fromkeys(needed, "x"), **outputs}.items()},
    }
    boto3.client("cloudformation").create_stack(StackName="prod", TemplateBody=json.dumps(template))


def tail(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["tail", "--stack-name", "prod", *arguments])


def test_a_stack_that_publishes_nothing_is_one_line_that_says_what_to_do(events: Any) -> None:
    make_stack()

    result = tail()

    assert result.exit_code == 2
    assert result.stderr == (
        "stack prod does not publish what becomes of sessions: deploy it with PublishSessionEvents=true\n"
    )


def test_a_permission_that_is_missing_is_named_with_all_that_are_needed(
    events: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_stack(SessionsEventBusName=BUS)

    def refuse(_: Subscription) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "CreateQueue")

    monkeypatch.setattr(Subscription, "_make", refuse)

    result = tail()

    assert result.exit_code == 2
    assert result.stderr.startswith("the IAM action sqs:CreateQueue is not allowed: have all of these allowed")
    assert (
        "events:PutRule, events:PutTargets, events:RemoveTargets, events:TagResource, sqs:CreateQueue" in result.stderr
    )


@pytest.mark.slow
@pytest.mark.parametrize(("how", "as_json"), [(signal.SIGINT, False), (signal.SIGTERM, True)])
def test_tail_prints_each_event_once_until_a_signal_ends_it_and_leaves_nothing(
    events: Any, sqs: Any, monkeypatch: pytest.MonkeyPatch, how: signal.Signals, as_json: bool
) -> None:
    make_stack(SessionsEventBusName=BUS)
    of_the_stack = what_is_there(events, sqs)

    def wait_until(is_so: Callable[[], bool]) -> None:
        hangs_after = time.monotonic() + 60
        while not is_so() and time.monotonic() < hangs_after:
            time.sleep(0.1)

    def happen_and_end() -> None:
        wait_until(lambda: bool(events.list_rules(EventBusName=BUS)["Rules"]))
        rule = events.list_rules(EventBusName=BUS)["Rules"][0]["Name"]
        wait_until(lambda: bool(events.list_targets_by_rule(Rule=rule, EventBusName=BUS)["Targets"]))
        put(events, "started")
        put(events, "ended", "customer-2")
        put(events, "ended")
        put(events, "ended")
        wait_until(lambda: len(printed) >= 2)
        put(events, "expired")
        wait_until(lambda: "expired" in printed[-1])
        os.kill(os.getpid(), how)

    printed: list[str] = []
    echo = typer.echo

    def echo_and_note(text: str, *, err: bool = False) -> None:
        echo(text, err=err)
        if not err:
            printed.append(text)

    monkeypatch.setattr(typer, "echo", echo_and_note)
    threading.Thread(target=happen_and_end, daemon=True).start()

    result = tail("--customer", "customer-1001", *(["--json"] if as_json else []))

    assert (result.exit_code, what_is_there(events, sqs)) == (0, of_the_stack)
    assert result.stderr == "Following the sessions of stack prod from now on. Ctrl-C ends it.\nEnded.\n"
    lines = result.stdout.splitlines()
    if as_json:
        assert sorted(json.loads(line)["kind"] for line in lines) == ["ended", "expired", "started"]
    else:
        assert sorted(line.split()[2:4] for line in lines) == [
            [kind, "session-a1"] for kind in ("ended", "expired", "started")
        ]


@pytest.mark.slow
def test_a_signal_ends_a_request_that_waits_for_its_answer() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        client = boto3.client(
            "sqs",
            endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}",
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
        began = time.monotonic()

        with pytest.raises(EndedBySignalError), ending_by_signal():
            client.list_queues()

    assert time.monotonic() - began < 20, "botocore waits a minute, and tries again"
