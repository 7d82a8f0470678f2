"""How a template becomes resources to create: order, references, conditions, and what is refused by name."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from ops.template.deployment import Deployment, load_deployment
from ops.template.errors import TemplateError
from ops.template.intrinsics import Intrinsics
from ops.template.parameters import PseudoParameters
from ops.template.translation import TEMPLATE_PATH

QUEUE = "AWS::SQS::Queue"
ATTRIBUTES = ("Ref", "Arn", "Name", "QueueName", "StreamArn")


def deployment(
    resources: Mapping[str, Any], parameters: Mapping[str, str] | None = None, **sections: Any
) -> Deployment:
    document = {"Resources": resources, **sections}
    return Deployment(document, parameters or {}, PseudoParameters(stack_name="Stack"))


def bus(name: Any, **attributes: Any) -> dict[str, Any]:
    return {"Type": "AWS::Events::EventBus", "Properties": {"Name": name}, **attributes}


def name_of(resource: str, stack: Deployment, attributes: Mapping[tuple[str, str], Any] | None = None) -> Any:
    [found] = [r for r in stack.resources_in_order() if r.logical_id == resource]
    return stack.properties_of(found, attributes or {})["Name"]


def ids(stack: Deployment) -> list[str]:
    return [resource.logical_id for resource in stack.resources_in_order()]


def test_the_templates_resources_resolve_in_order_from_what_the_earlier_ones_told() -> None:
    stack = load_deployment(parameters={"EnableEventBridgeDirect": "true"})
    known: dict[tuple[str, str], str] = {}

    for resource in stack.resources_in_order():
        stack.properties_of(resource, known)
        known |= {(resource.logical_id, name): f"{resource.logical_id}/{name}" for name in ATTRIBUTES}
    outputs = stack.outputs(known)

    assert outputs["SessionsStreamArn"] == "SessionsTable/StreamArn"
    assert "PublisherPolicyArn" not in outputs
    assert "Outputs.PublisherPolicyArn" in stack.without_effect


def test_the_template_translates_without_credentials_region_or_configuration(tmp_path: Path) -> None:
    clean = {"PATH": os.defpath, "HOME": str(tmp_path), "AWS_PROFILE": "absent", "AWS_EC2_METADATA_DISABLED": "true"}
    script = """
