"""The template under given parameters: conditions decided, absent values left out."""

from collections.abc import Mapping
from typing import Any

from ops.validation.translation import translate

_ABSENT = object()


def resolved(parameters: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """Translate template.yaml and decide its conditions.

    Args:
        parameters: Values by the parameters' names; the defaults where they are absent.

    Returns:
        Resources by logical id. A `Ref` to a parameter is its value; every other reference stays as it is.
    """
    document = translate(parameters=dict(parameters or {}))
    values = {name: str(definition.get("Default", "")) for name, definition in document["Parameters"].items()}
    values |= dict(parameters or {})
    conditions: dict[str, Any] = document.get("Conditions", {})

    def holds(condition: Any) -> bool:
        match condition:
            case {"Condition": name}:
                return holds(conditions[name])
            case {"Fn::Equals": [one, other]}:
                return bool(decide(one) == decide(other))
            case {"Fn::Not": [inner]}:
                return not holds(inner)
            case {"Fn::And": several}:
                return all(map(holds, several))
            case {"Fn::Or": several}:
                return any(map(holds, several))
        raise AssertionError(f"no condition: {condition}")

    def decide(value: Any) -> Any:
        match value:
            case {"Ref": "AWS::NoValue"}:
                return _ABSENT
            case {"Ref": str(name)} if name in values:
                return values[name]
            case {"Fn::If": [name, one, other]}:
                return decide(one if holds(conditions[name]) else other)
            case dict():
                return {key: kept for key, member in value.items() if (kept := decide(member)) is not _ABSENT}
            case list():
                return [kept for member in value if (kept := decide(member)) is not _ABSENT]
        return value

    return {
        name: decide({key: member for key, member in resource.items() if key != "Condition"})
        for name, resource in document["Resources"].items()
        if "Condition" not in resource or holds(conditions[resource["Condition"]])
    }
