"""`sessionctl list`."""

# ruff: noqa: PLC0415 (rich and the models are slow to import)

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from ops.sessionctl.durations import parse_since, relative
from ops.sessionctl.options import AsJson, Form, Output, form_of
from ops.sessionctl.rows import Column, Row, show_rows
from ops.sessionctl.screen import interruptible, progress, say, show_json
from ops.sessionctl.stack_options import about_a_stack
from ops.sessionctl.stacks import Stack, Where, open_stack

if TYPE_CHECKING:
    from ops.inspection.filters import Filters
    from ops.inspection.scans import Scan
    from processors.projections.activity import CustomerActivity
    from schemas.keys import Key

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")

_WHICH = "Which ones"
_PAGE = 100
_SHOWN_PROBLEMS = 5
_CENT = 0.01

Live = Annotated[bool, typer.Option("--live", help="Only those that are live right now.", rich_help_panel=_WHICH)]
Address = Annotated[
    str | None,
    typer.Option(metavar="IP", help="Address, or network like 203.0.113.0/24.", rich_help_panel=_WHICH),
]
Country = Annotated[str | None, typer.Option(metavar="NAME", help="Country, as stored.", rich_help_panel=_WHICH)]
Device = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Part of the device, as iphone.", rich_help_panel=_WHICH)
]
Source = Annotated[str | None, typer.Option(metavar="NAME", help="The identity system.", rich_help_panel=_WHICH)]
Since = Annotated[
    str | None,
    typer.Option(metavar="2h", help="Last login since then: 30m, 8h, 2d, or a time.", rich_help_panel=_WHICH),
]
Limit = Annotated[int, typer.Option(min=0, metavar="N", help="Most to show; 0: all.")]
After = Annotated[str | None, typer.Option(metavar="POSITION", help="Go on where another list ended.")]


@app.callback()
def listing() -> None:
    """List sessions or customers: all, or those with a given address, country, device or source.

    DynamoDB has no index for it: a list reads the table until it has found enough, and says what that cost. CSV and
    names come as they are found.
    """


