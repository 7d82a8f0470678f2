"""Check the parameters that `samconfig.toml` deploys with, alone and together, before CloudFormation sees them."""

import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.checkout import CHECKOUT
from ops.validation.parameters import contradictions
from ops.validation.resolution import resolved
from ops.validation.translation import load_template
from processors.runtime.settings import Settings, SettingsError

SAM_CONFIGURATION = CHECKOUT / "samconfig.toml"


class ConfigurationError(Exception):
    """The file cannot be read; the message is one line that says why."""


@dataclass(frozen=True)
class Deployment:
    """Parameters that one command of the SAM CLI deploys with.

    Attributes:
        where: The place in the file, such as `samconfig.toml.prod.deploy.parameters.parameter_overrides`.
        parameters: Values by the parameters' names.
        region: The AWS region; empty where the file names none.
    """

    where: str
    parameters: Mapping[str, str]
    region: str = ""


def read_deployments(configuration: Path = SAM_CONFIGURATION) -> list[Deployment]:
    """Read every `parameter_overrides` of a file; none where there is no file.

    Source: AWS SAM CLI configuration file, `<environment>.<command>.parameters`.

    Raises:
        ConfigurationError: The file is not TOML.
    """
    if not configuration.exists():
        return []
    try:
        content = tomllib.loads(configuration.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{configuration.name}: not valid TOML: {error}") from error
    return list(_deployments(content, configuration.name, ""))


def findings_in_parameters(configuration: Path = SAM_CONFIGURATION) -> list[str]:
    """Describe what CloudFormation would refuse, and what does not fit together; nothing where all is well.

    Raises:
        ConfigurationError: The file is not TOML.
    """
    definitions = load_template()["Parameters"]
    return [
        f"{deployment.where}: {problem}"
        for deployment in read_deployments(configuration)
        for problem in _problems(deployment, definitions)
    ]


def _deployments(content: Any, path: str, region: str) -> Iterator[Deployment]:
    if not isinstance(content, dict):
        return
    region = str(content.get("region", region))
    if "parameter_overrides" in content:
        yield Deployment(f"{path}.parameter_overrides", dict(_pairs(content["parameter_overrides"])), region)
    for name, value in content.items():
        yield from _deployments(value, f"{path}.{name}", region)


def _pairs(overrides: Any) -> Iterator[tuple[str, str]]:
    for override in map(str, shlex.split(overrides) if isinstance(overrides, str) else overrides):
        name, _, value = override.removeprefix("ParameterKey=").replace(",ParameterValue=", "=", 1).partition("=")
        yield name, value


def _problems(deployment: Deployment, definitions: Mapping[str, Any]) -> Iterator[str]:
    given = deployment.parameters
    alone = [
        f"{name}: {problem}"
        for name, value in given.items()
        if (problem := _wrong(value, definitions.get(name))) is not None
    ]
    yield from alone
    if not alone:
        yield from _contradictions(deployment, definitions)


def _wrong(value: str, definition: Mapping[str, Any] | None) -> str | None:
    """Say what CloudFormation would say of one value."""
    if definition is None:
        return "the template has no such parameter"
    if (allowed := definition.get("AllowedValues")) is not None and value not in map(str, allowed):
        return f"must be one of {', '.join(map(str, allowed))}, but is {value!r}"
    if definition["Type"] == "Number":
        least, most = definition.get("MinValue"), definition.get("MaxValue")
        if not re.fullmatch(r"0|-?[1-9][0-9]{0,14}", value):
            return f"must be a whole number, but is {value!r}"
        if (least is not None and int(value) < least) or (most is not None and int(value) > most):
            return f"must lie between {least} and {most}, but is {value}"
    if (pattern := definition.get("AllowedPattern")) is not None and not re.fullmatch(pattern, value):
        return str(definition.get("ConstraintDescription", f"must match {pattern}"))
    return None


def _contradictions(deployment: Deployment, definitions: Mapping[str, Any]) -> Iterator[str]:
    given = deployment.parameters
    values = {name: str(definition.get("Default", "")) for name, definition in definitions.items()} | dict(given)
    yield from contradictions(values)
    for parameter, what in (("KmsKeyArn", "key"), ("AlarmTopicArn", "topic")):
        if values[parameter] and deployment.region and values[parameter].split(":")[3] != deployment.region:
            yield f"{parameter} names a {what} of another region than {deployment.region}, where this is deployed"
    for name, resource in resolved(given).items():
        if resource["Type"] == "AWS::Lambda::Function":
            variables = resource["Properties"]["Environment"]["Variables"]
            # A reference to a resource of the stack is right as it is.
            texts = {key: value for key, value in variables.items() if isinstance(value, str)}
            try:
                Settings.from_environment(texts, needs=())
            except SettingsError as error:
                yield f"{name} would not start: {error}"
