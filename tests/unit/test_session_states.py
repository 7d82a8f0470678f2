"""What a session's item says of it: live, or over, why, and since when."""

from dataclasses import replace
from datetime import datetime

import pytest

from ops.inspection.session_states import State, explain, is_used_up, over_at, state_of
from schemas.items import CLOSING, Session
from tests.conftest import at

LIVE = Session(session_id="s", customer_id="c", started_at=at(0), last_login_time=at(0), expires_at=at(60), version=1)
ENDED = replace(LIVE, session_state=CLOSING, ended_at=at(30), end_reason="user")
TOMBSTONE = Session(session_id="s", customer_id="c", session_state=CLOSING, ended_at=at(30), version=1)


def child(parent: Session | None, **changes: object) -> Session:
    return replace(LIVE, session_id="tab", parent_session_id="s", parent=parent, **changes)  # type: ignore[arg-type] # varies


@pytest.mark.parametrize(
    ("session", "minute", "state", "end"),
    [
        (LIVE, 59, State.LIVE, None),
        (LIVE, 60, State.EXPIRED, at(60)),
        (replace(LIVE, expires_at=None), 900, State.LIVE, None),
        (ENDED, 40, State.ENDED, at(30)),
        (ENDED, 90, State.ENDED, at(30)),
        (replace(ENDED, ended_at=at(70)), 90, State.EXPIRED, at(60)),
        (replace(ENDED, ended_at=at(60)), 90, State.ENDED, at(60)),
        (replace(ENDED, ended_at=None), 90, State.ENDED, None),
        (TOMBSTONE, 40, State.NO_LOGIN, at(30)),
        (child(LIVE), 40, State.LIVE, None),
        (child(ENDED), 40, State.OVER_WITH_PARENT, at(30)),
        (child(ENDED), 90, State.OVER_WITH_PARENT, at(30)),
        (child(ENDED, expires_at=at(20)), 90, State.EXPIRED, at(20)),
        (child(ENDED, session_state=CLOSING, ended_at=at(30), end_reason="parent"), 40, State.ENDED, at(30)),
        (child(None), 40, State.LIVE, None),
    ],
)
def test_the_earliest_end_is_the_one_that_counts(
    session: Session, minute: float, state: State, end: datetime | None
) -> None:
    assert (state_of(session, at(minute)), over_at(session, at(minute))) == (state, end)


@pytest.mark.parametrize(
    ("last_login", "is_so"), [(at(29), False), (at(30), False), (at(30.001), True)], ids=["before", "at", "after"]
)
def test_an_id_is_used_up_by_a_login_after_the_end(last_login: datetime, is_so: bool) -> None:
    assert is_used_up(replace(ENDED, last_login_time=last_login)) is is_so


@pytest.mark.parametrize(
    ("session", "begins"),
    [
        (replace(ENDED, last_login_time=at(40)), "s ended at 2026-03-01T12:30:00.000Z (user), and a login came for it"),
        (TOMBSTONE, "Only the logout of s has arrived."),
        (child(ENDED), "tab is over because its parent s is."),
        (child(None), "Its parent s has not arrived: tab is live by itself."),
        (replace(ENDED, ended_at=None), "s was ended by another writer of the table"),
    ],
)
def test_what_surprises_is_explained(session: Session, begins: str) -> None:
    [sentence] = explain(session, at(50))

    assert sentence.startswith(begins)


@pytest.mark.parametrize("session", [LIVE, ENDED, child(LIVE)])
def test_what_is_plain_is_not_explained(session: Session) -> None:
    assert explain(session, at(40)) == []
