"""Check template.yaml as it is deployed: what linters of the SAM source do not look at.

`sam validate --lint` and cfn-lint leave the `Events:` of SAM functions alone, so the template is translated first, with
every condition on. cfn-lint then checks the properties of each resource, and the rules below what links resources: it
takes a queue's URL for an ARN, any text for a filter, and any batch size for a queue.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cfnlint.api import lint

from ops.validation.configuration import ConfigurationError, findings_in_parameters
from ops.validation.filters import FilterCriteria, FilterPatternError
from ops.validation.resolution import resolved
from ops.validation.token_keys import findings_in_token_keys
from ops.validation.translation import TEMPLATE_PATH, TemplateError, translate

ALL_ON = {
    "EnableEventBridgeDirect": "true",
    **dict.fromkeys(("Auth0EventBusName", "OktaEventBusName", "CognitoEventBusName"), "bus"),
    **dict.fromkeys(("AwsSignInEventBusName", "SalesforceEventBusName"), "bus"),
    **dict.fromkeys(("PublishSessionEvents", "ArchiveSessionEvents"), "true"),
    "ArchiveRetentionDays": "400",
    "BillingMode": "PROVISIONED",
    "MinWriteCapacity": "100",
    "MaxWriteCapacity": "8000",
    "MinReadCapacity": "100",
    "MaxReadCapacity": "8000",
    "WarmWriteUnits": "8000",
    "WarmReadUnits": "24000",
    "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms",
    "SilenceAlarmMinutes": "60",
    "Tracing": "true",
    "AuthEventsArchiveDays": "30",
    "KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "SessionEventsQueueName": "session-events",
    "QueuePublisherArns": "arn:aws:iam::123456789012:role/web-login,arn:aws:iam::210987654321:root",
}
"""Parameters with which every resource exists."""

_SOURCE_ATTRIBUTE = {"AWS::SQS::Queue": "Arn", "AWS::DynamoDB::Table": "StreamArn"}
_TAKES_ARN = {"Arn", "Destination", "deadLetterTargetArn", "Role"}
_REF_IS_ARN = {"AWS::IAM::ManagedPolicy", "AWS::SNS::Topic"}
# Source: AWS Lambda API Reference, CreateEventSourceMapping: "Kinesis and DynamoDB Streams only".
_STREAMS_ONLY = {
    *("StartingPosition", "ParallelizationFactor", "BisectBatchOnFunctionError", "DestinationConfig"),
    *("MaximumRetryAttempts", "MaximumRecordAgeInSeconds", "TumblingWindowInSeconds"),
}


def findings(path: Path = TEMPLATE_PATH) -> list[str]:
    """Tell what is wrong with a SAM template; nothing where all is well.

    Makes no network call and needs neither credentials nor a region.
    """
    try:
        document = translate(path, ALL_ON)
    except TemplateError as error:
        return [str(error)]
    linted = [f"{finding.rule.id} {_place(finding)}: {finding.message}" for finding in lint(json.dumps(document))]
    return linted + list(_broken_links(document["Resources"]))


def _broken_links(resources: Mapping[str, Any]) -> Iterator[str]:
    for logical_id, resource in resources.items():
        properties = resource.get("Properties", {})
        yield from _refs_for_arns(properties, resources, logical_id)
        if resource["Type"] == "AWS::Lambda::EventSourceMapping":
            yield from _of_mapping(logical_id, properties, resources)
        if "EventPattern" in properties:
            yield from _of_pattern(f"{logical_id}.EventPattern", json.dumps(properties["EventPattern"]))


def _of_mapping(logical_id: str, mapping: Mapping[str, Any], resources: Mapping[str, Any]) -> Iterator[str]:
    source_type = None
    match mapping["EventSourceArn"]:
        case {"Fn::GetAtt": [str(source), str(attribute)]}:
            source_type = resources.get(source, {}).get("Type")
            is_source = _SOURCE_ATTRIBUTE.get(source_type) == attribute
        case _:
            is_source = False
    if not is_source:
        yield f"{logical_id}: the event source is to be a queue's Arn or a table's StreamArn, by !GetAtt."
    for index, item_filter in enumerate(mapping.get("FilterCriteria", {}).get("Filters", [])):
        yield from _of_pattern(f"{logical_id}.FilterCriteria.Filters[{index}]", item_filter["Pattern"])
    if source_type == "AWS::SQS::Queue":
        for name in sorted(_STREAMS_ONLY & mapping.keys()):
            yield f"{logical_id}.{name}: Lambda takes this for streams only."
        if mapping.get("BatchSize", 10) > 10 and mapping.get("MaximumBatchingWindowInSeconds", 0) < 1:
            yield f"{logical_id}: a BatchSize above 10 needs MaximumBatchingWindowInSeconds of at least 1."


def _of_pattern(where: str, text: str) -> Iterator[str]:
    try:
        FilterCriteria([text])
    except FilterPatternError as error:
        yield f"{where}: {error}"


def _refs_for_arns(value: Any, resources: Mapping[str, Any], where: str) -> Iterator[str]:
    """Find a Ref, which gives a name or a URL, where an ARN belongs."""
    if isinstance(value, list):
        for index, element in enumerate(value):
            yield from _refs_for_arns(element, resources, f"{where}[{index}]")
    elif isinstance(value, dict):
        for name, element in value.items():
            place = f"{where}.{name}"
            match element:
                case {"Ref": str(target)} if name in _TAKES_ARN and target in resources:
                    if resources[target]["Type"] not in _REF_IS_ARN:
                        yield f"{place}: an ARN belongs here: !GetAtt {target}.Arn, not !Ref {target}."
                case _:
                    yield from _refs_for_arns(element, resources, place)


def _place(finding: Any) -> str:
    return ".".join(str(step) for step in finding.path or ("template",))


def main() -> None:
    """Print what is wrong and end with exit code 1, or say that nothing is.

    With the argument `resolved`, print the resources as they are with everything on, for a checker that leaves out what
    is there under a condition.
    """
    if sys.argv[1:] == ["resolved"]:
        print(json.dumps({"Resources": resolved(ALL_ON)}, indent=1))
        return
    found = [f"template.yaml: {finding}" for finding in findings()]
    try:
        found += findings_in_parameters() + findings_in_token_keys(os.environ)
    except ConfigurationError as error:
        found.append(str(error))
    if found:
        sys.exit("\n".join(found))
    print("template.yaml: nothing found in what is deployed")
