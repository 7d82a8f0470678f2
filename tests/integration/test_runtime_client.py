"""The sample Lambda events under awslambdaric, Lambda's own runtime client, with the template's environment."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

from ops.demo.samples import SAMPLES, moved
from ops.local_aws.emulator import REGION, Emulator
from ops.local_aws.environment import aws_settings
from ops.packaging.runtime_api import Answer, LambdaRuntime, RuntimeClientError
from ops.validation.resolution import resolved

PARAMETERS = {"EnableEventBridgeDirect": "true", "DynamoDbBatchStatements": "false"}
RESOURCES = resolved(PARAMETERS)
FUNCTIONS = {name: found["Properties"] for name, found in RESOURCES.items() if found["Type"] == "AWS::Lambda::Function"}


@dataclass
class Deployed:
    """The template's tables and queues on the emulator: what `Ref` gives, by logical id."""

    names: dict[str, str]
    endpoint: str
    dynamodb: Any
    sqs: Any

    def environment(self, function: str, **overrides: str) -> dict[str, str]:
        """What the function is told by the template and by Lambda, and nothing else."""
        variables = {
            name: value if isinstance(value, str) else self.ref(value["Ref"])
            for name, value in FUNCTIONS[function]["Environment"]["Variables"].items()
        }
        return {**aws_settings(region=REGION, endpoint=self.endpoint), **variables, **overrides}

    def ref(self, logical_id: str) -> str:
        return self.names.get(logical_id, logical_id)

    def items(self, logical_id: str) -> dict[str, dict[str, Any]]:
        found = self.dynamodb.scan(TableName=self.ref(logical_id))["Items"]
        return {item["PK"]["S"]: item for item in found}

    def messages(self, logical_id: str) -> list[dict[str, Any]]:
        found = self.sqs.receive_message(QueueUrl=self.ref(logical_id), MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in found]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with Emulator() as emulator:
        yield emulator.endpoint


@pytest.fixture
def deployed(endpoint: str) -> Deployed:
    """Fresh tables and queues."""
    session = boto3.Session("local", "local", region_name=REGION)
    dynamodb = session.client("dynamodb", endpoint_url=endpoint)
    sqs = session.client("sqs", endpoint_url=endpoint)
    made = uuid4().hex[:8]
    names = {}
    for logical_id, resource in RESOURCES.items():
        if resource["Type"] == "AWS::SQS::Queue":
            names[logical_id] = sqs.create_queue(QueueName=f"{logical_id}-{made}")["QueueUrl"]
        if resource["Type"] == "AWS::DynamoDB::Table":
            kept = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
            properties = {name: resource["Properties"][name] for name in kept if name in resource["Properties"]}
            names[logical_id] = f"{logical_id}-{made}"
            dynamodb.create_table(TableName=names[logical_id], **properties)
    return Deployed(names, endpoint, dynamodb, sqs)


def sample(name: str) -> Any:
    """A sample, sent just now: logins of months ago are rejected."""
    now = datetime.now(UTC)
    event = json.loads(moved((SAMPLES / name).read_text(), now))
    for record in event.get("Records", ()):
        if "SentTimestamp" in record.get("attributes", {}):
            record["attributes"]["SentTimestamp"] = str(int(now.timestamp() * 1000))
    return event


def function_of(event: dict[str, Any]) -> str | None:
    """The function that takes a sample; None for one that is no Lambda event."""
    if "detail-type" in event:
        return "EventBridgeConsumerFunction"
    sources = {record["eventSource"] for record in event.get("Records", ())}
    functions = {"aws:sqs": "SqsConsumerFunction", "aws:dynamodb": "StreamProjectorFunction"}
    return functions[sources.pop()] if sources else None


LAMBDA_EVENTS = sorted(path.name for path in SAMPLES.glob("*.json") if function_of(sample(path.name)))


def invoke(deployed: Deployed, event: Any, function: str, **overrides: str) -> tuple[Answer, str]:
    handler = FUNCTIONS[function]["Handler"]
    with LambdaRuntime(handler, environment=deployed.environment(function, **overrides)) as runtime:
        return runtime.invoke(event), runtime.output


