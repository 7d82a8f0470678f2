"""`sessionctl demo`."""

from typing import Annotated

import typer

from ops.sessionctl.stack_options import Name


def demo(
    seed: Annotated[int, typer.Option(help="Another seed, another day.")] = 1,
    events: Annotated[int | None, typer.Option(help="Events of the day.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack up with its data, until Ctrl-C.")] = False,
    name: Name = None,
) -> None:
    """Put a day of events through the whole system, and verify it.

    It runs on a local stack of its own, and takes less than a minute.

    Example:
      sessionctl demo --seed 7 --events 3000 --keep
    """
    from ops.demo import command  # noqa: PLC0415 (slow to import)

    arguments = ["--seed", str(seed)]
    arguments += ["--events", str(events)] if events is not None else []
    arguments += ["--name", name] if name is not None else []
    raise typer.Exit(command.main([*arguments, *(["--keep"] if keep else [])]))