@app.command()
@about_a_stack
def sessions(  # noqa: PLR0913 (each an option)
    *,
    live: Live = False,
    address: Address = None,
    country: Country = None,
    device: Device = None,
    source: Source = None,
    since: Since = None,
    limit: Limit = _PAGE,
    after: After = None,
    output: Output = Form.TABLE,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """List sessions and child sessions, in the table's own order.

    Examples:
      sessionctl list sessions --live --country XX
      sessionctl list sessions --address 203.0.113.0/24 --since 2h --limit 0 -o csv
    """
    from ops.inspection.scans import Scan, scan_sessions
    from ops.sessionctl import shown

    now = datetime.now(UTC)
    filters = _filters(now, live=live, since=since, address=address, country=country, device=device, source=source)
    position = _position(after)
    form = form_of(output, as_json)
    with open_stack(where) as stack:
        table = stack.outputs["SessionsTableName"]
        scan = Scan(stack.client("dynamodb"), table, after=position, **filters.request(now))
        with progress("Reading sessions", _size(stack, table)) as steps:
            found = scan_sessions(scan, stack.sessions, filters, now, steps.advance)
            rows = shown.session_rows(found, now)
            _show("sessions", rows, shown.session_columns(now, with_customer=True), form, scan, limit)


@app.command()
@about_a_stack
def customers(  # noqa: PLR0913 (each an option)
    *,
    live: Live = False,
    address: Address = None,
    country: Country = None,
    device: Device = None,
    source: Source = None,
    since: Since = None,
    limit: Limit = _PAGE,
    after: After = None,
    output: Output = Form.TABLE,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """List customers: of the projections table, or, with a condition on sessions, those who have such a session.

    Examples:
      sessionctl list customers --live
      sessionctl list customers --live --device iphone -o name
    """
    from ops.inspection.scans import Scan, scan_customers, scan_sessions

    now = datetime.now(UTC)
    filters = _filters(now, live=live, since=since, address=address, country=country, device=device, source=source)
    position = _position(after)
    form = form_of(output, as_json)
    with open_stack(where) as stack:
        table = stack.outputs["SessionsTableName" if filters.are_of_sessions else "ProjectionsTableName"]
        request = filters.request(now) if filters.are_of_sessions else {}
        scan = Scan(stack.client("dynamodb"), table, after=position, **request)
        with progress("Reading customers", _size(stack, table)) as steps:
            activities: Iterator[CustomerActivity]
            if filters.are_of_sessions:
                found = scan_sessions(scan, stack.sessions, filters, now, steps.advance)
                ids = _distinct(session.customer_id for session in found)
                activities = (stack.projections.get_customer_activity(each, now=now) for each in ids)
            else:
                activities = scan_customers(scan, filters, now, steps.advance)
            rows = (
                {
                    "customer_id": activity.customer_id,
                    "session_count": activity.session_count,
                    "is_exact": activity.is_exact,
                    "last_login_time": _time(activity.last_login_time),
                    "last_login_session_id": activity.last_login_session_id,
                }
                for activity in activities
            )
            _show("customers", rows, _customer_columns(now), form, scan, limit)


def _time(moment: datetime | None) -> str | None:
    from schemas.times import format_rfc3339

    return None if moment is None else format_rfc3339(moment)


def _customer_columns(now: datetime) -> list[Column]:
    return [
        Column("Customer", "customer_id"),
        Column("Live sessions", "session_count", drawn=_count, is_number=True),
        Column("Last login", "last_login_time", shown=relative(now), priority=1),
        Column("On session", "last_login_session_id", priority=2),
    ]


def _count(row: Row) -> str:
    return ("" if row["is_exact"] else "at least ") + f"{row['session_count']:,}"


def _filters(now: datetime, *, live: bool, since: str | None, **conditions: str | None) -> "Filters":
    from ops.inspection.filters import filters_from

    try:
        moment = None if since is None else parse_since(since, now)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from error
    given = {condition: value for condition, value in conditions.items() if value is not None}
    try:
        return filters_from(given, is_live=live, since=moment)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _position(after: str | None) -> "Key | None":
    from ops.inspection.scans import read_token

    try:
        return None if after is None else read_token(after)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--after") from error


def _size(stack: Stack, table: str) -> int | None:
    from ops.inspection.scans import estimated_items

    return estimated_items(stack.client("dynamodb"), table)


def _distinct(ids: Iterable[str | None]) -> Iterator[str]:
    seen: set[str] = set()
    for each in ids:
        if each is not None and each not in seen:
            seen.add(each)
            yield each


def _show(what: str, rows: Iterable[Row], columns: list[Column], form: Form, scan: "Scan", limit: int) -> None:
    """Show a page of a list, what it cost, and where to go on; exit code 1 where there is nothing."""
    page = islice(rows, limit or None)
    count = 0
    with interruptible(lambda: _summary(what, None, scan)):
        if form is Form.JSON:
            listed = list(page)
            count = len(listed)
            show_json({what: listed, "after": _token(scan), "items_read": scan.items, "read_units": scan.read_units})
        else:
            count = show_rows(page, columns, form)
    for problem in scan.unreadable[:_SHOWN_PROBLEMS]:
        say(f"unreadable: {problem}")
    say(_summary(what, count, scan))
    if not count or scan.unreadable:
        raise typer.Exit(1)


def _token(scan: "Scan") -> str | None:
    from ops.inspection.scans import write_token

    return None if scan.position is None else write_token(scan.position)


def _summary(what: str, count: int | None, scan: "Scan") -> str:
    """Say what was found, what was read for it, and how to go on."""
    found = "" if count is None else f"{count:,} {what if count != 1 else what[:-1]}; "
    price = f"about ${scan.dollars:,.2f}" if scan.dollars >= _CENT else "less than a cent"
    cost = f"read {scan.items:,} items, {scan.read_units:,.1f} read units, {price}"
    unreadable = f"; {len(scan.unreadable):,} cannot be read" if scan.unreadable else ""
    token = _token(scan)
    return f"{found}{cost}{unreadable}." + (f"\nThere may be more: --after {token}" if token else "")
