"""The options that several commands have, and their values.

Typer reads a command's options from its signature, so each command spells out which it takes. Those that say which
stack is meant come from `ops.sessionctl.stack_options`.
"""

from enum import StrEnum
from typing import Annotated

import typer

from ops.sessionctl.completion import complete_customer, complete_session


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
