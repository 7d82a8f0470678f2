"""Make an archive of any size, as Firehose lays it: a month of sessions, invented from a seed.

    python -m ops.analytics.generator archive --sessions 1000000

A session has about three events. Every twentieth is a child of another; some sessions are told hours late, some events
twice; a few customers appear in countries they were never in before, sooner than any journey takes.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from ops.analytics.sql import literal
from schemas.life_cycle import FORMAT
from schemas.times import to_epoch_milliseconds

STREAM_NAME = "session-events-archive"
"""The Firehose stream in the objects' names."""

_SLICE_SESSIONS = 200_000
"""Made at a time, a file a day: DuckDB keeps what it writes in memory until all of it is made."""

_MACROS = """
CREATE MACRO chance(number, salt) AS (hash(number, getvariable('seed'), salt) % 1000003) / 1000003.0;
CREATE MACRO pick(choices, share) AS choices[1 + CAST(floor(share * len(choices)) AS BIGINT)];
CREATE MACRO rfc3339(ms) AS strftime(epoch_ms(CAST(ms AS BIGINT)), '%Y-%m-%dT%H:%M:%S.%gZ');
"""

_SESSIONS = """
CREATE VIEW invented AS
WITH numbered AS (
    SELECT i, i % 20 = 19 AS is_child, CASE WHEN i % 20 = 19 THEN i - 1 ELSE i END AS family
    FROM range(getvariable('slice_begin'), getvariable('slice_end')) AS numbers(i)
), people AS (
    SELECT *, CAST(floor(getvariable('customers') * power(chance(family, 'customer'), 1.3)) AS BIGINT) AS customer,
           CAST(floor(3 * chance(family, 'device')) AS BIGINT) AS device
    FROM numbered
)
SELECT i, is_child,
       's-' || i AS session_id,
       'c-' || customer AS customer_id,
       CASE WHEN is_child THEN 's-' || family END AS parent_session_id,
       CAST(getvariable('first_ms') + floor(getvariable('days') * chance(family, 'day')) * 86400000
            + 86399999 * (chance(family, 'hour') + chance(family, 'minute') + chance(family, 'second')) / 3
            + CASE WHEN is_child THEN 60000 ELSE 0 END AS BIGINT) AS started_ms,
       CASE WHEN chance(family, 'lifetime') < 0.7 THEN 8 ELSE 72 END * 3600000 AS lifetime_ms,
       CAST(floor(chance(i, 'refreshes') * 3.4) AS BIGINT) AS refreshes,
       CASE WHEN chance(i, 'ends') < 0.65
            THEN pick(['user', 'user', 'user', 'user', 'administrator', 'limit'], chance(i, 'reason'))
       END AS end_reason,
       power(chance(i, 'stay'), 3) AS stay,
       40 + CAST(power(chance(family, 'late'), 60) * 40000000 AS BIGINT) AS late_ms,
       pick(['192.0.2.', '198.51.100.', '203.0.113.'], chance(customer, 'network'))
           || CAST(floor(1 + 250 * chance(customer, 'address')) AS BIGINT) AS client_ip,
       pick(['Firefox on Linux', 'Chrome on Windows', 'Safari on iPhone', 'Example TV 3'],
            chance(customer * 3 + device, 'agent')) AS user_agent,
       'device-' || customer || '-' || device AS device_id,
       CASE WHEN chance(family, 'abroad') < 0.002 THEN pick(['BR', 'JP', 'ZA'], chance(family, 'where'))
            ELSE pick(['DE', 'DE', 'DE', 'FR', 'GB', 'GB', 'US', 'US', 'US', 'IN'], chance(customer, 'home'))
       END AS country,
       pick(['auth.example.com', 'auth.example.com', 'auth0', 'okta', 'keycloak'], chance(customer, 'source')) AS source
FROM people
"""

