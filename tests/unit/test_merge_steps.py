"""The steps of the merge and of a rebuild, one at a time: what each keeps, adds and passes over."""

from dataclasses import replace
from datetime import datetime

import pytest

from processors.projections.activity import CustomerActivity, activity_at
from processors.projections.facts import CustomerFacts, Image, Removal
from processors.projections.merge import (
    Merged,
    end_times,
    latest_login,
    logins_of,
    merge,
    merge_all_revocations,
)
from processors.projections.rebuild import CustomerRegister, rebuild
from processors.projections.state import Rules
from schemas.items import CLOSING, Revocation, Session
from schemas.projection_items import NEVER, Entry, Projection
from tests.conftest import NOW, at

NOW_S = int(NOW.timestamp())
LIVE = Session(session_id="s", customer_id="c", started_at=at(-5), last_login_time=at(-5), expires_at=at(9), version=1)
ENTRY = Entry(int(at(-5).timestamp() * 1000), int(at(9).timestamp()))
ENDED = replace(LIVE, session_state=CLOSING, ended_at=at(-1))
CHILD = replace(LIVE, session_id="kid", parent_session_id="s", last_login_time=at(-2))
KNOWN = Projection(customer_id="c", last_login_time=at(-5), last_login_session_id="s", sessions={"s": ENTRY})


def merged(
    before: Projection | None,
    *images: Image,
    removals: tuple[Removal, ...] = (),
    revocations: tuple[Revocation, ...] = (),
    reread: tuple[Session, ...] = (),
    rules: Rules | None = None,
) -> Merged:
    return merge(
        before,
        CustomerFacts(images=list(images), removals=list(removals), revocations=list(revocations)),
        customer_id="c",
        reread={session.key: session for session in reread},
        now=NOW,
        rules=rules or Rules(),
    )


def test_the_first_login_makes_a_projection() -> None:
    assert merged(None, Image(LIVE, 100)) == Merged(
        replace(KNOWN, session_count=1, count_valid_until=ENTRY.expires_at), True, {}
    )


def test_what_is_known_already_is_not_written_again() -> None:
    result = merged(KNOWN, Image(LIVE, 100))

    assert result == Merged(KNOWN, False, {})
    assert result.projection is KNOWN


def test_what_is_known_already_sends_the_logouts_of_ending_sessions_again() -> None:
    ending = ENTRY._replace(end_reason="limit", end_as_of=7)
    before = replace(KNOWN, sessions={"s": ending})

    assert merged(before, Image(LIVE, 100)) == Merged(before, False, {"s": ending})


def test_an_ended_image_takes_its_session_out_and_raises_the_watermark() -> None:
    result = merged(replace(KNOWN, end_watermark=7), Image(ENDED, 100.2))

    assert result == Merged(replace(KNOWN, sessions={}, end_watermark=101), True, {})


def test_a_watermark_is_never_lowered() -> None:
    before = replace(KNOWN, end_watermark=300)

    assert merged(before, Image(ENDED, 100)).projection.end_watermark == 300


def test_of_a_live_and_an_ended_image_of_one_session_the_end_wins_in_either_order() -> None:
    images = [Image(LIVE, 100), Image(ENDED, 101)]

    assert merged(KNOWN, *images).projection.sessions == merged(KNOWN, *images[::-1]).projection.sessions == {}


def test_a_child_session_is_no_entry_and_ends_none_but_its_login_counts() -> None:
    of_the_same_id = replace(CHILD, session_id="s", session_state=CLOSING, ended_at=at(-1), last_login_time=at(-9))

    after = merged(KNOWN, Image(CHILD, 100), Image(of_the_same_id, 101)).projection

    assert after.sessions == {"s": ENTRY}
    assert (after.last_login_time, after.last_login_session_id, after.end_watermark) == (at(-2), "kid", None)


def test_a_login_that_was_read_again_counts() -> None:
    later = replace(LIVE, last_login_time=at(-1))

    after = merged(replace(KNOWN, end_watermark=100), Image(LIVE, 100), reread=(later,)).projection

    assert (after.last_login_time, after.last_login_session_id) == (at(-1), "s")


