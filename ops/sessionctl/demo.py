"""`sessionctl demo`."""

from pathlib import Path
from typing import Annotated

import typer

from ops.sessionctl.options import Engine, EngineOption


def demo(
    engine: EngineOption = Engine.MOTO,
    seed: Annotated[int, typer.Option(help="Another seed, another day.")] = 1,
    events: Annotated[int, typer.Option(help="Events of the day.")] = 3000,
    log: Annotated[Path | None, typer.Option(help="Where handlers log; a new temporary file otherwise.")] = None,
) -> None:
    """Put a day of events through the whole system, and verify it.

    It runs on a stack of its own, and takes about a minute.

    Example:
      sessionctl demo --seed 7 --events 500
    """
    from ops.demo import command  # noqa: PLC0415 (slow to import)

    arguments = ["--engine", engine, "--seed", str(seed), "--events", str(events)]
    raise typer.Exit(command.main([*arguments, *(["--log", str(log)] if log else [])]))
