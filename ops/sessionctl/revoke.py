"""`sessionctl revoke`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ops.sessionctl.options import (
    AsJson,
    CustomerArgument,
    DryRun,
    Form,
    Output,
    SessionArgument,
    Via,
    Yes,
    form_of,
)
from ops.sessionctl.revoking import How, revoke_customer, revoke_session, revoke_where
from ops.sessionctl.stack_options import about_a_stack
from ops.sessionctl.stacks import Where, open_stack

if TYPE_CHECKING:
    from ops.inspection.filters import Filters

app = typer.Typer(invoke_without_command=True, rich_markup_mode="rich")

_REASON = "security"

Reason = Annotated[str, typer.Option(help="Why: security, admin, or your own.")]
ViaOption = Annotated[Via, typer.Option(help="Over the event bus, or straight to the queue.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="See that they have ended.")]
Timeout = Annotated[int, typer.Option(min=1, metavar="SECONDS", help="Wait so long while none of them ends.")]


@app.callback()
@about_a_stack
def revoke(  # noqa: PLR0913 (each an option)
    ctx: typer.Context,
    *,
    conditions: Annotated[
        list[str] | None,
        typer.Option(
            "--where", metavar="NAME=VALUE", help="address, country, customer, device or source; repeat for more."
        ),
    ] = None,
    reason: Reason = _REASON,
    via: ViaOption = Via.EVENTBRIDGE,
    dry_run: DryRun = False,
    yes: Yes = False,
    wait: Wait = True,
    timeout: Timeout = 120,
    output: Output = Form.TABLE,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """End sessions: one, all of a customer, or all live ones that meet a condition.

    It shows them first, and asks. Each gets an ordinary logout; child sessions end with their parent.
    --where reads the whole table, as lists do. Running it again is safe.

    Examples:
      sessionctl revoke --where country=XX --dry-run
      sessionctl revoke --where address=203.0.113.0/24 --where source=okta
      sessionctl revoke session session-a1
      sessionctl revoke customer customer-1001
    """
    if ctx.invoked_subcommand is not None:
        _refuse_misplaced(ctx)
        return
    if not conditions:
        typer.echo(ctx.get_help())
        raise typer.Exit(2)
    filters = _filters(conditions)
    how = How(reason, via, dry_run, yes, wait, timeout, form_of(output, as_json))
    with open_stack(where) as stack:
        revoke_where(stack, filters, how)


@app.command()
@about_a_stack
def session(  # noqa: PLR0913 (each an option)
    session_id: SessionArgument,
    *,
    customer: Annotated[
        str | None, typer.Option("--customer", metavar="ID", help="Whose, where several customers have this id.")
    ] = None,
    reason: Reason = _REASON,
    via: ViaOption = Via.EVENTBRIDGE,
    dry_run: DryRun = False,
    yes: Yes = False,
    wait: Wait = True,
    timeout: Timeout = 120,
    output: Output = Form.TABLE,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """End a session and its child sessions, or one child session.

    Example:
      sessionctl revoke session session-a1 --reason admin
    """
    how = How(reason, via, dry_run, yes, wait, timeout, form_of(output, as_json))
    with open_stack(where) as stack:
        revoke_session(stack, session_id, customer, how)


@app.command()
@about_a_stack
def customer(  # noqa: PLR0913 (each an option)
    customer_id: CustomerArgument,
    *,
    except_session: Annotated[
        str | None, typer.Option("--except", metavar="ID", help="A session that stays: log out everywhere else.")
    ] = None,
    reason: Reason = _REASON,
    via: ViaOption = Via.EVENTBRIDGE,
    dry_run: DryRun = False,
    yes: Yes = False,
    wait: Wait = True,
    timeout: Timeout = 120,
    output: Output = Form.TABLE,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """End all of a customer's sessions, also those whose login is still on its way.

    A logout for each that is live, and a logout of everything for those that nobody sees yet.

    Example:
      sessionctl revoke customer customer-1001 --except session-a1
    """
    how = How(reason, via, dry_run, yes, wait, timeout, form_of(output, as_json))
    with open_stack(where) as stack:
        revoke_customer(stack, customer_id, except_session, how)


def _refuse_misplaced(ctx: typer.Context) -> None:
    """Refuse options before the command's name: it has its own, and would end sessions of another stack than meant."""
    sources = {option.opts[0]: ctx.get_parameter_source(option.name or "") for option in ctx.command.params}
    given = [option for option, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if given:
        options = ", ".join(given)
        command = ctx.invoked_subcommand
        raise typer.BadParameter(f"options stand after `{command}`: give {options} there, or leave it out")


def _filters(where: Sequence[str]) -> "Filters":
    from ops.inspection.filters import filters_from  # noqa: PLC0415 (slow to import)

    conditions: dict[str, str] = {}
    for text in where:
        condition, separator, value = text.partition("=")
        if not separator:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--where")
        if condition in conditions:
            raise typer.BadParameter(f"{condition} is given twice: all conditions must hold", param_hint="--where")
        conditions[condition] = value
    try:
        return filters_from(conditions, is_live=True)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--where") from error
