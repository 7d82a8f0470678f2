"""The first draft of a mapping file, from samples. Every guess has a comment that says why, and what else it may be."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.mapping_candidates import FIELDS, Candidate, Member, candidates, members_of, quoted, quoted_name
from ops.sessionctl.mapping_kinds import kind_of
from ops.sessionctl.mapping_rules import ignored_types, rules

_OTHERS = 4
"""How many further candidates of a field are listed."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_TELLING = ("type", "occurred_at", "customer_id", "event_id")
"""Fields whose members tell the system's events from those of others."""

_CHECKS = {
    "type": "does it tell logins from logouts, and from all else?",
    "event_id": "is it new for each event, and the same when the event is delivered again?",
    "occurred_at": "is it when it happened, not when it was sent or written down?",
    "customer_id": "is it whoever logged in or out, never an administrator, in every type?",
    "session_id": "have the login and the logout of one session the same?",
    "tenant": "do ids of customers repeat from one of these to the next? Only then it is needed.",
    "expires_at": "is it the end of the session, not of a token? Only then it is right.",
    "client.ip": "is it the user's, not that of a server in between?",
    "client.user_agent": "is it the user's browser?",
}
_WITHOUT = {
    "event_id": "one is derived from type, customer, session and time",
    "occurred_at": "the time of the EventBridge event around it counts; without one, events are rejected",
    "customer_id": "every login is rejected, and every logout that names no session",
    "session_id": "each login is a session of its own, and each logout ends all sessions of the customer",
}
_NO_TYPE = "# CHECK: no type was found: every event is of the type `event`.\ntype = \"'event'\"\n"
_NEVER_GUESSED = frozenset({"tenant", "expires_at"})
"""Fields that are a comment at first, because a wrong guess does harm and none does not."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft of a mapping file.

    Attributes:
        text: The file.
        open_questions: What a person has to settle before it is of use, one sentence each.
    """

    text: str
    open_questions: tuple[str, ...]


def draft(
    provider: str, found: Sequence[tuple[dict[str, Any], Mapping[str, Any] | None]], known_as: Iterable[str] = ()
) -> Draft:
    """Write the draft of a mapping.

    Args:
        provider: The system's name.
        found: Events of it, each with the EventBridge event around it.
        known_as: Systems whose mappings recognise some of the events already.

    Raises:
        CannotRunError: There is no event among them, none with a name, or the system's name is none.
    """
    if not _NAME.fullmatch(provider):
        raise CannotRunError(f"{provider!r} is no name of a system: a lower-case letter, then letters, digits and _")
    page = _page([event for event, _ in found])
    events = [event for event, _ in found] if page is None else _listed([event for event, _ in found], page)
    if not events:
        raise CannotRunError(
            "the samples hold no events of another system: they are canonical, empty, or not valid JSON"
        )
    members = members_of(events)
    guesses = {field: candidates(members, field) for field in FIELDS}
    envelopes = [envelope for _, envelope in found]
    types, type_lines = _types(guesses["type"], envelopes)
    known = sorted(set(known_as))
    parts = [
        _head(provider, len(events), known),
        type_lines,
        _line("tenant", guesses["tenant"]),
        ignored_types(types),
        _recognition(events, envelopes, guesses),
        "" if page is None else _page_table([event for event, _ in found], page),
        "[fields]\n" + "".join(_line(field, guesses[field]) for field in FIELDS if field not in ("type", "tenant")),
        rules(types, members),
    ]
    questions = [f"no {field} was found" for field in ("type", "occurred_at", "customer_id") if not guesses[field]]
    questions += [f"the mapping of {name} recognises some of these events already" for name in known]
    return Draft("\n".join(part for part in parts if part), tuple(questions))


def _head(provider: str, count: int, known: Sequence[str]) -> str:
    twice = "".join(
        f"# CHECK: the mapping of {name} recognises some of these events: such are rejected.\n" for name in known
    )
    return (
        f"# {provider}: a draft of `sessionctl mapping new`, from {count} events. Settle each CHECK, then remove it.\n"
        f"# From: (the page or source that describes these events; as of which month)\n{twice}"
        f"provider = {quoted(provider)}\n"
    )


