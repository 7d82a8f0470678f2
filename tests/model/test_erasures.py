"""A customer who is erased while everything goes on stays erased; each rule taken away brings somebody back."""

from contextlib import ExitStack

import pytest

from tests.model.erasures import RULES, ErasedHistory

HISTORIES = 40
CAUGHT_BY_CHANCE = {"three minutes pass before the deletion"}
"""The second pass, a minute later, mends what this rule prevents in nearly every history."""


def test_nothing_erased_is_left_at_the_end_of_any_history() -> None:
    wrong = {seed: violation for seed in range(HISTORIES) if (violation := ErasedHistory(seed).play())}

    assert wrong == {}


@pytest.mark.parametrize("rule", sorted(RULES.keys() - CAUGHT_BY_CHANCE))
def test_a_rule_taken_away_is_caught(rule: str) -> None:
    with ExitStack() as stack:
        for patch in RULES[rule]():
            stack.enter_context(patch)

        assert any(ErasedHistory(seed).play() for seed in range(HISTORIES))
