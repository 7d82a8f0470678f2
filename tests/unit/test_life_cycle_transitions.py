"""Which life-cycle event a change of a session's item makes: the whole table, with ids, ends and the agenda."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from processors.life_cycle.transitions import Change, Transition, change_of, expiry_to_note, transition_of
from schemas.item_mapping import write_item
from schemas.items import CLOSING, Revocation, Session
from schemas.stream import read_record
from tests.conftest import at

LIVE = Session(
    session_id="s-1",
    customer_id="c-1",
    started_at=at(0),
    last_login_time=at(1),
    expires_at=at(60),
    client_ip="192.0.2.7",
    access_token_sha256="0" * 64,
    version=7,
)
CHILD = replace(LIVE, parent_session_id="p-1")
ENDED = replace(LIVE, session_state=CLOSING, ended_at=at(5), end_reason="user", version=8)
TOMBSTONE = Session(session_id="s-1", customer_id="c-1", session_state=CLOSING, ended_at=at(5), version=7)
ORIGINAL = Session(session_id="s-1", customer_id="c-1", started_at=at(0), last_login_time=at(0))
REFRESHED = replace(LIVE, last_login_time=at(2), expires_at=at(90), version=8)


def record(old: Session | None, new: Session | None, *, minute: float = 6, by_ttl: bool = False) -> dict[str, Any]:
    change: dict[str, Any] = {"SequenceNumber": "111", "ApproximateCreationDateTime": at(minute).timestamp()}
    for name, session in (("OldImage", old), ("NewImage", new)):
        if session is not None:
            version = {} if session.version is None else {"version": {"N": str(session.version)}}
            change[name] = write_item(session) | version
    event = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    identity = {"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}} if by_ttl else {}
    return {"eventName": event, "dynamodb": change, **identity}


def change(old: Session | None, new: Session | None, *, minute: float = 6, by_ttl: bool = False) -> Change:
    return change_of(read_record(record(old, new, minute=minute, by_ttl=by_ttl)))


def told(old: Session | None, new: Session | None, *, minute: float = 6, by_ttl: bool = False) -> dict[str, Any]:
    transition = transition_of(change(old, new, minute=minute, by_ttl=by_ttl))
    assert transition is not None
    return transition.detail


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (None, LIVE, "started"),
        (TOMBSTONE, replace(LIVE, version=8), "started"),
        (ORIGINAL, LIVE, "started"),
        (None, ORIGINAL, "started"),
        (LIVE, REFRESHED, "refreshed"),
        (ENDED, replace(LIVE, version=9), "refreshed"),
        (LIVE, replace(LIVE, client_ip="192.0.2.8", version=8), "refreshed"),
        (LIVE, replace(LIVE, version=8), "refreshed"),
        (LIVE, ENDED, "ended"),
        (None, ENDED, "ended"),
        (TOMBSTONE, ENDED, "ended"),
        (ENDED, replace(ENDED, ended_at=at(4), version=9), "ended"),
        (ENDED, replace(ENDED, version=9), "ended"),
        (LIVE, replace(LIVE, session_state="blocked"), "ended"),
        (LIVE, None, "ended"),
        (ORIGINAL, None, "ended"),
        (replace(ORIGINAL, started_at=None, last_login_time=None), TOMBSTONE, "ended"),
    ],
)
def test_a_change_of_a_session_makes_one_event(old: Session | None, new: Session | None, kind: str) -> None:
    assert told(old, new)["kind"] == kind


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, TOMBSTONE),
        (TOMBSTONE, replace(TOMBSTONE, ended_at=at(4), version=8)),
        (TOMBSTONE, replace(TOMBSTONE, version=8)),
        (LIVE, LIVE),
        (LIVE, replace(LIVE, ttl=5, version=8)),
        (LIVE, replace(LIVE, access_token_sha256="1" * 64, version=8)),
        (ENDED, None),
        (TOMBSTONE, None),
        (replace(LIVE, session_state="blocked"), None),
    ],
)
def test_other_changes_make_none(old: Session | None, new: Session | None) -> None:
    assert transition_of(change(old, new)) is None


def test_a_removal_by_ttl_tells_only_the_end_of_a_session_without_expiry() -> None:
    assert transition_of(change(LIVE, None, by_ttl=True)) is None
    assert told(ORIGINAL, None, by_ttl=True)["over_reason"] == "deleted"


def test_other_items_of_the_table_make_no_event() -> None:
    image = write_item(Revocation(customer_id="c-1", revoked_at=at(0)))
    raw = {"eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "NewImage": image}}

    found = change_of(read_record(raw))

    assert (transition_of(found), expiry_to_note(found)) == (None, None)


def test_an_event_shows_all_members_and_no_token() -> None:
    assert told(LIVE, ENDED) == {
        "id": "suuid#s-1/c#c-1/8/ended",
        "format": 1,
        "kind": "ended",
        "occurred_at": "2026-03-01T12:05:00.000Z",
        "over_at": "2026-03-01T12:05:00.000Z",
        "over_reason": "user",
        "session": {
            "session_id": "s-1",
            "customer_id": "c-1",
            "parent_session_id": None,
            "version": 8,
            "started_at": "2026-03-01T12:00:00.000Z",
            "last_login_time": "2026-03-01T12:01:00.000Z",
            "expires_at": "2026-03-01T13:00:00.000Z",
            "ended_at": "2026-03-01T12:05:00.000Z",
            "end_reason": "user",
            "client_ip": "192.0.2.7",
            "user_agent": None,
            "device_id": None,
            "country": None,
            "source": None,
        },
    }


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, LIVE, "suuid#s-1/c#c-1/7/started"),
        (None, CHILD, "suuid#p-1/child#suuid#s-1/7/started"),
        (None, ORIGINAL, "suuid#s-1/c#c-1/0/started"),
        (LIVE, REFRESHED, "suuid#s-1/c#c-1/8/refreshed"),
        (LIVE, None, "suuid#s-1/c#c-1/8/ended"),
        (ORIGINAL, None, "suuid#s-1/c#c-1/1/ended"),
        (None, replace(LIVE, session_id="a/b"), "suuid#a/b/c#c-1/7/started"),
    ],
)
def test_an_id_is_the_key_the_version_and_the_kind(old: Session | None, new: Session | None, expected: str) -> None:
    assert told(old, new)["id"] == expected


@pytest.mark.parametrize(
    ("old", "new", "minute", "occurred_at"),
    [
        (None, LIVE, 6, at(1)),
        (LIVE, REFRESHED, 6, at(2)),
        (LIVE, ENDED, 6, at(5)),
        (LIVE, replace(LIVE, session_state=CLOSING), 6, at(6)),
        (LIVE, None, 6, at(6)),
        (LIVE, None, 70, at(70)),
    ],
)
def test_an_event_occurred_when_the_fact_did(
    old: Session | None, new: Session | None, minute: float, occurred_at: datetime
) -> None:
    assert told(old, new, minute=minute)["occurred_at"] == f"{occurred_at:%Y-%m-%dT%H:%M:%S}.000Z"


@pytest.mark.parametrize(
    ("old", "new", "minute", "over_at", "reason"),
    [
        (None, LIVE, 59.99, None, None),
        (None, LIVE, 60, at(60), "expired"),
        (None, LIVE, 61, at(60), "expired"),
        (LIVE, REFRESHED, 61, None, None),
        (None, ORIGINAL, 10_000, None, None),
        (LIVE, ENDED, 70, at(5), "user"),
        (LIVE, replace(ENDED, ended_at=at(60)), 70, at(60), "user"),
        (LIVE, replace(ENDED, ended_at=at(61)), 70, at(60), "expired"),
        (LIVE, replace(ENDED, ended_at=None, end_reason=None), 6, at(6), None),
        (LIVE, None, 59, at(59), "deleted"),
        (LIVE, None, 60, at(60), "deleted"),
        (LIVE, None, 60.01, at(60), "expired"),
    ],
)
def test_a_session_is_over_at_the_earlier_of_its_end_and_its_expiry(  # a row of the table
    old: Session | None, new: Session | None, minute: float, over_at: datetime | None, reason: str | None
) -> None:
    detail = told(old, new, minute=minute)

    expected = None if over_at is None else f"{over_at:%Y-%m-%dT%H:%M:%S}.000Z"
    assert (detail["over_at"], detail["over_reason"]) == (expected, reason)


@pytest.mark.parametrize(
    ("old", "new", "minute", "is_optional"),
    [
        (LIVE, REFRESHED, 58.99, True),
        (LIVE, REFRESHED, 59, False),
        (LIVE, REFRESHED, 70, False),
        (LIVE, replace(LIVE, version=8), 6, False),
        (ENDED, replace(LIVE, version=9), 6, False),
        (replace(LIVE, expires_at=None), REFRESHED, 6, True),
        (None, LIVE, 6, False),
        (LIVE, ENDED, 6, False),
    ],
)
def test_a_refresh_is_optional_unless_readers_may_think_the_session_over(
    old: Session | None, new: Session | None, minute: float, is_optional: bool
) -> None:
    transition = transition_of(change(old, new, minute=minute))

    assert transition is not None
    assert transition.is_optional is is_optional


def test_of_an_erased_session_its_end_alone_is_told_and_its_ids_alone() -> None:
    ended = transition_of(change(LIVE, ENDED), is_erased=True)

    assert ended == Transition(ended.detail if ended else {})
    assert ended is not None
    shown = {name: value for name, value in ended.detail["session"].items() if value is not None}
    assert shown == {"session_id": "s-1", "customer_id": "c-1", "version": 8}
    assert (ended.detail["kind"], ended.detail["over_at"]) == ("ended", "2026-03-01T12:05:00.000Z")
    assert transition_of(change(None, LIVE), is_erased=True) is None
    assert transition_of(change(LIVE, REFRESHED), is_erased=True) is None


@pytest.mark.parametrize(
    ("old", "new", "is_noted"),
    [
        (None, LIVE, True),
        (None, CHILD, True),
        (TOMBSTONE, LIVE, True),
        (ENDED, replace(LIVE, version=9), True),
        (LIVE, REFRESHED, True),
        (LIVE, replace(LIVE, expires_at=at(30), version=8), True),
        (LIVE, replace(LIVE, client_ip="192.0.2.8", version=8), False),
        (LIVE, replace(LIVE, version=8), True),
        (LIVE, replace(LIVE, ttl=5, version=8), False),
        (LIVE, ENDED, False),
        (None, TOMBSTONE, False),
        (None, ORIGINAL, False),
        (LIVE, None, False),
    ],
)
def test_the_expiry_of_a_live_image_is_noted_once(old: Session | None, new: Session | None, is_noted: bool) -> None:
    assert expiry_to_note(change(old, new)) == (new if is_noted else None)
