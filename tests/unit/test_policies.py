"""Which sessions a policy ends: the limit keeps the youngest, and evicts nobody below it."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.policies.ending import mark_ending, revoked_at
from schemas.items import Revocation
from schemas.projection_items import Entry
from schemas.times import to_epoch_milliseconds
from tests.conftest import at

NOW = 1_000
entries = st.dictionaries(
    st.sampled_from("abcdefgh"), st.builds(Entry, st.integers(0, 5), st.integers(NOW - 2, NOW + 3)), max_size=8
)


@given(entries, st.integers(1, 4))
def test_the_limit_is_kept_by_ending_the_oldest(sessions: dict[str, Entry], limit: int) -> None:
    marked = mark_ending(sessions, revocation=None, limit=limit, now_s=NOW)

    ages = {name: (entry.started_at, name) for name, entry in sessions.items() if entry.counts(NOW)}
    kept = [name for name in ages if marked[name].counts(NOW)]
    assert len(kept) == min(limit, len(ages))
    assert all(ages[name] < min(ages[other] for other in kept) for name in ages if name not in kept)
    assert all((marked[name].end_as_of or 0) >= marked[name].started_at for name in ages if name not in kept)


@given(entries, st.integers(1, 4))
def test_an_entry_that_is_ending_keeps_its_reason_and_time(sessions: dict[str, Entry], limit: int) -> None:
    marked = mark_ending(sessions, revocation=None, limit=limit, now_s=NOW)

    again = mark_ending(marked, revocation=Revocation(customer_id="c", revoked_at=at(0)), limit=limit, now_s=NOW)

    assert all(again[name] == entry for name, entry in marked.items() if entry.end_reason is not None)


def ms(minutes: float) -> int:
    return to_epoch_milliseconds(at(minutes))


REVOCATION = Revocation(
    customer_id="c",
    revoked_at=at(0),
    except_session_id="spared",
    other_revoked_at=at(-10),
    other_except_session_id="other",
)


@pytest.mark.parametrize(
    ("session_id", "started_at", "expected"),
    [
        ("s", at(-1), at(0)),
        ("s", at(0), at(0)),
        ("s", at(1), None),
        ("other", at(-1), at(0)),
        ("spared", at(-10), at(-10)),
        ("spared", at(-9), None),
    ],
)
def test_a_session_was_revoked_when_the_newest_revocation_that_does_not_spare_it_says(
    session_id: str, started_at: datetime, expected: datetime | None
) -> None:
    assert revoked_at(session_id, started_at, REVOCATION) == expected
    assert revoked_at(session_id, started_at, None) is None


def test_revoked_entries_end_as_of_their_revocation_and_all_others_stay_as_they_are() -> None:
    before, after, spared = (Entry(ms(minutes), NOW + 9) for minutes in (-1, 1, -9))
    ending = Entry(ms(-1), NOW + 9, "limit", 7)
    sessions = {"before": before, "after": after, "spared": spared, "ending": ending}

    marked = mark_ending(sessions, revocation=REVOCATION, limit=0, now_s=NOW)

    assert marked == sessions | {"before": Entry(ms(-1), NOW + 9, "revoked", ms(0))}


def test_a_revoked_entry_takes_no_place_of_the_limit() -> None:
    sessions = {"revoked": Entry(ms(0), NOW + 9)} | {f"s{n}": Entry(ms(n), NOW + 9) for n in (1, 2, 3)}

    marked = mark_ending(sessions, revocation=REVOCATION, limit=2, now_s=NOW)

    assert {name: entry[2:] for name, entry in marked.items()} == {
        "revoked": ("revoked", ms(0)),
        "s1": ("limit", ms(3)),
        "s2": (None, None),
        "s3": (None, None),
    }


def test_each_evicted_session_ends_as_of_the_login_that_took_its_place() -> None:
    sessions = {f"s{n}": Entry(n, NOW + 9) for n in range(5)}

    marked = mark_ending(sessions, revocation=None, limit=3, now_s=NOW)

    assert [entry[2:] for entry in marked.values()] == [("limit", 3), ("limit", 4)] + [(None, None)] * 3
