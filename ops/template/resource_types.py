"""What the local stack makes of each resource type and property of the deployed template.

Everything a template can say is one of three: honoured, without effect on one machine (with the reason), or not listed
here and therefore refused. So nothing in template.yaml is passed over in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from ops.template.errors import TemplateError


class Honoured(Enum):
    """Marks a property that the local stack acts on, with all that is in it."""

    HONOURED = "honoured"


@dataclass(frozen=True)
class NoEffect:
    """A property or resource type that changes nothing on one machine; `reason` completes "without effect: ..."."""

    reason: str


# Nested mappings describe the members of a mapping, or of each mapping in a list.
Support: TypeAlias = Honoured | NoEffect | Mapping[str, "Support"]

HONOURED: Final = Honoured.HONOURED
_ENCRYPTION: Final = NoEffect("nothing is stored beyond the run")
_PERMISSIONS: Final = NoEffect("the local engines check no permissions")
_LABEL: Final = NoEffect("a text for people")
_ON_FAILURE: Final[Support] = {"OnFailure": {"Destination": HONOURED}}

RESOURCE_TYPES: Final[Mapping[str, NoEffect | Mapping[str, Support]]] = {
    "AWS::Events::EventBus": {"Name": HONOURED},
    "AWS::Events::Rule": {
        "EventBusName": HONOURED,
        "EventPattern": HONOURED,
        "Targets": {
            "Id": HONOURED,
            "Arn": HONOURED,
            "RetryPolicy": NoEffect("the local bus delivers at once or not at all"),
            "DeadLetterConfig": NoEffect("the local bus delivers at once or not at all"),
        },
        "Description": _LABEL,
    },
    "AWS::SQS::Queue": {
        "VisibilityTimeout": HONOURED,
        "MessageRetentionPeriod": HONOURED,
        "RedrivePolicy": {"deadLetterTargetArn": HONOURED, "maxReceiveCount": HONOURED},
        "SqsManagedSseEnabled": _ENCRYPTION,
    },
    "AWS::SQS::QueuePolicy": {"Queues": HONOURED, "PolicyDocument": HONOURED},
    "AWS::DynamoDB::Table": {
        "AttributeDefinitions": HONOURED,
        "KeySchema": HONOURED,
        "GlobalSecondaryIndexes": {"IndexName": HONOURED, "KeySchema": HONOURED, "Projection": HONOURED},
        "BillingMode": HONOURED,
        "StreamSpecification": {"StreamViewType": HONOURED},
        "TimeToLiveSpecification": {"AttributeName": HONOURED, "Enabled": HONOURED},
        "PointInTimeRecoverySpecification": NoEffect("nothing is stored beyond the run"),
        "DeletionProtectionEnabled": NoEffect("nothing is stored beyond the run"),
    },
    "AWS::S3::Bucket": {
        "BucketEncryption": _ENCRYPTION,
        "PublicAccessBlockConfiguration": _PERMISSIONS,
        "LifecycleConfiguration": NoEffect("no run lasts a day"),
    },
    "AWS::Lambda::Function": {
        "Handler": HONOURED,
        "Timeout": HONOURED,
        "Environment": {"Variables": HONOURED},
        "Code": NoEffect("handlers are imported from the checkout"),
        "Runtime": NoEffect("handlers run on the Python that runs the local stack"),
        "Architectures": NoEffect("handlers run on this machine"),
        "MemorySize": NoEffect("handlers run on this machine"),
        "LoggingConfig": NoEffect("handlers log to the local stack's log"),
        "Role": _PERMISSIONS,
        "Description": _LABEL,
        "Tags": _LABEL,
    },
    "AWS::Lambda::EventSourceMapping": {
        "FunctionName": HONOURED,
        "EventSourceArn": HONOURED,
        "StartingPosition": HONOURED,
        "BatchSize": HONOURED,
        "MaximumBatchingWindowInSeconds": HONOURED,
        "FilterCriteria": {"Filters": {"Pattern": HONOURED}},
        "FunctionResponseTypes": HONOURED,
        "BisectBatchOnFunctionError": HONOURED,
        "MaximumRetryAttempts": HONOURED,
        "MaximumRecordAgeInSeconds": HONOURED,
        "DestinationConfig": _ON_FAILURE,
        "ParallelizationFactor": NoEffect("the local poller handles one batch of a shard at a time"),
        "ScalingConfig": NoEffect("the local poller handles one batch of a queue at a time"),
        "Tags": _LABEL,
    },
    "AWS::Lambda::EventInvokeConfig": {
        "FunctionName": HONOURED,
        "MaximumRetryAttempts": HONOURED,
        "MaximumEventAgeInSeconds": HONOURED,
        "DestinationConfig": _ON_FAILURE,
        "Qualifier": NoEffect("there are no versions of a function locally"),
    },
    "AWS::Lambda::Permission": _PERMISSIONS,
    "AWS::IAM::Role": _PERMISSIONS,
    "AWS::IAM::ManagedPolicy": _PERMISSIONS,
    "AWS::Logs::LogGroup": NoEffect("handlers log to the local stack's log"),
    "AWS::CloudWatch::Alarm": NoEffect("nothing evaluates alarms locally"),
}


@dataclass(frozen=True)
class Selection:
    """Properties sorted by what the local stack makes of them; `without_effect` maps a dotted path to the reason."""

    honoured: dict[str, Any]
    without_effect: dict[str, str]


def support_of(resource_type: str, *, where: str) -> NoEffect | Mapping[str, Support]:
    """Look up what the local stack makes of a resource type.

    Raises:
        TemplateError: Nothing is known of that type.
    """
    if resource_type not in RESOURCE_TYPES:
        known = ", ".join(sorted(RESOURCE_TYPES))
        raise TemplateError(f"{where}: the resource type {resource_type} is not supported locally; known: {known}.")
    return RESOURCE_TYPES[resource_type]


def select(properties: Any, support: Mapping[str, Support], *, where: str) -> Selection:
    """Sort properties into those honoured and those without effect. `Fn::If` has been decided before.

    Raises:
        TemplateError: A property that `support` does not list, or another shape than it describes.
    """
    if not isinstance(properties, dict):
        raise TemplateError(f"{where}: properties by name are needed here, not {properties!r}.")
    selection = Selection({}, {})
    for name, value in properties.items():
        place = f"{where}.{name}"
        match support.get(name):
            case None:
                known = ", ".join(sorted(support))
                raise TemplateError(f"{place}: this property is not supported locally; known here: {known}.")
            case Honoured():
                selection.honoured[name] = value
            case NoEffect(reason):
                selection.without_effect[place] = reason
            case nested:
                selection.honoured[name] = _select_nested(value, nested, place, selection.without_effect)
    return selection


def _select_nested(value: Any, support: Mapping[str, Support], where: str, without_effect: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_select_nested(v, support, f"{where}[{i}]", without_effect) for i, v in enumerate(value)]
    selection = select(value, support, where=where)
    without_effect |= selection.without_effect
    return selection.honoured
