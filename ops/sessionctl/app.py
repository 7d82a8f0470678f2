"""The commands together, and the one place where errors become a line on standard error and an exit code."""

from typing import Any

import typer
from typer.core import TyperGroup

from ops.sessionctl import audit, demo, environment, get, local, mapping, publish
from ops.sessionctl.failures import explain
from ops.sessionctl.screen import say


class _OneLinePerError(TyperGroup):
    """A group whose commands fail with a line that says what to do; only what nobody foresaw has a traceback."""

    def list_commands(self, _ctx: Any) -> list[str]:
        return ["local", "env", "demo", "publish", "get", "audit", "mapping"]  # in the order in which people need them

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
    epilog="Exit codes: 0 done; 1 nothing found, a mismatch, or some events not published; 2 it cannot run.",
)


@app.callback()
def sessionctl() -> None:
    """Publish login and logout events, and see who is logged in, on this machine or on a deployed stack.

    Start with [bold]sessionctl local[/] in one terminal, and go on in a second one.
    """


app.command("local")(local.local)
app.command("env")(environment.env)
app.command("demo")(demo.demo)
app.add_typer(publish.app, name="publish")
app.add_typer(get.app, name="get")
app.command("audit")(audit.audit_projections)
app.add_typer(mapping.app, name="mapping")


def main() -> None:
    """Run the command line of this process; ends it with the exit code."""
    app(prog_name="sessionctl")
