"""Tables for people, in 80 columns: the demo and the command line show them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich import box
from rich.table import Table
from rich.text import Text

from ops.inspection.leftovers import DeadLetter, Rejection
from ops.verification.verifying import Verification
from processors.projections.activity import CustomerActivity
from schemas.items import ACTIVE, Session
from schemas.outcomes import Outcome

_MEANINGS = {
    Outcome.APPLIED: "the register changed",
    Outcome.DUPLICATE: "a fact known already: a copy, folded away",
    Outcome.STALE: "a login older than the one stored",
    Outcome.IGNORED: "valid, but neither login nor logout",
    Outcome.REJECTED: "malformed: in the rejected-events queue, with the reason",
    Outcome.RETRY: "not processed this time: delivered again later",
}


def outcomes_table(counts: Counter[Outcome]) -> Table:
    """Show how often each outcome came; a message that is retried counts each time."""
    table = plain_table("What became of the events")
    table.add_column("Outcome")
    table.add_column("Events", justify="right")
    table.add_column("Meaning")
    for outcome, meaning in _MEANINGS.items():
        table.add_row(outcome.value, f"{counts[outcome]:,}", meaning)
    return table


def sessions_table(sessions: Sequence[Session], *, now: datetime) -> Table:
    """Show sessions, each customer's oldest first."""
    table = plain_table("Sessions of some customers, each one's oldest first (times are UTC)")
    for heading in ("Customer", "Session", "Device", "Started", "State"):
        table.add_column(heading, overflow="fold")
    previous = None
    for session in sorted(sessions, key=lambda s: (s.customer_id or "", s.started_at or now)):
        customer = session.customer_id or ""
        table.add_row(
            "" if customer == previous else Text(customer),
            Text(("└" if session.parent_session_id else "") + session.session_id),
            Text(session.device_id or ""),
            f"{session.started_at:%H:%M}" if session.started_at else "",
            state_in_words(session, now),
        )
        previous = customer
    return table


def activities_table(activities: Iterable[CustomerActivity]) -> Table:
    """Show the read model of each customer."""
    table = plain_table("Their projections, kept by the stream")
    table.add_column("Customer", overflow="fold")
    table.add_column("Last login")
    table.add_column("on session", overflow="fold")
    table.add_column("Live sessions", justify="right")
    for activity in activities:
        table.add_row(
            Text(activity.customer_id),
            _clock(activity.last_login_time),
            Text(activity.last_login_session_id or ""),
            ("" if activity.is_exact else "at least ") + str(activity.session_count),
        )
    return table


def rejections_table(rejections: Sequence[Rejection]) -> Table:
    """Show what the rejected-events queue holds."""
    table = plain_table(f"Rejected-events queue: {len(rejections)} that no retry can fix")
    table.add_column("Event", overflow="fold")
    table.add_column("Reason", overflow="fold")
    for rejection in rejections:
        table.add_row(Text(rejection.event_id or "(unreadable)"), Text(rejection.reason))
    return table


def dead_letters_table(dead_letters: Sequence[DeadLetter]) -> Table:
    """Show what the dead-letter queues hold."""
    table = plain_table(f"Dead-letter queues: {len(dead_letters)} failed every attempt")
    table.add_column("Sent")
    table.add_column("Event, without its token", overflow="fold")
    for dead_letter in dead_letters:
        table.add_row(_clock(dead_letter.sent_at), Text(dead_letter.event))
    return table


def audit_table(audit: Verification) -> Table:
    """Show what was compared, and whether it holds."""
    table = plain_table("Verification: every projection against a recount of the session items")
    table.add_column("Check")
    table.add_column("Result", justify="right")
    table.add_row("customers compared", f"{audit.customers:,}")
    table.add_row("session items read", f"{audit.session_items:,}")
    table.add_row("live sessions found", f"{audit.live_sessions:,}")
    if audit.inexact:
        table.add_row('projections that say "at least"', f"{audit.inexact:,}")
    table.add_row("items that break the schema", _none_is_good(len(audit.unreadable)))
    table.add_row("projections that are wrong", _none_is_good(len(audit.mismatches)))
    return table


def verification_table(audit: Verification, *, lost: int, places_with_tokens: Sequence[str]) -> Table:
    """Show what an audit compared and what else was searched, and whether it holds.

    Args:
        audit: The comparison of the projections.
        lost: How many published messages neither had an outcome nor are in the dead-letter queue.
        places_with_tokens: Where a token was found.
    """
    table = audit_table(audit)
    table.add_row("published events that got lost", _none_is_good(lost))
    table.add_row("places with a token (tables, rejected events, log)", _none_is_good(len(places_with_tokens)))
    for place in places_with_tokens:
        table.add_row("", Text(place, style="red"))
    return table


def mismatches_table(audit: Verification, *, limit: int = 20) -> Table:
    """Show projections that are wrong, both sides."""
    table = plain_table(f"Projections that are wrong ({min(limit, len(audit.mismatches))} of {len(audit.mismatches)})")
    for heading in ("Customer", "Problem", "Session items", "Projection"):
        table.add_column(heading, overflow="fold")
    for mismatch in audit.mismatches[:limit]:
        table.add_row(*map(Text, (mismatch.customer_id, mismatch.problem, mismatch.items, mismatch.projection)))
    return table


def _none_is_good(count: int) -> Text:
    return Text(f"{count:,}", style="red" if count else "green")


def plain_table(title: str) -> Table:
    """Start a table in the style of all of them: no frame, a rule below the headings."""
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        min_width=len(title),  # else the title is folded to the width of the columns
    )


def _clock(moment: datetime | None) -> str:
    return f"{moment:%m-%d %H:%M}" if moment else ""


def state_in_words(session: Session, now: datetime) -> Text:
    """Say whether a session is live, and if not, what ended it; a child needs its parent attached."""
    if session.session_state != ACTIVE:
        return Text(f"ended ({session.end_reason})" if session.end_reason else "ended")
    if session.is_live(now):
        return Text("live", style="green")
    is_over_with_parent = session.parent is not None and not session.parent.is_live(now)
    return Text("over (parent)" if is_over_with_parent else "ran out")
