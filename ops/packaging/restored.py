"""The template with another sessions table in the place of its own: one that was restored, or was there before."""

from __future__ import annotations

import re
from typing import Any

from ops.packaging.package import BuildError

_TABLE = "SessionsTable"
_STREAM_ARN = re.compile(
    r"(?P<table>arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:\d{12}:table/(?P<name>[A-Za-z0-9_.-]{3,255}))/stream/[0-9T:.-]+"
)


def use_table(template: dict[str, Any], stream_arn: str) -> dict[str, Any]:
    """Return a SAM template whose functions, permissions, alarms and outputs are about another table.

    The table that the stack made stays in it, untouched, as CloudFormation cannot exchange the one for the other.

    Args:
        template: The SAM template, intrinsic functions in their long form.
        stream_arn: ARN of the other table's stream, with the table's name in it.

    Raises:
        BuildError: That is not the ARN of a table's stream.
    """
    found = _STREAM_ARN.fullmatch(stream_arn)
    if found is None:
        raise BuildError(
            f"{stream_arn} is not the ARN of a table's stream: take LatestStreamArn of `aws dynamodb describe-table`"
        )
    values = {"": found["name"], "Arn": found["table"], "StreamArn": stream_arn}
    own = template["Resources"][_TABLE]
    changed: dict[str, Any] = _with(values, template)
    changed["Resources"][_TABLE] = own
    return changed


def _with(values: dict[str, str], value: Any) -> Any:
    match value:
        case {"Ref": str(name)} if name == _TABLE:
            return values[""]
        case {"Fn::GetAtt": [str(name), str(attribute)]} if name == _TABLE:
            return values[attribute]
        case {"Fn::GetAtt": str(path)} if path.partition(".")[0] == _TABLE:
            return values[path.partition(".")[2]]
        case dict():
            return {name: _with(values, member) for name, member in value.items()}
        case list():
            return [_with(values, member) for member in value]
        case _:
            return _in_text(values, value) if isinstance(value, str) else value


def _in_text(values: dict[str, str], text: str) -> str:
    """Replace what stands in the text of an `Fn::Sub`."""
    for attribute, value in values.items():
        text = text.replace(f"${{{_TABLE}{'.' if attribute else ''}{attribute}}}", value)
    return text
