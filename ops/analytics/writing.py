"""Write an archive's sessions and transitions to Parquet, without customers' ids where a key hides them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from ops.analytics.pseudonyms import pseudonym_in_sql
from ops.analytics.sql import literal, query

_PERSONAL = ("customer_id", "client_ip", "device_id")

_REPEATED = "CREATE OR REPLACE TABLE repeated AS SELECT hash(id) AS id_hash FROM events GROUP BY 1 HAVING count(*) > 1"
"""Few ids are told twice, and only these have to be grouped: a collision makes one more id be grouped, no more."""

_TOLD_ONCE = """
SELECT id, kind, occurred_at, session_id, customer_id, version, over_at, over_reason
FROM events
WHERE hash(id) NOT IN (FROM repeated)
"""


_DISTINCT_IDS = """
SELECT (SELECT count(*) FROM events WHERE hash(id) NOT IN (FROM repeated))
     + (SELECT count(DISTINCT id) FROM events WHERE hash(id) IN (FROM repeated))
"""


def find_repeated(connection: duckdb.DuckDBPyConnection) -> int:
    """Make the table `repeated`, which `of_repeated` needs. Returns how many ids the events have."""
    connection.execute(_REPEATED)
    [(ids,)] = connection.execute(_DISTINCT_IDS).fetchall()
    return int(ids)


def of_repeated(name: str) -> str:
    """Write a query so that it reads only the events whose id may stand in several lines."""
    events = "SELECT * FROM main.events WHERE hash(id) IN (FROM repeated)"
    return f"WITH events AS MATERIALIZED ({events}) SELECT * FROM ({query(name)})"


def write_sessions(connection: duckdb.DuckDBPyConnection, path: Path, key: bytes | None) -> None:
    """Write `sessions` to a file.

    Args:
        connection: A database with the tables `latest` and `report_range`.
        path: The file.
        key: What pseudonyms are made with; None: there are none.
    """
    if key is not None:
        for column in _PERSONAL:
            _make_pseudonyms(connection, column, key)
    _copy(connection, query("sessions"), {} if key is None else _hidden(_PERSONAL), path)


def write_transitions(connection: duckdb.DuckDBPyConnection, path: Path, key: bytes | None) -> None:
    """Write `transitions` to a file.

    Args:
        connection: A database with the tables `events` and `repeated`, to which `write_sessions` was applied.
        path: The file.
        key: What pseudonyms are made with; None: there are none.
    """
    hidden: dict[str, str] = {}
    if key is not None:
        hidden = {"id": hidden_id(key, "hidden_customer_id.pseudonym"), **_hidden(["customer_id"])}
    _copy(connection, f"{_TOLD_ONCE} UNION ALL SELECT * FROM ({of_repeated('transitions')})", hidden, path)


def hidden_id(key: bytes | None, customer: str | None = None) -> str:
    """Write an expression for an event's id without the customer in its keys; one of another form is hashed whole.

    Args:
        key: What pseudonyms are made with; None: ids stay as they are.
        customer: An expression for the customer's pseudonym, where it is known already.
    """
    if key is None:
        return "id"
    customer = customer or pseudonym_in_sql(key, "customer_id")
    return (
        f"CASE WHEN contains(id, '/c#') THEN left(id, strpos(id, '/c#') + 2) || {customer} "
        "|| '/' || split_part(id, '/', -2) || '/' || kind "
        f"WHEN contains(id, '/child#') OR NOT contains(id, customer_id) THEN id ELSE {pseudonym_in_sql(key, 'id')} END"
    )


def _make_pseudonyms(connection: duckdb.DuckDBPyConnection, column: str, key: bytes) -> None:
    """Make a table of a column's pseudonyms: many rows share a value, and an HMAC costs more than a join."""
    source = "events" if column == "customer_id" else "latest"
    connection.execute(
        f"CREATE OR REPLACE TABLE pseudonyms_of_{column} AS "
        f"SELECT value, {pseudonym_in_sql(key, 'value')} AS pseudonym "
        f"FROM (SELECT DISTINCT {column} AS value FROM {source} WHERE {column} IS NOT NULL)"
    )


def _hidden(columns: Sequence[str]) -> dict[str, str]:
    return {column: f"hidden_{column}.pseudonym" for column in columns}


def _copy(connection: duckdb.DuckDBPyConnection, select: str, replaced: Mapping[str, str], path: Path) -> None:
    """Write the rows of a query, with expressions in place of some columns."""
    changes = ", ".join(f"{expression} AS {name}" for name, expression in replaced.items())
    joins = " ".join(
        f"LEFT JOIN pseudonyms_of_{name} AS hidden_{name} ON hidden_{name}.value = shown.{name}"
        for name in _PERSONAL
        if name in replaced
    )
    connection.execute(
        f"COPY (SELECT shown.* {f'REPLACE ({changes})' if changes else ''} FROM ({select}) AS shown {joins}) "
        f"TO {literal(path)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
    )