def _types(found: Sequence[Candidate], envelopes: Sequence[Mapping[str, Any] | None]) -> tuple[Member | None, str]:
    """Return the member that holds the type, and the lines that say so."""
    own = _line("type", found) or _NO_TYPE
    names = [
        str(envelope["detail-type"]) for envelope in envelopes if envelope is not None and "detail-type" in envelope
    ]
    if len(names) == len(envelopes) and any(map(kind_of, names)) and not (found and "login" in found[0].why):
        why = "# detail_type: the detail-type of the EventBridge event names a login or logout, and no member does.\n"
        return Member(("detail-type",), tuple(names), len(names)), f"{own}{why}detail_type = true\n"
    return (found[0].member if found else None), own


def _line(field: str, found: Sequence[Candidate]) -> str:
    """Write a field, with its candidates in comments; as a comment itself where a wrong guess would do harm."""
    if not found:
        return f"# CHECK: no {field} was found: {_WITHOUT[field]}.\n" if field in _WITHOUT else ""
    others = found[1 : _OTHERS + 1]
    left = len(found) - len(others) - 1
    lines = [f"# {field}: {found[0]}", *(f"#   or {other}" for other in others)]
    lines += [f"#   or one of {left} more"] if left else []
    start = "# " if field in _NEVER_GUESSED else ""
    lines += [f"#   CHECK: {_CHECKS[field]}", f"{start}{field} = {quoted(found[0].member.expression)}", ""]
    return "\n".join(lines)


def _recognition(
    events: Sequence[dict[str, Any]],
    envelopes: Sequence[Mapping[str, Any] | None],
    guesses: Mapping[str, Sequence[Candidate]],
) -> str:
    check = "# CHECK: has every event of the system these, and none of another system?\n"
    sources = {str((envelope or {}).get("source")) for envelope in envelopes}
    if len(sources) == 1 and (source := sources.pop()).startswith("aws.partner/"):
        return f"{check}[[recognise]]\nsource = {quoted('/'.join(source.split('/')[:2]) + '/')}\n"
    chosen = [guesses[field][0].member.path for field in _TELLING if guesses[field]]
    shared = [name for name in events[0] if name.isprintable() and all(name in event for event in events)]
    roots = list(dict.fromkeys(path[0] for path in chosen if path[0] in shared))
    has = [*roots, *(name for name in shared if name not in roots)][: max(len(roots), 3)]
    if has:
        return f"{check}{_way(has, chosen)}"
    shapes = dict.fromkeys(tuple(name for name in event if name.isprintable())[:4] for event in events)
    ways = [_way(shape, ()) for shape in shapes if shape]
    if not ways:
        raise CannotRunError("the events have no members by whose names they could be recognised")
    return check + "".join(ways)


def _way(has: Sequence[str], chosen: Iterable[tuple[str, ...]]) -> str:
    """Write a way of recognition; what is one object alone is told by what it holds."""
    inner = [".".join(map(quoted_name, path)) for path in chosen if len(path) > 1 and path[0] in has]
    when = f"when = {quoted(' && '.join(f'{path} != `null`' for path in inner))}\n" if len(has) == 1 and inner else ""
    return f"[[recognise]]\nhas = [{', '.join(map(quoted, has))}]\n{when}"


def _page(contents: Sequence[dict[str, Any]]) -> str | None:
    """Return the member of a page that holds its events; None where the samples are events themselves."""
    names = []
    for content in contents:
        lists = [
            name
            for name, value in content.items()
            if isinstance(value, list) and value and all(_is_named(member) for member in value)
        ]
        if len(lists) != 1 or candidates(members_of([content]), "occurred_at"):
            return None
        names += lists
    return names[0] if names and len(set(names)) == 1 and names[0].isprintable() else None


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and any(name.isprintable() for name in value)


def _listed(contents: Sequence[dict[str, Any]], page: str) -> list[dict[str, Any]]:
    return [event for content in contents for event in content[page]]


def _page_table(contents: Sequence[dict[str, Any]], page: str) -> str:
    has = [name for name in contents[0] if name.isprintable() and all(name in content for content in contents)]
    return (
        "# CHECK: are these the members of a page of the system's API, and of no other system's?\n"
        f"[[page]]\nhas = [{', '.join(map(quoted, has[:4]))}]\nmembers = {quoted(quoted_name(page))}\n"
    )
