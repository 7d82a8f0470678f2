"""The simulation would catch the designs that others use: with each put in, it fails, and for the right reason."""

import pytest

from tests.simulation.__main__ import Options
from tests.simulation.naive import NAIVE_DESIGNS

COUNT = {"the session count equals a fold of the facts", "0 <= count <= sessions opened"}
REVIVED = {
    "nothing is live after its logout was acknowledged",
    "a session seen to be over never counts again",
    "a session is ended by what ends it and by nothing else",
}

LAST_LOGIN = {"last login never decreases", "last login equals a fold of the facts"}

NOT_REVOKED = {"no session at or before its customer's revocation is live"}

CAUGHT = {
    "add-counters": (2, COUNT),
    "batch-marker": (14, COUNT),
    "delete-on-logout": (2, REVIVED),
    "unconditional-put": (2, REVIVED),
    "last-write-wins": (1, LAST_LOGIN),
    "ttl-from-login": (2, REVIVED),
    "images-believed": (6, REVIVED),
    "commands-forgotten": (281, REVIVED),
    "cascade-downwards": (18, {"no child is live under an ended parent"}),
    "told-once": (49, NOT_REVOKED),
    "evict-newest": (1, {"the limit ends the oldest"}),
    "revoke-present": (211, NOT_REVOKED),
}
"""How many seeds it takes, from 1 on, until a design violates a claim that says what is wrong with it.

All are far below the 2,000 that it may take.
"""


def test_every_naive_design_is_tried() -> None:
    assert set(CAUGHT) == set(NAIVE_DESIGNS)


@pytest.mark.parametrize("name", CAUGHT)
def test_a_naive_design_is_caught_where_the_real_one_is_right(name: str) -> None:
    seed, claims = CAUGHT[name]

    naive, real = Options(naive=name).play(seed), Options().play(seed)

    assert naive.violation is not None
    assert naive.violation.partition(":")[0] in claims
    assert real.violation is None
