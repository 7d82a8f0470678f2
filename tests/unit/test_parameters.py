"""What is wrong with parameters is found in samconfig.toml, with its place; every one of them: test_bad_input.py."""

import json
from pathlib import Path

import pytest

from ops.validation.checks import ALL_ON
from ops.validation.configuration import ConfigurationError, findings_in_parameters
from ops.validation.translation import load_template

KEY = ALL_ON["KmsKeyArn"]


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