_EVENTS = """
CREATE VIEW told AS
WITH logins AS (
    SELECT s.*, login, CAST(started_ms + login * lifetime_ms * 0.4 AS BIGINT) AS login_ms,
           CAST(started_ms + login * lifetime_ms * 0.4 + lifetime_ms AS BIGINT) // 1000 * 1000 AS expires_ms
    FROM invented AS s, range(4) AS logins(login)
    WHERE login <= refreshes
), happened AS (
    SELECT *, CASE WHEN login = 0 THEN 'started' ELSE 'refreshed' END AS kind, login_ms AS occurred_ms,
           CAST(NULL AS BIGINT) AS ended_ms
    FROM logins
    UNION ALL
    SELECT *, 'ended', login_ms + 1000 + CAST(stay * lifetime_ms * 1.05 AS BIGINT),
           login_ms + 1000 + CAST(stay * lifetime_ms * 1.05 AS BIGINT)
    FROM logins
    WHERE login = refreshes AND end_reason IS NOT NULL
)
SELECT *, occurred_ms + late_ms AS version FROM happened
WHERE occurred_ms + late_ms < getvariable('until_ms')
"""

_LINES = f"""
CREATE VIEW lines AS
SELECT 'suuid#' || coalesce(parent_session_id, session_id)
           || CASE WHEN is_child THEN '/child#suuid#' || session_id ELSE '/c#' || customer_id END
           || '/' || version || '/' || kind AS id,
       {FORMAT} AS format, kind, rfc3339(occurred_ms) AS occurred_at,
       rfc3339(CASE WHEN ended_ms IS NOT NULL THEN least(ended_ms, expires_ms) END) AS over_at,
       CASE WHEN ended_ms > expires_ms THEN 'expired' WHEN ended_ms IS NOT NULL THEN end_reason END AS over_reason,
       {{'session_id': session_id, 'customer_id': customer_id, 'parent_session_id': parent_session_id,
        'version': version, 'started_at': rfc3339(started_ms), 'last_login_time': rfc3339(login_ms),
        'expires_at': rfc3339(expires_ms), 'ended_at': rfc3339(ended_ms),
        'end_reason': CASE WHEN ended_ms IS NOT NULL THEN end_reason END,
        'client_ip': client_ip, 'user_agent': user_agent, 'device_id': device_id, 'country': country,
        'source': source}} AS session,
       strftime(epoch_ms(version), '%Y') AS year, strftime(epoch_ms(version), '%m') AS month,
       strftime(epoch_ms(version), '%d') AS day
FROM (SELECT * FROM told UNION ALL SELECT * FROM told WHERE chance(i * 5 + login, kind) < 0.01)
"""


def write_archive(folder: Path, *, sessions: int, until: datetime, days: int = 30, seed: int = 1) -> None:
    """Write an archive: folders by day of gzip JSON lines.

    Args:
        folder: Where; it is made, and must not hold an archive yet.
        sessions: How many sessions, children included.
        until: The end of the last day, aware. What would occur later is not told.
        days: Over how many days they start.
        seed: The same seed, the same archive, with one version of DuckDB.
    """
    until_ms = to_epoch_milliseconds(until)
    values = {
        "customers": max(1, sessions // 8),
        "days": days,
        "seed": seed,
        "until_ms": until_ms,
        "first_ms": until_ms - days * 86_400_000,
    }
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"SET temp_directory = {literal(folder / '.spilled')}")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET partitioned_write_max_open_files = 200")
        for name, value in values.items():
            connection.execute(f"SET VARIABLE {name} = {value}")  # whole numbers of ours
        for statement in (_MACROS, _SESSIONS, _EVENTS, _LINES):
            connection.execute(statement)
        for begin in range(0, sessions, _SLICE_SESSIONS):
            connection.execute(f"SET VARIABLE slice_begin = {begin}")
            connection.execute(f"SET VARIABLE slice_end = {min(begin + _SLICE_SESSIONS, sessions)}")
            connection.execute(
                f"COPY lines TO {literal(folder)} (FORMAT json, COMPRESSION gzip, APPEND, "
                f"PARTITION_BY (year, month, day), FILENAME_PATTERN '{STREAM_NAME}-1-{{uuid}}', FILE_EXTENSION 'json')"
            )


def main() -> None:
    """Run the generator as a command."""
    parser = argparse.ArgumentParser(prog="python -m ops.analytics.generator", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write it")
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--until", type=datetime.fromisoformat, default=datetime.now(UTC), help="aware; default: now")
    arguments = parser.parse_args()
    write_archive(
        arguments.folder, sessions=arguments.sessions, until=arguments.until, days=arguments.days, seed=arguments.seed
    )


if __name__ == "__main__":
    main()
