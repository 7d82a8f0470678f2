"""Which sessions a policy ends: the limit keeps the youngest, and evicts nobody below it."""

from hypothesis import given
from hypothesis import strategies as st

from processors.policies.ending import mark_ending
from schemas.items import Revocation
from schemas.projection_items import Entry
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
