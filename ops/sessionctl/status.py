"""`sessionctl status`."""

# ruff: noqa: PLC0415 (the models and boto3 are slow to import; options are parameters)

import json
import textwrap
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.sessionctl.failures import CannotRunError, explain
from ops.sessionctl.options import AsJson
from ops.sessionctl.screen import answers, command_line, say, show_json
from ops.sessionctl.stack_options import about_a_stack
from ops.sessionctl.stacks import Stack, Where, open_stack
from schemas.times import format_rfc3339

if TYPE_CHECKING:
    from ops.status.lines import Line
    from ops.status.looking import Looker

_MARKS = {"ok": ("ok", "green"), "note": ("note", "cyan"), "unknown": ("?", "yellow"), "waits": ("!", "bold red")}
_NARROWEST = 40
_NAME_WIDTH = 28


@about_a_stack
def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")] = False,
    every: Annotated[int, typer.Option(metavar="SECONDS", min=1, help="Pause between two looks of --watch.")] = 10,
    policy: Annotated[
        str | None,
        typer.Option(metavar="ROLE", help="Print the policy that a role should have, by its logical id, and no more."),
    ] = None,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Say how a stack is, and what to run next: queues, dead letters, projections, expiries, functions, permissions.

    Exit code 1 where something waits for a person, or could not be looked at. Everything is read from the queues, the
    tables, the stream and the functions themselves; only alarms, and the ages of messages that functions take, are
    CloudWatch's. It changes nothing, and doubles as the check of a new deployment.

    Examples:
      sessionctl status
      sessionctl status --watch --every 30
      sessionctl status --stack-name session-events --json
    """
    from ops.status.lines import waits

    with open_stack(where) as stack:
        if policy is not None:
            _print_policy(_looker(stack, where), policy)
            return
        lines: Sequence[Line] = ()
        try:
            while True:
                lines = _looker(stack, where).look()
                if as_json:
                    show_json(_document(stack, lines))
                else:
                    _show(stack, where, lines, is_watching=watch)
                if not watch:
                    break
                time.sleep(every)
        except KeyboardInterrupt:
            if not watch:
                raise
    if waits(lines):
        raise typer.Exit(1)


def _looker(stack: Stack, where: Where) -> "Looker":
    from ops.status.lines import Commands
    from ops.status.looking import Looker

    options = where.options()
    of_aws = [part for name in ("--profile", "--region") if name in options for part in _pair(options, name)]
    return Looker(
        client=cache(stack.client),
        stack_name=stack.cloudformation_name,
        outputs=stack.outputs,
        commands=Commands(lambda *arguments: command_line(*arguments, *options), of_aws),
        explain=explain,
        clock=lambda: datetime.now(UTC),
    )


def _pair(options: Sequence[str], name: str) -> Sequence[str]:
    position = options.index(name)
    return options[position : position + 2]


def _print_policy(looker: "Looker", role: str) -> None:
    document = looker.policy(role)
    if document is None:
        raise CannotRunError(f"there is no role {role}: the stack has {', '.join(looker.deployed.roles())}")
    typer.echo(json.dumps(document))


def _document(stack: Stack, lines: "Sequence[Line]") -> dict[str, Any]:
    from ops.status.lines import waits

    return {
        "at": format_rfc3339(datetime.now(UTC)),
        "stack": stack.name,
        "waits_for_somebody": waits(lines),
        "lines": [line.document() for line in lines],
    }


def _show(stack: Stack, where: Where, lines: "Sequence[Line]", *, is_watching: bool) -> None:
    """Show lines as people read them: words wrap beside their name, a command never does."""
    from rich.text import Text

    from ops.sessionctl.rows import printable
    from ops.status.lines import State

    console = answers()
    if is_watching and console.is_terminal:
        console.clear()
    width = max(_NARROWEST, console.width if console.is_terminal else 120)
    names = min(_NAME_WIDTH, max(len(line.name) for line in lines)) if width >= 2 * _NARROWEST else 0
    console.print(f"{stack.name}, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC", style="bold", markup=False)
    for line in lines:
        mark, style = _MARKS[line.state.value]
        head = f"{line.name:<{names}}  " if names else f"{line.name}: "
        indent = " " * (6 + (names + 2 if names else 0))
        body = textwrap.fill(head + printable(line.words), width, initial_indent=" " * 6, subsequent_indent=indent)
        console.print(Text.assemble((f"{mark:<4}  ", style), body[6:]), soft_wrap=True)
        for command in line.commands:
            console.print(Text(f"      {command}", style="bold"), soft_wrap=True)
    waiting = [line for line in lines if line.state is State.WAITS]
    unknown = [line for line in lines if line.state is State.UNKNOWN]
    if any(command.startswith("aws ") for line in waiting for command in line.commands) and where.stack_name is None:
        say(f'For commands of aws, in this terminal first: eval "$({command_line("env", *where.options())})"')
    say(_summary(len(waiting), len(unknown)))


def _summary(waiting: int, unknown: int) -> str:
    if not waiting and not unknown:
        return "All is well: nothing waits for a person."
    parts = []
    if waiting:
        parts.append(f"{waiting} {'thing waits' if waiting == 1 else 'things wait'} for a person")
    if unknown:
        parts.append(f"{unknown} could not be looked at")
    return f"{' and '.join(parts)}."
