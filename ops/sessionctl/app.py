"""The commands together, and the one place where errors become a line on standard error and an exit code."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ops.sessionctl import (
    cost,
    dead_letters,
    demo,
    environment,
    erase,
    export,
    failed_batches,
    get,
    imports,
    listing,
    local,
    mapping,
    publish,
    rebuild,
    rejected,
    report,
    revoke,
    sql,
    status,
    tail,
    trace,
    verify,
)
from ops.sessionctl.failures import explain
from ops.sessionctl.screen import say

_START, _EVENTS, _PEOPLE, _OPERATE, _ANALYSE = (
    "Begin",
    "Events",
    "Sessions and customers",
    "Operate",
    "Understand",
)
_COMMANDS = (
    (_START, "local", local.local),
    (_START, "env", environment.env),
    (_START, "demo", demo.demo),
    (_EVENTS, "publish", publish.app),
    (_EVENTS, "trace", trace.trace),
    (_EVENTS, "mapping", mapping.app),
    (_PEOPLE, "get", get.app),
    (_PEOPLE, "list", listing.app),
    (_PEOPLE, "revoke", revoke.app),
    (_PEOPLE, "tail", tail.tail),
    (_OPERATE, "status", status.status),
    (_OPERATE, "rejected", rejected.app),
    (_OPERATE, "dead-letters", dead_letters.app),
    (_OPERATE, "failed-batches", failed_batches.app),
    (_PEOPLE, "import", imports.import_sessions),
    (_PEOPLE, "erase", erase.erase),
    (_PEOPLE, "export", export.app),
    (_OPERATE, "verify", verify.verify),
    (_OPERATE, "repair", verify.repair),
    (_OPERATE, "rebuild", rebuild.app),
    (_ANALYSE, "report", report.report),
    (_ANALYSE, "sql", sql.sql),
    (_ANALYSE, "cost", cost.cost),
)
"""Every command: its group in the help, its name, and the function or the application of several."""


class _OneLinePerError(TyperGroup):
    """A group whose commands fail with a line that says what to do; only what nobody foresaw has a traceback."""

    def list_commands(self, _ctx: Any) -> list[str]:
        return [name for _, name, _ in _COMMANDS]

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            line = explain(error)
            if line is None:
                raise
            say(line)
            raise typer.Exit(2) from error


app = typer.Typer(
    name="sessionctl",
    cls=_OneLinePerError,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,  # they hold events
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done; 1 nothing found, a mismatch, or not everything was done; 2 it cannot run; 130 Ctrl-C.",
)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        try:
            typer.echo(f"sessionctl {version('session-event-processor')}")
        except PackageNotFoundError:  # run from a checkout that nobody installed
            typer.echo("sessionctl (not installed)")
        raise typer.Exit


@app.callback()
def sessionctl(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say which release this is.")
    ] = False,
) -> None:
    """See who is logged in, publish logins and logouts, and run a stack: on this machine or a deployed one.

    Start with [bold]sessionctl local[/] in one terminal, and go on in a second one.
    """


for _panel, _name, _command in _COMMANDS:
    if isinstance(_command, typer.Typer):
        app.add_typer(_command, name=_name, rich_help_panel=_panel)
    else:
        app.command(_name, rich_help_panel=_panel)(_command)
app.command("audit", hidden=True)(verify.verify)  # its name until 0.2


def main() -> None:
    """Run the command line of this process; ends it with the exit code."""
    app(prog_name="sessionctl")
