"""Wrong parameters and settings, alone and together, are refused before any event: none without a row in the table."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.validation.configuration import findings_in_parameters
from ops.validation.parameters import contradictions
from ops.validation.token_keys import findings_in_token_keys
from ops.validation.translation import load_template
from processors.runtime.intake import providers_of
from processors.runtime.settings import Settings, SettingsError
from tests.bad_input import PARAMETERS, SETTINGS, By, Together

TEMPLATE = load_template()
DEFINITIONS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
RULES = [assertion["AssertDescription"] for rule in TEMPLATE["Rules"].values() for assertion in rule["Assertions"]]
"""What CloudFormation says of parameters that contradict each other."""
TOGETHER = list(
    dict.fromkeys(
        (name, index)
        for name, row in PARAMETERS.items()
        if not isinstance(row.together, str)
        for index in range(len(row.together))
    )
)
COMPLETE = {
    "SESSIONS_TABLE": "sessions",
    "PROJECTIONS_TABLE": "projections",
    "REJECTED_EVENTS_QUEUE_URL": "https://sqs.example.com/rejected",
    "SESSION_COMMANDS_QUEUE_URL": "https://sqs.example.com/commands",
}


def findings(tmp_path: Path, parameters: dict[str, str]) -> list[str]:
    """What `make validate` says of a samconfig.toml with these parameters."""
    file = tmp_path / "samconfig.toml"
    overrides = json.dumps([f"{name}={value}" for name, value in parameters.items()])
    file.write_text(f'[live.deploy.parameters]\nregion = "us-east-1"\nparameter_overrides = {overrides}\n')
    return findings_in_parameters(file) + findings_in_token_keys({}, file)


def start(environment: dict[str, str], *needs: str) -> None:
    """Do what a function does before it looks at an event."""
    providers_of(Settings.from_environment(environment, needs=needs))


class Recorded(dict[str, str]):
    """An environment that knows what was asked for."""

    def __init__(self) -> None:
        """Ask nothing yet."""
        super().__init__()
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        """Note the name."""
        self.asked.add(name)
        return super().get(name, default)


def test_no_parameter_and_no_setting_is_without_a_row() -> None:
    environment = Recorded()

    Settings.from_environment(environment, needs=())

    assert set(PARAMETERS) == set(DEFINITIONS)
    assert set(SETTINGS) == environment.asked


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_wrong_parameter_is_refused_by_its_definition_alone(tmp_path: Path, name: str) -> None:
    row = PARAMETERS[name]
    assert row.wrong

    for value in row.wrong:
        [found] = findings_in_parameters_of(tmp_path, {name: value})

        assert found.startswith(f"{name}: ")
        assert row.says in found
    assert {"AllowedPattern", "AllowedValues", "MinValue"} & DEFINITIONS[name].keys()


def findings_in_parameters_of(tmp_path: Path, parameters: dict[str, str]) -> list[str]:
    place = "samconfig.toml.live.deploy.parameters.parameter_overrides: "
    findings(tmp_path, parameters)
    return [found.removeprefix(place) for found in findings_in_parameters(tmp_path / "samconfig.toml")]


@pytest.mark.parametrize("name", [name for name, each in DEFINITIONS.items() if each["Type"] == "Number"])
@pytest.mark.parametrize("value", ["", "many", "1.5", "1e3", "007", " 60", "٦٠", "-0"])
def test_a_number_is_a_whole_one_as_it_is_usually_written(tmp_path: Path, name: str, value: str) -> None:
    [found] = findings_in_parameters_of(tmp_path, {name: value})

    assert found.startswith(f"{name}: must be ")


@pytest.mark.parametrize(("name", "index"), TOGETHER)
def test_parameters_that_contradict_each_other_are_refused_in_one_line_that_names_them(
    tmp_path: Path, name: str, index: int
) -> None:
    together = PARAMETERS[name].together[index]
    assert isinstance(together, Together)

    found = [line for line in findings(tmp_path, together.parameters) if together.says in line]

    assert found
    assert all("\n" not in line for line in found)
    if together.by is By.CLOUDFORMATION:
        [said] = {said for said in RULES if together.says in said}
        assert said.rstrip(".") in found[0], "the template's rule and `make validate` say the same"


@pytest.mark.parametrize("name", [name for name, row in PARAMETERS.items() if row.unfit])
def test_what_a_function_would_refuse_at_its_start_is_refused_before(tmp_path: Path, name: str) -> None:
    for value, says in PARAMETERS[name].unfit:
        found = findings(tmp_path, {name: value})

        assert found
        assert all(says in line and "\n" not in line for line in found)


def test_every_rule_of_the_template_has_a_row() -> None:
    said = [together.says for together in each_contradiction() if together.by is By.CLOUDFORMATION]

    assert [rule for rule in RULES if not any(words in rule for words in said)] == []


def each_contradiction() -> Iterator[Together]:
    for row in PARAMETERS.values():
        if not isinstance(row.together, str):
            yield from row.together


def test_a_parameter_that_contradicts_no_other_says_why_and_is_named_by_no_rule() -> None:
    for name, row in PARAMETERS.items():
        if isinstance(row.together, str):
            assert row.together
            assert name not in json.dumps(TEMPLATE["Rules"])


def test_the_defaults_contradict_nothing() -> None:
    assert list(contradictions({name: str(each["Default"]) for name, each in DEFINITIONS.items()})) == []


@pytest.mark.parametrize(("name", "value", "says"), [(n, *case) for n, cases in SETTINGS.items() for case in cases])
def test_a_wrong_setting_stops_a_function_at_its_start_with_one_line(name: str, value: str, says: str) -> None:
    complete = {
        key: text
        for key, text in COMPLETE.items()
        if key != "SESSION_COMMANDS_QUEUE_URL" or name != "SESSION_EVENTS_QUEUE_URL"
    }
    needs = (name,) if not value else ()
    start(complete, *complete)

    with pytest.raises(SettingsError) as caught:
        start(complete | {name: value}, *needs)

    message = str(caught.value)
    assert says in message
    assert name in message
    assert "\n" not in message
    assert len(message) < 300
