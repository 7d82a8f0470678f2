"""JSON Schemas and AsyncAPI document for consumers: what is published fits them, and what is not does not."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator

from ops.schema_export.asyncapi import asyncapi_document, example_event
from ops.schema_export.export import DIRECTORY
from schemas.items import CLOSING, Session
from schemas.life_cycle import (
    DETAIL_TYPES,
    FORMAT,
    SOURCE,
    detail_of,
    expired_detail,
    over_as_of,
    with_ids_only,
)
from schemas.life_cycle_event import LifeCycleDetail, LifeCycleEvent
from tests.conftest import at


def document(name: str) -> Any:
    return json.loads((DIRECTORY / name).read_text(encoding="utf-8"))


DETAIL = Draft202012Validator(document("life-cycle-detail.schema.json"))
EVENT = Draft202012Validator(document("life-cycle-event.schema.json"))
ASYNCAPI = document("life-cycle.asyncapi.json")
EVENTS = [example_event(kind) for kind in DETAIL_TYPES]

TEXTS = st.none() | st.text(min_size=1, max_size=20)
TIMES = st.none() | st.integers(-60, 600).map(at)


@st.composite
def details(draw: st.DrawFn) -> dict[str, Any]:
    """What the publisher makes of any session."""
    session = Session(
        session_id=draw(st.text(min_size=1, max_size=20)),
        customer_id=draw(st.text(min_size=1, max_size=20)),
        parent_session_id=draw(TEXTS),
        session_state=draw(st.sampled_from(["active", CLOSING, "of another writer"])),
        started_at=draw(TIMES),
        last_login_time=draw(TIMES),
        expires_at=draw(TIMES),
        ended_at=draw(TIMES),
        end_reason=draw(TEXTS),
        client_ip=draw(TEXTS),
        version=draw(st.none() | st.integers(0, 2**60)),
    )
    now = at(draw(st.integers(0, 600))) + timedelta(milliseconds=draw(st.integers(0, 999)))
    kind = draw(st.sampled_from([*DETAIL_TYPES]))
    if kind == "expired" and session.expires_at is not None:
        return expired_detail(session, ids_only=draw(st.booleans()))
    detail = detail_of(kind, session, occurred_at=now, over=over_as_of(session, now))
    return with_ids_only(detail) if draw(st.booleans()) else detail


@pytest.mark.slow
@given(details())
def test_what_the_publisher_makes_fits_schema_and_model(detail: dict[str, Any]) -> None:
    event = example_event(detail["kind"]) | {"detail": detail}

    assert [error.message for error in DETAIL.iter_errors(detail)] == []
    assert [error.message for error in EVENT.iter_errors(event)] == []
    assert LifeCycleDetail.model_validate(detail).model_dump() == detail
    assert LifeCycleEvent.model_validate(event).model_dump(by_alias=True) == event


@pytest.mark.parametrize(
    "path", [*EVENTS[0], *(f"detail.{name}" for name in EVENTS[0]["detail"]), "detail.session.version"]
)
def test_no_member_may_be_missing(path: str) -> None:
    event = json.loads(json.dumps(EVENTS[0]))
    *parents, name = path.split(".")
    parent = event
    for step in parents:
        parent = parent[step]
    del parent[name]

    assert not EVENT.is_valid(event)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "closed"},
        {"kind": "ended"},
        {"format": FORMAT + 1},
        {"occurred_at": "2026-11-27T12:00:00Z"},
        {"occurred_at": 1795780800},
        {"occurred_at": None},
        {"over_at": "yesterday"},
        {"session": {}},
        {"id": ""},
    ],
)
def test_what_is_not_published_does_not_fit(changes: dict[str, Any]) -> None:
    event = example_event("started")

    assert not EVENT.is_valid(event | {"detail": event["detail"] | changes})


def test_members_that_a_later_release_adds_are_allowed() -> None:
    event = example_event("ended")

    assert EVENT.is_valid(event | {"replay-name": "r", "detail": event["detail"] | {"more": 1}})


def test_the_model_names_what_is_published() -> None:
    fields = LifeCycleEvent.model_fields
    session = LifeCycleDetail.model_fields["session"].annotation
    published = expired_detail(replace(Session(session_id="s", customer_id="c"), expires_at=at(0)))

    assert (
        dict(
            zip(
                get_args(LifeCycleDetail.model_fields["kind"].annotation),
                get_args(fields["detail_type"].annotation),
                strict=True,
            )
        )
        == DETAIL_TYPES
    )
    assert get_args(fields["source"].annotation) == (SOURCE,)
    assert list(LifeCycleDetail.model_fields) == list(published)
    assert list(session.model_fields) == list(published["session"])  # type: ignore[union-attr] # a model


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            yield reference
        for member in node.values():
            yield from references(member)
    elif isinstance(node, list):
        for member in node:
            yield from references(member)


def target_of(reference: str) -> Any:
    node: Any = ASYNCAPI
    assert reference.startswith("#/")
    for step in reference[2:].split("/"):
        node = node[step]
    return node


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    found = set(references(ASYNCAPI))

    assert {type(target_of(reference)) for reference in found} == {dict}
    assert len(found) >= 10


@pytest.mark.parametrize("name", ASYNCAPI["components"]["messages"])
def test_an_example_fits_the_payload_of_its_message_and_of_no_other(name: str) -> None:
    [example] = ASYNCAPI["components"]["messages"][name]["examples"]

    fitting = [
        other
        for other, message in ASYNCAPI["components"]["messages"].items()
        if Draft7Validator(message["payload"] | {"components": ASYNCAPI["components"]}).is_valid(example["payload"])
    ]

    assert fitting == [name]
    assert EVENT.is_valid(example["payload"])


def test_the_asyncapi_document_has_a_message_for_each_detail_type() -> None:
    messages = ASYNCAPI["components"]["messages"].values()

    assert asyncapi_document() == ASYNCAPI
    assert [message["title"] for message in messages] == list(DETAIL_TYPES.values())
    [operation] = ASYNCAPI["operations"].values()
    assert [target_of(target_of(message["$ref"])["$ref"]) for message in operation["messages"]] == list(messages)
