"""Show the sessions that are to end, ask, publish their logouts, and see that they have ended."""

# ruff: noqa: PLC0415 (boto3 and the models are slow to import)

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.options import Form, Via
from ops.sessionctl.rows import show_rows
from ops.sessionctl.screen import confirm, interruptible, progress, say, show_json
from ops.sessionctl.stacks import Stack

if TYPE_CHECKING:
    from ops.inspection.filters import Filters
    from ops.publishing.publisher import Message
    from ops.revocation.choosing import Chosen
    from ops.revocation.revoking import Published, Target

_SHOWN_PROBLEMS = 20
_AGAIN = "Run it again for the others: sessions that have ended are not found again"


@dataclass(frozen=True, slots=True)
class How:
    """What the options say of the way.

    Attributes:
        reason: The logouts' reason.
        via: What carries them.
        dry_run: Only show which sessions would end.
        yes: Do not ask.
        wait: See that they have ended.
        timeout: Seconds to wait while none of them ends.
        form: How the sessions are shown.
    """

    reason: str
    via: Via
    dry_run: bool
    yes: bool
    wait: bool
    timeout: int
    form: Form


def revoke_where(stack: Stack, filters: "Filters", how: How) -> None:
    """End all live sessions that meet a condition.

    Raises:
        CannotRunError: Nobody can be asked.
        Exit: With 1 where none is found, the answer is no, or some are live still.
    """
    from ops.inspection.scans import Scan, estimated_items, scan_sessions
    from ops.revocation.choosing import choose

    now, table, client = datetime.now(UTC), stack.outputs["SessionsTableName"], stack.client("dynamodb")
    scan = Scan(client, table, **filters.request(now))
    with (
        interruptible(lambda: "nothing was published"),
        progress("Reading sessions", estimated_items(client, table)) as steps,
    ):
        chosen = choose(scan_sessions(scan, stack.sessions, filters, now, steps.advance))
    for problem in scan.unreadable[:_SHOWN_PROBLEMS]:
        say(f"unreadable, and not judged: {problem}")
    if not chosen.targets:
        say(f"No live session meets the condition, of {scan.items:,} items read; nothing was changed.")
        raise typer.Exit(1)
    _carry_out(stack, chosen, how)


def revoke_session(stack: Stack, session_id: str, customer_id: str | None, how: How) -> None:
    """End a session with its children, or a child session.

    Raises:
        CannotRunError: Several customers have this session id, or nobody can be asked.
        Exit: With 1 where there is no such session, the answer is no, or it is live still; with 0 where it is over.
    """
    from ops.revocation.choosing import AmbiguousSessionError, choose_session

    try:
        chosen = choose_session(stack.sessions, session_id, customer_id, datetime.now(UTC))
    except AmbiguousSessionError as error:
        raise CannotRunError(f"{error}: say whose with --customer") from error
    if not chosen.targets:
        is_over = chosen.is_known
        say(f"Session {session_id} is over already." if is_over else f"There is no session {session_id}.")
        raise typer.Exit(0 if is_over else 1)
    _carry_out(stack, chosen, how)


def revoke_customer(stack: Stack, customer_id: str, except_session_id: str | None, how: How) -> None:
    """End all of a customer's sessions but one, also those whose login is still on its way.

    Raises:
        CannotRunError: Nobody can be asked.
        Exit: With 1 where the answer is no, or some are live still.
    """
    from ops.revocation.choosing import choose_customer

    chosen = choose_customer(
        stack.sessions, stack.projections, customer_id, datetime.now(UTC), except_session_id=except_session_id
    )
    _carry_out(stack, chosen, how, everything_of=customer_id, except_session_id=except_session_id)


