"""Create the template's resources on the local engines, through boto3."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import NAMESPACE_URL, uuid5

from ops.template.deployment import Deployment, Resource
from ops.template.parameters import PseudoParameters

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

Properties: TypeAlias = Mapping[str, Any]
Created: TypeAlias = dict[str, str]
"""What `Ref` and `Fn::GetAtt` give of a resource."""


@dataclass(frozen=True)
class Clients:
    """One client for each service that the template has resources of."""

    dynamodb: DynamoDBClient
    events: EventBridgeClient
    s3: S3Client
    sqs: SQSClient


@dataclass(frozen=True)
class Function:
    """A Lambda function of the template."""

    logical_id: str
    name: str
    arn: str
    handler: str
    timeout_seconds: float
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """A table, and the attribute with its items' time to live, if any."""

    name: str
    ttl_attribute: str | None


@dataclass(frozen=True)
class MappingDefinition:
    """An event source mapping of the template: its id, its logical id and its properties."""

    mapping_id: str
    logical_id: str
    properties: Properties


@dataclass
class LocalResources:
    """What was created, as far as the local stack has to know.

    Attributes:
        outputs: The template's outputs.
        queue_urls: Queue ARN to URL.
        functions: Function name to function.
        async_queues: Function name to the URL of the internal queue that holds its asynchronous invocations.
        async_settings: Function name to the properties of its EventInvokeConfig.
    """

    outputs: dict[str, str] = field(default_factory=dict)
    queue_urls: dict[str, str] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)
    mappings: list[MappingDefinition] = field(default_factory=list)
    async_queues: dict[str, str] = field(default_factory=dict)
    async_settings: dict[str, Properties] = field(default_factory=dict)

    def function(self, name_or_arn: str) -> Function:
        """Look up a function by what a mapping calls it."""
        return self.functions[name_or_arn.rpartition(":")[2]]


