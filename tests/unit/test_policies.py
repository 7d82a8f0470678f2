"""Which sessions are told to end: the limit keeps the youngest, and evicts nobody below it."""

from hypothesis import given
from hypothesis import strategies as st

from processors.policies.ending import tell
from schemas.items import Revocation
from schemas.projection_items import Entry
from tests.conftest import at

NOW = 1_000
entries = st.dictionaries(
    st.sampled_from("abcdefgh"), st.builds(Entry, st.integers(0, 5), st.integers(NOW - 2, NOW + 3)), max_size=8
)


@given(entries, st.integers(1, 4))
def test_the_limit_is_kept_by_ending_the_oldest(sessions: dict[str, Entry], limit: int) -> None:
    told = tell(sessions, revocation=None, limit=limit, now=NOW)

    ages = {name: (entry.started_at, name) for name, entry in sessions.items() if entry.is_live(NOW)}
    kept = [name for name in ages if told[name].is_live(NOW)]
    assert len(kept) == min(limit, len(ages))
    assert all(ages[name] < min(ages[other] for other in kept) for name in ages if name not in kept)
    assert all(told[name].ended_at >= told[name].started_at for name in ages if name not in kept)


@given(entries, st.integers(1, 4))
def test_what_was_told_stays_told_as_it_was(sessions: dict[str, Entry], limit: int) -> None:
    told = tell(sessions, revocation=None, limit=limit, now=NOW)

    again = tell(told, revocation=Revocation(customer_id="c", revoked_at=at(0)), limit=limit, now=NOW)

    assert all(again[name] == entry for name, entry in told.items() if entry.end_reason is not None)
