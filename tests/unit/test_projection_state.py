"""One entry at a time: what extends it, replaces it, keeps it, and what is stored about all of them."""

from dataclasses import replace

import pytest

from processors.projections.state import (
    MAX_ID_BYTES,
    Rules,
    apply_policies,
    bound,
    entry_of,
    extend,
    later,
    pruned_and_counted,
    replace_with,
)
from schemas.items import CLOSING, Revocation, Session
from schemas.projection_items import NEVER, Entry, Projection
from tests.conftest import NOW, at

NOW_S = int(NOW.timestamp())
LIVE = Session(session_id="s", customer_id="c", started_at=at(-5), last_login_time=at(-5), expires_at=at(9), version=1)
STARTED, EXPIRES = int(at(-5).timestamp() * 1000), int(at(9).timestamp())
TOMBSTONE = replace(LIVE, started_at=None, last_login_time=None)


def expired(second: int) -> Session:
    return replace(LIVE, expires_at=at(second / 60))


def test_an_entry_has_the_sessions_start_and_expiry() -> None:
    assert entry_of(LIVE) == Entry(STARTED, EXPIRES)


def test_an_entry_of_the_original_schema_never_runs_out_and_started_at_no_known_time() -> None:
    assert entry_of(Session(session_id="s", customer_id="c")) == Entry(0, NEVER)


@pytest.mark.parametrize(
    ("known", "found", "expected"),
    [
        (Entry(STARTED + 7, EXPIRES - 7), LIVE, Entry(STARTED, EXPIRES)),
        (Entry(STARTED - 7, EXPIRES + 7), LIVE, Entry(STARTED - 7, EXPIRES + 7)),
        (Entry(STARTED + 7, EXPIRES, "limit", 3), LIVE, Entry(STARTED, EXPIRES, "limit", 3)),
        (Entry(STARTED - 7, NEVER, "limit", 3), LIVE, Entry(STARTED - 7, EXPIRES, "limit", 3)),
        (Entry(STARTED + 7, NEVER), LIVE, Entry(STARTED, EXPIRES)),
        (Entry(STARTED + 7, NOW_S), LIVE, Entry(STARTED, EXPIRES)),
        (Entry(STARTED + 7, EXPIRES), expired(-1), Entry(STARTED, EXPIRES)),
        (Entry(STARTED + 7, NOW_S), expired(0), Entry(STARTED + 7, NOW_S)),
        (Entry(STARTED + 7, NOW_S - 9), expired(-1), Entry(STARTED + 7, NOW_S - 9)),
        (Entry(STARTED + 7, NOW_S - 1), expired(1), Entry(STARTED, NOW_S + 1)),
        (None, LIVE, Entry(STARTED, EXPIRES)),
        (None, expired(1), Entry(STARTED, NOW_S + 1)),
        (None, expired(0), None),
        (None, TOMBSTONE, None),
    ],
    ids=[
        "later expiry and earlier start",
        "older image",
        "an ending entry",
        "an ending one of the original schema",
        "one of the original schema",
        "an expired one logged in again",
        "an expired image",
        "both at their expiry",
        "both expired",
        "about to expire",
        "new",
        "new for a second",
        "new and expired",
        "never logged in",
    ],
)
def test_an_active_image_extends_its_entry(known: Entry | None, found: Session, expected: Entry | None) -> None:
    assert extend(known, found, NOW_S) == expected


ENDING = Entry(1, NOW_S + 1, "limit", 3)


@pytest.mark.parametrize(
    ("known", "reread", "expected"),
    [
        (ENDING, LIVE, Entry(STARTED, EXPIRES, "limit", 3)),
        (Entry(1, NOW_S), LIVE, Entry(STARTED, EXPIRES)),
        (None, LIVE, Entry(STARTED, EXPIRES)),
        (None, expired(1), Entry(STARTED, NOW_S + 1)),
        (ENDING, None, None),
        (ENDING, replace(LIVE, session_state=CLOSING), None),
        (ENDING, TOMBSTONE, None),
        (ENDING, expired(0), None),
        (Entry(1, NOW_S), expired(0), Entry(1, NOW_S)),
        (Entry(1, NOW_S - 1), expired(-1), Entry(1, NOW_S - 1)),
        (None, expired(0), None),
    ],
    ids=[
        "an ending entry",
        "an expired one logged in again",
        "new",
        "new for a second",
        "gone",
        "over",
        "never logged in",
        "expired",
        "both at their expiry",
        "both expired",
        "new and expired",
    ],
)
def test_what_is_read_again_replaces_the_entry_and_keeps_its_mark(
    known: Entry | None, reread: Session | None, expected: Entry | None
) -> None:
    assert replace_with(known, reread, NOW_S) == expected


