"""The PartiQL that the tables are written with, read properly; anything else is refused.

Source: DynamoDB Developer Guide, "PartiQL insert statements" and "PartiQL update statements".
"""

import re
from dataclasses import dataclass
from functools import lru_cache


class StatementError(ValueError):
    """A statement outside the part of PartiQL simulated here."""


@dataclass(frozen=True)
class Insert:
    """`INSERT INTO "table" VALUE {'name': ?, ...}`; parameters in the order of `names`."""

    table: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Update:
    """`UPDATE "table" SET "a" = ? ... REMOVE "b" ... WHERE "k" = ? AND ...`.

    Parameters: those of `changed`, then those of `equal`. Conditions on the key attributes name the item.
    """

    table: str
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    equal: tuple[str, ...]
    missing: tuple[str, ...]


_TOKEN = re.compile(r"""\s*(?:"(?P<name>[^"]+)"|'(?P<text>[^']+)'|(?P<word>[A-Z]+)|(?P<sign>[{}:,=?]))""")


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise StatementError(f"not understood at {position}: {text}")
            self._tokens.append((match.lastgroup or "", match[match.lastgroup or 0]))
            position = match.end()
        self._tokens.reverse()

    def take(self, kind: str, value: str | None = None) -> str:
        found = self._tokens.pop() if self._tokens else ("end", "")
        if found[0] != kind or (value is not None and found[1] != value):
            raise StatementError(f"expected {value or kind}, found {found[1]!r}: {self._text}")
        return found[1]

    def takes(self, kind: str, value: str) -> bool:
        if self._tokens and self._tokens[-1] == (kind, value):
            self._tokens.pop()
            return True
        return False

    def end(self) -> None:
        if self._tokens:
            raise StatementError(f"text after the statement: {self._text}")


@lru_cache(maxsize=4096)
def parse(text: str) -> Insert | Update:
    """Read a statement.

    Raises:
        StatementError: It is of no form that the tables use.
    """
    reader = _Reader(text)
    statement = _insert(reader) if reader.takes("word", "INSERT") else _update(reader)
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
    reader.take("word", "UPDATE")
    table = reader.take("name")
    changed, removed, equal, missing = [], [], [], []
    while not reader.takes("word", "WHERE"):
        if reader.takes("word", "REMOVE"):
            removed.append(reader.take("name"))
            continue
        if removed:
            raise StatementError("SET after REMOVE is not simulated: parameters would be out of order")
        reader.take("word", "SET")
        changed.append(_assignment(reader))
    while True:
        name = reader.take("name")
        if reader.takes("word", "IS"):
            reader.take("word", "MISSING")
            missing.append(name)
        else:
            reader.take("sign", "=")
            reader.take("sign", "?")
            equal.append(name)
        if not reader.takes("word", "AND"):
            return Update(table, tuple(changed), tuple(removed), tuple(equal), tuple(missing))


def _assignment(reader: _Reader) -> str:
    name = reader.take("name")
    reader.take("sign", "=")
    reader.take("sign", "?")
    return name
