"""The template of a gradual deployment, beside the one that deploys at once."""

import json
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint

from ops.packaging.__main__ import main
from ops.packaging.gradual import ALIAS, ROLLED_BACK_BY, SHIFTS, make_gradual
from ops.packaging.package import BuildError
from ops.validation.checks import ALL_ON
from ops.validation.translation import load_template, translate

CANARY = "Canary10Percent15Minutes"
FUNCTION = "AWS::Serverless::Function"


def translated(tmp_path: Path, deployment: str = "1", parameters: dict[str, str] | None = None) -> dict[str, Any]:
    template = load_template()
    make_gradual(template, shift=CANARY, deployment=deployment)
    path = tmp_path / "gradual.json"
    path.write_text(json.dumps(template))
    found: dict[str, Any] = translate(path, parameters or ALL_ON)["Resources"]
    return found


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == kind}


def test_everything_that_invokes_a_function_invokes_its_alias(tmp_path: Path) -> None:
    resources = translated(tmp_path)
    functions = of_type(resources, "AWS::Lambda::Function")
    invoked = [
        *(each["FunctionName"] for each in of_type(resources, "AWS::Lambda::EventSourceMapping").values()),
        *(each["FunctionName"] for each in of_type(resources, "AWS::Lambda::Permission").values()),
        *(
            target["Arn"]
            for each in of_type(resources, "AWS::Events::Rule").values()
            for target in each["Targets"]
            if "Ref" in target["Arn"] or "Function" in json.dumps(target["Arn"])
        ),
    ]

    aliases = [{"Ref": f"{name}Alias{ALIAS}"} for name in functions]

    assert functions.keys() == ROLLED_BACK_BY.keys()
    assert len(invoked) == 8
    assert all(each in aliases for each in invoked), invoked
    asynchronous = of_type(resources, "AWS::Lambda::EventInvokeConfig")
    assert {name: each["Qualifier"] for name, each in asynchronous.items()} == dict.fromkeys(asynchronous, ALIAS)


def test_each_alias_moves_step_by_step_and_goes_back_where_an_alarm_of_its_function_rings(tmp_path: Path) -> None:
    resources = translated(tmp_path)

    for name, alarms in ROLLED_BACK_BY.items():
        alias, group = resources[f"{name}Alias{ALIAS}"], resources[f"{name}DeploymentGroup"]
        moved_by = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        named = [each["Name"]["Ref"] for each in group["Properties"]["AlarmConfiguration"]["Alarms"]]

        assert moved_by["DeploymentGroupName"] == {"Ref": f"{name}DeploymentGroup"}
        assert group["Properties"]["AutoRollbackConfiguration"]["Enabled"] is True
        assert group["Properties"]["DeploymentConfigName"]["Fn::Sub"][1] == {"ConfigName": CANARY}
        assert named == list(alarms)
        assert group.get("Condition") == alias.get("Condition") == resources[name].get("Condition")
        for alarm in named:
            condition = resources[alarm].get("Condition")
            assert condition in (None, resources[name].get("Condition")), "an alarm exists where the function does"


def test_each_of_these_alarms_rings_while_the_first_tenth_of_the_traffic_is_moved(tmp_path: Path) -> None:
    resources = translated(tmp_path)

    for alarm in (resources[name]["Properties"] for names in ROLLED_BACK_BY.values() for name in names):
        rings_after = alarm["Period"] * alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
        assert rings_after <= 5 * 60, "the shortest shift"


def test_what_is_deployed_at_once_has_no_alias_no_version_and_no_codedeploy(tmp_path: Path) -> None:
    at_once = translate(parameters=ALL_ON)["Resources"]
    gradual = translated(tmp_path)

    added = {gradual[name]["Type"] for name in gradual.keys() - at_once.keys()}
    removed = at_once.keys() - gradual.keys()
    changed = {at_once[name]["Type"] for name in at_once if gradual[name] != at_once[name]}

    assert added == {
        *("AWS::Lambda::Version", "AWS::Lambda::Alias"),
        *("AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup", "AWS::IAM::Role"),
    }
    assert not removed
    assert changed == {
        *("AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::EventInvokeConfig"),
        *("AWS::Lambda::Permission", "AWS::Events::Rule"),
    }
    assert not {each["Type"] for each in at_once.values()} & added - {"AWS::IAM::Role"}


def test_every_deployment_publishes_a_version_a_changed_parameter_alone_too(tmp_path: Path) -> None:
    def versions(deployment: str, **parameters: str) -> set[str]:
        found = translated(tmp_path, deployment, ALL_ON | parameters)
        return set(of_type(found, "AWS::Lambda::Version"))

    first, second = versions("1"), versions("2", LogLevel="DEBUG")

    assert len(first) == len(second) == len(ROLLED_BACK_BY)
    assert not first & second
    assert versions("1") == first


@pytest.mark.slow
def test_cfn_lint_finds_nothing_in_it(tmp_path: Path) -> None:
    document = translate(parameters=ALL_ON)
    document["Resources"] = translated(tmp_path)

    assert [str(finding) for finding in lint(json.dumps(document))] == []


@pytest.mark.parametrize("shift", ["", "canary10percent15minutes", "AllAtOnce", "Canary10Percent15Minutes "])
def test_a_shift_that_codedeploy_does_not_know_is_refused_with_those_that_it_does(
    shift: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["template", str(tmp_path / "template.json"), "--gradual", shift])

    assert "there are Canary10Percent5Minutes, " in str(ended.value)
    assert not (tmp_path / "template.json").exists()


@pytest.mark.parametrize("shift", SHIFTS)
def test_the_build_writes_a_template_that_says_which_deployment_it_is(shift: str, tmp_path: Path) -> None:
    main(["template", str(tmp_path / "template.json"), "--gradual", shift])

    written = json.loads((tmp_path / "template.json").read_text())
    functions = [each["Properties"] for each in written["Resources"].values() if each["Type"] == FUNCTION]
    [named] = {each["Description"].rpartition(" Deployment ")[2] for each in functions}
    assert named.startswith("20")
    assert {each["DeploymentPreference"]["Type"] for each in functions} == {shift}


def test_a_function_without_alarms_that_would_stop_it_is_refused() -> None:
    template = load_template()
    template["Resources"]["AnotherFunction"] = {"Type": FUNCTION, "Properties": {"Description": "Another."}}

    with pytest.raises(BuildError, match="no alarm would stop a deployment of AnotherFunction"):
        make_gradual(template, shift=CANARY, deployment="1")
