"""`sessionctl sql`."""

# ruff: noqa: PLC0415, PLR0913 (DuckDB is slow to import; options are parameters)

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.sessionctl.archives import (
    From,
    Identify,
    KeyFile,
    Since,
    Until,
    key_of,
    need_duckdb,
    open_archive,
    range_of,
    utc_now,
)
from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.options import AsJson, Form, Output, form_of
from ops.sessionctl.report import DEFAULT_OUT
from ops.sessionctl.screen import progress, say
from ops.sessionctl.stack_options import about_a_stack
from ops.sessionctl.stacks import Where
from schemas.times import format_rfc3339, parse_rfc3339

if TYPE_CHECKING:
    import duckdb

    from ops.analytics.reading import Archive

_PROMPT, _GOES_ON = "sql> ", " ...> "


@about_a_stack
def sql(
    query: Annotated[
        str | None,
        typer.Argument(metavar="QUERY", help="One query; without it a prompt, or queries on standard input."),
    ] = None,
    *,
    since: Since = None,
    until: Until = None,
    source: From = None,
    identify: Identify = False,
    key_file: KeyFile = None,
    output: Output = Form.TABLE,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Query the archive of session events with SQL (DuckDB).

    Tables: sessions, transitions, arrivals; online(moment) are the sessions live at a moment. --from takes a folder
    that `sessionctl report` wrote, too, which opens at once. docs/analytics.md has five questions and their answers.

    Examples:
      sessionctl sql
      sessionctl sql "SELECT count(*) FROM online(now())"
      sessionctl sql "SELECT country, count(*) AS logins FROM sessions GROUP BY country" --from session-report -o csv
    """
    need_duckdb()
    form = form_of(output, as_json)
    if form is Form.NAME:
        raise typer.BadParameter("rows of a query have no names: table, wide, csv or json", param_hint="-o")
    now = utc_now()
    with _opened(where, source, since, until, now, identify, key_file) as archive:
        if query is not None:
            _run(archive.connection, query, form)
        else:
            _prompt(archive.connection, form)


@contextmanager
def _opened(
    where: Where,
    source: str | None,
    since: str | None,
    until: str | None,
    now: datetime,
    identify: bool,
    key_file: Path | None,
) -> "Iterator[Archive]":
    from ops.analytics.reading import Range, reading, tables
    from ops.analytics.report import DOCUMENT

    written = Path(source) / DOCUMENT if source else None
    if written is not None and source is not None and written.is_file():
        if since or until or identify or key_file:
            raise CannotRunError(
                f"{source} is a report, whose range and pseudonyms are made: leave --since, --until, --identify and "
                "--key-file out, or name the archive with --from"
            )
        document = json.loads(written.read_text(encoding="utf-8"))
        start = document["since"] and parse_rfc3339(document["since"])
        with tables(Path(source), Range(start, parse_rfc3339(document["until"])), (), document["counts"]) as opened:
            yield opened
        return
    shown = range_of(since, until, now)
    key = key_of(identify, key_file, DEFAULT_OUT.with_name(f"{DEFAULT_OUT.name}.key"), make=False)
    with open_archive(where, source) as archive, TemporaryDirectory() as folder:
        work = Path(folder)
        with (
            progress("Reading (bytes)", sum(file.size for file in archive.files)) as steps,
            reading(archive.files, work, found=archive.found, advance=steps.advance) as found,
        ):
            problems = found.write(shown, work, key=key, now=now)
        with tables(work, shown, problems, found.counts) as opened:
            for problem in opened.problems:
                say(f"{problem.count:,} {problem.kind.value}: {'; '.join(problem.examples[:3])}. {problem.advice}")
            yield opened


def _run(connection: "duckdb.DuckDBPyConnection", query: str, form: Form) -> None:
    """Run one query and show its rows.

    Raises:
        CannotRunError: DuckDB refuses it.
    """
    import duckdb

    from ops.sessionctl.rows import Column, show_rows

    try:
        found = connection.execute(query)
        columns = [str(column[0]) for column in found.description or []]
        rows = found.fetchall()
    except duckdb.Error as error:
        raise CannotRunError(str(error)) from error
    shown = [dict(zip(columns, map(_plain, row), strict=True)) for row in rows]
    numbers = {name for row in rows for name, value in zip(columns, row, strict=True) if isinstance(value, int | float)}
    show_rows(shown, [Column(name, name, is_number=name in numbers) for name in columns], form)


def _plain(value: Any) -> Any:
    """Write a value of DuckDB for JSON and people."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime() if value.tzinfo is not None:
            return format_rfc3339(value)
        case list():
            return [_plain(one) for one in value]
        case dict():
            return {str(name): _plain(one) for name, one in value.items()}
        case _:
            return str(value)


def _prompt(connection: "duckdb.DuckDBPyConnection", form: Form) -> None:
    """Run queries as they are typed, or as standard input has them; an error there ends it."""
    is_typed = sys.stdin.isatty()
    if is_typed:
        import readline  # noqa: F401 (input() edits lines with it)

        say("Tables: sessions, transitions, arrivals, online(moment). A query ends with ;  Ctrl-D ends this.")
    for query in _queries(is_typed):
        try:
            _run(connection, query, form)
        except CannotRunError as error:
            if not is_typed:
                raise
            say(str(error))


def _queries(is_typed: bool) -> Iterator[str]:
    lines: list[str] = []
    while True:
        try:
            line = input((_GOES_ON if lines else _PROMPT) if is_typed else "")
        except EOFError:
            break
        except KeyboardInterrupt:
            if not is_typed:
                raise
            lines = []
            typer.echo(err=True)
            continue
        lines.append(line)
        if line.rstrip().endswith(";"):
            yield "\n".join(lines)
            lines = []
    if is_typed:
        typer.echo(err=True)
    if any(line.strip() for line in lines):
        yield "\n".join(lines)