def _carry_out(
    stack: Stack,
    chosen: "Chosen",
    how: How,
    *,
    everything_of: str | None = None,
    except_session_id: str | None = None,
) -> None:
    from ops.publishing.publisher import Channel
    from ops.revocation.revoking import Order, Published

    _preview(chosen, how.form)
    if how.dry_run:
        say(f"This would end {chosen.in_words()}{_and_later(everything_of)}. Nothing was changed.")
        _answer(how, chosen, Published(0, []), [])
        return
    confirm(f"End {chosen.in_words()}{_and_later(everything_of)} on {stack.name}?", yes=how.yes)
    channel = Channel.EVENTBRIDGE if how.via is Via.EVENTBRIDGE else Channel.QUEUE
    order = Order(reason=how.reason, occurred_at=datetime.now(UTC), channel=channel)
    messages = order.logouts(chosen.targets)
    total = len(chosen.targets) + (everything_of is not None)
    if everything_of is not None:
        messages = _and(messages, order.logout_all(everything_of, except_session_id=except_session_id))
    report = _publish(stack, messages, total, how)
    live = _wait(stack, chosen, how) if how.wait else []
    _answer(how, chosen, report, live)
    if report.refused or live:
        raise typer.Exit(1)


def _publish(stack: Stack, messages: "Iterable[Message]", total: int, how: How) -> "Published":
    from ops.revocation.revoking import SOURCE, Published, publish

    report = Published(0, [])
    try:
        with (
            interruptible(lambda: f"{_AGAIN}."),
            progress("Publishing logouts", total) as steps,
        ):
            publish(stack.publisher(SOURCE), messages, report, steps.advance)
    finally:
        say(f"Published {report.count:,} of {total:,} logouts to {stack.name} over {how.via.label}.")
    if report.refused:
        say(f"{how.via.label} refused {len(report.refused):,}: {report.refused[0]}. {_AGAIN}.")
    return report


def _wait(stack: Stack, chosen: "Chosen", how: How) -> "list[Target]":
    from ops.revocation.revoking import wait_until_ended

    total = len(chosen.targets)
    with (
        interruptible(lambda: f"the logouts are published; {steps.done:,} of {total:,} have ended so far."),
        progress("Waiting until they have ended", total) as steps,
    ):
        live = wait_until_ended(
            stack.sessions.reader,
            chosen.targets,
            timeout_seconds=how.timeout,
            now=lambda: datetime.now(UTC),
            on_ended=steps.advance,
        )
    if not live:
        say(f"{'It has' if total == 1 else f'All {total:,} have'} ended." if total else "Nothing was live.")
        return live
    named = ", ".join(target.session_id for target in live[:3])
    say(
        f"{len(live):,} of {total:,} are live still, and none has ended for {how.timeout} s: {named}. The logouts are "
        "on their way, or were rejected: look at the queues, then run it again."
    )
    return live


def _preview(chosen: "Chosen", form: Form) -> None:
    from ops.sessionctl import shown

    if form is Form.JSON:
        return
    if form in (Form.NAME, Form.CSV):
        columns = shown.session_columns(datetime.now(UTC), with_customer=True)[:2]
        show_rows(
            ({"session_id": each.session_id, "customer_id": each.customer_id} for each in chosen.targets), columns, form
        )
        return
    now = datetime.now(UTC)
    columns = shown.session_columns(now, with_customer=True)
    show_rows(shown.session_rows(chosen.first, now), columns, form, title="Sessions to end")
    more = len(chosen.targets) - len(chosen.first)
    if more > 0:
        typer.echo(f"... and {more:,} more; --dry-run -o csv lists all of them.")


def _answer(how: How, chosen: "Chosen", report: "Published", live: "list[Target]") -> None:
    if how.form is not Form.JSON:
        return
    document: dict[str, Any] = {
        "dry_run": how.dry_run,
        "reason": how.reason,
        "sessions": [
            {
                "session_id": each.session_id,
                "customer_id": each.customer_id,
                "parent_session_id": each.parent_session_id,
            }
            for each in chosen.targets
        ],
        "customers": chosen.customers,
        "published": report.count,
        "refused": report.refused,
        "still_live": [each.session_id for each in live] if how.wait and not how.dry_run else None,
    }
    show_json(document)


def _row(target: "Target") -> dict[str, Any]:
    return {
        "session_id": target.session_id,
        "customer_id": target.customer_id,
        "parent_session_id": target.parent_session_id,
    }


def _and_later(everything_of: str | None) -> str:
    return "" if everything_of is None else ", and what began until now and is still on its way"


def _and(messages: "Iterator[Message]", last: "Message") -> "Iterator[Message]":
    yield from messages
    yield last