from ops.template.deployment import load_deployment
load_deployment()  # twice, because a second translator makes the first one's leftovers show
print(len(load_deployment().resources_in_order()))
"""

    done = subprocess.run(  # noqa: S603 (this interpreter, a script of ours)
        [sys.executable, "-c", script], cwd=TEMPLATE_PATH.parent, env=clean, capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert int(done.stdout) > 10


def test_a_resource_comes_after_those_it_refers_to_and_those_it_depends_on() -> None:
    stack = deployment(
        {
            "Last": bus({"Fn::Sub": "${Middle.Arn}-x"}),
            "Middle": bus("middle", DependsOn="First"),
            "First": bus("first"),
        }
    )

    assert ids(stack) == ["First", "Middle", "Last"]


def test_resources_that_wait_for_each_other_are_named_in_the_direction_of_the_need() -> None:
    circle = {"A": bus({"Ref": "B"}), "B": bus({"Fn::GetAtt": ["C", "Name"]}), "C": bus({"Ref": "A"})}

    with pytest.raises(
        TemplateError, match=r"wait for each other: (A -> B -> C -> A|B -> C -> A -> B|C -> A -> B -> C)"
    ):
        deployment(circle)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Stage"}, "test"),
        ({"Ref": "AWS::StackName"}, "Stack"),
        ({"Ref": "Other"}, "other-ref"),
        ({"Fn::GetAtt": ["Other", "Arn"]}, "other-arn"),
        ({"Fn::GetAtt": "Other.Arn"}, "other-arn"),
        ({"Fn::GetAtt": ["Other", "Endpoint.Port"]}, "other-port"),
        ({"Fn::Sub": "${Stage}/${AWS::Region}/${Other}/${Other.Arn}/*"}, "test/us-east-1/other-ref/other-arn/*"),
        ({"Fn::Sub": "${!Literal}"}, "${Literal}"),
        ({"Fn::Sub": ["${x}-${Stage}", {"x": {"Ref": "Other"}}]}, "other-ref-test"),
        ({"Fn::Join": [":", ["a", {"Ref": "Stage"}, {"Fn::GetAtt": ["Other", "Arn"]}, 5]]}, "a:test:other-arn:5"),
        ({"Fn::If": ["IsTest", {"Fn::Sub": "${Stage}-yes"}, "no"]}, "test-yes"),
        ({"Fn::If": ["IsLive", "yes", {"Fn::If": ["IsTest", {"Ref": "Stage"}, "no"]}]}, "test"),
        ([1, {"Ref": "AWS::NoValue"}, {"Fn::If": ["IsLive", 2, {"Ref": "AWS::NoValue"}]}, 3], [1, 3]),
        ({"keep": True, "drop": {"Ref": "AWS::NoValue"}}, {"keep": True}),
        (
            {"Condition": {"ArnEquals": {"aws:SourceArn": {"Ref": "Other"}}}},
            {"Condition": {"ArnEquals": {"aws:SourceArn": "other-ref"}}},
        ),
    ],
)
def test_a_function_resolves_as_cloudformation_does(value: Any, expected: Any) -> None:
    conditions = {
        "IsTest": {"Fn::Equals": [{"Ref": "Stage"}, "test"]},
        "IsLive": {"Fn::Not": [{"Condition": "IsTest"}]},
    }
    intrinsics = Intrinsics({"Stage": "test", "AWS::Region": "us-east-1", "AWS::StackName": "Stack"}, conditions)
    attributes = {
        ("Other", "Ref"): "other-ref",
        ("Other", "Arn"): "other-arn",
        ("Other", "Endpoint.Port"): "other-port",
    }

    assert intrinsics.resolve(value, attributes, where="X") == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ({"Fn::Equals": ["true", True]}, True),
        ({"Fn::Equals": [{"Fn::Sub": "${Stage}!"}, "test!"]}, True),
        ({"Fn::And": [{"Condition": "Yes"}, {"Fn::Not": [{"Condition": "Yes"}]}]}, False),
        ({"Fn::Or": [{"Fn::Not": [{"Condition": "Yes"}]}, {"Condition": "Yes"}]}, True),
    ],
)
def test_a_condition_is_evaluated_as_cloudformation_does(expression: Any, *, expected: bool) -> None:
    conditions = {"It": expression, "Yes": {"Fn::Equals": ["a", "a"]}}

    intrinsics = Intrinsics({"Stage": "test"}, conditions)

    assert intrinsics.holds("It", where="X") is expected


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"A": {"Condition": "B"}, "B": {"Fn::Not": [{"Condition": "A"}]}}, r"circle: A -> B -> A"),
        ({"A": {"Condition": "Missing"}}, r"Conditions\.A: no condition is called 'Missing'; known: A"),
        ({"A": {"Fn::Contains": [[1], 1]}}, r"Conditions\.A: the intrinsic Fn::Contains is not supported locally"),
        ({"A": {"Fn::Not": [{"Fn::Contains": []}]}}, r"Conditions\.A\.Fn::Not\[0\]: the intrinsic Fn::Contains"),
        ({"A": "true"}, r"Conditions\.A: not a condition: 'true'"),
        ({"A": {"Fn::Equals": [{"Ref": "Queue"}, "x"]}}, r"refers to Queue for its Ref"),
    ],
)
def test_a_condition_that_cannot_be_evaluated_is_named(conditions: Mapping[str, Any], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        Intrinsics({}, conditions)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"Fn::Select": [0, ["a"]]},
            r"Bus\.Name: the intrinsic Fn::Select is not supported locally; known here: Ref, ",
        ),
        ({"Fn::Sub": ["${x}", {"x": {"Fn::Base64": "y"}}]}, r"Bus\.Name\.Fn::Sub\[1\]\.x: the intrinsic Fn::Base64"),
        ({"Fn::If": ["Never", {"Fn::FindInMap": []}, "b"]}, r"Bus\.Name\.Fn::If\[1\]: the intrinsic Fn::FindInMap"),
        ({"Fn::If": ["Missing", "a", "b"]}, r"Bus\.Name: no condition is called 'Missing'"),
        ({"Fn::If": ["Never", "a"]}, r"Bus\.Name: Fn::If takes \[condition, then, else\]"),
        ({"Fn::Join": ["a", "b"]}, r"Bus\.Name: Fn::Join takes \[delimiter, \[values\]\]"),
        ({"Fn::Join": ["-", ["a", {"b": 1}]]}, r"Bus\.Name\.Fn::Join: a text or number is needed"),
        ({"Fn::GetAtt": ["Other"]}, r"Bus\.Name: Fn::GetAtt takes \[logical id, attribute\]"),
        ({"Fn::Sub": {"a": 1}}, r"Bus\.Name: Fn::Sub takes a text"),
        ({"Ref": ["Other"]}, r"Bus\.Name: a name is needed"),
        ({"Ref": "Other", "Fn::Sub": "x"}, r"Bus\.Name: Ref shares its place with Fn::Sub"),
        ({"Ref": "Absent"}, r"Bus: refers to Absent, which is no parameter and no resource whose condition holds"),
        ({"Ref": "Conditional"}, r"Bus: refers to Conditional, which is no parameter and no resource"),
        ({"Fn::GetAtt": ["Role", "Arn"]}, r"Bus: needs Role, which is not created locally: the local engines check"),
    ],
)
def test_what_cannot_be_resolved_is_refused_with_its_place(value: Any, message: str) -> None:
    resources = {
        "Bus": bus(value),
        "Other": bus("other"),
        "Conditional": bus("conditional", Condition="Never"),
        "Role": {"Type": "AWS::IAM::Role", "Properties": {}},
    }

    with pytest.raises(TemplateError, match=message):
        deployment(resources, Conditions={"Never": {"Fn::Equals": ["a", "b"]}})


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ({"Type": "AWS::SNS::Topic"}, r"It: the resource type AWS::SNS::Topic is not supported locally; known: "),
        ({"Type": QUEUE, "Properties": {"FifoQueue": True}}, r"It\.FifoQueue: this property is not supported locally"),
        (
            {"Type": QUEUE, "Properties": {"RedrivePolicy": {"x": 1}}},
            r"It\.RedrivePolicy\.x: .* known here: deadLetter",
        ),
        ({"Type": QUEUE, "Properties": {"RedrivePolicy": "x"}}, r"It\.RedrivePolicy: properties by name are needed"),
        (
            {"Type": "AWS::Events::Rule", "Properties": {"Targets": [{"Id": "a"}, {"InputPath": "$.detail"}]}},
            r"It\.Targets\[1\]\.InputPath: this property is not supported locally",
        ),
        ({"Type": QUEUE, "CreationPolicy": {}}, r"Resources\.It\.CreationPolicy: not supported locally"),
        ({"Type": QUEUE, "DependsOn": "Absent"}, r"It: refers to Absent"),
        (
            {"Type": "AWS::IAM::Role", "Properties": {"RoleName": {"Fn::Split": []}}},
            r"It\.RoleName: the intrinsic Fn::Split",
        ),
    ],
)
def test_what_the_local_stack_does_not_know_is_refused_by_name(resource: Mapping[str, Any], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        deployment({"It": resource})


def test_a_section_that_the_local_stack_does_not_read_is_refused() -> None:
    with pytest.raises(TemplateError, match=r"template\.Mappings: not supported locally"):
        deployment({}, Mappings={})


def test_properties_without_local_effect_are_left_out_and_say_why_however_deep_they_are() -> None:
    target = {"Id": "a", "Arn": "b", "RetryPolicy": {"MaximumRetryAttempts": 1}}
    stack = deployment(
        {
            "Queue": {"Type": QUEUE, "Properties": {"SqsManagedSseEnabled": True, "VisibilityTimeout": 5}},
            "Rule": {"Type": "AWS::Events::Rule", "Properties": {"Targets": [target]}},
        }
    )

    kept = {resource.logical_id: resource.properties for resource in stack.resources_in_order()}

    assert kept == {"Queue": {"VisibilityTimeout": 5}, "Rule": {"Targets": [{"Id": "a", "Arn": "b"}]}}
    assert stack.without_effect == {
        "Queue.SqsManagedSseEnabled": "nothing is stored beyond the run",
        "Rule.Targets[0].RetryPolicy": "the local bus delivers at once or not at all",
    }


def test_a_resource_whose_condition_is_false_is_left_out_with_its_outputs() -> None:
    parameters = {"On": {"Type": "String", "Default": "no", "AllowedValues": ["yes", "no"]}}
    sections = {
        "Parameters": parameters,
        "Conditions": {"IsOn": {"Fn::Equals": [{"Ref": "On"}, "yes"]}},
        "Outputs": {"Name": {"Value": {"Ref": "Bus"}, "Condition": "IsOn"}},
    }
    resources = {"Bus": bus("b", Condition="IsOn")}

    off, on = deployment(resources, **sections), deployment(resources, {"On": "yes"}, **sections)

    assert (ids(off), off.outputs({})) == ([], {})
    assert (ids(on), on.outputs({("Bus", "Ref"): "b"})) == (["Bus"], {"Name": "b"})


def test_an_attribute_that_no_resource_has_told_is_named_with_who_asks() -> None:
    stack = deployment({"Bus": bus({"Fn::GetAtt": ["Other", "Arn"]}), "Other": bus("other")})

    with pytest.raises(TemplateError, match=r"Bus\.Name: refers to Other for its attribute Arn"):
        name_of("Bus", stack, {("Other", "Ref"): "other"})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"Speed": "1"}, r"the template has no parameter Speed; known: AlarmTopicArn, "),
        ({"EnableEventBridgeDirect": "yes"}, r"EnableEventBridgeDirect: 'yes' is none of true, false"),
        ({"SessionTtlSeconds": "5"}, r"SessionTtlSeconds: '5' is outside 60 to 31536000"),
        ({"SessionTtlSeconds": "a day"}, r"SessionTtlSeconds: 'a day' is not a number"),
        ({"AlarmTopicArn": "topic"}, r"AlarmTopicArn: 'topic' is not of the form \^\(\|arn:aws"),
    ],
)
def test_a_parameter_the_template_would_not_take_is_refused(given: Mapping[str, str], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        load_deployment(parameters=given)


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ({"Type": "String"}, r"Parameters\.P: has no default, so a value has to be given"),
        (
            {"Type": "CommaDelimitedList", "Default": "a"},
            r"Parameters\.P: 'a' is of type CommaDelimitedList; supported",
        ),
        ({"Type": "String", "Default": "a", "MaxLength": 3}, r"Parameters\.P\.MaxLength: not supported locally"),
    ],
)
def test_a_parameter_that_cannot_be_honoured_is_refused(definition: Mapping[str, Any], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        deployment({}, Parameters={"P": definition})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Resources: [", "not YAML"),
        ("Description: none", "a template with a Resources section is needed"),
        ("Resources: {F: {Type: AWS::Serverless::Function, Properties: {CodeUri: src}}}", r"F\.CodeUri: .* not 'src'"),
        (
            "Resources: {F: {Type: AWS::Serverless::Function, Properties: {CodeUri: .}}}",
            "not a valid SAM template: .*F",
        ),
    ],
)
def test_a_file_that_is_no_template_for_the_local_stack_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(dedent(text))

    with pytest.raises(TemplateError, match=message):
        load_deployment(path)


def test_a_physical_name_is_one_that_a_bucket_may_have_too() -> None:
    [bucket] = deployment({"FailedBatches": {"Type": "AWS::S3::Bucket"}}).resources_in_order()

    assert bucket.physical_name == "stack-failedbatches"
