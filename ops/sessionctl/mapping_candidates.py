"""Guess where the fields of events are, from samples: by the names of members and the form of their values.

Nothing here decides: every candidate says why it is one, best first, and a person chooses.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops.sessionctl.mapping_kinds import kind_of, words_of
from providers.values import clean_ip, is_absent, read_time

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_SHOWN = 40
_FORM = 45
_EVERYWHERE = 60
"""What counts for a candidate: the form of its values, and that every sample has it. A better name counts for 5."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member somewhere in the samples that holds a text or a number.

    Attributes:
        path: Its names, outermost first.
        values: Its values, in the order of the samples that have it.
        of: How many events there are.
    """

    path: tuple[str, ...]
    values: tuple[Any, ...]
    of: int

    @property
    def expression(self) -> str:
        """The path in JMESPath."""
        return ".".join(map(quoted_name, self.path))

    @property
    def words(self) -> list[str]:
        """The words of its own name, and of that around it: `["user", "id"]` for `user.id` and for `userId`."""
        return [word for name in self.path[-2:] for word in words_of(name)]

    @property
    def name(self) -> list[str]:
        """The words of its own name alone."""
        return words_of(self.path[-1])


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where a field may be, and why."""

    member: Member
    score: int
    why: str

    def __str__(self) -> str:
        """Say it in a line of a comment."""
        return f"{self.member.expression}: {self.why}; {_shown(self.member)}"


