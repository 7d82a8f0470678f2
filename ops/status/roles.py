"""Whether the functions may do what the template says."""

import json
from collections.abc import Mapping
from typing import Any

from ops.status.lines import Commands, Line, State
from ops.status.policies import Deployed, missing_statements

NAME = "permissions"


def read_deployed(cloudformation: Any, stack_name: str) -> Deployed:
    """Read what CloudFormation knows of a stack.

    Raises:
        ClientError: It refused.
        BotoCoreError: It could not be reached.
    """
    [description] = cloudformation.describe_stacks(StackName=stack_name)["Stacks"]
    body = cloudformation.get_template(StackName=stack_name, TemplateStage="Processed")["TemplateBody"]
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_name)
    return Deployed(
        stack_id=description["StackId"],
        template=json.loads(body) if isinstance(body, str) else body,
        parameters={each["ParameterKey"]: each["ParameterValue"] for each in description.get("Parameters", ())},
        resources={
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for page in pages
            for each in page["StackResourceSummaries"]
        },
    )


def permissions_line(iam: Any, deployed: Deployed, commands: Commands) -> Line:
    """Compare the functions' roles with the template.

    Raises:
        ClientError: IAM refused.
        BotoCoreError: It could not be reached.
    """
    lacking: dict[str, list[str]] = {}
    mending: list[str] = []
    for role in deployed.roles():
        for policy, wanted in deployed.policies(role).items():
            missing = missing_statements(wanted, _policy(iam, deployed.resources[role], policy))
            if missing:
                lacking.setdefault(role, []).extend(missing)
                mending.append(_put_back(deployed.resources[role], role, policy, commands))
    if not lacking:
        return Line(NAME, State.OK, f"{len(deployed.roles())} roles are as the template says")
    words = "; ".join(f"{role} lacks {', '.join(missing)}" for role, missing in sorted(lacking.items()))
    return Line(NAME, State.WAITS, words, mending, {"lacking": lacking})


def _policy(iam: Any, role: str, policy: str) -> Mapping[str, Any] | None:
    try:
        found = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    except iam.exceptions.NoSuchEntityException:
        return None
    document: Mapping[str, Any] = json.loads(found) if isinstance(found, str) else found
    return document


def _put_back(physical: str, role: str, policy: str, commands: Commands) -> str:
    document = f'"$({commands.ours("status", "--policy", role)})"'
    options = ("--role-name", physical, "--policy-name", policy, "--policy-document", document)
    return commands.aws("iam", "put-role-policy", *options)
