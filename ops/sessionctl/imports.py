"""`sessionctl import`."""

# ruff: noqa: PLC0415 (what imports and boto3 take a second to import)

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.options import AsJson, DryRun
from ops.sessionctl.progress import Stages, open_checkpoint, stages
from ops.sessionctl.screen import answers, command_line, counted, say, show_json
from ops.sessionctl.stack_options import about_a_stack
from ops.sessionctl.stacks import Stack, Where, open_stack

if TYPE_CHECKING:
    from ops.importing.importing import Aside, Summary
    from ops.importing.records import Reading
    from ops.rebuilding.checkpoint import Checkpoint

_SHOWN = 10
"""Most reasons that are named on the screen."""


@about_a_stack
def import_sessions(  # noqa: PLR0913 (each an option)
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines, CSV, or the folder of a DynamoDB export.")],
    *,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=COLUMN", help="What a field is called in the file; as often as needed."),
    ] = None,
    utc: Annotated[bool, typer.Option("--utc", help="Times without zone are UTC.")] = False,
    namespace: Annotated[
        str, typer.Option(metavar="PROVIDER:TENANT", help="Prefix of the ids, where CustomerNamespace is 'provider'.")
    ] = "",
    dry_run: DryRun = False,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep in it how far it is: the same command goes on from there."),
    ] = None,
    rejected: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where lines that are wrong go. FILE.rejected.jsonl")
    ] = None,
    rate: Annotated[float | None, typer.Option(metavar="N", min=0.1, help="Most lines a second.")] = None,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Import existing sessions, so that adopting starts with everybody who is logged in.

    Lines that are wrong are counted, named and written to a file; the others are imported, and importing them again
    changes nothing. Exit code 1 where lines are wrong.

    Examples:
      sessionctl import sessions.jsonl --dry-run
      sessionctl import sessions.csv --column customer_id=user --column expires_at=valid_until --utc
      sessionctl import AWSDynamoDB/01700000000000-abcdef/ --checkpoint import.checkpoint
    """
    reading = _reading(column or [], namespace, utc)
    aside = rejected or file.with_name(f"{file.name or 'import'}.rejected.jsonl")

    def interrupted(shown: Stages) -> str:
        again = "run it again, which is safe" if checkpoint is None else f"run it again with --checkpoint {checkpoint}"
        return f"{shown}; {again} to import the others."

    with open_stack(where) as stack, stages(interrupted) as shown:
        purpose = f"import of {file.absolute()} into {stack.outputs['SessionsTableName']}"
        with open_checkpoint(None if dry_run else checkpoint, purpose) as state:
            summary = _run(stack, state, shown, file=file, reading=reading, rate=rate, aside=None if dry_run else aside)
            if not dry_run:
                state.finish()
    if as_json:
        is_written = summary.wrong and not dry_run
        show_json({"dry_run": dry_run, **summary.document(), "rejected": str(aside) if is_written else None})
    else:
        _show(summary, stack, aside, where, file, dry_run=dry_run)
    if summary.wrong:
        raise typer.Exit(1)


def _reading(columns: list[str], namespace: str, utc: bool) -> "Reading":
    """Read how files are read.

    Raises:
        BadParameter: A column is not FIELD=COLUMN with a field that there is, or a namespace is not one.
    """
    from ops.importing.records import FIELDS, Reading

    named: dict[str, str] = {}
    for text in columns:
        field, separator, called = text.partition("=")
        if field not in FIELDS or not separator or not called:
            raise typer.BadParameter(
                f"{text!r} is not FIELD=COLUMN with a field of {', '.join(FIELDS)}", param_hint="--column"
            )
        named[field] = called
    if namespace and not re.fullmatch(r"[^:\s]+:[^:\s]*", namespace):
        raise typer.BadParameter(f"{namespace!r} is not PROVIDER:TENANT", param_hint="--namespace")
    return Reading(named, namespace, utc)


def _run(
    stack: Stack,
    state: "Checkpoint",
    shown: Stages,
    *,
    file: Path,
    reading: "Reading",
    rate: float | None,
    aside: Path | None,
) -> "Summary":
    from ops.importing.files import ImportFileError
    from ops.importing.importing import Import, StoppedError
    from ops.rebuilding.scanning import Pace

    settings = stack.settings()
    if settings.customer_namespace != "none" and not reading.namespace:
        say("This stack's ids have a namespace: without --namespace, live events will not mean the sessions imported.")
    sessions, _ = stack.tables(settings)
    try:
        with _aside(aside, state) as lines_aside:
            return Import(
                path=file,
                reading=reading,
                sessions=sessions if aside is not None else None,
                lifetimes=settings.lifetimes,
                checkpoint=state,
                aside=lines_aside if aside is not None else None,
                pace=Pace(rate),
                on_progress=shown,
            ).run()
    except (ImportFileError, StoppedError) as error:
        done = f"{shown}" if shown.counts else "nothing is imported"
        raise CannotRunError(f"{error}. {done.capitalize()}; run it again to go on, which is safe") from error
    except OSError as error:
        raise CannotRunError(f"lines that are wrong cannot be written to {aside}: {error.strerror}") from error


def _aside(path: Path | None, state: "Checkpoint") -> "Aside":
    """Open the file of lines that are wrong.

    Raises:
        CannotRunError: It is there already, and not of the run that goes on.
    """
    from ops.importing.importing import Aside

    size = state.get("aside")
    if path is not None and size is None and path.exists():
        raise CannotRunError(f"{path} is there already: move it away, or name another file with --rejected")
    return Aside(path or Path(), size if path is not None else None)


def _show(summary: "Summary", stack: Stack, aside: Path, where: Where, file: Path, *, dry_run: bool) -> None:
    right = summary.lines - summary.wrong - summary.not_sessions
    if dry_run:
        _print(f"Read {counted(summary.lines, 'line')}: {right:,} are right, {summary.live:,} of them live sessions.")
    else:
        _print(
            f"Imported {right:,} of {counted(summary.lines, 'line')} into {stack.name}: {summary.applied:,} changed "
            f"the register, {summary.unchanged:,} it knew already; {summary.live:,} are live sessions."
        )
    if summary.erased:
        _print(f"{summary.erased:,} are of customers who were erased since, and are ignored.")
    if summary.not_sessions:
        _print(f"{summary.not_sessions:,} items are no sessions, and are passed over.")
    if summary.clipped:
        _print(f"{summary.clipped:,} would live longer than SessionMaxLifetimeSeconds allows, and are shortened.")
    for reason, count in summary.reasons.most_common(_SHOWN):
        _print(f"{count:,} wrong: {reason} (first: {summary.first[reason]})", style="red")
    if summary.wrong and not dry_run:
        _print(f"{counted(summary.wrong, 'wrong line')} went to {aside}: mend and import that again.")
    if dry_run:
        _print("Nothing was changed.")
    elif summary.applied:
        verify = command_line("verify", *map(shlex.quote, where.options()))
        _print(f"The projections follow with the stream. Then: {verify}")


def _print(line: str, style: str | None = None) -> None:
    answers().print(line, style=style, markup=False, soft_wrap=True)
