"""`sessionctl get`."""

# ruff: noqa: PLC0415 (rich and the models are slow to import)

from typing import Annotated

import typer

from ops.sessionctl.options import AsJson, CustomerOption, Local, Name, Profile, Region, StackName
from ops.sessionctl.screen import say, show_json
from ops.sessionctl.stacks import Where, open_stack

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")

SessionArgument = Annotated[str, typer.Argument(metavar="SESSION", help="The session's id.")]
CustomerArgument = Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id.")]


@app.callback()
def get() -> None:
    """See sessions and customers as they are right now.

    Exit code 1 where there is nothing. An event published just now needs a second or two to get there.
    """


@app.command()
def session(
    session_id: SessionArgument,
    *,
    customer: CustomerOption,
    local: Local = False,
    name: Name = None,
    stack_name: StackName = None,
    profile: Profile = None,
    region: Region = None,
    as_json: AsJson = False,
) -> None:
    """Show a session, whatever its state.

    Example:
      sessionctl get session session-a1 --customer customer-1001
    """
    from ops.sessionctl import shown

    with open_stack(Where(local, name, stack_name, profile, region)) as stack:
        found = stack.sessions.get_session_by_session_id(session_id, customer)
    if as_json:
        show_json(shown.session_document(found))
    elif found is not None:
        shown.show_session(found)
    if found is None:
        _nothing(f"no session {session_id} of customer {customer}; a child session is shown by `get parent`")


@app.command()
def customer(
    customer_id: CustomerArgument,
    *,
    every: Annotated[bool, typer.Option("--all", help="Ended and expired sessions as well.")] = False,
    local: Local = False,
    name: Name = None,
    stack_name: StackName = None,
    profile: Profile = None,
    region: Region = None,
    as_json: AsJson = False,
) -> None:
    """Show a customer's last login, number of live sessions, and sessions.

    Examples:
      sessionctl get customer customer-1001
      sessionctl get customer customer-1001 --all --json
    """
    from ops.sessionctl import shown

    with open_stack(Where(local, name, stack_name, profile, region)) as stack:
        activity = stack.projections.get_customer_activity(customer_id)
        sessions = stack.sessions.get_sessions_by_customer_id(customer_id, live_only=not every)
    if as_json:
        show_json(shown.customer_document(activity, sessions))
    elif activity.last_login_time or sessions:
        shown.show_customer(activity, sessions, every=every)
    if not activity.last_login_time and not sessions:
        _nothing(f"no login of customer {customer_id}")


@app.command()
def children(
    session_id: SessionArgument,
    *,
    local: Local = False,
    name: Name = None,
    stack_name: StackName = None,
    profile: Profile = None,
    region: Region = None,
    as_json: AsJson = False,
) -> None:
    """Show the child sessions of a session, ended ones too.

    Example:
      sessionctl get children session-a1
    """
    from ops.sessionctl import shown

    with open_stack(Where(local, name, stack_name, profile, region)) as stack:
        found = stack.sessions.get_child_sessions_by_session_id(session_id)
    if as_json:
        show_json([shown.session_document(child) for child in found])
    elif found:
        shown.show_sessions(f"Child sessions of {session_id}", found)
    if not found:
        _nothing(f"no child session of {session_id}")


@app.command()
def parent(
    child_session_id: Annotated[str, typer.Argument(metavar="CHILD", help="The child session's id.")],
    *,
    local: Local = False,
    name: Name = None,
    stack_name: StackName = None,
    profile: Profile = None,
    region: Region = None,
    as_json: AsJson = False,
) -> None:
    """Show a child session with its parent.

    Example:
      sessionctl get parent tab-2
    """
    from ops.sessionctl import shown

    with open_stack(Where(local, name, stack_name, profile, region)) as stack:
        found = stack.sessions.get_session_by_child_session_id(child_session_id)
    if as_json:
        show_json(None if found is None else shown.family_document(found))
    elif found is not None:
        shown.show_family(found)
    if found is None:
        _nothing(f"no child session {child_session_id}")


@app.command("last-login")
def last_login(
    customer_id: CustomerArgument,
    *,
    local: Local = False,
    name: Name = None,
    stack_name: StackName = None,
    profile: Profile = None,
    region: Region = None,
    as_json: AsJson = False,
) -> None:
    """Show when a customer last logged in, child sessions included, and on which session.

    Example:
      sessionctl get last-login customer-1001
    """
    from ops.sessionctl import shown

    with open_stack(Where(local, name, stack_name, profile, region)) as stack:
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
