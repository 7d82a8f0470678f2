"""A life-cycle event as a line for people: whole ids, what fits, nothing that acts on a terminal."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.sessionctl.tail_lines import Lines, Repeats
from schemas.items import CLOSING, Session
from schemas.life_cycle import ENDED, STARTED, detail_of, expired_detail, over_as_of
from tests.conftest import at

LIVE = Session(
    session_id="tab-2",
    customer_id="customer-1",
    parent_session_id="session-a1",
    started_at=at(0),
    last_login_time=at(0),
    expires_at=at(60),
    version=1,
)
LOGGED_OUT = replace(LIVE, session_state=CLOSING, ended_at=at(30), end_reason="security", version=2)


def started(**changes: Any) -> dict[str, Any]:
    session = replace(LIVE, **changes)
    return detail_of(STARTED, session, occurred_at=at(0), over=over_as_of(session, at(0)))


def ended(**changes: Any) -> dict[str, Any]:
    session = replace(LOGGED_OUT, **changes)
    return detail_of(ENDED, session, occurred_at=at(30), over=over_as_of(session, at(30)))


@pytest.mark.parametrize(
    ("detail", "line"),
    [
        (started(), "12:00:00  started    tab-2  customer-1  child of session-a1  runs out in 30 min"),
        (started(expires_at=None), "12:00:00  started    tab-2  customer-1  child of session-a1"),
        (started(expires_at=at(20)), "12:00:00  started    tab-2  customer-1  child of session-a1  ran out 10 min ago"),
        (ended(), "12:30:00  ended      tab-2  customer-1  child of session-a1  security  over 0 s ago"),
        (ended(parent_session_id=None), "12:30:00  ended      tab-2  customer-1  security  over 0 s ago"),
        (
            expired_detail(replace(LIVE, expires_at=at(29.9))),
            "12:29:54  expired    tab-2  customer-1  child of session-a1  over 6 s ago",
        ),
    ],
)
def test_a_line_says_when_what_whose_and_how_long_ago(detail: dict[str, Any], line: str) -> None:
    assert Lines().line_of(detail, now=at(30)) == f"2026-03-01  {line}"


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (100, "2026-03-01  12:30:00  ended      tab-2  customer-1  child of session-a1  security  over 0 s ago"),
        (99, "12:30:00  ended      tab-2  customer-1  child of session-a1  security  over 0 s ago"),
        (81, "12:30:00  ended      tab-2  customer-1  child of session-a1  security"),
        (67, "12:30:00  ended      tab-2  customer-1  security"),
        (47, "12:30:00  ended      tab-2  customer-1"),
        (37, "12:30:00  ended      tab-2"),
        (10, "12:30:00  ended      tab-2"),
    ],
)
def test_what_does_not_fit_is_left_out_and_the_session_never(width: int, line: str) -> None:
    assert Lines().line_of(ended(), now=at(30), width=width) == line


def test_columns_are_as_wide_as_what_came_so_far_unless_that_does_not_fit() -> None:
    lines = Lines(has_customer=False)
    lines.line_of(started(session_id="a" * 20, parent_session_id=None), now=at(0))

    aligned = lines.line_of(started(parent_session_id=None), now=at(0))
    narrow = lines.line_of(started(parent_session_id=None), now=at(0), width=44)

    assert aligned == f"2026-03-01  12:00:00  started    {'tab-2':<20}  runs out in 1 h"
    assert narrow == "12:00:00  started    tab-2  runs out in 1 h"


def test_what_would_act_on_a_terminal_is_escaped() -> None:
    line = Lines().line_of(ended(end_reason="\x1b[2Jsecurity\n"), now=at(30))

    assert "\\x1b[2Jsecurity\\n" in line
    assert line.isprintable()


@given(st.text("ab-é", min_size=1, max_size=80), st.text("ab-é", min_size=1, max_size=80), st.integers(1, 200))
def test_a_line_fits_or_holds_no_more_than_time_kind_and_session(session_id: str, customer_id: str, width: int) -> None:
    detail = started(session_id=session_id, customer_id=customer_id)

    line = Lines().line_of(detail, now=at(1), width=width)

    assert session_id in line
    assert len(line) <= width or line.removeprefix("2026-03-01  ") == f"12:00:00  started    {session_id}"


def test_an_event_that_came_before_is_a_repeat() -> None:
    repeats = Repeats()

    assert [repeats.is_repeat(detail) for detail in (started(), ended(), started(), ended())] == [
        False,
        False,
        True,
        True,
    ]
