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
