"""Values of a template's parameters, checked as CloudFormation checks them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.template.errors import TemplateError, refuse_unknown

_PARAMETER_ATTRIBUTES = {
    *("Type", "Default", "AllowedValues", "AllowedPattern", "MinValue", "MaxValue"),
    *("Description", "ConstraintDescription"),
}
_PARAMETER_TYPES = {"String", "Number"}


@dataclass(frozen=True)
class PseudoParameters:
    """What CloudFormation puts in for `AWS::Region` and the like. The account is the one of the embedded engine."""

    region: str = "us-east-1"
    account_id: str = "123456789012"
    stack_name: str = "session-events"
    partition: str = "aws"

    def by_name(self) -> dict[str, str]:
        """Return the values by the names that templates use."""
        return {
            "AWS::Region": self.region,
            "AWS::AccountId": self.account_id,
            "AWS::StackName": self.stack_name,
            "AWS::Partition": self.partition,
        }


def parameter_values(definitions: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Return the value of every parameter, checked against its definition."""
    for unknown in sorted(given.keys() - definitions.keys()):
        known = ", ".join(sorted(definitions)) or "none"
        raise TemplateError(f"Parameters: the template has no parameter {unknown}; known: {known}.")
    values = {}
    for name, definition in definitions.items():
        where = f"Parameters.{name}"
        refuse_unknown(definition, _PARAMETER_ATTRIBUTES, where)
        if name not in given and "Default" not in definition:
            raise TemplateError(f"{where}: has no default, so a value has to be given.")
        values[name] = str(given.get(name, definition.get("Default")))
        if violation := _violation(values[name], definition):
            raise TemplateError(f"{where}: {values[name]!r} is {violation}.")
    return values


def _violation(value: str, definition: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a parameter's value, None where nothing is."""
    if definition["Type"] not in _PARAMETER_TYPES:
        return f"of type {definition['Type']}; supported locally: {', '.join(sorted(_PARAMETER_TYPES))}"
    allowed = [str(option) for option in definition.get("AllowedValues", [value])]
    if value not in allowed:
        return f"none of {', '.join(allowed)}"
    pattern = definition.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        return f"not of the form {pattern}"
    if definition["Type"] == "Number":
        return _violation_of_number(value, definition)
    return None


def _violation_of_number(value: str, definition: Mapping[str, Any]) -> str | None:
    try:
        number = float(value)
    except ValueError:
        return "not a number"
    lowest, highest = definition.get("MinValue", number), definition.get("MaxValue", number)
    return None if lowest <= number <= highest else f"outside {lowest} to {highest}"
