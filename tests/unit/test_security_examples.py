"""The policies that docs/security.md hands out, evaluated as IAM does."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint
from ministack.core.iam_evaluator import (  # type: ignore[import-untyped] # has no types
    EvalContext,
    evaluate_resource_policy,
)
from samtranslator.yaml_helper import yaml_parse

from ops.validation.checks import ALL_ON
from ops.validation.resolution import resolved

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PUBLISHER = EXAMPLES / "publisher.yaml"
ROLE = "arn:aws:iam::123456789012:role/web-login"
BUS = "arn:aws:events:us-east-1:123456789012:event-bus/session-events-auth"
VALUES = {
    "EventBusName": "session-events-auth",
    "PublisherArn": ROLE,
    "Source": "com.example.web",
    "DetailTypes": ["Login", "Logout"],
    "AWS::StackName": "publisher-web",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
}


def filled(value: Any) -> Any:
    match value:
        case {"Ref": str(name)}:
            return VALUES[name]
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^}]+)\}", lambda found: str(VALUES[found[1]]), text)
        case dict():
            return {key: filled(member) for key, member in value.items()}
        case list():
            return [filled(member) for member in value]
    return value


def policy_of_the_bus() -> dict[str, Any]:
    resources = filled(yaml_parse(PUBLISHER.read_text(encoding="utf-8"))["Resources"])
    names = [each["Properties"]["StatementId"] for each in resources.values()]
    assert len(set(names)) == len(names)
    return {"Version": "2012-10-17", "Statement": [each["Properties"]["Statement"] for each in resources.values()]}


def decided(role: str, source: Any, detail_type: Any) -> str:
    context = {"events:source": source, "events:detail-type": detail_type}
    caller = EvalContext(
        principal_arn=role,
        principal_type="AssumedRole",
        principal_account="123456789012",
        action="events:PutEvents",
        resource_arn=BUS,
        region="us-east-1",
        service_context={name: value for name, value in context.items() if value is not None},
    )
    return str(evaluate_resource_policy(policy_of_the_bus(), caller).decision)


@pytest.mark.parametrize(
    ("role", "source", "detail_type", "decision"),
    [
        (ROLE, "com.example.web", "Login", "Allow"),
        (ROLE, ["com.example.web"], ["Login", "Logout"], "Allow"),
        (ROLE, "com.example.admin", "Login", "Deny"),
        (ROLE, ["com.example.web", "com.example.admin"], ["Login"], "Deny"),
        (ROLE, "com.example.web", "LogoutAll", "Deny"),
        (ROLE, None, None, "ImplicitDeny"),
        ("arn:aws:iam::123456789012:role/other", "com.example.web", "Login", "ImplicitDeny"),
    ],
)
def test_a_publisher_may_put_its_own_source_and_detail_types_and_nothing_else(
    role: str, source: Any, detail_type: Any, decision: str
) -> None:
    assert decided(role, source, detail_type) == decision


@pytest.mark.slow
def test_cfn_lint_finds_nothing_in_the_publishers_template() -> None:
    assert [str(finding) for finding in lint(PUBLISHER.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        ("EventBusName", ["session-events-auth"], ["", "arn:aws:events:us-east-1:123456789012:event-bus/a"]),
        ("PublisherArn", [ROLE, "arn:aws:iam::123456789012:root"], ["*", "123456789012", ROLE.replace("role/", "")]),
        ("Source", ["com.example.web"], ["", "aws.sso", "*", "two words"]),
        ("DetailTypes", ["Login", "LogoutAll"], ["", "login", "*", "Login Failed"]),
    ],
)
def test_a_wrong_publisher_is_refused_before_anything_is_deployed(
    parameter: str, good: list[str], bad: list[str]
) -> None:
    pattern = yaml_parse(PUBLISHER.read_text(encoding="utf-8"))["Parameters"][parameter]["AllowedPattern"]

    assert [value for value in good if not re.fullmatch(pattern, value)] == []
    assert [value for value in bad if re.fullmatch(pattern, value)] == []


def key_policy() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((EXAMPLES / "key-policy.json").read_text(encoding="utf-8"))["Statement"]
    return found


def test_the_keys_policy_admits_the_services_that_encrypt_on_nobodys_behalf_and_lets_iam_decide_the_rest() -> None:
    by_themselves = {"AWS::Events::EventBus": "events", "AWS::Events::Archive": "events", "AWS::Logs::LogGroup": "logs"}
    for_their_callers = {"AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::S3::Bucket"}
    firehose = {"AWS::KinesisFirehose::DeliveryStream"}  # by a grant that whoever deploys makes
    named = {found["Type"] for found in resolved(ALL_ON).values() if ALL_ON["KmsKeyArn"] in json.dumps(found)}
    services = {
        each["Principal"]["Service"].partition(".")[0]: each for each in key_policy() if "Service" in each["Principal"]
    }

    policies = {"AWS::IAM::Role", "AWS::IAM::ManagedPolicy"}
    assert named - for_their_callers - firehose - policies == by_themselves.keys()
    assert services.keys() == set(by_themselves.values())
    assert {"kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt"} <= set(services["events"]["Action"])
    assert {"AWS": "arn:aws:iam::ACCOUNT:root"} in [each["Principal"] for each in key_policy()]


def test_the_keys_policy_is_used_for_log_groups_of_the_account_alone() -> None:
    [logs] = [each for each in key_policy() if "logs" in json.dumps(each["Principal"])]

    assert logs["Condition"]["ArnLike"] == {
        "kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:REGION:ACCOUNT:log-group:*"
    }
