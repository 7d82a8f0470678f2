"""The simulation would catch the designs that others use: with each put in, it fails, and for the right reason."""

import pytest

from tests.simulation.__main__ import Options
from tests.simulation.naive import NAIVE_DESIGNS

COUNT = {"the session count equals a fold of the facts", "0 <= count <= sessions opened"}
REVIVED = {
    "nothing is live after its logout was acknowledged",
    "a session seen to be over never counts again",
    "a session is ended by its logouts and by nothing else",
}

LAST_LOGIN = {"last login never decreases", "last login equals a fold of the facts"}

CAUGHT = {
    "add-counters": (3, COUNT),
    "batch-marker": (9, COUNT),
    "delete-on-logout": (2, REVIVED),
    "unconditional-put": (1, REVIVED),
    "last-write-wins": (1, LAST_LOGIN),
    "ttl-from-login": (5, REVIVED),
    "images-believed": (6, REVIVED),
    "commands-forgotten": (97, REVIVED),
}
"""How many seeds it takes, from 1 on, until a design violates a claim that says what is wrong with it."""


def test_every_naive_design_is_tried() -> None:
    assert set(CAUGHT) == set(NAIVE_DESIGNS)


@pytest.mark.parametrize("name", CAUGHT)
def test_a_naive_design_is_caught_where_the_real_one_is_right(name: str) -> None:
    seed, claims = CAUGHT[name]

    naive, real = Options(naive=name).play(seed), Options().play(seed)

    assert naive.violation is not None
    assert naive.violation.partition(":")[0] in claims
    assert real.violation is None
