"""Deploy a template through CloudFormation, as `sam deploy` does: code to a bucket, stack, outputs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ops.local_aws.compensations import PARAMETERS, adapt, complete_tables
from ops.validation.translation import TEMPLATE_PATH, load_template

ARTIFACTS = "session-events-artifacts"
"""Bucket of the functions' code and the template; `sam deploy --resolve-s3` makes one like it."""

_POLL_SECONDS = 0.2
_PATIENCE_SECONDS = 120.0
_NOTHING_CHANGED = "No updates are to be performed"
_DONE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})


class DeploymentError(Exception):
    """The template does not deploy; the message is one line that names the resource and the reason."""


def deploy(
    client: Callable[[str], Any],
    name: str,
    code: bytes,
    *,
    parameters: Mapping[str, str] | None = None,
    template: Path = TEMPLATE_PATH,
) -> dict[str, str]:
    """Create or update a stack, and wait for it.

    Args:
        client: Gives a boto3 client by the service's name.
        name: The stack's name.
        code: The functions' code, zipped.
        parameters: Values for the template's parameters.
        template: The SAM template.

    Returns:
        The stack's outputs.

    Raises:
        DeploymentError: CloudFormation refuses it, a resource fails, or nothing moves any more.
        TemplateError: The file is no SAM template.
    """
    source = load_template(template)
    adapt(source)
    s3, cloudformation = client("s3"), client("cloudformation")
    s3.create_bucket(Bucket=ARTIFACTS)
    source["Globals"]["Function"]["CodeUri"] = f"s3://{ARTIFACTS}/{_put(s3, code, 'zip')}"
    # A template in the request itself may have 51,200 bytes.
    template_key = _put(s3, json.dumps(source).encode(), "json")
    arguments = {
        "StackName": name,
        "TemplateURL": f"{s3.meta.endpoint_url}/{ARTIFACTS}/{template_key}",
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in _known(source, {**PARAMETERS, **(parameters or {})}, parameters or {}).items()
        ],
    }
    try:
        if stack_of(cloudformation, name) is None:
            cloudformation.create_stack(**arguments)
        else:
            cloudformation.update_stack(**arguments)
    except ClientError as error:
        if _NOTHING_CHANGED not in str(error):
            why = error.response["Error"]["Message"]
            raise DeploymentError(f"CloudFormation refuses the template: {why}") from error
    outputs = _wait(cloudformation, name)
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    physical = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
    complete_tables(source, physical, client("dynamodb"))
    return outputs


def stack_of(cloudformation: Any, name: str) -> dict[str, Any] | None:
    """Describe a stack; None where there is none of that name."""
    try:
        [description] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        return None
    found: dict[str, Any] = description
    return None if found["StackStatus"] == "DELETE_COMPLETE" else found


def _known(source: dict[str, Any], values: dict[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Leave out a compensation that this template has no parameter for; refuse one of the user's."""
    definitions = source.get("Parameters", {})
    for unknown in sorted(given.keys() - definitions.keys()):
        raise DeploymentError(f"the template has no parameter {unknown}; it has {', '.join(sorted(definitions))}")
    return {name: value for name, value in values.items() if name in definitions}


def _put(s3: Any, content: bytes, suffix: str) -> str:
    key = f"{sha256(content).hexdigest()[:32]}.{suffix}"
    s3.put_object(Bucket=ARTIFACTS, Key=key, Body=content)
    return key


def _wait(cloudformation: Any, name: str) -> dict[str, str]:
    moved_at, seen = time.monotonic(), 0
    while True:
        stack = stack_of(cloudformation, name)
        if stack is None:
            raise DeploymentError(f"stack {name} was deleted while it was deployed")
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            break
        events = len(cloudformation.describe_stack_events(StackName=name)["StackEvents"])
        if events > seen:
            moved_at, seen = time.monotonic(), events
        if time.monotonic() - moved_at > _PATIENCE_SECONDS:
            raise DeploymentError(
                f"nothing has moved for {_PATIENCE_SECONDS:.0f} s: {_first_failure(cloudformation, name)}"
            )
        time.sleep(_POLL_SECONDS)
    if stack["StackStatus"] not in _DONE:
        raise DeploymentError(f"the template does not deploy: {_first_failure(cloudformation, name, stack)}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}


def _first_failure(cloudformation: Any, name: str, stack: Mapping[str, Any] | None = None) -> str:
    """Name the resource that failed first: the others only follow."""
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    for event in reversed(events):
        if event["ResourceStatus"].endswith("_FAILED") and event["LogicalResourceId"] != name:
            reason = event.get("ResourceStatusReason", "no reason given")
            return f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"
    return str((stack or {}).get("StackStatusReason") or (stack or {}).get("StackStatus") or "no event says why")
