"""Condition, key condition and update expressions, read once per text.

Source: DynamoDB Developer Guide, "Condition and filter expressions, operators, and functions" and "Update expressions".
Attributes are named at the top level of an item only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from ops.dynamodb_double.errors import NotSimulatedError, invalid

Item = dict[str, dict[str, Any]]
Check = Callable[[Item, Mapping[str, str], Item], bool]
"""From an item (empty: there is none), names by placeholder, and values by placeholder."""

_TOKEN = re.compile(r"\s*(<>|<=|>=|[=<>(),]|[#:]?[A-Za-z_][\w]*)")
_WORD = re.compile(r"[#:]?[A-Za-z_]\w*")
_RESERVED = frozenset({"ttl", "source", "token", "status", "state", "session", "name", "time", "date", "timestamp"})
"""Of the words that DynamoDB reserves, those that an attribute of ours may have."""


class Tokens:
    """Tokens of an expression, from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = []
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise NotSimulatedError(f"the expression {text!r} at {position}")
            self._tokens.append(match[1])
            position = match.end()
        self._tokens.reverse()

    def peek(self) -> str:
        """Show the next token; empty at the end."""
        return self._tokens[-1] if self._tokens else ""

    def take(self, *wanted: str) -> str:
        """Take the next token, which has to be one of those wanted, if any are named."""
        token = self._tokens.pop() if self._tokens else ""
        if not token or (wanted and token.upper() not in wanted):
            raise NotSimulatedError(f"expected {' or '.join(wanted) or 'more'}, found {token!r}: {self._text}")
        return token

    def takes(self, wanted: str) -> bool:
        """Take the next token if it is the one wanted."""
        if self.peek().upper() != wanted:
            return False
        self._tokens.pop()
        return True


@lru_cache(maxsize=4096)
def validate(texts: tuple[str, ...], names: frozenset[str], values: frozenset[str]) -> None:
    """Refuse placeholders that are not defined or not used, and reserved words, before anything is read.

    Raises:
        ServiceError: There is one.
    """
    words = {word for text in texts for word in _WORD.findall(text)}
    for kind, sign, defined in (("name", "#", names), ("value", ":", values)):
        used = {word for word in words if word.startswith(sign)}
        if used != defined:
            raise invalid(f"the {kind}s {sorted(used ^ defined)} are not defined, or not used in expressions")
    reserved = {word for word in words if word.lower() in _RESERVED}
    if reserved:
        raise invalid(f"Attribute name is a reserved keyword; reserved keyword: {sorted(reserved)[0]}")


def resolve(name: str, names: Mapping[str, str]) -> str:
    """Give an attribute's name for what stands in a validated expression."""
    return names[name] if name.startswith("#") else name


def equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Compare attribute values: numbers by value, all else as it stands."""
    if one.keys() == other.keys() == {"N"}:
        return Decimal(one["N"]) == Decimal(other["N"])
    return one == other


@lru_cache(maxsize=4096)
def condition(text: str) -> Check:
    """Read a condition.

    Raises:
        NotSimulatedError: It is of no form known here.
    """
    tokens = Tokens(text)
    check = _any(tokens)
    if tokens.peek():
        raise NotSimulatedError(f"text after the condition: {text}")
    return check


def _any(tokens: Tokens) -> Check:
    checks = [_all(tokens)]
    while tokens.takes("OR"):
        checks.append(_all(tokens))
    return checks[0] if len(checks) == 1 else lambda *about: any(check(*about) for check in checks)


def _all(tokens: Tokens) -> Check:
    checks = [_term(tokens)]
    while tokens.takes("AND"):
        checks.append(_term(tokens))
    return checks[0] if len(checks) == 1 else lambda *about: all(check(*about) for check in checks)


def _term(tokens: Tokens) -> Check:
    if tokens.takes("NOT"):
        negated = _term(tokens)
        return lambda *about: not negated(*about)
    if tokens.takes("("):
        inner = _any(tokens)
        tokens.take(")")
        return inner
    word = tokens.take()
    if word in ("attribute_exists", "attribute_not_exists"):
        tokens.take("(")
        name = tokens.take()
        tokens.take(")")
        is_wanted = word == "attribute_exists"
        return lambda item, names, values: (resolve(name, names) in item) is is_wanted
    if word == "begins_with":
        tokens.take("(")
        name = tokens.take()
        tokens.take(",")
        place = tokens.take()
        tokens.take(")")
        return lambda item, names, values: _begins(item.get(resolve(name, names)), values[place])
    comparison = tokens.take("=", "<>", "<", "<=", ">", ">=")
    place = tokens.take()
    return lambda item, names, values: _compare(item.get(resolve(word, names)), comparison, values[place])


def _begins(found: dict[str, Any] | None, prefix: dict[str, Any]) -> bool:
    return found is not None and "S" in found and "S" in prefix and found["S"].startswith(prefix["S"])


def _compare(found: dict[str, Any] | None, comparison: str, value: dict[str, Any]) -> bool:
    if comparison in ("=", "<>"):
        return (found is not None and equal(found, value)) is (comparison == "=")
    if found is None or found.keys() != value.keys():
        return False
    [(kind, one)], [other] = found.items(), value.values()
    left, right = (Decimal(one), Decimal(other)) if kind == "N" else (one, other)
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[comparison]


@lru_cache(maxsize=4096)
def update(text: str) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Read an update: (what to do, attribute, operands) for each attribute; `set`, `default`, `plus`, `remove`, `add`.

    Raises:
        NotSimulatedError: It is of no form known here.
    """
    tokens = Tokens(text.replace("+", " plus "))
    changes: list[tuple[str, str, tuple[str, ...]]] = []
    while tokens.peek():
        clause = tokens.take("SET", "REMOVE", "ADD").upper()
        while True:
            name = tokens.take()
            if clause == "REMOVE":
                changes.append(("remove", name, ()))
            elif clause == "ADD":
                changes.append(("add", name, (tokens.take(),)))
            else:
                changes.append(_assignment(tokens, name))
            if not tokens.takes(","):
                break
    return tuple(changes)


def _assignment(tokens: Tokens, name: str) -> tuple[str, str, tuple[str, ...]]:
    tokens.take("=")
    operand = tokens.take()
    if operand == "if_not_exists":
        tokens.take("(")
        other = tokens.take()
        tokens.take(",")
        place = tokens.take()
        tokens.take(")")
        return "default", name, (other, place)
    if tokens.takes("PLUS"):
        return "plus", name, (operand, tokens.take())
    return "set", name, (operand,)


def updated(item: Item, text: str, names: Mapping[str, str], values: Item) -> Item:
    """Give an item as an update expression makes it.

    Raises:
        ServiceError: An attribute is changed twice, or a sum is not of numbers.
    """
    after = dict(item)
    changed: set[str] = set()
    for action, name, operands in update(text):
        attribute = resolve(name, names)
        if attribute in changed:
            raise invalid("Two document paths overlap with each other")
        changed.add(attribute)
        if action == "remove":
            after.pop(attribute, None)
            continue
        if action == "add":
            added = [item.get(attribute, {"N": "0"}), values[operands[0]]]
        elif action == "default":
            after[attribute] = item.get(resolve(operands[0], names)) or values[operands[1]]
            continue
        elif action == "plus":
            added = [_operand(operand, item, names, values) for operand in operands]
        else:
            after[attribute] = _operand(operands[0], item, names, values)
            continue
        if any("N" not in part for part in added):
            raise invalid("An operand in the update expression has an incorrect data type")
        after[attribute] = {"N": str(sum(Decimal(part["N"]) for part in added))}
    return after


def _operand(text: str, item: Item, names: Mapping[str, str], values: Item) -> dict[str, Any]:
    if text.startswith(":"):
        return values[text]
    found = item.get(resolve(text, names))
    if found is None:
        raise invalid("The provided expression refers to an attribute that does not exist in the item")
    return found
