"""The queries of the report's page against plain Python."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.analytics.page.figures import Row, read_figures
from ops.analytics.page.sums import sums_of
from tests.page.sessions import NOON, SessionRow, TransitionRow, database

SINCE, UNTIL = NOON - timedelta(days=20), NOON + timedelta(days=20)

pytestmark = pytest.mark.slow


@st.composite
def sessions(draw: st.DrawFn) -> list[SessionRow]:
    """Sessions live at some moment of the range; times that meet are frequent."""
    rows = []
    for number in range(draw(st.integers(0, 12))):
        started = NOON + timedelta(hours=6 * draw(st.integers(-90, 79)), milliseconds=draw(st.sampled_from((0, 0, 1))))
        refreshed = started + timedelta(hours=draw(st.integers(0, 30)))
        over = max(started, SINCE) + timedelta(
            hours=draw(st.integers(0, 50)), milliseconds=draw(st.sampled_from((0, 1)))
        )
        is_over = over <= UNTIL and draw(st.booleans())
        rows.append(
            SessionRow(
                session_id=f"s-{number}",
                customer_id=draw(st.sampled_from(("c-1", "c-2", "c-3"))),
                parent_session_id=draw(st.sampled_from((None, None, "s-0"))),
                started_at=draw(
                    st.sampled_from((started, started, started, None)) if refreshed < UNTIL else st.just(started)
                ),
                last_login_time=draw(st.sampled_from((refreshed, refreshed, started, None))),
                country=draw(st.sampled_from(("DE", "FR", None, *map(str, range(9))))),
                source=draw(st.sampled_from(("okta", None, *map(str, range(7))))),
                user_agent=draw(st.sampled_from(("ExampleApp (Android 15)", "ExampleTV/9.1", None))),
                over_at=over if is_over else None,
                over_reason=draw(st.sampled_from(("user", "expired", None))) if is_over else None,
            )
        )
    return rows


def answer_of(name: str, rows: list[SessionRow], transitions: Sequence[TransitionRow] = ()) -> Sequence[Row]:
    with database(rows, transitions, since=SINCE, until=UNTIL) as connection:
        return read_figures(connection, [name]).rows(name)


def started(row: SessionRow) -> datetime | None:
    return row.started_at or row.last_login_time


def span(row: SessionRow) -> tuple[datetime, datetime]:
    """When it is live within the range."""
    begins = max(started(row) or SINCE, SINCE)
    return begins, max(begins, row.over_at) if row.over_at else UNTIL


def live_at(rows: list[SessionRow], moment: datetime) -> int:
    return sum(begins <= moment < ends for begins, ends in map(span, rows))


@given(sessions())
@settings(max_examples=30, deadline=None)
def test_the_pictures_of_any_sessions_agree_with_one_another(rows: list[SessionRow]) -> None:
    with database(rows, since=SINCE, until=UNTIL) as connection:
        sums = sums_of(read_figures(connection))

    assert [found for found in sums if not found.is_equal] == []
    assert set(sums[0].values.values()) == {len(rows)}


@given(sessions())
@settings(max_examples=30, deadline=None)
def test_the_peak_is_the_first_moment_with_the_most_live_sessions(rows: list[SessionRow]) -> None:
    best = max((live_at(rows, begins), -begins.timestamp()) for begins, _ in map(span, rows)) if rows else None

    answer = answer_of("peak", rows)

    assert [(row["live"], -row["at_s"]) for row in answer if row["live"]] == ([best] if best and best[0] else [])


@st.composite
def changes(draw: st.DrawFn) -> list[TransitionRow]:
    """Changes of the customers of `sessions`, and of one whom it does not have."""
    return [
        TransitionRow(
            id=f"change-{number}",
            kind=draw(st.sampled_from(("started", "refreshed", "refreshed", "ended", "expired"))),
            occurred_at=NOON + timedelta(hours=6 * draw(st.integers(-100, 100))),
            version=1,
            customer_id=draw(st.sampled_from(("c-1", "c-2", "c-3", "a stranger"))),
        )
        for number in range(draw(st.integers(0, 8)))
    ]


@given(sessions(), changes())
@settings(max_examples=30, deadline=None)
def test_customers_are_active_in_the_days_after_each_login(rows: list[SessionRow], told: list[TransitionRow]) -> None:
    active: dict[int, set[str]] = defaultdict(set)
    known = {row.customer_id for row in rows}
    for change in told:
        is_login = change.kind in ("started", "refreshed") and change.customer_id in known
        if is_login and SINCE <= change.occurred_at < UNTIL:
            active[int(change.occurred_at.timestamp()) // 86_400].add(change.customer_id)
    for row in rows:
        for moment in (started(row), row.last_login_time):
            if moment and SINCE <= moment < UNTIL:
                active[int(moment.timestamp()) // 86_400].add(row.customer_id)

    answer = answer_of("active_customers", rows, told)

    assert len(answer) == 41
    for day in answer:
        for name, length in (("daily", 1), ("weekly", 7), ("monthly", 30)):
            within = [active[day["day"] - back] for back in range(length)]
            assert day[name] == len(set().union(*within))


@given(sessions())
@settings(max_examples=30, deadline=None)
def test_percentiles_are_durations_that_so_many_sessions_did_not_exceed(rows: list[SessionRow]) -> None:
    lasted: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for row in rows:
        begins = started(row)
        if row.over_at and begins:
            over = max(row.over_at, begins)
            refreshed = min(max(row.last_login_time or begins, begins), over)
            for measure, ends in (("until over", over), ("until last refresh", refreshed)):
                lasted[measure, None].append(int((ends - begins).total_seconds()))

    answer = answer_of("durations", rows)

    found = {row["measure"]: row for row in answer if row["source"] is None and row["country"] is None}
    assert set(found) == {measure for measure, _ in lasted}
    for (measure, _), values in lasted.items():
        ordered = sorted(values)
        for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
            assert found[measure][name] == ordered[ceil(share * len(ordered)) - 1]


@given(sessions())
@settings(max_examples=30, deadline=None)
def test_a_fast_journey_is_two_countries_within_two_hours(rows: list[SessionRow]) -> None:
    by_customer: dict[str, list[tuple[datetime, str, str]]] = defaultdict(list)
    for row in rows:
        if row.started_at and row.country:
            by_customer[row.customer_id].append((row.started_at, row.session_id, row.country))
    expected = {
        later[1]
        for logins in by_customer.values()
        for earlier, later in pairwise(sorted(logins))
        if earlier[2] != later[2] and later[0] - earlier[0] < timedelta(hours=2)
    }

    answer = answer_of("unusual_journey", rows)

    assert {row["session_id"] for row in answer} == expected


def test_a_report_without_a_beginning_begins_with_the_first_session() -> None:
    with database([at_home(0), at_home(5)], since=None, until=UNTIL) as connection:
        figures = read_figures(connection)

    assert figures.row("period")["since_at"] == NOON
    assert figures.row("totals")["started"] == 2
    assert all(found.is_equal for found in sums_of(figures))


def at_home(number: int, **changes: Any) -> SessionRow:
    begins = NOON + timedelta(hours=number)
    at_once: dict[str, Any] = {"started_at": begins, "last_login_time": begins}
    return SessionRow(**{"session_id": f"s-{number}", "country": "DE"} | at_once | changes)


def test_a_first_country_needs_five_logins_from_elsewhere() -> None:
    fifth = [*(at_home(number) for number in range(5)), at_home(9, country="JP")]
    fourth = [*(at_home(number) for number in range(4)), at_home(9, country="JP")]

    assert [row["logins_before"] for row in answer_of("unusual_country", fifth)] == [5]
    assert answer_of("unusual_country", fourth) == []


def test_a_second_login_from_a_country_is_not_a_first() -> None:
    rows = [*(at_home(number) for number in range(5)), at_home(9, country="JP"), at_home(10, country="JP")]

    assert [row["session_id"] for row in answer_of("unusual_country", rows)] == ["s-9"]


@pytest.mark.parametrize(("seconds", "found"), [(35, [(3, 2)]), (37, [])])
def test_more_sessions_than_a_customers_own_p99_are_held_for_at_most_a_hundredth_of_the_time(
    seconds: int, found: list[tuple[int, int]]
) -> None:
    begins = NOON + timedelta(minutes=30)
    over = {"over_at": NOON + timedelta(hours=1), "over_reason": "user"}
    rows = [
        at_home(0, session_id="s-1", **over),
        at_home(0, session_id="s-2", **over),
        at_home(
            0, session_id="s-3", started_at=begins, over_at=begins + timedelta(seconds=seconds), over_reason="user"
        ),
    ]

    answer = answer_of("unusual_concurrency", rows)

    assert [(row["most"], row["own_p99"]) for row in answer] == found


def test_lateness_counts_the_first_writing_and_tells_clocks_ahead_apart() -> None:
    noon_ms = int(NOON.timestamp() * 1000)
    told = [
        TransitionRow(id="1", kind="started", occurred_at=NOON, version=noon_ms + 5),
        TransitionRow(id="2", kind="started", occurred_at=NOON, version=noon_ms + 86_400_000),
        TransitionRow(id="3", kind="ended", occurred_at=NOON, version=noon_ms + 20),
        TransitionRow(id="4", kind="ended", session_id="s-2", occurred_at=NOON, version=noon_ms - 1),
        TransitionRow(id="5", kind="expired", session_id="s-3", occurred_at=NOON, version=noon_ms + 5),
        TransitionRow(id="6", kind="started", session_id="s-4", occurred_at=NOON, version=7),
    ]

    answer = answer_of("lateness", [], told)

    assert [(row["kind"], row["step"], row["events"]) for row in answer] == [
        ("ended", None, 1),
        ("ended", 4, 1),
        ("started", 0, 1),
    ]


def test_rare_countries_and_sources_are_shown_together() -> None:
    rows = [at_home(number, country=f"{number:02}", source=f"idp-{number:02}") for number in range(12)]

    logins = answer_of("logins", rows)

    assert {row["country"] for row in logins} == {f"{number:02}" for number in range(8)} | {"(other)"}
    assert {row["source"] for row in logins} == {f"idp-{number:02}" for number in range(6)} | {"(other)"}
    assert sum(row["logins"] for row in logins) == 12
