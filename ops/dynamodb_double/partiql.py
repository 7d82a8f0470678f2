"""The PartiQL that the tables are written and read with, read properly; anything else is refused.

Source: DynamoDB Developer Guide, "PartiQL insert statements", "PartiQL update statements", "PartiQL select statements".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from ops.dynamodb_double.errors import NotSimulatedError


class Term(NamedTuple):
    """A term of a WHERE: `=`, `IN`, `begins_with`, `MISSING` or `NOT MISSING`, and how many parameters it takes."""

    name: str
    kind: str
    parameters: int


@dataclass(frozen=True)
class Insert:
    """`INSERT INTO "table" VALUE {'name': ?, ...}`; parameters in the order of `names`."""

    table: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Update:
    """`UPDATE "table" SET "a" = ? ... REMOVE "b" ... WHERE "k" = ? AND ...`.

    Parameters: those of `changed`, then those of `where`. Conditions on the key attributes name the item.
    """

    table: str
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    where: tuple[Term, ...]


@dataclass(frozen=True)
class Delete:
    """`DELETE FROM "table" WHERE "k" = ? AND ...`."""

    table: str
    where: tuple[Term, ...]


@dataclass(frozen=True)
class Select:
    """`SELECT * FROM "table"."index" WHERE ...`; no names: all attributes."""

    table: str
    index: str | None
    names: tuple[str, ...]
    where: tuple[Term, ...]


Statement = Insert | Update | Delete | Select

_TOKEN = re.compile(r"""\s*(?:"(?P<name>[^"]+)"|'(?P<text>[^']+)'|(?P<word>[A-Za-z_]+)|(?P<sign>[{}:,=?.()\[\]*]))""")


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None:
                raise NotSimulatedError(f"the statement {text!r} at {position}")
            self._tokens.append((match.lastgroup or "", match[match.lastgroup or 0]))
            position = match.end()
        self._tokens.reverse()

    def take(self, kind: str, value: str | None = None) -> str:
        found = self._tokens.pop() if self._tokens else ("end", "")
        if found[0] != kind or (value is not None and found[1] != value):
            raise NotSimulatedError(f"expected {value or kind}, found {found[1]!r}: {self._text}")
        return found[1]

    def takes(self, kind: str, value: str) -> bool:
        if self._tokens and self._tokens[-1] == (kind, value):
            self._tokens.pop()
            return True
        return False

    def list_of(self, kind: str) -> list[str]:
        found = [self.take(kind)]
        while self.takes("sign", ","):
            found.append(self.take(kind))
        return found

    def end(self) -> None:
        if self._tokens:
            raise NotSimulatedError(f"text after the statement: {self._text}")


@lru_cache(maxsize=4096)
def parse(text: str) -> Statement:
    """Read a statement.

    Raises:
        NotSimulatedError: It is of no form known here.
    """
    reader = _Reader(text)
    word = reader.take("word")
    read = _READERS.get(word)
    if read is None:
        raise NotSimulatedError(f"the statement {text!r}")
    statement = read(reader)
    reader.end()
    return statement


def _insert(reader: _Reader) -> Insert:
    reader.take("word", "INTO")
    table = reader.take("name")
    reader.take("word", "VALUE")
    reader.take("sign", "{")
    names = []
    while True:
        names.append(reader.take("text"))
        reader.take("sign", ":")
        reader.take("sign", "?")
        if not reader.takes("sign", ","):
            break
    reader.take("sign", "}")
    return Insert(table, tuple(names))


def _update(reader: _Reader) -> Update:
    table = reader.take("name")
    changed: list[str] = []
    removed: list[str] = []
    while not reader.takes("word", "WHERE"):
        if reader.takes("word", "REMOVE"):
            removed.append(reader.take("name"))
            continue
        if removed:
            raise NotSimulatedError("SET after REMOVE: parameters would be out of order")
        reader.take("word", "SET")
        changed.append(reader.take("name"))
        reader.take("sign", "=")
        reader.take("sign", "?")
    return Update(table, tuple(changed), tuple(removed), _where(reader))


def _delete(reader: _Reader) -> Delete:
    reader.take("word", "FROM")
    table = reader.take("name")
    reader.take("word", "WHERE")
    return Delete(table, _where(reader))


def _select(reader: _Reader) -> Select:
    names = [] if reader.takes("sign", "*") else reader.list_of("name")
    reader.take("word", "FROM")
    table = reader.take("name")
    index = reader.take("name") if reader.takes("sign", ".") else None
    reader.take("word", "WHERE")
    return Select(table, index, tuple(names), _where(reader))


def _where(reader: _Reader) -> tuple[Term, ...]:
    terms = [_term(reader)]
    while reader.takes("word", "AND"):
        terms.append(_term(reader))
    return tuple(terms)


def _term(reader: _Reader) -> Term:
    if reader.takes("word", "begins_with"):
        reader.take("sign", "(")
        name = reader.take("name")
        reader.take("sign", ",")
        reader.take("sign", "?")
        reader.take("sign", ")")
        return Term(name, "begins_with", 1)
    name = reader.take("name")
    if reader.takes("word", "IS"):
        is_negated = reader.takes("word", "NOT")
        reader.take("word", "MISSING")
        return Term(name, "NOT MISSING" if is_negated else "MISSING", 0)
    if reader.takes("word", "IN"):
        closing = {"[": "]", "(": ")"}
        opened = reader.take("sign")
        if opened not in closing:
            raise NotSimulatedError("IN without a list")
        count = 0
        while True:
            reader.take("sign", "?")
            count += 1
            if not reader.takes("sign", ","):
                break
        reader.take("sign", closing[opened])
        return Term(name, "IN", count)
    reader.take("sign", "=")
    reader.take("sign", "?")
    return Term(name, "=", 1)


_READERS: dict[str, Callable[[_Reader], Statement]] = {
    "INSERT": _insert,
    "UPDATE": _update,
    "DELETE": _delete,
    "SELECT": _select,
}
