"""Tables of a report, filled by hand: as `ops.analytics` makes them from an archive."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta

import duckdb

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class SessionRow:
    """A row of `sessions`."""

    session_id: str = "s-1"
    customer_id: str = "c-1"
    parent_session_id: str | None = None
    version: int = 1_795_600_000_000
    started_at: datetime | None = NOON
    last_login_time: datetime | None = NOON
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None
    client_ip: str | None = None
    user_agent: str | None = None
    device_id: str | None = None
    country: str | None = None
    source: str | None = None
    over_at: datetime | None = None
    over_reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class TransitionRow:
    """A row of `transitions`."""

    id: str
    kind: str
    occurred_at: datetime
    version: int
    session_id: str = "s-1"
    customer_id: str = "c-1"
    over_at: datetime | None = None
    over_reason: str | None = None


def database(
    sessions: Iterable[SessionRow],
    transitions: Iterable[TransitionRow] = (),
    *,
    since: datetime | None = NOON - timedelta(days=1),
    until: datetime = NOON + timedelta(days=1),
) -> duckdb.DuckDBPyConnection:
    """Make a database with the tables that the page reads."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set threads = 1")
    for name, kind, rows in (("sessions", SessionRow, sessions), ("transitions", TransitionRow, transitions)):
        columns = {field.name: _sql_type(str(field.type)) for field in fields(kind)}
        connection.execute(
            f"create table {name} ({', '.join(f'{column} {type_}' for column, type_ in columns.items())})"
        )
        values = [tuple(getattr(row, column) for column in columns) for row in rows]
        for chunk in (values[at : at + 500] for at in range(0, len(values), 500)):
            row = f"({', '.join('?' * len(columns))})"
            connection.execute(
                f"insert into {name} values {', '.join([row] * len(chunk))}",  # noqa: S608 # names of ours
                [value for one in chunk for value in one],
            )
    connection.execute("create table report_range (since timestamptz, until timestamptz)")
    connection.execute("insert into report_range values (?, ?)", [since, until])
    return connection


def _sql_type(annotation: str) -> str:
    return "timestamptz" if "datetime" in annotation else "bigint" if "int" in annotation else "varchar"
