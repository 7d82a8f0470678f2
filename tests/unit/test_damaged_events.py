"""Events of identity systems with one member missing, renamed, of a wrong type, doubled or nested once more.

For every mapping: such an event is read as before, ignored, or rejected with a reason; never is anybody else logged in
or out, and never more sessions than the event names.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.envelopes import IgnoredEvent, RejectedEvent, read_events
from providers.provider_mappings import bundled_mappings
from providers.tokens import is_token, read_claims
from schemas.events import Event, LoginEvent, LogoutAllEvent
from tests.provider_samples import provider_samples

pytestmark = pytest.mark.slow

WRONG: dict[type, list[Any]] = {
    str: [True, False, 1.5, {}, [], {"x": "y"}, ["x"], [{}]],  # a whole number is an id like a text
    int: [True, False, 1.5, {}, [], {"x": "y"}, ["x"]],
    float: [True, "odd", {}, []],
    bool: ["odd", 5, 1.5, {}, [], {"x": "y"}, ["x"]],
    dict: [True, False, 5, 1.5, "odd", [], ["x"], [{}]],
    list: [True, False, 5, "odd", {}, {"x": "y"}],
    type(None): [True, False, 1.5, {}, [], {"x": "y"}, ["x"]],
}
AROUND = [
    "x",
    "data",
    "detail",
    "event",
    "events",
    "payload",
    "Records",
    "records",
    "items",
    "body",
    "message",
    "value",
]

LOGOUTS_OF_EVERYTHING = {"auth0", "fusionauth", "keycloak", "oidc_logout", "okta", "slack", "ssf"}
"""Systems that send logouts without a session, which end all of the customer's: like one whose session was removed."""

Facts = tuple[str, str | None, str | None]
OTHER_EVENTS: dict[str, tuple[set[str], set[str], Facts]] = {
    # Each is an event that the system sends as well: one id less, of several that name the customer or the session.
    "cognito/trigger": ({"removed"}, {"request", "userAttributes", "sub"}, ("login", "ada", "derived")),
    "fusionauth/revoke-token": ({"removed"}, {"userId"}, ("logout", "0fb0fb00-0000-4000-8000-000000000013", "rt-1")),
    "okta/login-with-root-session": ({"removed"}, {"rootSessionId"}, ("login", "00uAda", "102other")),
    "okta/logout-names-the-ended-session": (
        {"removed"},
        {"debugContext", "debugData", "endedSessionId"},
        ("logout", "00uAda", "102ext"),
    ),
    "ssf/session-established-with-expiry": ({"removed"}, {"[]"}, ("login", "+15550100", "sess-5")),
    # The user's own logout, which has no target.
    "okta/logout-by-admin": ({"removed"}, {"target"}, ("logout", "00uAdmin", "102ext")),
    # Without what told that it is none, or a smaller one.
    "aws_identity_center/login-to-workspaces": (
        {"removed", "renamed", "nested"},
        {"additionalEventData", "LoginTo"},
        ("login", "ada", "derived"),
    ),
    "google_workspace/reauthentication-and-exchange": (
        {"removed", "renamed"},
        {"parameters"},
        ("login", "105250506097979753968", "derived"),
    ),
    "oidc_logout/with-a-nonce": ({"removed", "renamed"}, {"nonce"}, ("logout", "ada-1", "sid-9")),
    "slack/reset-of-phones-by-admin": ({"removed"}, {"details"}, ("logout_all", "W0ADA", None)),
    "ssf/session-revoked-in-unread-format": ({"removed"}, {"session"}, ("logout_all", "ada-1", None)),
}
"""What samples become: how they were damaged, at which member, and what is read."""


@dataclass(frozen=True)
class Damaged:
    """A sample with one thing changed.

    Attributes:
        how: What was done to it.
        path: Names of the members down to what was changed.
        content: The message.
    """

    how: str
    path: tuple[str, ...]
    content: Any


def damaged(content: Any) -> Iterator[Damaged]:
    yield from _inside(content)
    for name in AROUND:
        yield Damaged("nested", (), {name: content})
        yield Damaged("nested", (), {name: [content]})
    yield Damaged("nested", (), [content])
    yield Damaged("doubled", (), [content, content])


