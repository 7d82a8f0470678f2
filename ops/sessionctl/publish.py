"""`sessionctl publish`."""

# ruff: noqa: PLC0415 (models and boto3 take a second to import)

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.options import AsJson, CustomerOption, Via
from ops.sessionctl.publishing import event_of, later, now_text, publish_one, read_file
from ops.sessionctl.screen import command_line, show_json
from ops.sessionctl.stack_options import about_a_stack
from ops.sessionctl.stacks import Where, open_stack

if TYPE_CHECKING:
    from ops.tracing.awaiting import Awaited

_PATIENCE_SECONDS = 60

_SOURCE = "sessionctl"


class _FileIsACommandToo(TyperGroup):
    """Take `publish FILE` for `publish file FILE`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        is_file = args[0] not in self.commands
        if is_file and args[0] != "-" and not ctx.resilient_parsing and not Path(args[0]).exists():
            meant = get_close_matches(args[0], self.commands, n=1)
            if meant:
                raise CannotRunError(
                    f"there is no command and no file {args[0]}: did you mean `{command_line('publish', *meant)}`?"
                )
        return super().resolve_command(ctx, ["file", *args] if is_file else args)


app = typer.Typer(
    cls=_FileIsACommandToo,
    no_args_is_help=True,
    subcommand_metavar="login|logout|logout-all|FILE|- ...",
    rich_markup_mode="rich",
)

ViaOption = Annotated[Via, typer.Option(help="Over the event bus, or straight to the queue.")]
NoValidate = Annotated[bool, typer.Option("--no-validate", help="Send it as it is, valid or not.")]
EventId = Annotated[
    str | None, typer.Option(metavar="ID", help="Unique per fact: give the same one again to repeat it. Generated.")
]
OccurredAt = Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339 with offset. Now.")]
Source = Annotated[str, typer.Option(metavar="NAME", help="The identity system.")]
Wait = Annotated[bool, typer.Option("--wait", help="See what becomes of it: applied, duplicate, stale, rejected.")]
Timeout = Annotated[int, typer.Option(min=1, metavar="SECONDS", help="Wait so long while nothing changes.")]
SessionId = Annotated[str, typer.Option(metavar="ID", help="The session.")]


@app.callback()
def publish() -> None:
    """Publish logins and logouts: one, or a file of them.

    Events are read before they are sent, as a consumer would read them; what it would reject is reported instead.
    """


@app.command()
@about_a_stack
def login(  # noqa: PLR0913 (the fields of a login)
    *,
    customer: CustomerOption,
    session: SessionId,
    parent: Annotated[str | None, typer.Option(metavar="ID", help="The parent: makes it a child session.")] = None,
    expires_in: Annotated[
        str | None, typer.Option(metavar="30m", help="Runs out so long after --occurred-at: 90s, 30m, 8h, 2d.")
    ] = None,
    expires_at: Annotated[str | None, typer.Option(metavar="TIME", help="Runs out then: RFC 3339 with offset.")] = None,
    ip: Annotated[str | None, typer.Option(help="The client's address.")] = None,
    user_agent: Annotated[str | None, typer.Option(help="The client's user agent.")] = None,
    device_id: Annotated[str | None, typer.Option(metavar="ID", help="The client's device.")] = None,
    country: Annotated[str | None, typer.Option(help="The client's country.")] = None,
    event_id: EventId = None,
    occurred_at: OccurredAt = None,
    source: Source = _SOURCE,
    via: ViaOption = Via.EVENTBRIDGE,
    no_validate: NoValidate = False,
    wait: Wait = False,
    timeout: Timeout = _PATIENCE_SECONDS,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Publish a login.

    A token has no place on a command line: for access_token publish a file.

    Examples:
      sessionctl publish login --customer c-1 --session session-a1
      sessionctl publish login --customer c-1 --session tab-2 --parent session-a1
      sessionctl publish login --customer c-1 --session s-3 --expires-in 30m --wait
    """
    if expires_in is not None and expires_at is not None:
        raise typer.BadParameter("leave one of --expires-in and --expires-at out", param_hint="--expires-in")
    when = occurred_at or now_text()
    event = event_of("login", event_id, when, source) | {
        "customer_id": customer,
        "session_id": session,
        "parent_session_id": parent,
        "expires_at": later(when, expires_in) if expires_in is not None else expires_at,
        "client": {"ip": ip, "user_agent": user_agent, "device_id": device_id, "country": country},
    }
    seconds = timeout if wait else None
    publish_one(event, where, via=via, validate=not no_validate, as_json=as_json, wait_seconds=seconds)


