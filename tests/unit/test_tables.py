"""The demo's tables: they fit 80 columns, and say what there is to say."""

import io
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from ops.inspection import tables
from ops.inspection.leftovers import DeadLetter, Rejection
from ops.verification.comparing import Kind, Mismatch
from ops.verification.verifying import Verification
from processors.projections.activity import CustomerActivity
from schemas.items import CLOSING, Session
from schemas.outcomes import Outcome

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def shown(table: Table) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(table)
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def an_audit(*mismatches: Mismatch) -> Verification:
    return Verification(
        at=NOW,
        finished_at=NOW,
        customers=494,
        session_items=1289,
        live_sessions=336,
        inexact=1,
        mismatches=mismatches,
    )


def a_session(session_id: str, **attributes: Any) -> Session:
    return Session(
        session_id=session_id,
        customer_id="customer-2004",
        device_id="laptop-2004",
        started_at=NOW - timedelta(hours=1),
        last_login_time=NOW - timedelta(hours=1),
        version=1,
        **attributes,
    )


def test_each_state_of_a_session_is_told_apart() -> None:
    sessions = [
        a_session("session-live", expires_at=NOW + timedelta(hours=1)),
        a_session("session-over", expires_at=NOW),
        a_session("session-left", session_state=CLOSING, end_reason="user"),
    ]

    text = shown(tables.sessions_table(sessions, now=NOW))

    states = {line.split()[-1] for line in text.splitlines() if "session-" in line}
    assert states == {"live", "out", "(user)"}


def test_a_child_session_is_live_no_longer_than_its_parent() -> None:
    parent = a_session("session-1", session_state=CLOSING, end_reason="user")
    child = a_session("session-2", parent_session_id="session-1", parent=parent, expires_at=NOW + timedelta(hours=1))

    text = shown(tables.sessions_table([parent, child], now=NOW))

    assert "live" not in text


def test_ids_from_events_are_shown_as_they_are_and_never_read_as_markup() -> None:
    text = shown(tables.rejections_table([Rejection("[bold]id[/]", "session_id [red]is empty", "{}")]))

    assert "[bold]id[/]" in text
    assert "[red]is empty" in text


def test_a_mismatch_shows_customer_problem_and_both_sides() -> None:
    mismatch = Mismatch("customer-7", Kind.MISSING, "live sessions are not counted", "2, only here: a", "1")

    text = shown(tables.mismatches_table(an_audit(mismatch)))

    assert "customer-7" in text
    assert "1 of 1" in text


def test_every_table_fits_80_columns_without_cutting_anything_off() -> None:
    long_id = "customer-with-quite-a-long-name@example.com"
    activity = CustomerActivity(long_id, NOW, "session-00042-billing", 3, False, ["a", "b", "c"])
    every = [
        tables.outcomes_table(Counter(dict.fromkeys(Outcome, 123456))),
        tables.sessions_table(
            [a_session("session-00042-billing", session_state=CLOSING, end_reason="timeout")], now=NOW
        ),
        tables.activities_table([activity]),
        tables.rejections_table([Rejection(long_id, "occurred_at lies too far ahead; " * 4, "{}")]),
        tables.dead_letters_table([DeadLetter(NOW, '{"event_id": "event-000011", "session_id": "session"}' * 2)]),
        tables.verification_table(an_audit(), lost=2, places_with_tokens=["table sessions"]),
        tables.mismatches_table(
            an_audit(Mismatch(long_id, Kind.LAST_LOGIN_TOO_LOW, "the last login is older", "2026", "no login"))
        ),
    ]

    text = "".join(shown(table) for table in every)

    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text
