"""The options that several commands have, and their values.

Typer reads a command's options from its signature, so each command spells out which it takes.
"""

from enum import StrEnum
from typing import Annotated

import typer

from ops.sessionctl.completion import complete_customer, complete_local_stack, complete_session, complete_stack


class Via(StrEnum):
    """What carries an event to the stack."""

    EVENTBRIDGE = "eventbridge"
    SQS = "sqs"

    @property
    def label(self) -> str:
        """Its name as AWS writes it."""
        return "EventBridge" if self is Via.EVENTBRIDGE else "SQS"


class Form(StrEnum):
    """The form of an answer."""

    TABLE = "table"
    WIDE = "wide"
    NAME = "name"
    CSV = "csv"
    JSON = "json"


def form_of(output: Form, as_json: bool) -> Form:
    """Return the form that `-o` and `--json` ask for together.

    Raises:
        BadParameter: They contradict each other.
    """
    if as_json and output not in (Form.TABLE, Form.JSON):
        raise typer.BadParameter(f"leave one of -o {output} and --json out", param_hint="-o")
    return Form.JSON if as_json else output


_WHERE = "Which stack"

Local = Annotated[
    bool,
    typer.Option(
        "--local",
        help="The local stack of [bold]sessionctl local[/]: the default.",
        rich_help_panel=_WHERE,
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        help="Which local stack, where several run.",
        autocompletion=complete_local_stack,
        rich_help_panel=_WHERE,
    ),
]
StackName = Annotated[
    str | None,
    typer.Option(
        "--stack-name",
        metavar="NAME",
        help="A deployed CloudFormation stack; its outputs say where everything is.",
        autocompletion=complete_stack,
        rich_help_panel=_WHERE,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help="AWS profile, for --stack-name.", rich_help_panel=_WHERE),
]
Region = Annotated[
    str | None,
    typer.Option("--region", metavar="NAME", help="AWS region, for --stack-name.", rich_help_panel=_WHERE),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer with one JSON document, for programs.")]
Output = Annotated[
    Form,
    typer.Option(
        "-o",
        "--output",
        metavar="wide|name|csv|json",
        help="Every column in full; names only; CSV; the same as --json.",
        show_default=False,
    ),
]
"""The form of a list; `form_of` reads it together with `--json`."""
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask: needed where nobody can be asked.")]
CustomerOption = Annotated[
    str, typer.Option("--customer", metavar="ID", help="The customer.", autocompletion=complete_customer)
]
SessionArgument = Annotated[
    str, typer.Argument(metavar="SESSION", help="The session's id.", autocompletion=complete_session)
]
CustomerArgument = Annotated[
    str, typer.Argument(metavar="CUSTOMER", help="The customer's id.", autocompletion=complete_customer)
]