@app.command()
@about_a_stack
def logout(  # noqa: PLR0913 (the fields of a logout)
    *,
    session: SessionId,
    customer: Annotated[str | None, typer.Option(metavar="ID", help="The customer; looked up otherwise.")] = None,
    parent: Annotated[str | None, typer.Option(metavar="ID", help="The parent of a child session.")] = None,
    reason: Annotated[
        str | None, typer.Option(help="user, admin, timeout, security, or your own. The default is user.")
    ] = None,
    event_id: EventId = None,
    occurred_at: OccurredAt = None,
    source: Source = _SOURCE,
    via: ViaOption = Via.EVENTBRIDGE,
    no_validate: NoValidate = False,
    wait: Wait = False,
    timeout: Timeout = _PATIENCE_SECONDS,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Publish a logout of a session.

    Examples:
      sessionctl publish logout --customer c-1 --session session-a1
      sessionctl publish logout --session session-a1 --reason security
    """
    event = event_of("logout", event_id, occurred_at or now_text(), source) | {
        "customer_id": customer,
        "session_id": session,
        "parent_session_id": parent,
        "reason": reason,
    }
    seconds = timeout if wait else None
    publish_one(event, where, via=via, validate=not no_validate, as_json=as_json, wait_seconds=seconds)


@app.command("logout-all")
@about_a_stack
def logout_all(  # noqa: PLR0913 (its fields, and which stack)
    *,
    customer: CustomerOption,
    except_session: Annotated[
        str | None, typer.Option("--except", metavar="ID", help="A session that stays: log out everywhere else.")
    ] = None,
    event_id: EventId = None,
    occurred_at: OccurredAt = None,
    source: Source = _SOURCE,
    via: ViaOption = Via.EVENTBRIDGE,
    no_validate: NoValidate = False,
    wait: Wait = False,
    timeout: Timeout = _PATIENCE_SECONDS,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Publish a logout of all of a customer's sessions.

    Examples:
      sessionctl publish logout-all --customer c-1
      sessionctl publish logout-all --customer c-1 --except session-b2
    """
    event = event_of("logout_all", event_id, occurred_at or now_text(), source) | {
        "customer_id": customer,
        "except_session_id": except_session,
    }
    seconds = timeout if wait else None
    publish_one(event, where, via=via, validate=not no_validate, as_json=as_json, wait_seconds=seconds)


@app.command("file")
@about_a_stack
def publish_file(  # noqa: PLR0913 (each an option)
    file: Annotated[str, typer.Argument(help="JSON (an object or an array) or JSON Lines; - for standard input.")],
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Send nothing where one event is not valid.")] = False,
    via: ViaOption = Via.EVENTBRIDGE,
    no_validate: NoValidate = False,
    wait: Wait = False,
    timeout: Timeout = _PATIENCE_SECONDS,
    source: Annotated[str, typer.Option(metavar="NAME", help="What EventBridge calls the publisher.")] = _SOURCE,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Publish a file of events; [bold]publish FILE[/] is short for it.

    Events that are not valid are reported and left out, and the exit code is 1; the same where one is refused five
    times. Those that are neither logins nor logouts are counted as ignored, as consumers do. Give every event an
    event_id, and publishing a file twice changes nothing.

    Examples:
      sessionctl publish events.jsonl
      sessionctl publish tests/events/login.json --via sqs
      jq -c '.[]' events.json | sessionctl publish - --strict
    """
    from ops.sessionctl.following import Follower, documents, is_settled
    from ops.sessionctl.sending import publish_entries

    outcomes: list[Awaited] = []
    with open_stack(where) as stack:
        name = "standard input" if file == "-" else file
        text, follower = read_file(file), Follower(stack, timeout)
        before = follower.look_before if wait else lambda messages: None
        report = publish_entries(
            stack, text, name=name, via=via, source=source, validate=not no_validate, strict=strict, before=before
        )
        if wait and report.published:
            outcomes = follower.wait()
    if as_json:
        show_json(report.document() | ({"outcomes": documents(outcomes)} if wait else {}))
    if not report.is_complete or (wait and report.published and not is_settled(outcomes)):
        raise typer.Exit(1)
