"""The recount of session items, and in what a projection contradicts it."""

import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ops.verification.comparing import Counted, Kind, Mismatch, Recount, compare, counted_of
from ops.verification.customer_reads import compare_items
from ops.verification.spool import Pair, Spool
from schemas.items import CLOSING, Session
from schemas.keys import Key
from schemas.projection_items import NEVER, Entry, Projection, write_projection
from schemas.times import to_epoch_milliseconds, to_epoch_seconds

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
WRITTEN_AT = NOW - timedelta(minutes=7)


def a_session(session_id: str = "session-1", **changes: Any) -> Session:
    session = Session(
        session_id=session_id,
        customer_id="customer-1",
        started_at=NOW - HOUR,
        last_login_time=NOW - HOUR,
        expires_at=NOW + HOUR,
        version=to_epoch_milliseconds(WRITTEN_AT),
    )
    return replace(session, **changes)


def recount(*sessions: Session) -> Recount:
    return Recount.of(counted_of(session, NOW) for session in sessions)


def a_projection(*session_ids: str, **changes: Any) -> Projection:
    entry = Entry(started_at=0, expires_at=to_epoch_seconds(NOW + HOUR))
    projection = Projection(
        customer_id="customer-1",
        last_login_time=NOW - HOUR,
        last_login_session_id="session-1",
        sessions=dict.fromkeys(session_ids, entry),
    )
    return replace(projection, **changes)


def differences(recounted: Recount, projection: Projection | None) -> list[Mismatch]:
    return list(compare("customer-1", recounted, projection, NOW, written_at=NOW))


def live(*names: str) -> Recount:
    return recount(*(a_session(name) for name in names))


def test_a_live_session_counts() -> None:
    assert live("session-1", "session-2").live.keys() == {"session-1", "session-2"}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"session_state": CLOSING}, id="logged out"),
        pytest.param({"expires_at": NOW}, id="runs out this second"),
        pytest.param({"parent_session_id": "session-0"}, id="a child session"),
    ],
)
def test_a_session_that_is_over_or_a_child_does_not_count_but_its_login_does(changes: dict[str, Any]) -> None:
    found = recount(a_session(**changes))

    assert not found.live
    assert found.last_login_time == NOW - HOUR


def test_a_tombstone_whose_login_has_not_come_tells_nothing() -> None:
    found = recount(a_session(session_state=CLOSING, started_at=None, last_login_time=None))

    assert (dict(found.live), found.last_login_time) == ({}, None)


def test_an_item_of_the_original_schema_without_expiry_is_live_while_active() -> None:
    legacy = a_session(expires_at=None, version=None, last_login_time=datetime(2023, 5, 12, 11, 30, tzinfo=UTC))

    assert recount(legacy).live.keys() == {"session-1"}


def test_the_last_login_is_the_latest_of_top_level_and_child_sessions_in_any_order() -> None:
    child = a_session("session-2", parent_session_id="session-1", last_login_time=NOW - HOUR / 2)

    assert recount(child, a_session()).last_login_time == NOW - HOUR / 2
    assert recount(a_session(), child).last_login_time == NOW - HOUR / 2


@pytest.mark.parametrize(
    ("items", "projection"),
    [
        pytest.param(live("session-1"), a_projection("session-1"), id="equal"),
        pytest.param(live("session-1"), a_projection("session-1", last_login_time=NOW), id="a newer last login"),
        pytest.param(recount(), a_projection(last_login_time=None), id="nothing on either side"),
        pytest.param(recount(), None, id="nothing at all"),
        pytest.param(
            live("a", "b", "c"), a_projection("a", "b", dropped_until=to_epoch_seconds(NOW) + 60), id="at least two"
        ),
        pytest.param(
            live("a"),
            a_projection("a", sessions={**a_projection("a").sessions, "b": Entry(0, to_epoch_seconds(NOW))}),
            id="an entry that ran out this second",
        ),
    ],
)
def test_projections_that_hold_pass(items: Recount, projection: Projection | None) -> None:
    assert differences(items, projection) == []


@pytest.mark.parametrize(
    ("items", "projection", "kind", "problem"),
    [
        pytest.param(live("a", "b"), a_projection("a"), Kind.MISSING, "not counted", id="too few"),
        pytest.param(live("a"), None, Kind.MISSING, "there is no projection", id="none"),
        pytest.param(recount(), a_projection("a"), Kind.GHOST, "not live", id="too many"),
        pytest.param(
            live("a"),
            a_projection("a", "b", dropped_until=to_epoch_seconds(NOW) + 60),
            Kind.GHOST,
            "not live",
            id="at least too many",
        ),
        pytest.param(
            live("a"),
            a_projection("a", last_login_time=NOW - 2 * HOUR),
            Kind.LAST_LOGIN_TOO_LOW,
            "last login is older",
            id="older login",
        ),
        pytest.param(
            live("a"), a_projection("a", last_login_time=None), Kind.LAST_LOGIN_TOO_LOW, "older", id="no login"
        ),
        pytest.param(
            live("a"),
            a_projection(sessions={"a": Entry(0, to_epoch_seconds(NOW + HOUR), "revoked", 1)}),
            Kind.NOT_ENDED,
            "a policy ended",
            id="an end that was decided",
        ),
        pytest.param(
            live("a", "b"), a_projection("a", "b", dropped_until=NEVER), Kind.INEXACT, "all sessions fit", id="inexact"
        ),
    ],
)
def test_what_does_not_hold_is_named_by_its_kind(
    items: Recount, projection: Projection | None, kind: Kind, problem: str
) -> None:
    [mismatch] = [found for found in differences(items, projection) if found.kind is kind]

    assert mismatch.customer_id == "customer-1"
    assert problem in mismatch.problem


