"""The simulation would catch the designs that others use: with each put in, it fails, and for the right reason."""

import pytest

from tests.simulation import simulation
from tests.simulation.__main__ import Options
from tests.simulation.faults import OPERATIONS, Fault
from tests.simulation.naive import NAIVE_DESIGNS
from tests.simulation.naive_life_cycle import NAIVE_LIFE_CYCLES
from tests.simulation.old_rules import OLD_RULES

COUNT = {"the session count equals a fold of the facts", "0 <= count <= sessions opened"}
REVIVED = {
    "nothing is live after its logout was acknowledged",
    "a session seen to be over never counts again",
    "a session is ended by what ends it and by nothing else",
}

LAST_LOGIN = {"last login never decreases", "last login equals a fold of the facts"}

NOT_REVOKED = {"no session at or before its customer's revocation is live"}

CAUGHT = {
    "add-counters": (3, COUNT),
    "batch-marker": (14, COUNT),
    "delete-on-logout": (2, REVIVED),
    "unconditional-put": (2, REVIVED),
    "last-write-wins": (1, LAST_LOGIN),
    "ttl-from-login": (2, REVIVED),
    "images-unread": (2, REVIVED),
    "commands-forgotten": (281, REVIVED),
    "cascade-downwards": (18, {"no child is live under an ended parent"}),
    "told-once": (49, NOT_REVOKED),
    "evict-newest": (1, {"the limit ends the oldest"}),
    "revoke-present": (335, NOT_REVOKED),
}
"""The seed to try first, then all from 1 on, until a design violates a claim that says what is wrong with it.

A seed plays another history once the handlers make other requests; the limit is what holds.
"""

REGISTER = {"a projection says what the register says"}

CAUGHT_BY_OPERATIONS = {
    "born-of-the-batch": ([Fault.PROJECTION_DELETED], 3, REGISTER),
    "removals-ignored": ([Fault.SESSION_DELETED], 8, REGISTER),
    "items-without-expiry-kept": ([Fault.FOREIGN_TTL], 8, REGISTER),
    "restores-unread": ([Fault.RESTORE], 246, REGISTER),
    "kept-for-the-setting": ([Fault.SETTINGS_CHANGED, Fault.TTL, Fault.LONG_DELAY], 6, REVIVED),
    "items-put-whole": ([Fault.FOREIGN_WRITER], 1, {"what is not ours stays"}),
    "publisher-time-used": ([Fault.PUBLISHER_TIME], 1, {"last login is a real login"}),
    "searches-first": ([Fault.FLOOD], 2, {"a flood delays itself, never a good event"}),
    "erased-unknown": ([Fault.ERASED], 5, {"erased stays erased"}),
    "one-queue": ([Fault.BACKLOG, Fault.COMMANDS_QUEUE], 1, {"a backlog of logins does not delay commands"}),
    "formats-unread": ([Fault.ROLLED_BACK], 2, {"what a later release wrote stays"}),
    "newer-left-out": ([Fault.ROLLED_BACK, Fault.PROJECTION_DELETED], 73, REGISTER),
    "commands-among-events": ([Fault.COMMANDS_QUEUE], 1, {"commands have a queue of their own"}),
}
"""Which operation, with which faults beside it, catches which rule of a release before."""

LIVE_AGAIN = {"nothing is live after its logout was acknowledged"}

NOT_TOLD = {"every expiry that stands is told"}

CAUGHT_BY_READERS = {
    "watermark": (11, NOT_TOLD),
    "agenda-alone": (2, {"nothing is told expired that was ended or extended"}),
    "delete-first": (33, NOT_TOLD),
    "ttl-as-clock": (1, NOT_TOLD),
    "one-key-a-slot": (44, NOT_TOLD),
    "begun-anew": (3, LIVE_AGAIN),
    "slot-not-over": (22, {"no expiry is told before its time"}),
}
"""Naive designs of publishing what becomes of sessions, and of logins about their end, all with the same faults."""

ENDLESS = {"the history ends", "everything is processed in bounded steps"}

BESIDE_PUBLISHING = [
    *(Fault.PUBLISHED, Fault.THROTTLED_REQUEST, Fault.CRASH_BETWEEN),
    *(Fault.LONG_DELAY, Fault.DEAD_LETTERS),
]

LIMIT = 2000
"""Seeds within which everything has to be caught."""


def first_caught(naive: Options, real: Options, hint: int, claims: set[str]) -> int | None:
    seeds: list[int] = [hint, *range(1, LIMIT)]
    """Find a seed in which the naive design violates one of the claims, and the real one none."""
    for seed in seeds:
        violation = naive.play(seed).violation
        if violation is not None and violation.partition(":")[0] in claims and real.play(seed).violation is None:
            return seed
    return None


def test_every_naive_design_is_tried() -> None:
    assert set(CAUGHT) == set(NAIVE_DESIGNS)
    assert set(CAUGHT_BY_OPERATIONS) == set(OLD_RULES) - {"counted-versions"}  # a rule of the previous release alone
    assert {faults[0] for faults, _, _ in CAUGHT_BY_OPERATIONS.values()} == set(OPERATIONS) - {Fault.PUBLISHED}
    assert {*CAUGHT_BY_READERS, "touch-anew"} == set(NAIVE_LIFE_CYCLES)


@pytest.mark.parametrize("name", CAUGHT)
def test_a_naive_design_is_caught_where_the_real_one_is_right(name: str) -> None:
    without = list(OPERATIONS)

    seed = first_caught(Options(naive=name, without=without), Options(without=without), *CAUGHT[name])

    assert seed is not None


@pytest.mark.parametrize("rule", CAUGHT_BY_OPERATIONS)
def test_an_operation_catches_the_rule_that_releases_before_had(rule: str) -> None:
    faults, hint, claims = CAUGHT_BY_OPERATIONS[rule]

    seed = first_caught(Options(naive=rule, faults=faults), Options(faults=faults), hint, claims)

    assert seed is not None


@pytest.mark.parametrize("name", CAUGHT_BY_READERS)
def test_a_naive_way_to_publish_is_caught_where_the_real_one_is_right(name: str) -> None:
    faults = BESIDE_PUBLISHING

    seed = first_caught(Options(naive=name, faults=faults), Options(faults=faults), *CAUGHT_BY_READERS[name])

    assert seed is not None


def test_work_that_makes_more_work_than_it_does_is_caught_by_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faults = [*BESIDE_PUBLISHING, Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.BACKLOG]
    monkeypatch.setattr(simulation, "MAX_STEPS", 15_000)  # enough for the seed, and quicker

    seed = first_caught(Options(naive="touch-anew", faults=faults), Options(faults=faults), 23, ENDLESS)

    assert seed is not None
