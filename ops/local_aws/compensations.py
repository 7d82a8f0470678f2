"""What the emulator does otherwise than AWS, and what is done about it here.

Each entry names the reason, as seen with MiniStack 1.5.33, and goes when upstream mends it. Nothing else in this
project knows that the local AWS is an emulator.
"""

from collections.abc import Iterator, Mapping
from typing import Any

EMULATOR_ENVIRONMENT = {
    # Functions of several accounts and regions are none of ours; fewer threads start faster.
    "MINISTACK_WORKER_THREADS": "32",
}

PARAMETERS = {
    # Writes by PartiQL leave no record in the table's stream, so items are written one by one.
    "DynamoDbBatchStatements": "false",
    # No compensation: a dead letter is there to be looked at within seconds.
    "MaxReceiveCount": "5",
    # No compensation: here life-cycle events and their archive cost nothing, and show how a stack with them behaves.
    "PublishSessionEvents": "true",
    "ArchiveSessionEvents": "true",
}

VISIBILITY_SECONDS = 1
"""The template's three minutes would have a person wait for each attempt."""

CONCURRENCY = 2
"""Each concurrent invocation is a Python process of its own here: more of them than cores only wait for each other."""

UNKNOWN_TYPES = {
    *("AWS::CloudWatch::CompositeAlarm", "AWS::Events::Archive"),
    *("AWS::ApplicationAutoScaling::ScalableTarget", "AWS::ApplicationAutoScaling::ScalingPolicy"),
}
"""CloudFormation does not know them here, though CloudWatch and EventBridge do; there is no auto scaling of tables."""

TLS_ONLY = "TlsOnly"
"""The statement, by its Sid, that refuses requests without TLS: the emulator listens on plain HTTP."""

STREAM_WRAPPER = "stream_wrapper"
"""Module of the local bundle that wraps the handlers of streams."""

STREAM_WRAPPER_SOURCE = """\
\"\"\"Fails the batch of a failed record: the emulator ignores batchItemFailures of streams and would lose it.\"\"\"

import importlib
import os


def lambda_handler(event, context):
    module, _, name = os.environ["WRAPPED_HANDLER"].rpartition(".")
    answer = getattr(importlib.import_module(module), name)(event, context)
    if answer["batchItemFailures"]:
        raise RuntimeError(f"records failed: {answer['batchItemFailures']}")
    return answer
"""


def adapt(template: dict[str, Any]) -> None:
    """Change a SAM template, in place, into one that the emulator runs as AWS runs the original.

    Args:
        template: The SAM template, intrinsic functions in their long form.
    """
    _allow_batches(template["Resources"])
    _know_functions_by_their_sessions(template["Resources"])
    _leave_out(template, UNKNOWN_TYPES)
    _leave_out_metric_math(template["Resources"])
    _allow_plain_http(template["Resources"])
    for properties in _of_type(template, "AWS::SQS::Queue"):
        if "RedrivePolicy" in properties:
            properties["VisibilityTimeout"] = VISIBILITY_SECONDS
    for properties in _of_type(template, "AWS::Serverless::Function"):
        # There is no CodeDeploy here: an alias moves to the new version at once.
        properties.pop("DeploymentPreference", None)
        for event in properties.get("Events", {}).values():
            if event["Type"] == "SQS":
                event["Properties"]["ScalingConfig"] = {"MaximumConcurrency": CONCURRENCY}
            if event["Type"] == "DynamoDB":
                # It matches no filter of removals; the handlers check again.
                event["Properties"].pop("FilterCriteria", None)
                _wrap(properties)


def complete_tables(template: Mapping[str, Any], physical: Mapping[str, str], dynamodb: Any) -> None:
    """Switch on TTL and point-in-time recovery of tables: CloudFormation leaves both out here.

    Args:
        template: The SAM template, intrinsic functions in their long form.
        physical: Physical ids of the stack's resources, by logical id.
        dynamodb: A boto3 DynamoDB client.
    """
    for logical_id, resource in template["Resources"].items():
        table, properties = physical.get(logical_id), resource.get("Properties", {})
        if resource["Type"] != "AWS::DynamoDB::Table" or table is None:
            continue
        if (ttl := properties.get("TimeToLiveSpecification")) is not None:
            status = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"]
            if status == "DISABLED":  # DynamoDB refuses what is so already
                dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=ttl)
        if (recovery := properties.get("PointInTimeRecoverySpecification")) is not None:
            dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=recovery)


def _leave_out(template: dict[str, Any], kinds: set[str]) -> None:
    left_out = {name for name, resource in template["Resources"].items() if resource["Type"] in kinds}
    for name in left_out:
        del template["Resources"][name]
    outputs = template.get("Outputs", {})
    for name in [name for name, output in outputs.items() if output["Value"] in [{"Ref": each} for each in left_out]]:
        del outputs[name]


def _leave_out_metric_math(resources: dict[str, Any]) -> None:
    """Leave out alarms that compute with several metrics: CloudFormation refuses them here."""
    for name in [name for name, resource in resources.items() if "Metrics" in resource.get("Properties", {})]:
        if resources[name]["Type"] == "AWS::CloudWatch::Alarm":
            del resources[name]


def _allow_plain_http(resources: dict[str, Any]) -> None:
    """Leave out the statements that ask for TLS, and the policies that say nothing else."""
    for name, resource in list(resources.items()):
        statements = resource.get("Properties", {}).get("PolicyDocument", {}).get("Statement", [])
        kept = [statement for statement in statements if statement.get("Sid") != TLS_ONLY]
        if statements and not kept:
            del resources[name]
        elif len(kept) < len(statements):
            resource["Properties"]["PolicyDocument"]["Statement"] = kept


def _allow_batches(value: Any) -> None:
    """Allow sqs:SendMessageBatch where sqs:SendMessage is: on AWS the one covers the other, here it is an action."""
    if isinstance(value, list):
        for member in value:
            _allow_batches(member)
    elif isinstance(value, dict):
        if value.get("Action") == "sqs:SendMessage":
            value["Action"] = ["sqs:SendMessage", "sqs:SendMessageBatch"]
        for member in value.values():
            _allow_batches(member)


def _know_functions_by_their_sessions(value: Any) -> None:
    """Name a role's sessions beside the role: on AWS aws:PrincipalArn of a function is its role, here its session."""
    if isinstance(value, list):
        for member in value:
            _know_functions_by_their_sessions(member)
    elif isinstance(value, dict):
        match value.get("aws:PrincipalArn"):
            case {"Fn::GetAtt": [str(role), "Arn"] | str(role)} as arn:
                role = role.removesuffix(".Arn")
                value["aws:PrincipalArn"] = [arn, {"Fn::Sub": f"arn:aws:sts::*:assumed-role/${{{role}}}/*"}]
        for member in value.values():
            _know_functions_by_their_sessions(member)


def _wrap(function: dict[str, Any]) -> None:
    variables = function.setdefault("Environment", {}).setdefault("Variables", {})
    variables["WRAPPED_HANDLER"] = function["Handler"]
    function["Handler"] = f"{STREAM_WRAPPER}.lambda_handler"


def _of_type(template: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    for resource in template["Resources"].values():
        if resource["Type"] == kind:
            yield resource.setdefault("Properties", {})
