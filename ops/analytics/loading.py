"""Read the files of an archive into a table of events, fast; what cannot be used is counted and named."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import duckdb

from ops.analytics.problems import Found, Kind
from ops.analytics.sifting import MAX_VERSION, is_gzip, sift
from ops.analytics.sql import literal
from schemas.life_cycle import DETAIL_TYPES, FORMAT, IDS, TEXTS, TIMES

_BATCH_FILES = 500
_BATCH_BYTES = 64 * 1024 * 1024
"""Of files as they lie; a batch is one statement, and a file that cannot be read fails its batch."""

_FILE_ERRORS = (duckdb.IOException, duckdb.InvalidInputException)
"""What DuckDB raises where a file is cut off, or a line is longer than its buffer."""

_GLOB = frozenset("*?[]{}")

_SESSION = ", ".join([*(f"{name} VARCHAR" for name in (*IDS, *TIMES, *TEXTS)), "version BIGINT"])
_COLUMNS = (
    "{id: 'VARCHAR', format: 'BIGINT', kind: 'VARCHAR', occurred_at: 'VARCHAR', over_at: 'VARCHAR', "
    f"over_reason: 'VARCHAR', session: 'STRUCT({_SESSION})'}}"
)

_TABLE = f"""
CREATE TABLE lines (
    file VARCHAR, is_event BOOLEAN, id VARCHAR, kind VARCHAR, occurred_at TIMESTAMPTZ, over_at TIMESTAMPTZ,
    over_reason VARCHAR, {", ".join(f"{name} VARCHAR" for name in IDS)}, version BIGINT,
    {", ".join(f"{name} TIMESTAMPTZ" for name in TIMES)}, {", ".join(f"{name} VARCHAR" for name in TEXTS)}
);
CREATE VIEW events AS SELECT * EXCLUDE (file, is_event) FROM lines WHERE is_event;
"""


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A file of an archive.

    Attributes:
        path: Where it is.
        name: What a report calls it: its path in the archive.
        size: Bytes.
    """

    path: Path
    name: str
    size: int


def _time(value: str) -> str:
    """Read a time in SQL: RFC 3339 alone, cut to milliseconds. Null where it is not one."""
    moment = f"TRY_CAST({value} AS TIMESTAMPTZ)"
    return (
        f"CASE WHEN length({value}) = 24 AND {value} LIKE '____-__-__T%Z' THEN {moment} "
        f"WHEN regexp_full_match({value}, '.{{10}}T.{{8}}(\\.\\d+)?(Z|[+-].{{5}})') "
        f"THEN date_trunc('milliseconds', {moment}) END"
    )


_TIME_VALUES = {"occurred_at": "occurred_at", "over_at": "over_at"} | {name: f"session.{name}" for name in TIMES}

_IS_EVENT = " AND ".join(
    [
        f"format = {FORMAT}",
        "id IS NOT NULL",
        f"kind IN ({', '.join(map(literal, DETAIL_TYPES))})",
        "occurred_at IS NOT NULL",
        f"session.version BETWEEN 0 AND {MAX_VERSION}",
        "session.session_id IS NOT NULL",
        "(session.customer_id IS NOT NULL OR session.parent_session_id IS NOT NULL)",
        *(f"({value} IS NULL) = (time_{name} IS NULL)" for name, value in _TIME_VALUES.items()),
    ]
)

_SELECTED = ", ".join(
    [
        "filename",
        f"coalesce({_IS_EVENT}, false)",
        "id",
        "kind",
        "time_occurred_at",
        "time_over_at",
        "over_reason",
        *(f"session.{name}" for name in IDS),
        "session.version",
        *(f"time_{name}" for name in TIMES),
        *(f"session.{name}" for name in TEXTS),
    ]
)

_READ = ", ".join(["*", *(f"{_time(value)} AS time_{name}" for name, value in _TIME_VALUES.items())])


def load(
    connection: duckdb.DuckDBPyConnection, files: Sequence[ArchiveFile], advance: Callable[[int], object]
) -> list[Found]:
    """Fill a new table of lines, and view of events, from the files of an archive.

    Args:
        connection: A database without these.
        files: The archive.
        advance: Told how many bytes of them were read just now.

    Returns:
        What could not be used.
    """
    connection.execute(_TABLE)
    empty = [
        Found(Kind.CUT_OFF, f"{file.name}: empty") for file in files if not file.size and file.path.suffix == ".gz"
    ]
    unread: list[ArchiveFile] = []
    for batch in _batches(files):
        unread += _load_batch(connection, batch)
        advance(sum(file.size for file in batch))
    return [*empty, *_read_again(connection, unread, files)]


def _load_batch(connection: duckdb.DuckDBPyConnection, batch: Sequence[ArchiveFile]) -> list[ArchiveFile]:
    """Read files fast. Returns those that cannot be read so."""
    unread: list[ArchiveFile] = []
    for compression in ("gzip", "uncompressed"):
        alike = [file for file in batch if (compression == "gzip") == is_gzip(file.path)]
        fast = [file for file in alike if file.size and not _GLOB & set(str(file.path))]
        unread += [file for file in alike if file.size and file not in fast]
        try:
            _insert(connection, fast, compression)
        except _FILE_ERRORS:
            for file in fast:
                try:
                    _insert(connection, [file], compression)
                except _FILE_ERRORS:  # cut off, or of lines too long: read again in Python, which says what is wrong
                    unread.append(file)
    return unread


def _insert(connection: duckdb.DuckDBPyConnection, files: Sequence[ArchiveFile], compression: str) -> None:
    if files:
        paths = ", ".join(literal(file.path) for file in files)
        connection.execute(
            f"INSERT INTO lines SELECT {_SELECTED} FROM (SELECT {_READ} FROM read_json([{paths}], "
            f"columns = {_COLUMNS}, format = 'newline_delimited', compression = '{compression}', "
            "ignore_errors = true, filename = true, hive_partitioning = false))"
        )


def _read_again(
    connection: duckdb.DuckDBPyConnection, unread: Sequence[ArchiveFile], files: Sequence[ArchiveFile]
) -> list[Found]:
    """Read the files that hold anything but events in Python: it says which lines, and why."""
    with_others = {
        name for (name,) in connection.execute("SELECT DISTINCT file FROM lines WHERE NOT is_event").fetchall()
    }
    again = [file for file in files if str(file.path) in with_others] + list(unread)
    found: list[Found] = []
    for file in again:
        connection.execute("DELETE FROM lines WHERE file = ?", [str(file.path)])
        sifted = sift(file.path, file.name)
        found += sifted.found
        with NamedTemporaryFile(suffix=".json") as events:
            events.write(b"\n".join(sifted.lines))
            events.flush()
            if sifted.lines:
                _insert(connection, [ArchiveFile(Path(events.name), file.name, 1)], "uncompressed")
        [(left,)] = connection.execute(
            "SELECT count(*) FROM lines WHERE NOT is_event AND file = ?", [events.name]
        ).fetchall()
        if left:
            found.append(Found(Kind.NOT_AN_EVENT, f"{file.name}: lines that DuckDB cannot read", left))
    return found


def _batches(files: Sequence[ArchiveFile]) -> Iterator[list[ArchiveFile]]:
    batch: list[ArchiveFile] = []
    size = 0
    for file in files:
        if batch and (len(batch) == _BATCH_FILES or size + file.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch
