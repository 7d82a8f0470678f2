"""The projections come out right whatever is deleted, restored, replayed and rebuilt, step by step in any order."""

import pytest

from tests.model.history import History, Kinds

HISTORIES = 30


@pytest.mark.parametrize(
    "kinds",
    [
        Kinds(),
        Kinds(limit=1),
        Kinds(projection_deletions=True),
        Kinds(removals=False, restores=False),
    ],
    ids=["operators", "limit", "projection-deletions", "no-operators"],
)
def test_the_projection_is_right_at_the_end_of_every_history(kinds: Kinds) -> None:
    wrong = {seed: violation for seed in range(HISTORIES) if (violation := History(seed, kinds).play())}

    assert wrong == {}