@pytest.mark.parametrize("name", LAMBDA_EVENTS)
def test_a_sample_is_answered_as_the_handlers_contract_says_and_no_token_is_logged(
    deployed: Deployed, name: str
) -> None:
    function = function_of(sample(name)) or ""

    answer, output = invoke(deployed, sample(name), function)

    assert answer == Answer("applied" if function.startswith("EventBridge") else {"batchItemFailures": []}, False)
    assert "example-token" not in output
    written = "ProjectionsTable" if function == "StreamProjectorFunction" else "SessionsTable"
    assert deployed.items(written)


def test_samples_of_every_function_are_here() -> None:
    assert {function_of(sample(name)) for name in LAMBDA_EVENTS} == set(FUNCTIONS)


def test_the_mixed_batch_leaves_its_malformed_events_in_the_rejected_queue(deployed: Deployed) -> None:
    answer, output = invoke(deployed, sample("sqs-mixed-batch.json"), "SqsConsumerFunction")

    assert answer.payload == {"batchItemFailures": []}
    assert len(deployed.messages("RejectedEventsQueue")) == 3
    counted = [line for line in map(json.loads, output.splitlines()) if "_aws" in line]
    assert [(line["applied"], line["rejected"]) for line in counted] == [([2.0], [3.0])]


def test_what_cannot_be_written_is_a_partial_failure_that_names_its_message(deployed: Deployed) -> None:
    event = sample("sqs-login.json")

    answer, _ = invoke(deployed, event, "SqsConsumerFunction", SESSIONS_TABLE="no-such-table")

    failed = [{"itemIdentifier": record["messageId"]} for record in event["Records"]]
    assert answer == Answer({"batchItemFailures": failed}, is_error=False)


def test_an_event_to_be_retried_fails_the_invocation_in_lambdas_shape(deployed: Deployed) -> None:
    event = sample("eventbridge-login.json")

    answer, output = invoke(deployed, event, "EventBridgeConsumerFunction", SESSIONS_TABLE="no-such-table")

    assert answer.is_error
    assert answer.payload.keys() == {"errorMessage", "errorType", "requestId", "stackTrace"}
    assert answer.payload["errorType"] == "RetryLaterError"
    assert "example-token" not in json.dumps(answer.payload) + output


def test_a_missing_variable_fails_the_invocation_and_names_the_variable(deployed: Deployed) -> None:
    answer, _ = invoke(deployed, sample("sqs-login.json"), "SqsConsumerFunction", REJECTED_EVENTS_QUEUE_URL="")

    assert answer.is_error
    assert answer.payload["errorType"] == "SettingsError"
    assert "REJECTED_EVENTS_QUEUE_URL" in answer.payload["errorMessage"]


def test_one_process_serves_one_invocation_after_another(deployed: Deployed) -> None:
    environment = deployed.environment("EventBridgeConsumerFunction")
    event = sample("eventbridge-login.json")

    with LambdaRuntime("processors.eventbridge_consumer.lambda_handler", environment=environment) as runtime:
        answers = [runtime.invoke(event).payload for _ in range(2)]

    assert answers == ["applied", "duplicate"]


def test_a_handler_that_cannot_be_imported_is_an_error_that_says_why() -> None:
    message = r"cannot start processors\.nowhere\.lambda_handler: Runtime\.ImportModuleError"

    with (
        pytest.raises(RuntimeClientError, match=message),
        LambdaRuntime("processors.nowhere.lambda_handler", environment={}),
    ):
        pass


def test_a_handler_that_never_answers_is_an_error_after_its_timeout(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import threading\ndef handler(event, context): threading.Event().wait()\n")

    with (
        LambdaRuntime("slow.handler", environment={}, task_root=tmp_path) as runtime,
        pytest.raises(RuntimeClientError, match=r"slow\.handler did not answer within"),
    ):
        runtime.invoke({}, timeout_seconds=0.05)
