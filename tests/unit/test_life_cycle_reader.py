"""The reader's one rule: shuffled, doubled and thinned streams end in the same state."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.items import CLOSING, Session
from schemas.life_cycle import Over, detail_of, expired_detail, latest, over_as_of
from tests.conftest import at

LIVE = Session(session_id="s", customer_id="c", started_at=at(0), last_login_time=at(0), expires_at=at(60), version=1)
KEYS = [("s", "c", None), ("s", "d", None), ("t", "c", None), ("s", "c", "p"), ("t", "c", "s")]


def event(kind: str = "started", *, over: float | None = None, **changes: Any) -> dict[str, Any]:
    end = Over() if over is None else Over(at(over), "user")
    return detail_of(kind, replace(LIVE, **changes), occurred_at=at(0), over=end)


def history(seed: int) -> list[dict[str, Any]]:
    """Sessions that start, are refreshed, expire, come back and end, each change with a greater version."""
    source = random.Random(seed)
    details = []
    for session_id, customer_id, parent_id in KEYS:
        session = replace(LIVE, session_id=session_id, customer_id=customer_id, parent_session_id=parent_id)
        for version in range(1, source.randrange(2, 6)):
            session = replace(session, version=version, expires_at=at(60 * version))
            kind = "started" if version == 1 else "refreshed"
            details.append(detail_of(kind, session, occurred_at=at(version), over=Over()))
            if source.random() < 0.3:
                details.append(expired_detail(session))
        if source.random() < 0.5:
            session = replace(session, session_state=CLOSING, ended_at=at(5), end_reason="user", version=99)
            details.append(detail_of("ended", session, occurred_at=at(5), over=over_as_of(session, at(6))))
    return details


@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_any_order_repetition_and_gap_before_the_last_ends_in_the_same_state(seed: int, chance: random.Random) -> None:
    told = history(seed)
    expected = latest(told)
    last_ids = {detail["id"] for detail in expected.values()}

    thinned = [detail for detail in told if detail["id"] in last_ids or chance.random() < 0.5]
    repeated = thinned + [chance.choice(thinned) for _ in range(10)]
    chance.shuffle(repeated)

    assert latest(repeated) == expected


def test_the_greatest_version_is_kept_and_of_one_version_the_expiry() -> None:
    refreshed = event("refreshed", version=2, expires_at=at(90))
    expired = expired_detail(replace(LIVE, version=2, expires_at=at(90)))

    assert latest([expired_detail(LIVE), refreshed, event()]) == {("s", "c"): refreshed}
    assert latest([expired, refreshed, event()]) == {("s", "c"): expired}


def test_an_end_that_did_not_raise_the_version_is_kept() -> None:
    ended = event("ended", over=3, session_state=CLOSING)

    assert latest([event(), ended]) == latest([ended, event()]) == {("s", "c"): ended}


def test_sessions_are_told_apart_by_customer_and_children_by_parent() -> None:
    told = [
        event(session_id=session, customer_id=customer, parent_session_id=parent) for session, customer, parent in KEYS
    ]

    assert set(latest(told)) == {("s", "c"), ("s", "d"), ("t", "c"), ("p", "s"), ("s", "t")}


@pytest.mark.parametrize(
    ("parent", "child", "expected"),
    [
        (3, None, (at(3), "parent")),
        (3, 4, (at(3), "parent")),
        (3, 3, (at(3), "user")),
        (4, 3, (at(3), "user")),
        (None, 3, (at(3), "user")),
        (None, None, (None, None)),
    ],
)
def test_a_child_is_over_with_its_parent(parent: float | None, child: float | None, expected: tuple[Any, Any]) -> None:
    told = [event("ended", over=parent), event(session_id="k", parent_session_id="s", over=child)]

    found = latest(told)[("s", "k")]

    over_at = expected[0] and f"{expected[0]:%Y-%m-%dT%H:%M:%S}.000Z"
    assert (found["over_at"], found["over_reason"]) == (over_at, expected[1])


def test_the_parent_of_another_customer_and_a_child_do_not_end_a_child() -> None:
    other = event("ended", over=1, customer_id="d")
    child_of_s = event("ended", over=1, session_id="c", parent_session_id="s")

    found = latest([other, child_of_s, event(session_id="k", parent_session_id="s")])

    assert found[("s", "k")]["over_at"] is None


def test_what_is_told_is_not_changed_by_reading_it() -> None:
    told = [event("ended", over=1), event(session_id="k", parent_session_id="s")]

    latest(told)

    assert told[1]["over_at"] is None


def test_an_expiry_has_an_id_of_its_time_and_the_state_as_stored() -> None:
    detail = expired_detail(replace(LIVE, version=5))

    assert detail["id"] == f"suuid#s/c#c/{int(at(60).timestamp())}/expired"
    assert (detail["kind"], detail["session"]["version"]) == ("expired", 5)
    assert detail["occurred_at"] == detail["over_at"] == detail["session"]["expires_at"] == "2026-03-01T13:00:00.000Z"
    assert detail["over_reason"] == "expired"


def test_an_expiry_of_an_erased_session_shows_its_ids_alone() -> None:
    shown = expired_detail(LIVE, ids_only=True)["session"]

    assert {name: value for name, value in shown.items() if value is not None} == {
        "session_id": "s",
        "customer_id": "c",
        "version": 1,
    }


def test_a_session_without_expiry_does_not_expire() -> None:
    with pytest.raises(ValueError, match=r"^a session without expires_at does not expire$"):
        expired_detail(replace(LIVE, expires_at=None))
