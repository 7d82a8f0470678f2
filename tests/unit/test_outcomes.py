"""The outcome of a whole: the most severe of its parts."""

from collections.abc import Sequence
from itertools import combinations_with_replacement

import pytest

from schemas.outcomes import Outcome

MOST_SEVERE_FIRST = [
    Outcome.RETRY,
    Outcome.REJECTED,
    Outcome.APPLIED,
    Outcome.STALE,
    Outcome.DUPLICATE,
    Outcome.IGNORED,
]


@pytest.mark.parametrize("parts", list(combinations_with_replacement(MOST_SEVERE_FIRST, 2)))
def test_the_most_severe_part_speaks_for_the_whole_in_any_order(parts: Sequence[Outcome]) -> None:
    assert Outcome.most_severe(parts) == Outcome.most_severe(parts[::-1]) == parts[0]


def test_nothing_at_all_is_ignored() -> None:
    assert Outcome.most_severe([]) == Outcome.IGNORED
