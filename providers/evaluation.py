"""JMESPath evaluated without its visitor, which costs most of what reading an event costs: one closure for each node.

Kinds of nodes that mappings use rarely are left to jmespath. What it gives is what jmespath gives; a test holds both
against each other. Source: jmespath.py, `visitor.TreeInterpreter`.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from jmespath.visitor import TreeInterpreter  # type: ignore[import-untyped] # it ships no types

from providers.mapping_functions import OPTIONS

Evaluation: TypeAlias = Callable[[Any], Any]
Node: TypeAlias = dict[str, Any]


def evaluation(node: Node) -> Evaluation:
    """Return a function that evaluates a parsed expression.

    It raises what jmespath raises where the expression makes no sense for a value.
    """
    make = _MAKERS.get(node["type"])
    return _by_jmespath(node) if make is None else make(node)


def _by_jmespath(node: Node) -> Evaluation:
    return lambda value: TreeInterpreter(OPTIONS).visit(node, value)


def _field(node: Node) -> Evaluation:
    name = node["value"]
    return lambda value: value.get(name) if isinstance(value, dict) else None


def _subexpression(node: Node) -> Evaluation:
    steps = [evaluation(child) for child in node["children"]]

    def evaluate(value: Any) -> Any:
        for step in steps:
            value = step(value)
        return value

    return evaluate


def _literal(node: Node) -> Evaluation:
    constant = node["value"]
    return lambda _: constant


def _comparator(node: Node) -> Evaluation:
    if node["value"] not in ("eq", "ne"):
        return _by_jmespath(node)
    left, right = map(evaluation, node["children"])
    wanted = node["value"] == "eq"
    return lambda value: _is_equal(left(value), right(value)) is wanted


def _or(node: Node) -> Evaluation:
    left, right = map(evaluation, node["children"])

    def evaluate(value: Any) -> Any:
        found = left(value)
        return right(value) if is_false(found) else found

    return evaluate


def _and(node: Node) -> Evaluation:
    left, right = map(evaluation, node["children"])

    def evaluate(value: Any) -> Any:
        found = left(value)
        return found if is_false(found) else right(value)

    return evaluate


def _not(node: Node) -> Evaluation:
    [child] = map(evaluation, node["children"])
    return lambda value: is_false(child(value))


def _multi_select_dict(node: Node) -> Evaluation:
    pairs = [(child["value"], evaluation(child["children"][0])) for child in node["children"]]
    return lambda value: None if value is None else {name: child(value) for name, child in pairs}


def _multi_select_list(node: Node) -> Evaluation:
    children = [evaluation(child) for child in node["children"]]
    return lambda value: None if value is None else [child(value) for child in children]


def _index(node: Node) -> Evaluation:
    position = node["value"]

    def evaluate(value: Any) -> Any:
        if not isinstance(value, list) or not -len(value) <= position < len(value):
            return None
        return value[position]

    return evaluate


def _filter_projection(node: Node) -> Evaluation:
    base, each, holds = map(evaluation, node["children"])

    def evaluate(value: Any) -> Any:
        members = base(value)
        if not isinstance(members, list):
            return None
        found = [each(member) for member in members if not is_false(holds(member))]
        return [member for member in found if member is not None]

    return evaluate


def _function(node: Node) -> Evaluation:
    name, functions = node["value"], OPTIONS.custom_functions
    arguments = [evaluation(child) for child in node["children"]]
    return lambda value: functions.call_function(name, [argument(value) for argument in arguments])


class _Expression:
    """An expression as an argument. The name is how jmespath's functions check for one."""

    __slots__ = ("expression",)

    def __init__(self, expression: Evaluation) -> None:
        self.expression = expression

    def visit(self, expression: Evaluation, value: Any) -> Any:
        """Evaluate it, as functions ask for it."""
        return expression(value)


def _expression_reference(node: Node) -> Evaluation:
    reference = _Expression(evaluation(node["children"][0]))
    return lambda _: reference


def _projection(node: Node) -> Evaluation:
    base, each = map(evaluation, node["children"])

    def evaluate(value: Any) -> Any:
        members = base(value)
        if not isinstance(members, list):
            return None
        return [found for member in members if (found := each(member)) is not None]

    return evaluate


def is_false(value: Any) -> bool:
    """JMESPath's truth: zero is true; empty text, list and object are not."""
    return value is None or value is False or (isinstance(value, str | list | dict) and not value)


def _is_equal(left: Any, right: Any) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)  # 1 is not true


_MAKERS: dict[str, Callable[[Node], Evaluation]] = {
    "field": _field,
    "subexpression": _subexpression,
    "pipe": _subexpression,
    "index_expression": _subexpression,
    "literal": _literal,
    "comparator": _comparator,
    "or_expression": _or,
    "and_expression": _and,
    "not_expression": _not,
    "multi_select_dict": _multi_select_dict,
    "multi_select_list": _multi_select_list,
    "index": _index,
    "filter_projection": _filter_projection,
    "projection": _projection,
    "expref": _expression_reference,
    "function_expression": _function,
    "identity": lambda _: lambda value: value,
    "current": lambda _: lambda value: value,
}
