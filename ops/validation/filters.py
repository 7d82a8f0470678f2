"""Filter criteria of an event source mapping: which records reach the function.

The patterns are those of EventBridge, so moto's matcher for them decides. It takes an operator it does not know for a
match; here that is an error, found when the pattern is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from moto.events.exceptions import InvalidEventPatternException
from moto.events.models import EventPattern

Json = Any
"""A value as `json.loads` makes it."""

if TYPE_CHECKING:
    from moto.events.utils import EventMessageType

_OPERATORS = frozenset(
    {"prefix", "suffix", "equals-ignore-case", "anything-but", "exists", "numeric", "cidr", "wildcard"}
)
_NESTED_OPERATORS: Mapping[str, frozenset[str]] = {
    "anything-but": frozenset({"prefix", "suffix", "equals-ignore-case", "wildcard"}),
    "prefix": frozenset({"equals-ignore-case"}),
    "suffix": frozenset({"equals-ignore-case"}),
}
_COMPARISONS = frozenset({"<", "<=", "=", ">=", ">"})


class FilterPatternError(ValueError):
    """A filter pattern that Lambda would refuse, or whose operator is not known here; the message names it."""


class FilterCriteria:
    """The filters of one mapping: a record passes that matches at least one of them, or any where there is none."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        """Read the patterns.

        Args:
            patterns: Each the JSON text of `FilterCriteria.Filters[].Pattern`.

        Raises:
            FilterPatternError: A pattern is not valid.
        """
        self._patterns = [_load(pattern) for pattern in patterns]

    def accept(self, record: Mapping[str, Any]) -> bool:
        """Tell whether the function gets this record.

        Args:
            record: As the function would see it; for SQS with the body parsed where it is JSON (`parse_body`).
        """
        event = cast("EventMessageType", record)  # moto's type is that of bus events; the matcher takes any object
        return not self._patterns or any(pattern.matches_event(event) for pattern in self._patterns)


def parse_body(record: Mapping[str, Any]) -> dict[str, Any]:
    """Give an SQS record the body that filters look at: the JSON object in it, or else the text.

    A pattern for an object never matches a text, and the other way round: Lambda drops such messages.
    """
    try:
        body = json.loads(record["body"])
    except ValueError:
        return dict(record)
    return {**record, "body": body} if isinstance(body, dict) else dict(record)


def _load(text: str) -> EventPattern:
    try:
        if not isinstance(pattern := json.loads(text), dict):
            raise FilterPatternError("an object is needed")
        matcher = EventPattern.load(text)
        for operator, operand in _named_filters(pattern):
            _check(operator, operand)
    except (ValueError, InvalidEventPatternException) as error:
        raise FilterPatternError(f"filter pattern {text}: {error}") from error
    return matcher


def _named_filters(node: Json) -> Iterator[tuple[str, Json]]:
    """Find every operator with its operand; `$or` holds patterns, not values."""
    for name, value in node.items():
        if name == "$or":
            for alternative in value:
                yield from _named_filters(alternative)
        elif isinstance(value, dict):
            yield from _named_filters(value)
        else:
            for entry in value:
                if isinstance(entry, list):
                    raise FilterPatternError(f"{name}: a list inside a list of values")
                if isinstance(entry, dict):
                    yield from _only_entry(entry)


def _only_entry(named_filter: dict[str, Json]) -> Iterable[tuple[str, Json]]:
    if len(named_filter) != 1:
        raise FilterPatternError(f"one operator is needed, not {named_filter!r}")
    return named_filter.items()


def _check(operator: str, operand: Json, known: frozenset[str] = _OPERATORS) -> None:
    if operator not in known:
        raise FilterPatternError(f"unknown operator {operator!r}; known here: {', '.join(sorted(known))}")
    if operator == "numeric":
        _check_numeric(operand)
    if isinstance(operand, dict):
        for nested, nested_operand in _only_entry(operand):
            _check(nested, nested_operand, _NESTED_OPERATORS.get(operator, frozenset()))


def _check_numeric(operand: Json) -> None:
    pairs_up = isinstance(operand, list) and operand and len(operand) % 2 == 0
    if not pairs_up or not all(comparison in _COMPARISONS for comparison in operand[::2]):
        raise FilterPatternError(f"numeric takes comparison and number in turn, not {operand!r}")