def _inside(content: Any) -> Iterator[Damaged]:
    if isinstance(content, dict):
        for name, value in content.items():
            others = {key: other for key, other in content.items() if key != name}
            yield Damaged("removed", (name,), others)
            for renamed in (f"{name}_x", name.swapcase()):
                yield Damaged("renamed", (name,), {**others, renamed: value})
            for changed in (*_replaced(name, value), *_inside(value)):
                yield Damaged(changed.how, (name, *changed.path), {**content, name: changed.content})
    elif isinstance(content, list):
        for number, value in enumerate(content):
            before, after = content[:number], content[number + 1 :]
            yield Damaged("removed", ("[]",), before + after)
            for changed in (*_replaced("x", value), *_inside(value)):
                yield Damaged(changed.how, ("[]", *changed.path), [*before, changed.content, *after])
    elif isinstance(content, str) and content.startswith("{"):
        for changed in _inside(json.loads(content)):
            yield Damaged(changed.how, changed.path, json.dumps(changed.content))


def _replaced(name: str, value: Any) -> Iterator[Damaged]:
    for wrong in WRONG[type(value)]:
        if wrong != value:
            yield Damaged("wrong", (), wrong)
    yield Damaged("doubled", (), [value, value])
    if isinstance(value, list):
        yield Damaged("doubled", (), value + value)
    for nested in ({"x": value}, {name: value}, [value]):
        yield Damaged("nested", (), nested)


@dataclass(frozen=True)
class Whole:
    """A sample, and what it is when nothing is wrong with it.

    Attributes:
        name: System and file.
        content: The message; of a token, its claims.
        facts: Its logins and logouts.
    """

    name: str
    content: Any
    facts: frozenset[Facts]


def read(content: Any) -> list[Facts]:
    found: list[Facts] = []
    for reading in read_events(json.dumps(content), sent_at=None):
        if isinstance(reading, RejectedEvent):
            assert reading.error.reason.isprintable()
        elif not isinstance(reading, IgnoredEvent):
            found.append(_facts(reading))
    return found


def _facts(event: Event) -> Facts:
    session = None if isinstance(event, LogoutAllEvent) else event.session_id
    is_derived = isinstance(event, LoginEvent) and event.session_id.startswith(f"{event.source}:")
    return event.event_type, event.customer_id, "derived" if is_derived else session


@cache
def samples_of(provider: str) -> list[Whole]:
    found = [sample for sample in provider_samples() if sample.provider == provider]
    contents = [read_claims(s.content, None, None) if is_token(s.body) else s.content for s in found]
    names = [f"{provider}/{sample.name}" for sample in found]
    return [Whole(name, content, frozenset(read(content))) for name, content in zip(names, contents, strict=True)]


def harm(sample: Whole, change: Damaged) -> list[Facts]:
    """Give what was read of a damaged sample and should not have been."""
    return [became for became in read(change.content) if not _is_right(sample, change, became)]


def _is_right(sample: Whole, change: Damaged, became: Facts) -> bool:
    kind, customer, session = became
    if became in sample.facts or _is_another(sample, change, became):
        return True
    if kind == "login" and session == "derived":
        return any((kind, customer) == (other[0], other[1]) for other in sample.facts)
    if kind == "logout" and customer is None:  # looked up by the session
        return any((kind, session) == (other[0], other[2]) for other in sample.facts)
    ends_everything = change.how == "removed" and sample.name.split("/")[0] in LOGOUTS_OF_EVERYTHING
    return ends_everything and kind == "logout_all" and any(("logout", customer) == other[:2] for other in sample.facts)


def _is_another(sample: Whole, change: Damaged, became: Facts) -> bool:
    hows, members, other = OTHER_EVENTS.get(sample.name, (set(), set(), None))
    return change.how in hows and not members.isdisjoint(change.path[-1:]) and became == other


PROVIDERS = sorted(mapping.provider for mapping in bundled_mappings().mappings)


@pytest.mark.slow
@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_damage_to_an_event_logs_anybody_else_in_or_out(provider: str) -> None:
    harmful = [
        (sample.name, change.how, change.path, found)
        for sample in samples_of(provider)
        for change in damaged(sample.content)
        if (found := harm(sample, change))
    ]

    assert harmful == []


@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("provider", PROVIDERS)
@given(data=st.data())
def test_damage_to_an_event_is_harmless_ignored_or_rejected(provider: str, data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(samples_of(provider)))
    changes = list(damaged(sample.content))

    change = data.draw(st.sampled_from(changes))

    assert harm(sample, change) == []


@pytest.mark.parametrize("name", OTHER_EVENTS)
def test_what_an_event_becomes_without_a_member_is_still_so(name: str) -> None:
    [sample] = [sample for sample in samples_of(name.split("/", maxsplit=1)[0]) if sample.name == name]
    hows, members, other = OTHER_EVENTS[name]

    without = [c for c in damaged(sample.content) if c.how in hows and not members.isdisjoint(c.path[-1:])]

    assert any(other in read(change.content) for change in without)