def test_a_revocation_is_kept_and_ends_what_it_covers_as_of_its_time() -> None:
    revocation = Revocation(customer_id="c", revoked_at=at(-3), ttl=7, version=8)

    result = merged(KNOWN, revocations=(revocation,))

    ending = ENTRY._replace(end_reason="revoked", end_as_of=int(at(-3).timestamp() * 1000))
    assert result == Merged(
        replace(KNOWN, revocation=replace(revocation, ttl=None, version=None), sessions={"s": ending}),
        True,
        {"s": ending},
    )


def test_a_revocation_adds_to_those_that_are_known() -> None:
    known = Revocation(customer_id="c", revoked_at=at(-9), except_session_id="x")

    after = merged(replace(KNOWN, revocation=known), revocations=(Revocation(customer_id="c", revoked_at=at(-8)),))

    assert after.projection.revocation == Revocation(
        customer_id="c", revoked_at=at(-8), other_revoked_at=at(-9), other_except_session_id="x"
    )


def test_an_end_alone_ends_no_other_session() -> None:
    before = replace(KNOWN, sessions=dict.fromkeys(("s", "a", "b"), ENTRY))

    assert merged(before, Image(ENDED, 100), rules=Rules(limit=1)).ending == {}
    assert set(merged(before, Image(LIVE, 100), rules=Rules(limit=1)).ending) == {"a", "b"}


def test_a_merge_keeps_as_many_entries_as_the_rules_say() -> None:
    before = replace(KNOWN, sessions={"a": ENTRY._replace(expires_at=ENTRY.expires_at - 1)})

    after = merged(before, Image(LIVE, 100), rules=Rules(capacity=1)).projection

    assert (set(after.sessions), after.dropped_until) == ({"s"}, ENTRY.expires_at - 1)


def test_entries_that_have_run_out_are_pruned_with_the_next_write() -> None:
    before = replace(KNOWN, sessions={"s": ENTRY, "gone": Entry(0, NOW_S), "soon": Entry(0, NOW_S + 1)})

    after = merged(before, removals=(Removal(LIVE.key, "s", 50),), reread=(LIVE,)).projection

    assert set(after.sessions) == {"s", "soon"}
    assert (after.session_count, after.count_valid_until, after.end_watermark) == (2, NOW_S + 1, 50)


def test_ends_are_those_of_ended_restored_and_removed_top_level_sessions_rounded_up() -> None:
    facts = CustomerFacts(
        images=[
            Image(LIVE, 1),
            Image(ENDED, 2.1),
            Image(LIVE, 3, goes_backwards=True),
            Image(replace(CHILD, session_state=CLOSING), 4),
            Image(CHILD, 5, goes_backwards=True),
        ],
        removals=[Removal(LIVE.key, "s", 6.5)],
    )

    assert end_times(facts) == [3, 3, 7]


@pytest.mark.parametrize(
    ("logins", "expected"),
    [
        ([], (at(-5), "s")),
        ([(at(-6), "z")], (at(-5), "s")),
        ([(at(-4), "a"), (at(-3), "b")], (at(-3), "b")),
        ([(at(-5), "t")], (at(-5), "t")),
        ([(at(-5), "a")], (at(-5), "s")),
    ],
)
def test_the_latest_login_is_kept_and_of_two_at_one_time_the_greater_id(
    logins: list[tuple[datetime, str]], expected: tuple[datetime, str]
) -> None:
    assert latest_login(KNOWN, logins) == expected


def test_nobody_has_logged_in_where_nothing_is_known() -> None:
    assert latest_login(Projection(customer_id="c"), []) == (None, None)
    assert latest_login(replace(KNOWN, last_login_session_id=None), []) == (at(-5), "")


def test_sessions_without_login_have_no_last_login() -> None:
    assert logins_of([LIVE, replace(LIVE, last_login_time=None), CHILD]) == [(at(-5), "s"), (at(-2), "kid")]


