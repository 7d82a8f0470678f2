"""The local stack from start to stop: what it needs, what it leaves behind, and the deployed template in it."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ops.local_stack.stack import LocalStack, LocalStackError
from tests.integration.test_local_stack import DRAIN_SECONDS, STUB_TEMPLATE, bodies_in, send


def test_a_second_stack_in_the_same_process_is_refused_while_the_first_one_runs() -> None:
    second = LocalStack(template=STUB_TEMPLATE)

    with LocalStack(template=STUB_TEMPLATE), pytest.raises(LocalStackError, match="another local stack runs in this"):
        second.start()

    with second:
        assert second.outputs


def test_the_environment_is_the_stacks_while_it_runs_and_the_users_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "the-users")
    before = dict(os.environ)

    with LocalStack(template=STUB_TEMPLATE) as stack:
        inside = dict(os.environ)
        table_name = stack.outputs["TableName"]

    assert "AWS_PROFILE" not in inside
    assert inside["TABLE"] == table_name
    assert inside["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert dict(os.environ) == before


def test_an_error_in_a_poller_surfaces_where_one_waits_for_it_and_at_the_end() -> None:
    stack = LocalStack(template=STUB_TEMPLATE)
    stack.start()
    stack.client("sqs").delete_queue(QueueUrl=stack.outputs["QueueUrl"])

    with pytest.raises(LocalStackError, match="ConsumerMessages: QueueDoesNotExist"):
        stack.wait_until_drained(DRAIN_SECONDS)
    with pytest.raises(LocalStackError, match="ConsumerMessages: QueueDoesNotExist"):
        stack.stop()


def test_what_is_left_is_named_when_the_time_to_drain_is_up() -> None:
    with LocalStack(template=STUB_TEMPLATE) as stack:
        send(stack, {"key": "poison", "fails": True})

        with pytest.raises(LocalStackError, match=r"within 0\.3 s: the queue of ConsumerMessages is not empty"):
            stack.wait_until_drained(0.3)


def test_a_handler_that_does_not_exist_is_named(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(STUB_TEMPLATE.read_text().replace("stub_handlers.take", "stub_handlers.missing"))

    with pytest.raises(LocalStackError, match=r"handler 'tests\.integration\.stub_handlers\.missing' cannot be"):
        LocalStack(template=template).start()


def test_an_engine_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="engine 'mysql' is not known; there are moto, dynamodb-local"):
        LocalStack("mysql")  # type: ignore[arg-type]


def test_the_engine_ends_with_the_process_that_started_it_even_when_that_is_killed() -> None:
    start = "from ops.engines.embedded import moto_process\ns = moto_process()\ns.start()"
    script = f"{start}\nprint(s.endpoint, flush=True)\ninput()"
    parent = subprocess.Popen(  # noqa: S603 (the command is ours)
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    port = urlsplit(parent.stdout.readline().strip()).port

    parent.send_signal(signal.SIGKILL)
    parent.communicate()

    give_up_at = time.monotonic() + DRAIN_SECONDS
    while answers(port):
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


def answers(port: int | None) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except OSError:
        return False
    finally:
        connection.close()
    return True


def test_events_travel_through_the_deployed_template_into_sessions_and_projections() -> None:
    def login(number: int) -> dict[str, Any]:
        return {
            "event_id": f"login-{number}",
            "event_type": "login",
            "occurred_at": "2026-03-01T12:00:00Z",
            "customer_id": f"customer-{number % 2}",
            "session_id": f"session-{number}",
        }

    with LocalStack(parameters={"EnableEventBridgeDirect": "true"}) as stack:
        entry = {"EventBusName": stack.outputs["EventBusName"], "Source": "test", "DetailType": "Login"}
        stack.client("events").put_events(Entries=[{**entry, "Detail": json.dumps(login(n))} for n in range(4)])
        for number in range(4, 8):
            body = json.dumps(login(number))
            stack.client("sqs").send_message(QueueUrl=stack.outputs["SessionEventsQueueUrl"], MessageBody=body)
        stack.client("sqs").send_message(QueueUrl=stack.outputs["SessionEventsQueueUrl"], MessageBody="no json")
        stack.wait_until_drained(DRAIN_SECONDS)

        dynamodb = stack.client("dynamodb")
        sessions = dynamodb.scan(TableName=stack.outputs["SessionsTableName"])["Items"]
        projections = dynamodb.scan(TableName=stack.outputs["ProjectionsTableName"])["Items"]
        [rejected] = bodies_in(stack, "RejectedEventsQueueUrl")
        time_to_live = dynamodb.describe_time_to_live(TableName=stack.outputs["SessionsTableName"])

    assert {item["session_id"]["S"] for item in sessions} == {f"session-{number}" for number in range(8)}
    assert {item["customer_id"]["S"] for item in projections} == {"customer-0", "customer-1"}
    assert rejected["reason"]
    assert time_to_live["TimeToLiveDescription"]["AttributeName"] == "ttl"
