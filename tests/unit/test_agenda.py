"""The agenda of expiries: packing, keys, slots, and items that break its schema."""

import random
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.dynamodb_double.sizes import write_units
from processors.life_cycle.agenda import (
    PARTITIONS,
    SLOT_SECONDS,
    Entry,
    first_future_slot,
    pack,
    read_agenda_item,
    remainder,
    sort_key_of_slot,
    write_agenda_item,
)
from schemas.errors import MalformedItemError
from schemas.items import Session
from schemas.times import from_epoch_seconds


def session(number: int = 0, expires_at: int = 1_000, version: int = 1) -> Session:
    return Session(session_id=f"s{number}", customer_id="c", expires_at=from_epoch_seconds(expires_at), version=version)


def entries_of(sessions: list[Session]) -> list[Entry]:
    return sorted(entry for item in pack(sessions) for entry in item.entries)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 20)), max_size=400), st.randoms(use_true_random=False))
def test_every_session_is_packed_once_into_its_slot(drawn: list[tuple[int, int]], chance: random.Random) -> None:
    sessions = [session(number, expires_at) for number, expires_at in drawn]

    items = pack(sessions)

    assert entries_of(sessions) == sorted({(f"suuid#s{number}", "c#c", expires_at) for number, expires_at in drawn})
    assert all(0 < len(item.entries) <= 100 for item in items)
    assert all(item.slot <= entry.expires_at < item.slot_end for item in items for entry in item.entries)
    assert all(read_agenda_item(write_agenda_item(item)) == item for item in items)
    chance.shuffle(sessions)
    assert sorted(pack(sessions + sessions[:3]), key=lambda item: item.key) == sorted(items, key=lambda item: item.key)


def test_a_hundred_sessions_fill_an_item() -> None:
    assert [len(item.entries) for item in pack(session(number) for number in range(201))] == [100, 100, 1]


def test_a_session_of_a_batch_of_a_hundred_costs_less_than_a_quarter_of_a_write_unit() -> None:
    sessions = [
        Session(session_id=str(UUID(int=number)), customer_id=f"customer-{number:09}", expires_at=from_epoch_seconds(9))
        for number in range(100)
    ]

    items = [write_agenda_item(item) for item in pack(sessions)]

    units = sum(write_units(None, item) for item in items)
    assert units / 100 < 0.12
    assert len(items) == 1, "one request in; and out one each to read the sessions, to find and to delete the item"


def test_the_key_is_the_slot_and_the_hash_of_the_content() -> None:
    items = [pack([session(number)])[0] for number in range(200)]

    assert {item.key.pk for item in items} == set(PARTITIONS)
    assert len({item.key for item in items}) == 200
    for item in items:
        slot, _, digits = str(item.key.sk).partition("#")
        assert (slot, len(digits), item.key.pk) == ("000000001000", 16, f"due#{digits[0]}")


def test_a_session_that_changes_and_changes_back_comes_under_another_key() -> None:
    [first], [again] = pack([session(version=1)]), pack([session(version=3)])

    assert first.entries == again.entries
    assert first.key != again.key


def test_what_remains_of_an_item_comes_under_another_key_of_the_same_slot() -> None:
    [item] = pack([session(0), session(1, 1_003)])

    kept = remainder(item, item.entries[1:])
    all_kept = remainder(item, item.entries)

    assert (kept.slot, kept.entries) == (item.slot, item.entries[1:])
    assert len({item.key, kept.key, all_kept.key}) == 3


def test_a_session_without_expiry_is_not_packed() -> None:
    assert pack([replace(session(), expires_at=None)]) == []


@pytest.mark.parametrize(("now", "first"), [(1_006, 1_000), (1_007, 1_005), (1_011, 1_005), (1_012, 1_010)])
def test_a_slot_is_over_two_seconds_after_its_end(now: int, first: int) -> None:
    assert first_future_slot(now) == first
    assert first % SLOT_SECONDS == 0


def test_the_sort_keys_of_slots_sort_as_the_slots_do() -> None:
    slots = [0, 995, 1_000, 1_795_600_000, 253_402_300_795]

    keys = [item.key.sk or "" for slot in slots for item in pack([session(expires_at=slot)])]

    assert keys == sorted(keys)
    assert keys[2] < sort_key_of_slot(1_005) < keys[3]


def test_an_expiry_before_the_epoch_is_in_the_first_slot() -> None:
    assert [item.slot for item in pack([session(expires_at=-7)])] == [0]


@pytest.mark.parametrize(
    "entry",
    [
        {"S": "suuid#s"},
        {"L": [{"S": "suuid#s"}, {"S": "c#c"}]},
        {"L": [{"S": "suuid#s"}, {"S": "c#c"}, {"N": "1.5"}]},
        {"L": [{"S": "suuid#s"}, {"S": ""}, {"N": "1"}]},
        {"L": [{"S": "config"}, {"S": "c#c"}, {"N": "1"}]},
        {"L": [{"N": "1"}, {"S": "c#c"}, {"N": "1"}]},
        {"L": [{"S": "suuid#" + "x" * 2_043}, {"S": "c#c"}, {"N": "1"}]},
        {"L": [{"S": "suuid#s"}, {"S": "c#" + "é" * 512}, {"N": "1"}]},
        None,
    ],
)
def test_an_entry_that_breaks_the_schema_leaves_the_others(entry: Any) -> None:
    [item] = pack([session(0), session(1)])
    raw = write_agenda_item(item)
    raw["entries"]["L"].insert(1, entry)

    found = read_agenda_item(raw)

    assert found.entries == item.entries
    assert found.malformed == (entry,)


@pytest.mark.parametrize(
    "changes",
    [
        {"entries": {"S": "x"}},
        {"entries": {}},
        {"SK": {"S": "soon#0123456789abcdef"}},
        {"SK": {"S": "1000#0123456789abcdef"}},
        {"SK": {"S": "#"}},
    ],
)
def test_an_item_without_slot_or_entries_cannot_be_read(changes: dict[str, Any]) -> None:
    [item] = pack([session()])

    with pytest.raises(MalformedItemError):
        read_agenda_item(write_agenda_item(item) | changes)