def test_more_sessions_than_a_projection_keeps_make_it_say_at_least_and_that_is_right() -> None:
    names = [f"session-{number}" for number in range(257)]

    assert differences(live(*names), a_projection(*names[:256], dropped_until=NEVER)) == []


def test_other_sessions_in_the_right_number_are_missing_and_ghosts() -> None:
    assert {found.kind for found in differences(live("a"), a_projection("b"))} == {Kind.MISSING, Kind.GHOST}


def test_a_mismatch_shows_both_sides_and_the_sessions_that_make_the_difference() -> None:
    missing, ghost = differences(live("a", "b", "c", "d", "e", "z"), a_projection("y", "z"))

    assert (missing.items, missing.projection) == ("6, only here: a, b, c, …", "2, only here: y")
    assert (ghost.items, ghost.projection) == (missing.items, missing.projection)


def test_a_mismatch_of_last_logins_shows_both_times() -> None:
    [mismatch] = differences(live("a"), a_projection("a", last_login_time=NOW - 2 * HOUR))

    assert (mismatch.items, mismatch.projection) == ("2026-03-02T08:30:00.000Z", "2026-03-02T07:30:00.000Z")


def test_a_mismatch_says_when_the_items_that_make_it_were_written() -> None:
    older = a_session("older", version=to_epoch_milliseconds(WRITTEN_AT - HOUR))
    ended = a_session("ended", session_state=CLOSING)

    [missing] = differences(recount(older, a_session("newer")), a_projection())
    [ghost] = differences(recount(ended), a_projection("ended"))
    [unknown] = differences(recount(ended), a_projection("ended", "never-there"))

    assert (missing.changed_at, ghost.changed_at, unknown.changed_at) == (WRITTEN_AT, WRITTEN_AT, None)


def test_a_childs_login_names_the_item_to_touch_as_a_rebuild_does_not_read_it() -> None:
    child = a_session("kid", parent_session_id="session-1", last_login_time=NOW - HOUR / 2)

    [mismatch] = differences(recount(a_session(), child), a_projection("session-1"))
    [own] = differences(recount(a_session()), a_projection("session-1", last_login_time=None))

    assert mismatch.touch == Key("suuid#session-1", "child#suuid#kid")
    assert own.touch is None


@pytest.mark.parametrize(
    ("attributes", "said"),
    [({"sessions": {"S": "none"}}, "breaks the schema"), ({"item_format": {"N": "2"}}, "later release")],
)
def test_a_projection_that_cannot_be_read_is_a_mismatch_of_its_own(attributes: dict[str, Any], said: str) -> None:
    stored = write_projection(a_projection("a")) | attributes

    look = compare_items("customer-1", [counted_of(a_session("a"), NOW)], stored, NOW)

    [mismatch] = look.mismatches
    assert mismatch.kind is Kind.UNREADABLE
    assert said in mismatch.problem


def test_what_two_scans_find_is_put_together_by_customer() -> None:
    with Spool() as spool:
        spool.add_sessions(
            [("ü", Counted("s-1", "pk", "sk", True, 5, 7)), ("b", Counted("s-2", "pk", "sk", False, None, None))]
        )
        spool.add_sessions([("ü", Counted("s-3", "pk", "sk", True, 5, 7))])
        spool.add_projections([("b", {"PK": {"S": "c#b"}, "theirs": {"B": b"x"}}), ("c#", {"PK": {"S": "c#c%23"}})])

        pairs = list(spool.customers())

    assert pairs == [
        Pair("b", [Counted("s-2", "pk", "sk", False, None, None)], {"PK": {"S": "c#b"}}),
        Pair("c#", [], {"PK": {"S": "c#c%23"}}),
        Pair("ü", [Counted("s-1", "pk", "sk", True, 5, 7), Counted("s-3", "pk", "sk", True, 5, 7)], None),
    ]


def test_what_the_scans_find_is_not_kept_in_memory() -> None:
    """A list of the rows would take ten times as much."""
    rows = ((f"c-{number}", Counted(f"s-{number}", "pk", "sk", True, number, number)) for number in range(20_000))

    tracemalloc.start()
    with Spool() as spool:
        spool.add_sessions(rows)
        customers = sum(1 for _ in spool.customers())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert customers == 20_000
    assert peak < 500_000
