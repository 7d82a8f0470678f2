"""An update of the previous release's stack, with data in it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ops.local_aws.stack import LocalStack
from ops.packaging.gradual import make_gradual
from ops.packaging.restored import use_table
from ops.validation.translation import TEMPLATE_PATH, load_template
from schemas.times import format_rfc3339
from tests.deploy.conftest import sessionctl

PREVIOUS = Path(__file__).with_name("previous-template.yaml")
"""The template of 0.1.0."""


def gradual_template(folder: Path) -> Path:
    template = load_template()
    make_gradual(template, shift="Canary10Percent15Minutes", deployment="1")
    path = folder / "gradual.json"
    path.write_text(json.dumps(template))
    return path


def event(name: str, kind: str = "login") -> str:
    occurred_at = format_rfc3339(datetime.now(UTC) - timedelta(minutes=1))
    named = {"event_id": f"{kind}-{name}", "event_type": kind, "occurred_at": occurred_at}
    return json.dumps(named | {"customer_id": "c-1", "session_id": name})


def test_commands_that_wait_in_the_old_queue_are_carried_out_after_the_update() -> None:
    with LocalStack("upgraded-commands", template=PREVIOUS) as stack:
        queue, sqs, functions = stack.outputs["SessionEventsQueueUrl"], stack.client("sqs"), stack.client("lambda")
        for number in range(3):
            sqs.send_message(QueueUrl=queue, MessageBody=event(f"s-{number}"))
        stack.settle()
        [consumer] = [
            mapping["UUID"]
            for mapping in functions.list_event_source_mappings()["EventSourceMappings"]
            if ":sqs:" in mapping["EventSourceArn"]
        ]
        functions.update_event_source_mapping(UUID=consumer, Enabled=False)
        revoked_at = format_rfc3339(datetime.now(UTC))
        # What 0.1.0's projector sends after a logout_all: an ordinary logout, to the session-events queue.
        for number in range(3):
            decided = {"event_id": f"revoked:{number}", "reason": "revoked", "occurred_at": revoked_at}
            command = json.loads(event(f"s-{number}", "logout")) | decided
            sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(command))

        stack.deploy(TEMPLATE_PATH, {})
        functions.update_event_source_mapping(UUID=consumer, Enabled=True)
        stack.settle()

        assert stack.outputs["SessionEventsQueueUrl"] == queue
        assert sessionctl(stack, "get", "customer", "c-1")["session_count"] == 0
        for number in range(3):
            session = sessionctl(stack, "get", "session", f"s-{number}", "--customer", "c-1")
            assert (session["end_reason"], session["ended_at"]) == ("revoked", revoked_at)


def test_sessions_survive_the_update_then_aliases_and_then_the_roll_back(tmp_path: Path) -> None:
    with LocalStack("upgraded", template=PREVIOUS) as stack:
        queue, sqs = stack.outputs["SessionEventsQueueUrl"], stack.client("sqs")
        for name in ("s-1", "s-2"):
            sqs.send_message(QueueUrl=queue, MessageBody=event(name))
        stack.settle()
        before = dict(stack.outputs)

        stack.deploy(TEMPLATE_PATH, {})
        sqs.send_message(QueueUrl=stack.outputs["SessionEventsQueueUrl"], MessageBody=event("s-1", "logout"))
        sqs.send_message(QueueUrl=stack.outputs["SessionEventsQueueUrl"], MessageBody=event("s-3"))
        stack.settle()
        activity = sessionctl(stack, "get", "customer", "c-1")

        gradual = gradual_template(tmp_path)
        stack.deploy(gradual, {})
        mappings = stack.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        sqs.send_message(QueueUrl=stack.outputs["SessionEventsQueueUrl"], MessageBody=event("s-4"))
        stack.settle()
        behind_aliases = sessionctl(stack, "get", "customer", "c-1")
        found = {line["name"]: line["state"] for line in sessionctl(stack, "status")["lines"]}

        stack.deploy(PREVIOUS, {})
        sqs.send_message(QueueUrl=stack.outputs["SessionEventsQueueUrl"], MessageBody=event("s-2", "logout"))
        stack.settle()
        rolled_back = sessionctl(stack, "get", "customer", "c-1")

        assert [session["session_id"] for session in rolled_back["sessions"]] == ["s-3", "s-4"]
        assert {mapping["FunctionArn"].rpartition(":")[2] for mapping in mappings} == {"live"}
        assert behind_aliases["session_count"] == 3
        assert {name for name, state in found.items() if state in ("waits", "unknown")} == set()
        assert [session["session_id"] for session in activity["sessions"]] == ["s-2", "s-3"]
        assert activity["session_count"] == 2
        assert sessionctl(stack, "audit")["is_clean"]
        assert {name: stack.outputs[name] for name in ("SessionsTableName", "ProjectionsTableName")} == {
            name: before[name] for name in ("SessionsTableName", "ProjectionsTableName")
        }


def test_a_stack_goes_on_with_a_restored_table_as_the_runbook_says(tmp_path: Path) -> None:
    with LocalStack("restored") as stack:
        dynamodb, sqs = stack.client("dynamodb"), stack.client("sqs")

        def consume(*bodies: str) -> None:
            for body in bodies:
                sqs.send_message(QueueUrl=stack.outputs["SessionEventsQueueUrl"], MessageBody=body)
            stack.settle()

        since = [event("s-1", "logout"), event("s-3")]
        consume(event("s-1"), event("s-2"))
        damaged, restored = stack.outputs["SessionsTableName"], "session-events-restored"
        dynamodb.restore_table_to_point_in_time(
            SourceTableName=damaged, TargetTableName=restored, UseLatestRestorableTime=True
        )
        consume(*since)
        dynamodb.delete_item(TableName=damaged, Key={"PK": {"S": "suuid#s-2"}, "SK": {"S": "c#c-1"}})
        stack.settle()

        specification = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        dynamodb.update_table(TableName=restored, StreamSpecification=specification)
        stream = dynamodb.describe_table(TableName=restored)["Table"]["LatestStreamArn"]
        path = tmp_path / "restored.json"
        path.write_text(json.dumps(use_table(load_template(), stream)))
        stack.deploy(path, {})
        forgotten = sessionctl(stack, "get", "session", "s-1", "--customer", "c-1")["session_state"]
        consume(*since)
        sessionctl(stack, "rebuild", "register")
        sessionctl(stack, "rebuild", "all")
        stack.settle()
        activity = sessionctl(stack, "get", "customer", "c-1")

        assert forgotten == "active"
        assert stack.outputs["SessionsTableName"] == restored
        assert [session["session_id"] for session in activity["sessions"]] == ["s-2", "s-3"]
        assert sessionctl(stack, "verify")["is_clean"]