def test_every_entry_that_is_ending_is_logged_out_until_it_has_run_out() -> None:
    live, ending = Entry(STARTED, EXPIRES), Entry(STARTED, NOW_S + 1, "limit", 3)
    entries = {
        "old": live,
        "new": replace_start(live, 7),
        "ending": ending,
        "expired": ending._replace(expires_at=NOW_S),
    }
    state = Projection(customer_id="c", sessions=entries)

    after, found = apply_policies(state, Rules(limit=1), NOW_S)

    assert found == {"old": Entry(STARTED, EXPIRES, "limit", STARTED + 7), "ending": ending}
    assert after == replace(state, sessions=entries | {"old": found["old"]})


def replace_start(entry: Entry, milliseconds: int) -> Entry:
    return entry._replace(started_at=entry.started_at + milliseconds)


def test_policies_end_what_the_projections_revocation_covers() -> None:
    revocation = Revocation(customer_id="c", revoked_at=at(-5))
    state = Projection(customer_id="c", revocation=revocation, sessions={"s": Entry(STARTED, EXPIRES)})

    _, found = apply_policies(state, Rules(), NOW_S)

    assert found == {"s": Entry(STARTED, EXPIRES, "revoked", STARTED)}


@pytest.mark.parametrize(("length", "count"), [(MAX_ID_BYTES - 1, 2), (MAX_ID_BYTES, 1)], ids=["at", "above"])
def test_ids_fill_an_item_up_to_its_bytes(length: int, count: int) -> None:
    entries = {"é" * (length // 2) + "x" * (length % 2): Entry(0, NOW_S + 2), "y": Entry(0, NOW_S + 1)}

    state = bound(Projection(customer_id="c", sessions=entries), 9)

    assert list(state.sessions.values()) == list(entries.values())[:count]
    assert state.dropped_until == (None if count == 2 else NOW_S + 1)


def test_of_entries_that_expire_at_once_those_with_the_greater_ids_are_kept() -> None:
    entries = {name: Entry(0, NOW_S + 1) for name in "bca"}

    assert set(bound(Projection(customer_id="c", sessions=entries), 2).sessions) == {"b", "c"}


@pytest.mark.parametrize(("known", "expected"), [(None, 1), (0, 1), (9, 9)])
def test_a_dropped_entry_never_shortens_how_long_the_count_is_at_least(known: int | None, expected: int) -> None:
    entries = {"a": Entry(0, NOW_S + 1), "b": Entry(0, NOW_S + 2)}
    state = Projection(customer_id="c", sessions=entries, dropped_until=known if known is None else NOW_S + known)

    assert bound(state, 1).dropped_until == NOW_S + expected


def test_what_is_stored_is_pruned_and_counted_at_the_time_of_the_write() -> None:
    ending = Entry(0, NOW_S + 1, "limit", 3)
    state = Projection(
        customer_id="c",
        sessions={"gone": Entry(0, NOW_S), "soon": Entry(0, NOW_S + 2), "late": Entry(0, NOW_S + 3), "ending": ending},
    )

    stored = pruned_and_counted(state, NOW_S)

    assert set(stored.sessions) == {"soon", "late", "ending"}
    assert (stored.session_count, stored.count_valid_until) == (2, NOW_S + 2)


@pytest.mark.parametrize("sessions", [{}, {"s": Entry(0, NEVER)}], ids=["none", "of the original schema"])
def test_a_count_that_no_expiry_changes_is_valid_for_ever(sessions: dict[str, Entry]) -> None:
    stored = pruned_and_counted(Projection(customer_id="c", sessions=sessions), NOW_S)

    assert (stored.session_count, stored.count_valid_until) == (len(sessions), None)


@pytest.mark.parametrize(("after", "is_kept"), [(0, False), (1, True)], ids=["at its end", "before its end"])
def test_a_count_is_at_least_until_the_last_dropped_entry_has_run_out(after: int, is_kept: bool) -> None:
    stored = pruned_and_counted(Projection(customer_id="c", dropped_until=NOW_S + after), NOW_S)

    assert stored.dropped_until == (NOW_S + after if is_kept else None)


@pytest.mark.parametrize(
    ("one", "other", "expected"), [(None, None, None), (1, None, 1), (None, 1, 1), (1, 2, 2), (2, 1, 2), (0, None, 0)]
)
def test_no_time_is_before_all(one: int | None, other: int | None, expected: int | None) -> None:
    assert later(one, other) == expected
