"""Eight threads on one customer and on one session: whatever they do to each other, the result is exact."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from random import Random
from threading import Event
from typing import Any

import pytest

from schemas.events import LoginEvent, LogoutEvent
from schemas.items import Session
from tests.conftest import NOW, at, login, logout
from tests.engine.conftest import Engine, at_once

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("clock_of_the_tests")]

FEWEST_LOST_RACES = 10
"""Below that the threads hardly met, and an exact result shows nothing."""


# --- what must come out, from the facts alone


@dataclass(frozen=True)
class Expected:
    """A session by the rules of the README, without any merge: greatest and smallest of its facts."""

    state: str
    started_at: datetime
    last_login_time: datetime
    last_login_event_id: str
    token: str | None
    expires_at: datetime
    ended: tuple[datetime, str, str] | None


def expected_session(facts: Iterable[LoginEvent | LogoutEvent]) -> Expected:
    logins = [fact for fact in facts if isinstance(fact, LoginEvent)]
    logouts = [fact for fact in facts if isinstance(fact, LogoutEvent)]
    last = max(logins, key=lambda fact: (fact.occurred_at, fact.event_id))
    first = min(logouts, key=lambda fact: (fact.occurred_at, fact.event_id), default=None)
    token = sha256(last.access_token.get_secret_value().encode()).hexdigest() if last.access_token else None
    return Expected(
        state="active" if first is None else "closing",
        started_at=min(fact.occurred_at for fact in logins),
        last_login_time=last.occurred_at,
        last_login_event_id=last.event_id,
        token=token,
        expires_at=max(fact.expires_at or fact.occurred_at + timedelta(hours=12) for fact in logins),
        ended=None if first is None else (first.occurred_at, first.event_id, first.reason),
    )


def found_session(session: Session) -> Expected:
    assert session.started_at is not None
    assert session.last_login_time is not None
    assert session.expires_at is not None
    return Expected(
        state=session.session_state,
        started_at=session.started_at,
        last_login_time=session.last_login_time,
        last_login_event_id=session.last_login_event_id or "",
        token=session.access_token_sha256,
        expires_at=session.expires_at,
        ended=None
        if session.ended_at is None
        else (session.ended_at, session.ended_event_id or "", session.end_reason or ""),
    )


def assert_exact(engine: Engine, history: list[Any], customer_id: str = "customer-1") -> None:
    """Every session, and the customer's projection, are what the facts say."""
    facts: dict[str, list[Any]] = {}
    for event in history:
        facts.setdefault(event.session_id, []).append(event)
    expected = {session_id: expected_session(events) for session_id, events in facts.items()}
    children = {event.session_id for event in history if event.parent_session_id is not None}
    live = sorted(name for name, session in expected.items() if session.state == "active" and name not in children)
    last = max((session.last_login_time, name) for name, session in expected.items())

    assert {name: found_session(session) for name, session in engine.stored_sessions().items()} == expected
    activity = engine.projections.get_customer_activity(customer_id, now=NOW)
    assert (activity.session_ids, activity.session_count, activity.is_exact) == (live, len(live), True)
    assert (activity.last_login_time, activity.last_login_session_id) == last


# --- histories


def history_of_a_session(session_id: str, source: Random, *, length: int, ends: bool) -> list[Any]:
    """Logins that refresh each other, with other tokens, other expiries, and two logouts where it ends."""
    events: list[Any] = [
        login(
            session_id,
            minute=minute,
            event_id=f"login-{session_id}-{minute}-{number}",
            access_token=f"token-{source.random()}",
            expires_at=source.choice((None, at(30 + source.randrange(600)))),
        )
        for number in range(length)
        for minute in [source.randrange(30)]
    ]
    if ends:
        minute = source.randrange(31, 40)
        events += [
            logout(session_id, minute=minute, event_id=f"logout-{session_id}-{name}", reason=name)
            for name in ("b", "a")
        ]
        events.append(logout(session_id, customer_id=None, minute=minute + 1))
    return events


def history_of_a_customer(source: Random, *, sessions: int) -> list[Any]:
    """Sessions, half of which end; every fourth has two children, one of which ended before it."""
    history: list[Any] = []
    for number in range(sessions):
        name = f"s{number:02}"
        history += history_of_a_session(name, source, length=source.randrange(1, 4), ends=number % 2 == 0)
        if number % 4 == 1:
            for child, ends in ((f"{name}-x", False), (f"{name}-y", True)):
                history.append(login(child, minute=source.randrange(30), parent_session_id=name))
                if ends:
                    history.append(logout(child, minute=30, parent_session_id=name))
    return history


def deliveries(history: list[Any], source: Random, *, copies: int, disorder: float) -> list[list[Any]]:
    """Every event so many times, out of order by so many minutes, in batches as they come."""
    events = [event for event in history for _ in range(copies)]
    events.sort(key=lambda event: event.occurred_at + timedelta(minutes=disorder * source.random()))
    batches = []
    while events:
        size = source.randrange(1, 8)
        batches.append(events[:size])
        del events[:size]
    return batches


# --- the tests


@pytest.mark.parametrize("seed", range(3))
def test_eight_threads_on_one_session_leave_what_its_facts_say(engine: Engine, seed: int) -> None:
    source = Random(seed)
    history = history_of_a_session("s1", source, length=60, ends=seed == 0)

    engine.consume(deliveries(history, source, copies=3, disorder=8))
    lost_on_the_session = engine.races.lost[engine.sessions_table]
    engine.project_by_threads()
    engine.settle()

    assert_exact(engine, history)
    assert lost_on_the_session >= FEWEST_LOST_RACES


@pytest.mark.parametrize("seed", range(2))
def test_eight_threads_on_one_customer_leave_what_the_facts_say(engine: Engine, seed: int) -> None:
    source = Random(100 + seed)
    history = history_of_a_customer(source, sessions=24)

    engine.consume(deliveries(history, source, copies=3, disorder=120))
    engine.project_by_threads()
    engine.settle()

    assert_exact(engine, history)
    assert engine.races.lost[engine.projections_table] >= FEWEST_LOST_RACES


def test_a_stream_projected_while_its_sessions_are_still_written_ends_exact(engine: Engine) -> None:
    source = Random(7)
    history = history_of_a_customer(source, sessions=24)
    batches = deliveries(history, source, copies=3, disorder=120)
    is_written = Event()

    def write() -> None:
        engine.consume(batches, threads=4)
        is_written.set()

    def read_along(seed: int) -> None:
        while not is_written.is_set():
            engine.project_again_and_again(engine.stream_records()[-40:], Random(seed))

    at_once([write, *(partial(read_along, seed) for seed in range(4))])
    engine.project_by_threads()
    engine.settle()

    assert_exact(engine, history)
    assert engine.races.lost[engine.projections_table] >= FEWEST_LOST_RACES


def test_delivering_everything_again_writes_no_session_and_changes_no_projection(engine: Engine) -> None:
    source = Random(11)
    history = history_of_a_customer(source, sessions=16)
    engine.consume(deliveries(history, source, copies=2, disorder=120))
    engine.settle()
    sessions = engine.stored_sessions()

    engine.consume(deliveries(history, source, copies=1, disorder=120))
    engine.settle()

    assert engine.stored_sessions() == sessions
    assert_exact(engine, history)
