"""Ids that stand where a mapping does not read them: renamed, misspelt, or one level further down.

What stands elsewhere is not absent: a logout whose session is named there must not end all sessions of the customer,
and no other id may stand in for it.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import Any

from providers.expressions import Expression
from providers.mapping_format import MappingFile
from providers.values import is_absent

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def misplaced_name(
    missing: Iterable[Expression], found: Iterable[Expression], view: object, mapping: MappingFile
) -> str | None:
    """Return the name of a member that looks like a missing one, if any.

    Args:
        missing: Where an id should be, and nothing is.
        found: Where it is instead.
        view: The event.
        mapping: The mapping. Another name that it reads is another thing; what it calls absent is nothing.
    """
    wanted = _key_names(missing) - _key_names(found)
    for name, value in _members(view) if wanted else ():
        if _is_nothing(value, mapping.absent) or "/" in name:  # a slash: types of events that are URIs
            continue
        if any(
            _plain(name) == _plain(key) or (name not in mapping.member_names and _contains(name, key)) for key in wanted
        ):
            return name
    return None


def _key_names(expressions: Iterable[Expression]) -> set[str]:
    """Return the names that tell what ids are of: of `refreshToken.id` the first."""
    paths = [expression.first_path() for expression in expressions]
    return {path[-2] if path[-1] == "id" and len(path) > 1 else path[-1] for path in paths if path}


def _contains(name: str, key: str) -> bool:
    return f" {_words(key)} " in f" {_words(name)} "


@lru_cache(maxsize=4096)
def _words(name: str) -> str:
    return " ".join(_WORD.findall(name)).lower()


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    return re.sub(r"[^0-9a-z]", "", name.lower())


def _is_nothing(value: Any, absent: Collection[str]) -> bool:
    return (
        is_absent(value) or value is False or value in ([], {}) or (isinstance(value, str) and value.lower() in absent)
    )


def _members(view: object) -> Iterator[tuple[str, Any]]:
    waiting = [view]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from value.items()
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
