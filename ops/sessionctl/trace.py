"""`sessionctl trace`."""

# ruff: noqa: PLC0415 (boto3 and the models are slow to import)

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ops.sessionctl.completion import complete_customer, complete_session
from ops.sessionctl.durations import parse_since
from ops.sessionctl.options import AsJson, Form, Output, form_of
from ops.sessionctl.rows import Column, show_rows
from ops.sessionctl.screen import progress, say, show_json
from ops.sessionctl.stack_options import about_a_stack
from ops.sessionctl.stacks import Stack, Where, open_stack

if TYPE_CHECKING:
    from ops.tracing.places import Finding

_MUCH = 100_000
"""Items above which the register is searched only when asked to."""
_COLUMNS = (
    Column("Place", "place"),
    Column("Outcome", "verdict"),
    Column("What stands there", "text", is_text=True),
)
_UNSEEN = (
    "What leaves no trace: a copy; a login older than the stored one, or a logout later than the stored end; an event "
    "that is ignored; one that a newer login has replaced since; one of a session whose item is gone (15 days after "
    "its end). `publish --wait` tells these apart, as it looks before the event is sent."
)


@dataclass(slots=True)
class _Trace:
    """What was found, and where nobody looked."""

    findings: "list[Finding]" = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)
    not_searched: list[str] = field(default_factory=list)


@about_a_stack
def trace(  # noqa: PLR0913 (each an option)
    event_id: Annotated[str, typer.Argument(metavar="EVENT", help="The event's id.")],
    *,
    session: Annotated[
        str | None, typer.Option(metavar="ID", help="The event's session: one read.", autocompletion=complete_session)
    ] = None,
    customer: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The event's customer: a few reads.", autocompletion=complete_customer),
    ] = None,
    scan: Annotated[bool, typer.Option("--scan", help="Search the whole register, however large it is.")] = False,
    since: Annotated[str, typer.Option(metavar="1d", help="How far back the functions' logs are searched.")] = "1d",
    most: Annotated[int, typer.Option(min=1, metavar="N", help="Messages to read of each queue at most.")] = 1_000,
    output: Output = Form.TABLE,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Find out what became of an event: applied, rejected and why, failed every attempt, or still on its way.

    It looks at the register, the rejected-events queue, the dead-letter queues and the consumers' logs. Exit code 1
    where there is no trace.

    Examples:
      sessionctl trace 5f7c1f0e --session session-a1
      sessionctl trace 5f7c1f0e --since 2h
    """
    from ops.tracing.evidence import Verdict
    from ops.tracing.places import most_telling

    form, now = form_of(output, as_json), datetime.now(UTC)
    try:
        oldest = parse_since(since, now)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from error
    found = _Trace()
    with open_stack(where) as stack:
        _search_register(stack, event_id, session, customer, found, scan=scan)
        _search_queues(stack, event_id, most, found)
        _search_logs(stack, event_id, oldest, found)
    verdict = most_telling(found.findings)
    rows = [{"place": each.place, "verdict": each.verdict.value, "text": each.text} for each in found.findings]
    if form is Form.JSON:
        document = {"event_id": event_id, "verdict": verdict.value, "findings": rows, "waiting": found.waiting}
        show_json(document | {"not_searched": found.not_searched})
    elif rows:
        show_rows(rows, _COLUMNS, form, title=f"Event {event_id}: {verdict.value.replace('_', ' ')}")
    for place in found.not_searched:
        say(f"Not searched: {place}.")
    if verdict is Verdict.UNKNOWN:
        say(f"No place that was searched says what became of event {event_id}.")
        for queue, count in found.waiting.items():
            say(f"Messages that wait in the queue of {queue}: {count:,}.")
        say(_UNSEEN)
        raise typer.Exit(1)


def _search_register(
    stack: Stack, event_id: str, session: str | None, customer: str | None, found: _Trace, *, scan: bool
) -> None:
    from ops.inspection.scans import estimated_items
    from ops.tracing.places import in_sessions, scan_for, sessions_of, sessions_under

    if session is not None:
        found.findings += in_sessions(event_id, sessions_under(stack.sessions, session, customer))
        return
    if customer is not None:
        with progress("Reading sessions") as steps:
            found.findings += in_sessions(event_id, sessions_of(stack.sessions, customer, steps.advance))
        return
    client, table = stack.client("dynamodb"), stack.outputs["SessionsTableName"]
    items = estimated_items(client, table)
    if items is not None and items > _MUCH and not scan:
        found.not_searched.append(
            f"the register, of about {items:,} items: name --session or --customer, or add --scan"
        )
        return
    with progress("Reading the register", items) as steps:
        done, sessions = scan_for(client, table, event_id, steps.advance)
        found.findings += in_sessions(event_id, sessions)
    say(f"Searched the register: {done.items:,} items, {done.read_units:,.1f} read units.")


def _search_queues(stack: Stack, event_id: str, most: int, found: _Trace) -> None:
    from ops.tracing.places import in_dead_letters, in_rejected, waiting

    sqs, outputs = stack.client("sqs"), stack.outputs
    if "RejectedEventsQueueUrl" in outputs:
        found.findings += in_rejected(sqs, outputs["RejectedEventsQueueUrl"], {event_id: None}, most=most).values()
    found.findings += in_dead_letters(sqs, outputs, [event_id], most=most).values()
    found.waiting = waiting(sqs, outputs)


def _search_logs(stack: Stack, event_id: str, since: datetime, found: _Trace) -> None:
    from botocore.exceptions import ClientError

    from ops.sessionctl.failures import explain
    from ops.tracing.places import in_logs

    try:
        found.findings += in_logs(stack.client("lambda"), stack.client("logs"), stack.outputs, event_id, since=since)
    except ClientError as error:  # the logs only add to what the tables and queues say
        found.not_searched.append(f"the functions' logs ({explain(error)})")