def quoted_name(name: str) -> str:
    """Write a name in a JMESPath expression: in quotes, unless it is a plain word."""
    return name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def quoted(text: str) -> str:
    """Write a TOML string. Source: TOML 1.0, basic strings: JSON's escapes, and U+007F."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def members_of(events: Sequence[Mapping[str, Any]]) -> list[Member]:
    """List the members of events that hold a text or a number, those of the first event first."""
    values: dict[tuple[str, ...], list[Any]] = {}
    for event in events:
        for path, value in _leaves(event, ()):
            values.setdefault(path, []).append(value)
    return [Member(path, tuple(found), len(events)) for path, found in values.items()]


def candidates(members: Sequence[Member], field: str) -> list[Candidate]:
    """Return the places where a field may be, best first.

    Args:
        members: Members of the samples.
        field: One of `FIELDS`.
    """
    found = [candidate for member in members if (candidate := _judged(member, FIELDS[field])) is not None]
    return sorted(found, key=lambda candidate: -candidate.score)


@dataclass(frozen=True, slots=True)
class _Field:
    """How a field is recognised.

    Attributes:
        names: Names that it has, as words, best first.
        fits: Whether a value may be one.
        form: What the form of a value says for it, beside the name; empty for nothing.
        alone: Whether the form alone makes a candidate.
        unlike: Words in the name that speak against it.
        varies: Whether it differs from event to event.
    """

    names: tuple[str, ...]
    fits: Callable[[Any], bool]
    form: Callable[[Any], str] = lambda _: ""
    alone: bool = False
    unlike: frozenset[str] = frozenset()
    varies: bool = False


def _judged(member: Member, field: _Field) -> Candidate | None:
    present = [value for value in member.values if not is_absent(value)]
    if not present or not all(field.fits(value) for value in present) or field.unlike & set(member.words):
        return None
    words, own = " ".join(member.words), " ".join(member.name)
    ranks = [rank for rank, name in enumerate(field.names) if name == own or f" {name} " in f" {words} "]
    form = next(filter(None, map(field.form, present)), "")
    if not ranks and not (field.alone and form):
        return None
    score, why = _FORM * (form != ""), [form] if form else []
    if ranks:
        exact = field.names[ranks[0]] in (own, words)
        score += 100 - 5 * ranks[0] + 10 * exact
        why.insert(0, f"its name says {field.names[ranks[0]]}")
    if field.varies and len(present) > 1:
        distinct = len(set(map(str, present))) == len(present)
        score += 15 if distinct else -60
        why.append("differs in every sample" if distinct else "is the same in several samples")
    score += _EVERYWHERE * len(present) // member.of - 3 * len(member.path)
    return Candidate(member, score, ", ".join(why))


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _is_name(value: Any) -> bool:
    return _is_scalar(value) and len(str(value)) <= 100 and not _is_time(value) and not _UUID.fullmatch(str(value))


def _is_time(value: Any) -> bool:
    try:
        read_time(value)
    except ValueError:
        return False
    return True


def _is_id(value: Any) -> bool:
    return _is_scalar(value) and clean_ip(value) is None and not (isinstance(value, str) and _is_time(value))


def _form_of_id(value: Any) -> str:
    if _UUID.fullmatch(str(value)):
        return "is a UUID"
    return "is an e-mail address, which changes: is there an id?" if _MAIL.fullmatch(str(value)) else ""


def _form_of_type(value: Any) -> str:
    return "names a login or logout" if kind_of(str(value)) else ""


def _form_of_agent(value: Any) -> str:
    return "looks like a user agent" if re.match(r"[\w.-]+/[\d.]+", str(value)) else ""


def _names(text: str) -> tuple[str, ...]:
    return tuple(" ".join(name.split()) for name in text.split(","))


_EXPIRY = frozenset({"expire", "expires", "expiry", "expiration", "exp", "abandon", "until", "ttl"})
_SOMEBODY = frozenset({"user", "actor", "entity", "target", "location", "object", "content", "id", "method"})
_SOMETHING = frozenset({"user", "session", "actor", "tenant", "client", "account", "customer", "app", "application"})
_NOT_WHO = frozenset({"session", "agent", "ip", "type", "device", "client", "application", "app", "time", "at", "url"})

FIELDS = {
    "type": _Field(
        _names("type, event type, event name, event, action, event action, name, kind, operation, topic"),
        _is_name,
        _form_of_type,
        unlike=_SOMEBODY,
    ),
    "event_id": _Field(
        _names("event id, uuid, id, message id, log id, jti, uid, request id, name"),
        _is_id,
        _form_of_id,
        unlike=_SOMETHING,
        varies=True,
    ),
    "occurred_at": _Field(
        _names("occurred at, event time, timestamp, time, created at, created time, created, date, at, iat"),
        _is_time,
        lambda _: "is a time",
        alone=True,
        unlike=_EXPIRY | {"id"},
    ),
    "customer_id": _Field(
        _names("""
            user id, customer id, account id, subject id, identity id, member id, actor id, principal id, sub,
            user uuid, user, customer, subject, actor, username, user name, email
        """),
        _is_id,
        _form_of_id,
        unlike=_NOT_WHO,
    ),
    "session_id": _Field(_names("session id, sid, session, session uuid, session key"), _is_id, _form_of_id),
    "tenant": _Field(
        _names("""
            tenant id, tenant, realm id, realm, organization id, organization, org id, workspace id, project id,
            environment id, pool id, instance id, domain, team id
        """),
        _is_id,
    ),
    "expires_at": _Field(
        _names("expires at, expires, expire at, expiry, expiration, exp"), _is_time, lambda _: "is a time"
    ),
    "client.ip": _Field(
        _names("ip address, client ip, ip, remote addr, source ip, address"),
        lambda value: clean_ip(value) is not None,
        lambda _: "is an address",
        alone=True,
    ),
    "client.user_agent": _Field(
        _names("user agent, useragent, agent, ua"), lambda value: isinstance(value, str), _form_of_agent
    ),
}
"""How each field of a mapping is recognised."""


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name.isprintable():
                yield from _leaves(inner, (*path, name))
    elif path and not isinstance(value, list) and value is not None:
        yield path, value


def _shown(member: Member) -> str:
    value = str(member.values[0])
    text = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
    seen = "in every sample" if len(member.values) == member.of else f"in {len(member.values)} of {member.of} samples"
    return f"{seen}, as {text!r}"
