"""An update of the previous release's stack, with data in it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ops.local_aws.stack import LocalStack
from ops.validation.translation import TEMPLATE_PATH
from schemas.times import format_rfc3339
from tests.deploy.conftest import sessionctl

PREVIOUS = Path(__file__).with_name("previous-template.yaml")
"""The template of 0.1.0."""


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


def test_sessions_survive_the_update_and_go_on(tmp_path: Path) -> None:
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

        assert [session["session_id"] for session in activity["sessions"]] == ["s-2", "s-3"]
        assert activity["session_count"] == 2
        assert sessionctl(stack, "audit")["is_clean"]
        assert {name: stack.outputs[name] for name in ("SessionsTableName", "ProjectionsTableName")} == {
            name: before[name] for name in ("SessionsTableName", "ProjectionsTableName")
        }