class ResourceCreator:
    """Creates resources one by one, each from its resolved properties."""

    def __init__(self, clients: Clients, pseudo: PseudoParameters) -> None:
        self._clients = clients
        self._pseudo = pseudo
        self.resources = LocalResources()

    def create_all(self, deployment: Deployment) -> None:
        """Create everything in the template, in the order of its references, and work out its outputs."""
        attributes: dict[tuple[str, str], Any] = {}
        for resource in deployment.resources_in_order():
            created = self._creators[resource.type](self, resource, deployment.properties_of(resource, attributes))
            attributes |= {(resource.logical_id, name): value for name, value in created.items()}
        self.resources.outputs = dict(deployment.outputs(attributes))

    def _queue(self, resource: Resource, properties: Properties) -> Created:
        attributes = {
            name: json.dumps(value) if isinstance(value, Mapping) else str(value) for name, value in properties.items()
        }
        return self._new_queue(resource.physical_name, attributes)

    def _new_queue(self, name: str, attributes: Mapping[str, str]) -> Created:
        url = self._clients.sqs.create_queue(QueueName=name, Attributes=dict(attributes))["QueueUrl"]  # type: ignore[arg-type] # the template's names
        arn = self._arn("sqs", name)
        self.resources.queue_urls[arn] = url
        return {"Ref": url, "Arn": arn, "QueueName": name}

    def _queue_policy(self, resource: Resource, properties: Properties) -> Created:
        policy = json.dumps(properties["PolicyDocument"])
        for url in properties["Queues"]:
            self._clients.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return {"Ref": resource.physical_name}

    def _table(self, resource: Resource, properties: Properties) -> Created:
        request = {name: value for name, value in properties.items() if name != "TimeToLiveSpecification"}
        if stream := request.get("StreamSpecification"):
            request["StreamSpecification"] = {"StreamEnabled": True, **stream}
        name = resource.physical_name
        dynamodb = self._clients.dynamodb
        dynamodb.create_table(TableName=name, **request)
        self.resources.tables.append(Table(name, _ttl_attribute(properties)))
        dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        if ttl := properties.get("TimeToLiveSpecification"):
            dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=ttl)
        description = dynamodb.describe_table(TableName=name)["Table"]
        created = {"Ref": name, "Arn": description["TableArn"]}
        return created | ({"StreamArn": description["LatestStreamArn"]} if stream else {})

    def _event_bus(self, _resource: Resource, properties: Properties) -> Created:
        arn = self._clients.events.create_event_bus(Name=properties["Name"])["EventBusArn"]
        return {"Ref": properties["Name"], "Arn": arn, "Name": properties["Name"]}

    def _rule(self, resource: Resource, properties: Properties) -> Created:
        bus = properties.get("EventBusName", "default")
        name = resource.physical_name
        pattern = json.dumps(properties["EventPattern"])
        arn = self._clients.events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)["RuleArn"]
        targets: list[Any] = [
            {"Id": target["Id"], "Arn": self._target_arn(target["Arn"])} for target in properties.get("Targets", [])
        ]
        if targets:
            self._clients.events.put_targets(Rule=name, EventBusName=bus, Targets=targets)
        return {"Ref": name, "Arn": arn}

    def _target_arn(self, arn: str) -> str:
        """Put an internal queue in the place of a function: moto's bus cannot invoke one."""
        if arn.split(":")[2] != "lambda":
            return arn
        function_name = arn.rpartition(":")[2]
        queue = self._new_queue(f"{function_name}-async", {})
        self.resources.async_queues[function_name] = queue["Ref"]
        return queue["Arn"]

    def _bucket(self, resource: Resource, _properties: Properties) -> Created:
        name = resource.physical_name
        where: Any = {"LocationConstraint": self._pseudo.region}
        # us-east-1 is the one region that must not be named. Source: S3 API reference, CreateBucket.
        elsewhere = {} if self._pseudo.region == "us-east-1" else {"CreateBucketConfiguration": where}
        self._clients.s3.create_bucket(Bucket=name, **elsewhere)
        return {"Ref": name, "Arn": f"arn:{self._pseudo.partition}:s3:::{name}"}

    def _function(self, resource: Resource, properties: Properties) -> Created:
        name = resource.physical_name
        arn = self._arn("lambda", f"function:{name}")
        variables = properties.get("Environment", {}).get("Variables", {})
        self.resources.functions[name] = Function(
            logical_id=resource.logical_id,
            name=name,
            arn=arn,
            handler=properties["Handler"],
            timeout_seconds=float(properties.get("Timeout", 3)),
            environment={name: str(value) for name, value in variables.items()},
        )
        return {"Ref": name, "Arn": arn}

    def _event_source_mapping(self, resource: Resource, properties: Properties) -> Created:
        mapping_id = str(uuid5(NAMESPACE_URL, resource.physical_name))
        self.resources.mappings.append(MappingDefinition(mapping_id, resource.logical_id, properties))
        return {"Ref": mapping_id}

    def _event_invoke_config(self, resource: Resource, properties: Properties) -> Created:
        self.resources.async_settings[properties["FunctionName"].rpartition(":")[2]] = properties
        return {"Ref": resource.physical_name}

    def _arn(self, service: str, name: str) -> str:
        return f"arn:{self._pseudo.partition}:{service}:{self._pseudo.region}:{self._pseudo.account_id}:{name}"

    _creators: Mapping[str, Callable[[ResourceCreator, Resource, Properties], Created]] = {
        "AWS::SQS::Queue": _queue,
        "AWS::SQS::QueuePolicy": _queue_policy,
        "AWS::DynamoDB::Table": _table,
        "AWS::Events::EventBus": _event_bus,
        "AWS::Events::Rule": _rule,
        "AWS::S3::Bucket": _bucket,
        "AWS::Lambda::Function": _function,
        "AWS::Lambda::EventSourceMapping": _event_source_mapping,
        "AWS::Lambda::EventInvokeConfig": _event_invoke_config,
    }


def _ttl_attribute(properties: Properties) -> str | None:
    ttl = properties.get("TimeToLiveSpecification", {})
    attribute: str | None = ttl["AttributeName"] if ttl.get("Enabled") else None
    return attribute
