"""JMESPath expressions of mapping files: compiled and checked when the file is read.

Source: the JMESPath specification.
"""

import re
from typing import Any

import jmespath  # type: ignore[import-untyped] # it ships no types
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped] # it ships no types

from providers.evaluation import evaluation, is_false
from providers.mapping_functions import arity_of


class Expression:
    """A compiled JMESPath expression.

    Args:
        text: The expression.

    Raises:
        ValueError: It is not a valid JMESPath expression, or calls an unknown function.
    """

    __slots__ = ("_chain", "_evaluate", "_parsed", "text")

    def __init__(self, text: str) -> None:
        try:
            self._parsed = jmespath.compile(text).parsed
        except JMESPathError as error:
            raise ValueError(f"is not a valid JMESPath expression: {' '.join(str(error).split())}") from None
        _check_calls(self._parsed)
        self._chain = _chain_of(self._parsed)
        self._evaluate = evaluation(self._parsed)
        self.text = " ".join(text.split())

    def search(self, value: object) -> Any:
        """Evaluate it; where it cannot be evaluated for this value, the result is None."""
        try:
            return self._evaluate(value)
        except (JMESPathError, TypeError):  # jmespath compares a text with a number, and looks for null in a text
            return None

    def holds(self, value: object) -> bool:
        """Evaluate it as a condition, with JMESPath's truth: zero is true, empty text, list and object are not."""
        return not is_false(self.search(value))

    @property
    def is_path(self) -> bool:
        """True for a plain path `a.b.c`: what it gives is a value of the event, never the result of a condition."""
        return bool(self._chain)

    def is_blocked(self, value: object) -> bool:
        """True where the path `a.b.c` cannot be followed because a member on its way is present and not an object.

        What cannot be read is never "not there": a logout whose session cannot be read must not end all sessions.
        """
        for name in self._chain[:-1]:
            value = value.get(name) if isinstance(value, dict) else None
            if value is None or value == "":
                return False
            if not isinstance(value, dict):
                return True
        return False

    def member_names(self) -> set[str]:
        """Return the names of the members that the expression reads."""
        return _names_in(self._parsed)

    def first_path(self) -> tuple[str, ...]:
        """Return the path, or that which any other expression begins with; empty where it begins with none."""
        node = self._parsed
        while not (chain := _chain_of(node)) and node["children"] and isinstance(node["children"][0], dict):
            node = node["children"][0]
        return chain


def _chain_of(node: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of a plain path `a.b.c`; empty for any other expression."""
    if node["type"] == "field":
        return (node["value"],)
    if node["type"] != "subexpression":
        return ()
    parts = [_chain_of(child) for child in node["children"]]
    return tuple(name for part in parts for name in part) if all(parts) else ()


def _names_in(node: Any) -> set[str]:
    if not isinstance(node, dict):
        return set()
    names = {node["value"]} if node["type"] == "field" else set()
    if node["type"] == "function_expression" and node["value"] == "member":
        names |= {child["value"] for child in node["children"] if child["type"] == "literal"}
    return names.union(*(_names_in(child) for child in node["children"]))


def _check_calls(node: Any) -> None:
    if not isinstance(node, dict):
        return
    children = node["children"]
    if node["type"] == "subexpression" and children[0]["type"] == "not_expression":
        raise ValueError("says !a.b, which JMESPath reads as (!a).b: write !(a.b)")
    if node["type"] == "function_expression":
        name = node["value"]
        arity = arity_of(name)
        if arity is None:
            raise ValueError(f"calls {name}(), which is an unknown function")
        least, takes_more = arity
        if len(children) < least or (len(children) > least and not takes_more):
            raise ValueError(f"calls {name}() with {len(children)} arguments; it takes {least}")
        if name == "capture" and children[1]["type"] == "literal":
            _check_pattern(children[1]["value"])
    for child in children:
        _check_calls(child)


def _check_pattern(pattern: object) -> None:
    try:
        re.compile(str(pattern))
    except re.error as error:
        raise ValueError(f"calls capture() with an invalid regular expression: {error}") from None