def test_revocations_add_up_without_what_a_projection_does_not_keep() -> None:
    first = Revocation(customer_id="c", revoked_at=at(1), ttl=5, version=6)
    second = Revocation(customer_id="c", revoked_at=at(2), except_session_id="s", ttl=7, version=8)

    expected = Revocation(customer_id="c", revoked_at=at(2), except_session_id="s", other_revoked_at=at(1))
    assert merge_all_revocations(None, [first, second]) == expected
    assert merge_all_revocations(replace(first, ttl=None, version=None), [second]) == expected
    assert merge_all_revocations(expected, []) is expected


# rebuilds


def rebuilt(
    before: Projection | None,
    register: CustomerRegister,
    facts: CustomerFacts | None = None,
    rules: Rules | None = None,
) -> Merged:
    return rebuild(before, register, facts or CustomerFacts(), customer_id="c", now=NOW, rules=rules or Rules())


def test_a_customers_first_projection_is_made_from_the_register_and_the_batch() -> None:
    revocation = Revocation(customer_id="c", revoked_at=at(-9), ttl=7, version=8)
    older = Revocation(customer_id="c", revoked_at=at(-10), except_session_id="x")
    facts = CustomerFacts(
        images=[Image(ENDED, NOW_S + 3)], removals=[Removal(LIVE.key, "r", 1, at(-1))], revocations=[older]
    )

    result = rebuilt(None, CustomerRegister(at(0), [LIVE, CHILD, ENDED], revocation), facts)

    assert result == Merged(
        Projection(
            customer_id="c",
            last_login_time=at(-1),
            last_login_session_id="r",
            revocation=Revocation(
                customer_id="c", revoked_at=at(-9), other_revoked_at=at(-10), other_except_session_id="x"
            ),
            end_watermark=NOW_S + 3,
        ),
        True,
        {},
    )


def test_a_rebuild_counts_live_sessions_with_policies_and_rounds_its_watermark_up() -> None:
    other = replace(LIVE, session_id="t", started_at=at(-4))

    result = rebuilt(None, CustomerRegister(at(0.001), [LIVE, other, CHILD]), rules=Rules(limit=1))

    ending = ENTRY._replace(end_reason="limit", end_as_of=int(at(-4).timestamp() * 1000))
    assert result.ending == {"s": ending}
    assert result.projection.sessions == {"s": ending, "t": ENTRY._replace(started_at=int(at(-4).timestamp() * 1000))}
    assert (result.projection.session_count, result.projection.end_watermark) == (1, NOW_S + 1)
    assert (result.projection.last_login_time, result.projection.last_login_session_id) == (at(-2), "kid")


@pytest.mark.parametrize(
    ("before", "is_complete", "after"),
    [(None, True, None), (NOW_S + 5, True, NOW_S + 5), (NEVER, True, None), (NOW_S + 5, False, NEVER)],
    ids=["exact", "dropped before", "a part before, all now", "a part now"],
)
def test_a_rebuild_says_until_when_its_count_is_at_least(
    before: int | None, is_complete: bool, after: int | None
) -> None:
    register = CustomerRegister(NOW, [LIVE], is_complete=is_complete)

    assert rebuilt(replace(KNOWN, dropped_until=before), register).projection.dropped_until == after


def test_a_rebuild_keeps_as_many_entries_as_the_rules_say() -> None:
    shorter = replace(LIVE, session_id="a", expires_at=at(1))

    after = rebuilt(None, CustomerRegister(NOW, [LIVE, shorter]), rules=Rules(capacity=1)).projection

    assert (set(after.sessions), after.dropped_until) == ({"s"}, int(at(1).timestamp()))


# what analysts are answered


def test_activity_counts_what_is_live_at_the_time_asked_for() -> None:
    before = replace(
        KNOWN, sessions={"z": ENTRY, "s": ENTRY, "gone": Entry(0, NOW_S), "end": Entry(0, NEVER, "limit", 1)}
    )

    assert activity_at(before, "c", NOW) == CustomerActivity("c", at(-5), "s", 2, True, ["s", "z"])
    assert activity_at(before, "c", at(9)).session_count == 0


def test_a_customer_never_seen_has_no_activity() -> None:
    assert activity_at(None, "c", NOW) == CustomerActivity("c", None, None, 0, True, [])
