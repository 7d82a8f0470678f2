"""Work out the intrinsic functions of a CloudFormation template, for a stack whose resources come up one by one.

Two steps, because they become possible at different times: `Intrinsics.decide` chooses among the branches of `Fn::If`,
for which parameters suffice; `Intrinsics.resolve` also puts in what only existing resources can tell. A function other
than those of `VALUE_FUNCTIONS` and `CONDITION_FUNCTIONS` is refused by name, with the place where it stands.

Reference: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Never

from ops.template.errors import TemplateError

Attributes = Mapping[tuple[str, str], Any]
"""(logical id, `Ref` or an attribute's name as in `Fn::GetAtt`) to its value, for the resources that exist so far."""

VALUE_FUNCTIONS = ("Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join", "Fn::If")
CONDITION_FUNCTIONS = ("Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or", "Condition")

_NO_VALUE = object()
_SUB_VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")


class Intrinsics:
    """The functions of one template under one choice of parameters.

    Args:
        parameters: Values of the template's parameters and of pseudo parameters such as `AWS::Region`.
        conditions: The template's `Conditions` section.

    Raises:
        TemplateError: A condition cannot be evaluated.
    """

    def __init__(self, parameters: Mapping[str, str], conditions: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self._conditions = conditions
        self._verdicts: dict[str, bool] = {}
        for name in conditions:
            self.holds(name, where=f"Conditions.{name}")

    def holds(self, condition: str, *, where: str) -> bool:
        """Tell whether a condition of the template is true.

        Raises:
            TemplateError: There is no such condition.
        """
        if condition not in self._verdicts:
            self._verdicts[condition] = self._verdict(condition, (), where)
        return self._verdicts[condition]

    def decide(self, value: Any, *, where: str) -> Any:
        """Replace every `Fn::If` by the branch that holds and drop what is `AWS::NoValue`; leave the rest as it is.

        Raises:
            TemplateError: An unknown or malformed function, also where it stands in the branch not taken.
        """
        decided = self._decide(value, where)
        if decided is _NO_VALUE:
            raise TemplateError(f"{where}: AWS::NoValue stands where a value is needed.")
        return decided

    def resolve(self, value: Any, attributes: Attributes, *, where: str) -> Any:
        """Put in a value for every function.

        Raises:
            TemplateError: An unknown or malformed function, or a reference to what `attributes` does not hold.
        """
        return self._substitute(self.decide(value, where=where), attributes, where)

    def references(self, value: Any, *, where: str) -> frozenset[tuple[str, str]]:
        """Return the (logical id, attribute) pairs that `resolve` would ask for.

        Raises:
            TemplateError: An unknown or malformed function.
        """
        asked = _AskedFor()
        self.resolve(value, asked, where=where)
        return frozenset(asked.keys_asked)

    def _verdict(self, condition: str, asked_by: tuple[str, ...], where: str) -> bool:
        if condition in asked_by:
            raise TemplateError(f"{where}: conditions form a circle: {' -> '.join((*asked_by, condition))}.")
        if condition not in self._conditions:
            raise TemplateError(f"{where}: no condition is called {condition!r}; known: {_listed(self._conditions)}.")
        return self._is_true(self._conditions[condition], (*asked_by, condition), f"Conditions.{condition}")

    def _is_true(self, expression: Any, asked_by: tuple[str, ...], where: str) -> bool:
        function, argument = _function_in(expression, CONDITION_FUNCTIONS, where)
        if function == "Condition":
            return self._verdict(argument, asked_by, where)
        operands = argument if isinstance(argument, list) else []
        if function == "Fn::Equals" and len(operands) == 2:
            left, right = (self.resolve(operand, {}, where=f"{where}.{function}") for operand in operands)
            return _as_text(left, where) == _as_text(right, where)
        truths = [self._is_true(operand, asked_by, f"{where}.{function}[{i}]") for i, operand in enumerate(operands)]
        if function == "Fn::Not" and len(truths) == 1:
            return not truths[0]
        if function in {"Fn::And", "Fn::Or"} and truths:
            return all(truths) if function == "Fn::And" else any(truths)
        raise TemplateError(f"{where}: not a condition: {expression!r}; known: {', '.join(CONDITION_FUNCTIONS)}.")

    def _decide(self, value: Any, where: str) -> Any:
        function, argument = _function_in(value, VALUE_FUNCTIONS, where)
        if function == "Ref":
            return _NO_VALUE if argument == "AWS::NoValue" else value
        if function == "Fn::If":
            return self._branch(argument, where)
        return _each(value, self._decide, where)

    def _branch(self, argument: Any, where: str) -> Any:
        match argument:
            case [str() as condition, then, otherwise]:
                # Both are worked out: what is wrong in either is wrong whatever the parameters are.
                decided = self._decide(then, f"{where}.Fn::If[1]"), self._decide(otherwise, f"{where}.Fn::If[2]")
                return decided[0] if self.holds(condition, where=where) else decided[1]
        raise TemplateError(f"{where}: Fn::If takes [condition, then, else], not {argument!r}.")

    def _substitute(self, value: Any, attributes: Attributes, where: str) -> Any:
        function, argument = _function_in(value, VALUE_FUNCTIONS, where)
        if function == "Ref":
            return self._reference(argument, attributes, where)
        if function == "Fn::GetAtt":
            return self._reference(_dotted(argument, where), attributes, where)
        if function == "Fn::Sub":
            return self._fill_in(argument, attributes, where)
        if function == "Fn::Join":
            return self._join(argument, attributes, where)
        return _each(value, lambda item, place: self._substitute(item, attributes, place), where)

    def _reference(self, name: str, attributes: Attributes, where: str) -> Any:
        """Look up a parameter (`Name`), a resource (`LogicalId`) or its attribute (`LogicalId.Attribute`)."""
        if not isinstance(name, str):
            raise TemplateError(f"{where}: a name is needed to refer to, not {name!r}.")
        if name in self._parameters:
            return self._parameters[name]
        logical_id, _, attribute = name.partition(".")
        try:
            return attributes[logical_id, attribute or "Ref"]
        except KeyError:
            asked = f"its attribute {attribute}" if attribute else "its Ref"
            message = (
                f"{where}: refers to {logical_id} for {asked}, and neither a parameter nor a created resource has it."
            )
            raise TemplateError(message) from None

    def _fill_in(self, argument: Any, attributes: Attributes, where: str) -> str:
        text, variables = argument if isinstance(argument, list) and len(argument) == 2 else (argument, {})
        if not (isinstance(text, str) and isinstance(variables, dict)):
            raise TemplateError(f"{where}: Fn::Sub takes a text, or [text, variables], not {argument!r}.")
        filled = {name: self._substitute(value, attributes, f"{where}.{name}") for name, value in variables.items()}

        def replacement(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            found = filled[name] if name in filled else self._reference(name.strip(), attributes, where)
            return _as_text(found, f"{where}: ${{{name}}}")

        return _SUB_VARIABLE.sub(replacement, text)

    def _join(self, argument: Any, attributes: Attributes, where: str) -> str:
        match argument:
            case [str() as delimiter, list() as parts]:
                resolved = self._substitute(parts, attributes, f"{where}.Fn::Join")
                return delimiter.join(_as_text(part, f"{where}.Fn::Join") for part in resolved)
        raise TemplateError(f"{where}: Fn::Join takes [delimiter, [values]], not {argument!r}.")


class _AskedFor(Mapping[tuple[str, str], Any]):
    """Attributes that has an answer to everything, and notes what it was asked for."""

    def __init__(self) -> None:
        self.keys_asked: set[tuple[str, str]] = set()

    def __getitem__(self, key: tuple[str, str]) -> str:
        self.keys_asked.add(key)
        return ""

    def __iter__(self) -> Iterator[Never]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _function_in(value: Any, known: Iterable[str], where: str) -> tuple[str, Any]:
    """Return the function that `value` is a call of, and its argument; no name for plain data.

    `Condition` is a function only where `known` says so: in a policy statement it is a plain key.
    """
    keys = value if isinstance(value, dict) else {}
    calls = [key for key in keys if isinstance(key, str) and (key in known or key == "Ref" or key.startswith("Fn::"))]
    if not calls:
        return "", None
    if len(keys) > 1:
        raise TemplateError(f"{where}: {calls[0]} shares its place with {_listed(keys.keys() - {calls[0]})}.")
    if calls[0] not in known:
        raise TemplateError(
            f"{where}: the intrinsic {calls[0]} is not supported locally; known here: {', '.join(known)}."
        )
    return calls[0], value[calls[0]]


def _each(value: Any, change: Callable[[Any, str], Any], where: str) -> Any:
    """Apply `change` to the members of a mapping or list, without those that become `AWS::NoValue`."""
    if isinstance(value, dict):
        changed = {key: change(member, f"{where}.{key}") for key, member in value.items()}
        return {key: member for key, member in changed.items() if member is not _NO_VALUE}
    if isinstance(value, list):
        members = [change(member, f"{where}[{i}]") for i, member in enumerate(value)]
        return [member for member in members if member is not _NO_VALUE]
    return value


def _dotted(argument: Any, where: str) -> str:
    """Write the argument of `Fn::GetAtt` as `LogicalId.Attribute`; CloudFormation takes it so and as a list."""
    dotted = ".".join(map(str, argument)) if isinstance(argument, list) else argument
    if isinstance(dotted, str) and "." in dotted:
        return dotted
    raise TemplateError(f"{where}: Fn::GetAtt takes [logical id, attribute], not {argument!r}.")


def _as_text(value: Any, where: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise TemplateError(f"{where}: a text or number is needed, not {value!r}.")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
