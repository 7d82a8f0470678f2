"""`sessionctl get`."""

# ruff: noqa: PLC0415 (rich and the models are slow to import)

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ops.sessionctl.completion import complete_customer, complete_session
from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.options import (
    AsJson,
    CustomerArgument,
    Form,
    Output,
    SessionArgument,
    form_of,
)
from ops.sessionctl.screen import progress, say, show_json
from ops.sessionctl.stack_options import about_a_stack
from ops.sessionctl.stacks import Where, open_stack

if TYPE_CHECKING:
    from schemas.items import Session

_SHOWN_CUSTOMERS = 10

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")


@app.callback()
def get() -> None:
    """See sessions and customers as they are right now.

    Exit code 1 where there is nothing. An event published just now needs a second or two to get there.
    """


@app.command()
@about_a_stack
def session(
    session_id: SessionArgument,
    *,
    customer: Annotated[
        str | None,
        typer.Option(
            "--customer",
            metavar="ID",
            help="The customer, where several have this session id.",
            autocompletion=complete_customer,
        ),
    ] = None,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Show a session or a child session, whatever its state: what ended it, its parent, its children.

    Examples:
      sessionctl get session session-a1
      sessionctl get session session-a1 --customer customer-1001
    """
    from ops.inspection.customers import children_of, find_sessions
    from ops.sessionctl import shown

    now = datetime.now(UTC)
    children: list[Session] = []
    with open_stack(where) as stack:
        found = find_sessions(stack.sessions, session_id, customer)
        if len(found) == 1 and found[0].parent_session_id is None and not as_json:
            children = children_of(stack.sessions, found[0])
    if len(found) > 1:
        customers = ", ".join(sorted(str(each.customer_id) for each in found)[:_SHOWN_CUSTOMERS])
        raise CannotRunError(
            f"{len(found)} sessions have the id {session_id}: choose one with --customer; customers: {customers}"
        )
    if as_json:
        show_json(shown.session_document(found[0], now) if found else None)
    elif found:
        shown.show_session(found[0], children, now)
    if not found:
        _nothing(f"no session {session_id}" + (f" of customer {customer}" if customer is not None else ""))


@app.command()
@about_a_stack
def customer(
    customer_id: CustomerArgument,
    *,
    every: Annotated[bool, typer.Option("--all", help="Ended and expired sessions as well.")] = False,
    output: Output = Form.TABLE,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Show a customer: last login, number of live sessions, and each session with its child sessions.

    Examples:
      sessionctl get customer customer-1001
      sessionctl get customer customer-1001 --all -o wide
    """
    from ops.inspection.customers import view_customer
    from ops.sessionctl import shown

    form, now = form_of(output, as_json), datetime.now(UTC)
    with open_stack(where) as stack, progress("Reading sessions") as steps:
        view = view_customer(
            stack.sessions, stack.projections, customer_id, every=every, now=now, on_read=steps.advance
        )
    is_known = view.activity.last_login_time is not None or bool(view.sessions) or view.left_out > 0
    if form is Form.JSON:
        show_json(shown.customer_document(view, now))
    elif is_known:
        shown.show_customer(view, form, now, every=every)
    if not is_known:
        _nothing(f"no login of customer {customer_id}")


@app.command()
@about_a_stack
def children(
    session_id: SessionArgument,
    *,
    output: Output = Form.TABLE,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Show the child sessions of a session, ended ones too.

    Example:
      sessionctl get children session-a1
    """
    from ops.sessionctl import shown

    form, now = form_of(output, as_json), datetime.now(UTC)
    with open_stack(where) as stack:
        found = stack.sessions.get_child_sessions_by_session_id(session_id)
    if found or form is Form.JSON:
        shown.show_sessions(f"Child sessions of {session_id}", found, form, now)
    if not found:
        _nothing(f"no child session of {session_id}")


@app.command()
@about_a_stack
def parent(
    child_session_id: Annotated[
        str, typer.Argument(metavar="CHILD", help="The child session's id.", autocompletion=complete_session)
    ],
    *,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Show a child session with its parent.

    Example:
      sessionctl get parent tab-2
    """
    from ops.sessionctl import shown

    with open_stack(where) as stack:
        found = stack.sessions.get_session_by_child_session_id(child_session_id)
    if as_json:
        show_json(None if found is None else shown.family_document(found))
    elif found is not None:
        shown.show_session(found, [], datetime.now(UTC))
    if found is None:
        _nothing(f"no child session {child_session_id}")


@app.command("last-login")
@about_a_stack
def last_login(
    customer_id: CustomerArgument,
    *,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Show when a customer last logged in, child sessions included, and on which session.

    Example:
      sessionctl get last-login customer-1001
    """
    from ops.sessionctl import shown

    with open_stack(where) as stack:
        activity = stack.projections.get_customer_activity(customer_id)
    if as_json:
        show_json(shown.last_login_document(activity))
    elif activity.last_login_time is not None:
        shown.show_last_login(activity)
    if activity.last_login_time is None:
        _nothing(f"no login of customer {customer_id}")


def _nothing(what: str) -> None:
    """Say that nothing was found, and end with exit code 1."""
    say(f"There is {what}. (An event published just now needs a second or two.)")
    raise typer.Exit(1)
