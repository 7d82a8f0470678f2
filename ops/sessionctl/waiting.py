"""What the commands about waiting messages share: their options, and lists grouped by reason and source."""

# ruff: noqa: PLC0415 (the models take half a second to import)

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.sessionctl.options import Form
from ops.sessionctl.screen import say, show_json

if TYPE_CHECKING:
    from ops.recovery.grouping import Entry
    from processors.intake.vocabulary import Vocabulary
    from providers.envelopes import Providers

MOST_THERE_CAN_BE = 100_000
"""Fewer than SQS lets be in flight at a time (120,000)."""

Most = Annotated[
    int,
    typer.Option(
        "--most",
        metavar="N",
        min=1,
        max=MOST_THERE_CAN_BE,
        help="How many to read; what is read is out of sight meanwhile.",
    ),
]
Filters = Annotated[
    list[str] | None,
    typer.Option("--filter", metavar="NAME=PATTERN", help="Only those; may be repeated. * and ? as in a shell."),
]
Mappings = Annotated[
    str | None,
    typer.Option("--mappings", metavar="DIRECTORY", help="Mapping files of yours, beside the bundled ones."),
]


def matcher_of(filters: Sequence[str] | None, names: Sequence[str]) -> "Callable[[Mapping[str, str]], bool]":
    """Read `--filter`.

    Raises:
        BadParameter: One names nothing known.
    """
    from ops.recovery.grouping import FilterError, matcher

    try:
        return matcher(filters or (), names)
    except FilterError as error:
        raise typer.BadParameter(str(error), param_hint="--filter") from None


def providers_of(directory: str | None, variables: "Mapping[str, str] | None" = None) -> "Providers":
    """Return how the stack's consumer reads events, with mapping files of the user's.

    Args:
        directory: Where those are; None for the bundled ones alone.
        variables: Environment variables of the consumer; None where they are not known.

    Raises:
        CannotRunError: A mapping file is wrong.
    """
    from ops.sessionctl.failures import CannotRunError
    from processors.runtime.intake import providers_of as by_settings
    from processors.runtime.settings import Settings, SettingsError

    known = dict(variables or {}) | {"PROVIDER_MAPPINGS_DIRECTORY": directory or ""}
    try:
        return by_settings(Settings.from_environment(known, needs=()))
    except SettingsError as error:
        raise CannotRunError(str(error).replace("PROVIDER_MAPPINGS_DIRECTORY", "--mappings")) from None


def vocabulary_of(providers: "Providers") -> "Vocabulary":
    """Return what of an event may be shown."""
    from processors.runtime.intake import vocabulary_of as of_mappings

    return of_mappings(providers.mappings)


def show_groups(
    what: str,
    entries: "Sequence[Entry]",
    total: int,
    form: Form,
    *,
    next_command: Callable[[str], str],
    remedy: str,
    is_exact: bool = True,
) -> None:
    """Show what waits, grouped by reason and source, and say of how many it is.

    Args:
        what: What is listed, as `rejected events`.
        entries: What was read.
        total: How many there are.
        form: The form of the answer.
        next_command: Writes the command that shows one of them.
        remedy: The command that mends it.
        is_exact: Whether the total is exact.
    """
    from ops.recovery.grouping import grouped
    from ops.sessionctl.durations import relative
    from ops.sessionctl.rows import Column, show_rows
    from schemas.times import format_rfc3339

    groups = grouped(entries)
    rows: list[dict[str, Any]] = [
        {
            "example": group.example_id,
            "count": group.count,
            "reason": group.reason,
            "source": group.source,
            "oldest": group.oldest and format_rfc3339(group.oldest),
            "newest": group.newest and format_rfc3339(group.newest),
        }
        for group in groups
    ]
    if form is Form.JSON:
        show_json({"total": total, "read": len(entries), "groups": rows})
        return
    ago = relative(datetime.now(UTC))
    columns: tuple[Column, ...] = (
        Column("Number", "count", is_number=True),
        Column("Reason", "reason", is_text=True),
        Column("Source", "source", priority=2),
        Column("Oldest", "oldest", ago, priority=1),
        Column("Newest", "newest", ago, priority=3),
        Column("Example", "example", is_wide=True),
    )
    if form is Form.NAME:
        columns = (Column("Example", "example"),)
    show_rows(rows, columns, form)
    about = "" if is_exact else "about "
    read = f"the {len(entries):,} read of " if len(entries) < total else ""
    say(f"{read}{about}{total:,} {what}{'' if total else ': nothing waits'}.".capitalize())
    if len(entries) < total:
        say(f"Read more of them with --most {min(total, MOST_THERE_CAN_BE)}.")
    for row in rows[:3] if form is Form.TABLE else ():
        say(f"See one: {next_command(row['example'])}")
    if rows and form is Form.TABLE:
        say(f"Mend the cause, then: {remedy}")


def show_facts(facts: Mapping[str, Any]) -> None:
    """Show names and values, a line each; values are never cut or wrapped."""
    from ops.sessionctl.rows import printable

    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        typer.echo(f"{name:<{width}}  {printable(str(value))}")
