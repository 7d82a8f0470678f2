"""What a stream record says about its customer: which records count, and what is kept of each."""

from dataclasses import replace
from typing import Any

import pytest

from processors.projections.facts import CustomerFacts, Image, Removal, add_record
from schemas.errors import MalformedItemError
from schemas.item_mapping import write_item
from schemas.items import CLOSING, Revocation, Session
from schemas.keys import Key
from schemas.stream import StreamRecord
from tests.conftest import at

LIVE = Session(session_id="s", customer_id="c", started_at=at(0), last_login_time=at(1), expires_at=at(90), version=1)
CHILD = replace(LIVE, parent_session_id="p")
TOMBSTONE = Session(session_id="s", customer_id="c", session_state=CLOSING, ended_at=at(2), version=1)
RECORD = StreamRecord("MODIFY", "111", 100.5, LIVE, goes_backwards=True, removed_by_ttl=False, old_image=None)


def facts_of(record: StreamRecord) -> dict[str, CustomerFacts]:
    facts: dict[str, CustomerFacts] = {}
    add_record(facts, record)
    return facts


def removal_of(session: Session, *, by_ttl: bool = False) -> StreamRecord:
    return replace(
        RECORD,
        event_name="REMOVE",
        after=None,
        old_image=write_item(session),
        goes_backwards=False,
        removed_by_ttl=by_ttl,
    )


def test_an_image_is_kept_with_time_direction_and_record() -> None:
    assert facts_of(RECORD) == {"c": CustomerFacts(images=[Image(LIVE, 100.5, True, "111")], sequence_numbers=["111"])}


def test_a_tombstone_without_login_is_kept_where_it_took_the_place_of_a_newer_version() -> None:
    put_back = replace(RECORD, after=TOMBSTONE)

    found = facts_of(put_back)

    assert found == {"c": CustomerFacts(images=[Image(TOMBSTONE, 100.5, True, "111")], sequence_numbers=["111"])}


def test_the_end_of_an_original_session_that_named_no_login_is_kept() -> None:
    original = {name: {"S": text} for name, text in (("PK", "suuid#s"), ("SK", "c#c"), ("session_state", "active"))}
    ended = replace(RECORD, after=TOMBSTONE, goes_backwards=False, old_image=original)
    ended_again = replace(ended, old_image=write_item(TOMBSTONE))

    assert facts_of(ended)["c"].images == [Image(TOMBSTONE, 100.5, False, "111")]
    assert facts_of(ended_again) == {}


def test_a_tombstone_after_an_image_that_is_not_a_map_ends_nothing() -> None:
    damaged: Any = 7.5

    assert facts_of(replace(RECORD, after=TOMBSTONE, goes_backwards=False, old_image=damaged)) == {}


def test_a_removal_is_kept_with_its_last_login_and_record() -> None:
    removal = Removal(LIVE.key, "s", 100.5, at(1), "111")

    assert facts_of(removal_of(LIVE)) == {"c": CustomerFacts(removals=[removal], sequence_numbers=["111"])}


def test_a_revocation_is_kept() -> None:
    revocation = Revocation(customer_id="c", revoked_at=at(5))

    found = facts_of(replace(RECORD, after=revocation))

    assert found == {"c": CustomerFacts(revocations=[revocation], sequence_numbers=["111"])}


@pytest.mark.parametrize(
    "record",
    [
        replace(RECORD, after=None),
        replace(RECORD, after=replace(LIVE, customer_id=None)),
        replace(RECORD, after=TOMBSTONE, goes_backwards=False),
        removal_of(CHILD),
        removal_of(LIVE, by_ttl=True),
    ],
    ids=["another item", "no customer", "a tombstone without login", "a removed child", "removed by TTL"],
)
def test_what_changes_no_count_is_left_out(record: StreamRecord) -> None:
    assert facts_of(record) == {}


def test_records_of_one_customer_add_up() -> None:
    facts = facts_of(RECORD)

    add_record(facts, replace(removal_of(LIVE), sequence_number="112"))

    assert (len(facts["c"].images), len(facts["c"].removals), facts["c"].sequence_numbers) == (1, 1, ["111", "112"])


def test_of_an_item_that_cannot_be_read_the_key_says_which_session_was_removed() -> None:
    newer = removal_of(LIVE)
    newer = replace(newer, old_image=write_item(LIVE) | {"item_format": {"N": "2"}})

    removal = Removal(LIVE.key, "s", 100.5, None, "111")
    assert facts_of(newer) == {"c": CustomerFacts(removals=[removal], sequence_numbers=["111"])}


def test_a_removed_item_without_readable_key_is_malformed() -> None:
    with pytest.raises(MalformedItemError, match="PK and SK"):
        facts_of(replace(removal_of(LIVE), old_image={"PK": {"S": "suuid#s"}}))


OTHER = replace(LIVE, session_id="o")
MIXED = CustomerFacts(
    images=[Image(LIVE, 1, False, "1"), Image(CHILD, 2, False, "2"), Image(OTHER, 3, False, "3")],
    removals=[Removal(OTHER.key, "o", 4, at(3), "4"), Removal(Key("suuid#r", "c#c"), "r", 5, None, "5")],
    revocations=[Revocation(customer_id="c", revoked_at=at(5))],
    sequence_numbers=["1", "2", "3", "4", "5", "6"],
)


def test_the_sessions_seen_are_those_of_images_and_removals_but_no_children() -> None:
    assert MIXED.session_keys() == {LIVE.key, OTHER.key, Key("suuid#r", "c#c")}


def test_what_cannot_be_read_is_left_out_with_all_its_records() -> None:
    kept, left_out = MIXED.without({OTHER.key})

    assert left_out == {"3", "4"}
    assert kept == replace(MIXED, images=MIXED.images[:2], removals=MIXED.removals[1:])


def test_where_all_can_be_read_nothing_is_left_out() -> None:
    assert MIXED.without(frozenset()) == (MIXED, frozenset())


def test_every_login_seen_counts_of_children_and_removed_sessions_too() -> None:
    assert MIXED.logins() == [(at(1), "s"), (at(1), "s"), (at(1), "o"), (at(3), "o")]


@pytest.mark.parametrize(
    ("session", "calls"),
    [(LIVE, True), (CHILD, False), (replace(LIVE, session_state=CLOSING), False)],
    ids=["a session", "a child", "an end"],
)
def test_only_a_login_of_a_top_level_session_calls_for_policies(session: Session, calls: bool) -> None:
    assert CustomerFacts(images=[Image(session, 1)]).calls_for_policies is calls


def test_a_revocation_calls_for_policies_and_a_removal_does_not() -> None:
    assert CustomerFacts(revocations=MIXED.revocations).calls_for_policies
    assert not CustomerFacts(removals=MIXED.removals).calls_for_policies


def test_removals_alone_are_told_apart() -> None:
    assert CustomerFacts(removals=MIXED.removals).are_removals_only
    assert not replace(MIXED, revocations=[]).are_removals_only
    assert not replace(MIXED, images=[]).are_removals_only
