"""The rules of a draft: a rule for each kind of event, by the names of the types alone."""

import json
import re
from collections.abc import Sequence
from typing import Any

from ops.sessionctl.mapping_candidates import Member, quoted
from ops.sessionctl.mapping_kinds import kind_of
from providers.values import is_absent

_RESULTS = frozenset({"result", "outcome", "status", "success", "succeeded", "error"})
_GOOD = frozenset({"success", "succeeded", "successful", "ok", "true", "allow", "0", "200"})
_MOST_RESULTS = 3
_MOST_VALUES = 5


def ignored_types(types: Member | None) -> str:
    """Write the list of types that say neither login nor logout; empty where there are none, or no others."""
    by_kind = _by_kind(types)
    if by_kind.keys() <= {""} or "" not in by_kind:
        return ""
    return f"# CHECK: the names of these say neither login nor logout.\nignored = [{_list(by_kind[''])}]\n"


def rules(types: Member | None, members: Sequence[Member]) -> str:
    """Write a rule for each kind of event whose types are among the samples.

    Args:
        types: The member that holds the type; None where none was found.
        members: All members, of which some may say whether it succeeded.
    """
    by_kind = _by_kind(types)
    unnamed = by_kind.pop("", [])
    if not by_kind:
        return (
            "# CHECK: no type says login or logout by its name. What are they? Write a rule for each kind.\n"
            f'[[events]]\nis = "rejected"\n{f"types = [{_list(unnamed)}]" if unnamed else "# types = []"}\n'
            'because = "the mapping does not say yet what this is"\n'
        )
    return "\n".join(
        _rule(kind, by_kind[kind], members) for kind in ("login", "logout", "logout_all") if kind in by_kind
    )


def _rule(kind: str, types: Sequence[str], members: Sequence[Member]) -> str:
    lines = [
        f"# CHECK: {kind} by the names of its types alone.",
        "[[events]]",
        f'is = "{kind}"',
        f"types = [{_list(types)}]",
    ]
    results = [member for member in members if _RESULTS & set(member.name) and len(_values(member)) <= _MOST_VALUES]
    for member in results[:_MOST_RESULTS]:
        good = next((value for value in _values(member) if str(value).lower() in _GOOD), member.values[0])
        condition = quoted(f"{member.expression} == {_literal(good)}")
        lines.append(f"# when = {condition} # CHECK: samples have {', '.join(map(repr, _values(member)))}")
    return "\n".join(lines) + "\n"


def _by_kind(types: Member | None) -> dict[str, list[str]]:
    """Return the types by kind; by the empty text those that say none."""
    found: dict[str, list[str]] = {}
    for name in map(str, _values(types) if types is not None else ()):
        found.setdefault(kind_of(name), []).append(name)
    return found


def _values(member: Member) -> list[Any]:
    return [value for value in dict.fromkeys(member.values) if not is_absent(value)]


def _list(types: Sequence[str]) -> str:
    return ", ".join(map(quoted, types))


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + re.sub(r"(['\\])", r"\\\1", value) + "'"
    return f"`{json.dumps(value)}`"
