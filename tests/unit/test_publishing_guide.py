"""What the publishing guide shows is true: its samples are accepted, its publishers send again what was refused."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from moto import mock_aws

from providers.envelopes import read_body
from schemas.events import DETAIL_TYPES, parse_event

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "publishing.md").read_text(encoding="utf-8")
EVENTS = [
    {
        "event_id": f"e-{number}",
        "event_type": event_type,
        "occurred_at": "2026-03-01T10:20:30Z",
        "customer_id": "customer-1001",
        "session_id": f"session-{number}",
    }
    for number, event_type in enumerate(DETAIL_TYPES.values())
]


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def block(kind: str) -> str:
    [found] = blocks(kind)
    return found


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr("time.sleep", lambda _: None)


@pytest.fixture
def bus_code(user: None) -> dict[str, Any]:
    return run(block("python eventbridge"))


@pytest.fixture
def queue_code(user: None) -> dict[str, Any]:
    return run(block("python sqs"))


def run(code: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    with mock_aws():
        exec(compile(code, "publishing.md", "exec"), namespace)  # noqa: S102 # the guide's own code
    return namespace


@pytest.fixture
def aws() -> Iterator[None]:
    with mock_aws():
        yield


def test_its_queue_publisher_sends_what_consumers_accept(user: None, aws: None, queue_code: dict[str, Any]) -> None:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="session-events")["QueueUrl"]

    refused = queue_code["publish_to_queue"](EVENTS, url)

    bodies = [message["Body"] for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]]
    assert refused == []
    assert sorted(read_body(body, sent_at=None).event_id for body in bodies) == ["e-0", "e-1", "e-2"]  # type: ignore[union-attr] # None is none of them


def test_its_bus_publisher_puts_what_consumers_accept(user: None, aws: None, bus_code: dict[str, Any]) -> None:
    sqs, events = boto3.client("sqs"), boto3.client("events")
    url = sqs.create_queue(QueueName="session-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.create_event_bus(Name="auth")
    pattern = json.dumps({"detail-type": list(DETAIL_TYPES)})
    events.put_rule(Name="to-queue", EventBusName="auth", EventPattern=pattern)
    events.put_targets(Rule="to-queue", EventBusName="auth", Targets=[{"Id": "queue", "Arn": arn}])

    refused = bus_code["publish_to_bus"](EVENTS, "auth")

    bodies = [message["Body"] for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]]
    assert refused == []
    assert sorted(read_body(body, sent_at=None).event_id for body in bodies) == ["e-0", "e-1", "e-2"]  # type: ignore[union-attr] # None is none of them


def test_its_bus_publisher_sends_again_only_what_was_refused_and_gives_back_the_rest(bus_code: dict[str, Any]) -> None:
    refusal = {"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}
    with Stubber(bus_code["events"]) as stubber:
        stubber.add_response("put_events", {"Entries": [{"EventId": "1"}, refusal, refusal]}, {"Entries": [ANY] * 3})
        stubber.add_response("put_events", {"Entries": [{"EventId": "2"}, refusal]}, {"Entries": [ANY] * 2})
        for _ in range(3):
            stubber.add_response("put_events", {"Entries": [refusal]}, {"Entries": [ANY]})

        refused = bus_code["publish_to_bus"](EVENTS, "auth")

        stubber.assert_no_pending_responses()
    assert refused == EVENTS[2:]


def test_its_queue_publisher_sends_again_only_what_was_refused_and_gives_back_the_rest(
    queue_code: dict[str, Any],
) -> None:
    def failed(entry: str) -> dict[str, Any]:
        return {"Successful": [], "Failed": [{"Id": entry, "SenderFault": False, "Code": "InternalError"}]}

    with Stubber(queue_code["sqs"]) as stubber:
        stubber.add_response("send_message_batch", failed("1"), {"QueueUrl": "q", "Entries": [ANY] * 3})
        for _ in range(4):
            stubber.add_response("send_message_batch", failed("0"), {"QueueUrl": "q", "Entries": [ANY]})

        refused = queue_code["publish_to_queue"](EVENTS, "q")

        stubber.assert_no_pending_responses()
    assert refused == EVENTS[1:2]


def test_its_sample_events_are_accepted() -> None:
    entries = json.loads(block("json entries"))

    put = [parse_event(json.loads(entry["Detail"]), envelope={"detail-type": entry["DetailType"]}) for entry in entries]

    read = [read_body(sample, sent_at=None) for sample in blocks("json event")]
    assert len(read) == 4
    assert None not in read
    assert None not in put


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!http)([^)#]+)", GUIDE))))
def test_its_links_lead_somewhere(link: str) -> None:
    assert (ROOT / "docs" / link).exists()


def test_the_outputs_it_names_are_the_templates() -> None:
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")

    named = set(re.findall(r"\(output (\w+)\)", GUIDE)) | {"PublisherPolicyArn"}

    assert {name for name in named if f"\n  {name}:\n" not in template} == set()
