"""An archive as tables: what happened to every session, in a range of time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from ops.analytics.files import files_of, mixed_archives
from ops.analytics.loading import ArchiveFile, load
from ops.analytics.problems import Found, Kind, Problem, gather
from ops.analytics.sql import literal, query
from ops.analytics.writing import find_repeated, hidden_id, of_repeated, write_sessions, write_transitions
from schemas.times import format_rfc3339

MEMORY = "1200MB"
"""Most that DuckDB keeps in memory; what is more it keeps in files."""

SESSIONS, TRANSITIONS = "sessions.parquet", "transitions.parquet"


@dataclass(frozen=True, slots=True)
class Range:
    """The range of time that is shown: [since, until).

    Attributes:
        since: Aware UTC; None: from the beginning.
        until: Aware UTC.
    """

    since: datetime | None
    until: datetime


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive as tables.

    Attributes:
        connection: To a database with the tables `sessions`, `transitions`, `arrivals`, `report_range`,
            `online(moment)`.
        range: What is shown of it.
        problems: What could not be used, or is odd.
        counts: Numbers of files, events, sessions and the like, by name.
    """

    connection: duckdb.DuckDBPyConnection
    range: Range
    problems: tuple[Problem, ...]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """The events of an archive, as they were written: with customers' ids.

    Attributes:
        connection: To a database with the tables `events`, `repeated` and `latest`.
        found: What could not be used.
        counts: Numbers of files and events, by name.
    """

    connection: duckdb.DuckDBPyConnection
    found: Sequence[Found]
    counts: Mapping[str, int]

    def write(self, shown: Range, out: Path, *, key: bytes | None, now: datetime) -> tuple[Problem, ...]:
        """Write `sessions.parquet` and `transitions.parquet`.

        Args:
            shown: The range.
            out: The folder.
            key: What pseudonyms are made with; None: customers, addresses and devices are shown.
            now: The time, aware UTC: nothing happens later.

        Returns:
            The archive's problems.
        """
        self.connection.execute(one_row("report_range", since=shown.since, until=shown.until))
        self.connection.execute(one_row("reader_clock", now_at=now))
        write_sessions(self.connection, out / SESSIONS, key)
        write_transitions(self.connection, out / TRANSITIONS, key)
        odd = [
            *self._odd(Kind.TWO_CONTENTS, of_repeated("ids_with_two_contents"), key),
            *self._odd(Kind.CLOCK_AHEAD, query("clocks_ahead"), key),
        ]
        return gather([*self.found, *odd])

    def _odd(self, kind: Kind, ids: str, key: bytes | None) -> list[Found]:
        rows = self.connection.execute(
            f"SELECT {hidden_id(key)}, count(*) OVER () FROM (SELECT DISTINCT id, customer_id, kind FROM events "
            f"WHERE id IN ({ids})) ORDER BY ALL LIMIT 10"
        ).fetchall()
        return [
            Found(kind, place, 1 if number else count - len(rows) + 1) for number, (place, count) in enumerate(rows)
        ]


@contextmanager
def reading(
    files: Sequence[ArchiveFile],
    work: Path,
    *,
    found: Sequence[Found] = (),
    advance: Callable[[int], object] = lambda _: None,
) -> Iterator[Reading]:
    """Read an archive.

    Args:
        files: Its files.
        work: A folder for files of its own, while in this context.
        found: What was found wrong with the files already.
        advance: Told how many bytes of the files were read just now.
    """
    with (
        TemporaryDirectory(dir=work, prefix=".reading-") as folder,
        duckdb.connect(Path(folder) / "events.duckdb") as connection,
    ):
        _set_up(connection, Path(folder))
        connection.execute("SET preserve_insertion_order = false")
        found_here = load(connection, files, advance)
        connection.execute(f"CREATE TABLE latest AS {query('latest')}")
        counts = {"files": len(files), "bytes": sum(file.size for file in files)}
        counts["events"] = _number(connection, "SELECT count(*) FROM events")
        counts["ids"] = find_repeated(connection)
        yield Reading(connection, [*found, *mixed_archives(files), *found_here], counts)


@contextmanager
def tables(
    folder: Path,
    shown: Range,
    problems: tuple[Problem, ...],
    counts: Mapping[str, int],
    *,
    work: Path | None = None,
) -> Iterator[Archive]:
    """Open the Parquet files of a folder as tables.

    Args:
        folder: Where the files are.
        shown: The range that they show.
        problems: Of the archive.
        counts: Of the archive.
        work: A folder for files of its own, while in this context; None: the system's.
    """
    with (
        TemporaryDirectory(dir=work, prefix=".tables-") as own,
        duckdb.connect(Path(own) / "tables.duckdb") as connection,
    ):
        _set_up(connection, Path(own))
        for name, file in (("sessions", SESSIONS), ("transitions", TRANSITIONS)):
            connection.execute(f"CREATE VIEW {name} AS FROM read_parquet({literal(folder / file)})")
        connection.execute(one_row("report_range", since=shown.since, until=shown.until))
        connection.execute(f"CREATE VIEW arrivals AS {query('arrivals')}")
        online = query("online").replace("CROSS JOIN report_moment", "").replace("report_moment.moment", "moment")
        connection.execute(f"CREATE MACRO online(moment) AS TABLE {online}")
        sessions = _number(connection, "SELECT count(*) FROM sessions")
        if not sessions:
            problems = (*problems, *gather([Found(Kind.EMPTY_RANGE, in_words(shown))]))
        transitions = _number(connection, "SELECT count(*) FROM transitions")
        yield Archive(connection, shown, problems, {**counts, "transitions": transitions, "sessions": sessions})


@contextmanager
def open_folder(
    folder: Path, shown: Range, *, key: bytes | None = None, now: datetime | None = None
) -> Iterator[Archive]:
    """Read the archive in a folder into tables.

    Args:
        folder: Of any depth.
        shown: The range.
        key: What pseudonyms are made with; None: customers, addresses and devices are shown.
        now: The time, aware UTC; None for the clock.

    Raises:
        OSError: It is not a folder, or cannot be read.
    """
    files, found = files_of(folder)
    with TemporaryDirectory() as work:
        with reading(files, Path(work), found=found) as archive:
            problems = archive.write(shown, Path(work), key=key, now=now or datetime.now(UTC))
        with tables(Path(work), shown, problems, archive.counts) as opened:
            yield opened


def _set_up(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Bound the memory of a database, and say where it puts what is more."""
    connection.execute(f"SET memory_limit = '{MEMORY}'")
    connection.execute(f"SET temp_directory = {literal(folder / 'spilled')}")
    connection.execute("SET TimeZone = 'UTC'")


def in_words(shown: Range) -> str:
    """Write a range for people."""
    until = format_rfc3339(shown.until)
    return f"until {until}" if shown.since is None else f"{format_rfc3339(shown.since)} to {until}"


def one_row(name: str, **moments: datetime | None) -> str:
    """Write a statement that makes a table of one row, of moments."""
    columns = (
        f"CAST({'NULL' if moment is None else literal(format_rfc3339(moment))} AS TIMESTAMPTZ) AS {column}"
        for column, moment in moments.items()
    )
    return f"CREATE OR REPLACE TABLE {name} AS SELECT {', '.join(columns)}"


def _number(connection: duckdb.DuckDBPyConnection, select: str) -> int:
    [(number,)] = connection.execute(select).fetchall()
    return int(number)
