"""Wrong parameters, alone and together, are found in samconfig.toml before CloudFormation sees them."""

import json
from pathlib import Path

import pytest

from ops.validation.checks import ALL_ON
from ops.validation.configuration import ConfigurationError, findings_in_parameters
from ops.validation.translation import load_template

KEY = ALL_ON["KmsKeyArn"]
BOUNDS = dict.fromkeys(("MinWriteCapacity", "MaxWriteCapacity", "MinReadCapacity", "MaxReadCapacity"), "100")


def findings(tmp_path: Path, region: str = "us-east-1", **parameters: str) -> list[str]:
    file = tmp_path / "samconfig.toml"
    overrides = json.dumps([f"{name}={value}" for name, value in parameters.items()])
    file.write_text(
        f'[live.global.parameters]\nregion = "eu-west-1"\n'
        f'[live.deploy.parameters]\nregion = "{region}"\nparameter_overrides = {overrides}\n'
    )
    place = "samconfig.toml.live.deploy.parameters.parameter_overrides: "
    found = findings_in_parameters(file)
    assert all(finding.startswith(place) for finding in found)
    return [finding.removeprefix(place) for finding in found]


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("KmsKeyArn", "alias/sessions", "KmsKeyArn: The ARN of a KMS key (no alias), or empty."),
        ("KmsKey", KEY, "KmsKey: the template has no such parameter"),
        ("AuthEventsArchiveDays", "-1", "AuthEventsArchiveDays: must lie between 0 and 3650, but is -1"),
        ("AuthEventsArchiveDays", "3651", "AuthEventsArchiveDays: must lie between 0 and 3650, but is 3651"),
        ("DirectMaxConcurrency", "many", "DirectMaxConcurrency: must be a whole number, but is 'many'"),
        ("DirectMaxConcurrency", "1001", "DirectMaxConcurrency: must lie between 0 and 1000, but is 1001"),
        (
            "SessionEventsQueueName",
            "events.fifo",
            "SessionEventsQueueName: Up to 80 letters, digits, hyphens and underscores, or empty.",
        ),
        ("Tracing", "yes", "Tracing: must be one of true, false, but is 'yes'"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(tmp_path: Path, name: str, value: str, problem: str) -> None:
    assert findings(tmp_path, **{name: value}) == [problem]


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        (
            {"KmsKeyArn": KEY.replace("us-east-1", "eu-west-1")},
            "KmsKeyArn names a key of another region than us-east-1, where this is deployed",
        ),
        (
            {"DirectMaxConcurrency": "5"},
            "DirectMaxConcurrency does nothing without EnableEventBridgeDirect: switch that on too",
        ),
        (
            {"ArchiveRetentionDays": "30"},
            "ArchiveRetentionDays does nothing without ArchiveSessionEvents: switch that on too",
        ),
        (
            {"BillingMode": "PROVISIONED", **BOUNDS, "MinReadCapacity": "0"},
            "MinReadCapacity is 0: BillingMode PROVISIONED needs the bounds of auto scaling",
        ),
        (
            {"MaxWriteCapacity": "100"},
            "MaxWriteCapacity does nothing without BillingMode PROVISIONED: choose that, or leave it 0",
        ),
        (
            {"BillingMode": "PROVISIONED", **BOUNDS, "MinWriteCapacity": "101"},
            "MinWriteCapacity (101) is above MaxWriteCapacity (100): lower the one or raise the other",
        ),
        (
            {"BillingMode": "PROVISIONED", **BOUNDS, "MinReadCapacity": "20000", "MaxReadCapacity": "20000"}
            | {"WarmReadUnits": "15000"},
            "WarmReadUnits (15000) is below MinReadCapacity (20000), which the tables bear at once anyway",
        ),
        (
            {"SessionTtlSeconds": "604801"},
            "SessionTtlSeconds (604801) is above SessionMaxLifetimeSeconds (604800)",
        ),
    ],
)
def test_parameters_that_contradict_each_other_are_named(
    tmp_path: Path, parameters: dict[str, str], problem: str
) -> None:
    [found] = findings(tmp_path, **parameters)

    assert found.startswith(problem)


def test_what_the_functions_would_refuse_at_their_start_is_found_before(tmp_path: Path) -> None:
    found = findings(tmp_path, CustomerNamespaces='{"https://op.example.com": 1}')

    assert found
    assert all("would not start: the environment variable CUSTOMER_NAMESPACES" in finding for finding in found)


def test_what_can_be_deployed_is_left_alone(tmp_path: Path) -> None:
    assert findings(tmp_path, **ALL_ON) == []
    assert (
        findings(tmp_path, **{name: str(each["Default"]) for name, each in load_template()["Parameters"].items()}) == []
    )
    assert findings_in_parameters(tmp_path / "none.toml") == []


def test_a_region_is_that_of_the_command_itself(tmp_path: Path) -> None:
    assert findings(tmp_path, region="us-east-1", KmsKeyArn=KEY) == []


def test_a_file_that_is_not_toml_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "samconfig.toml"
    file.write_text("version: 0.1")

    with pytest.raises(ConfigurationError, match=r"^samconfig.toml: not valid TOML"):
        findings_in_parameters(file)
