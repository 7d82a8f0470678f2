"""The options that say which stack a command is about: the same five for every command, given by a decorator."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from ops.sessionctl.completion import complete_local_stack, complete_stack
from ops.sessionctl.stacks import Where

_WHERE = "Which stack"

_Local = Annotated[
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
_StackName = Annotated[
    str | None,
    typer.Option(
        "--stack-name",
        metavar="NAME",
        help="A deployed CloudFormation stack; its outputs say where everything is.",
        autocompletion=complete_stack,
        rich_help_panel=_WHERE,
    ),
]
_Profile = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help="AWS profile, for --stack-name.", rich_help_panel=_WHERE),
]
_Region = Annotated[
    str | None,
    typer.Option("--region", metavar="NAME", help="AWS region, for --stack-name.", rich_help_panel=_WHERE),
]
_OPTIONS: dict[str, tuple[Any, Any]] = {
    "local": (_Local, False),
    "name": (Name, None),
    "stack_name": (_StackName, None),
    "profile": (_Profile, None),
    "region": (_Region, None),
}
"""Types and defaults, by the members of `Where`."""


def about_a_stack(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which stack is meant.

    Typer reads options from a signature: the command's parameter `where`, a `Where`, is replaced by theirs.

    Args:
        command: A function with the keyword parameter `where`.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for name, parameter in signature.parameters.items() if name != "where"]
    given = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, (annotation, default) in _OPTIONS.items()
    ]

    @wraps(command)
    def with_options(*arguments: Any, **options: Any) -> None:
        where = Where(**{name: options.pop(name, default) for name, (_, default) in _OPTIONS.items()})
        command(*arguments, **options, where=where)

    with_options.__signature__ = signature.replace(parameters=[*own, *given])  # type: ignore[attr-defined] # PEP 362
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *given]}
    return with_options
