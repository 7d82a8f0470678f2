"""Write docs/athena.sql: the archive as a table of Amazon Athena, and our queries as its views.

    python -m ops.analytics.athena

The views are made from the files of `queries/`, by sqlglot (of the extra `dev`). They are not run here: sqlglot reads
them back as Athena's SQL, which finds what Athena cannot say, and not what it understands otherwise.
"""

import re
from pathlib import Path

from ops.analytics.sql import query
from schemas.life_cycle import FORMAT, IDS, TEXTS, TIMES

PATH = Path(__file__).parents[2] / "docs" / "athena.sql"

_HEAD = """\
-- Made by `python -m ops.analytics.athena`: do not edit. Run in Athena, statement by statement, after replacing BUCKET
-- with the stack's output ArchiveBucketName. Partitions are computed, so no crawler and no MSCK REPAIR TABLE is needed.
-- Times of the views are UTC timestamps without zone, which is what a view of Athena can hold.
"""

_PROJECTION = {
    "projection.enabled": "true",
    "projection.year.type": "integer",
    "projection.year.range": "2026,2046",
    "projection.month.type": "integer",
    "projection.month.range": "1,12",
    "projection.month.digits": "2",
    "projection.day.type": "integer",
    "projection.day.range": "1,31",
    "projection.day.digits": "2",
    "storage.location.template": "s3://BUCKET/year=${year}/month=${month}/day=${day}/",
}
"""Source: Athena user guide, "Use partition projection with Amazon Athena"."""

_VIEWS = ("latest", "sessions", "transitions", "arrivals")


def athena_script() -> str:
    """Return the statements, one after another."""
    range_view = (
        "CREATE OR REPLACE VIEW report_range AS\n"
        "SELECT CAST(NULL AS timestamp) AS since, CAST(current_timestamp AT TIME ZONE 'UTC' AS timestamp) AS until"
    )
    views = [f"CREATE OR REPLACE VIEW {name} AS\n{in_athena(query(name))}" for name in _VIEWS]
    return _HEAD + "\n" + ";\n\n".join([_table(), _events(), range_view, *views]) + ";\n"


def in_athena(select: str) -> str:
    """Translate a query of ours.

    Raises:
        UnsupportedError: It says what Athena cannot.
        ParseError: It is not SQL.
    """
    import sqlglot  # noqa: PLC0415 (of the extra `dev`)

    [translated] = sqlglot.transpile(
        select, read="duckdb", write="athena", pretty=True, unsupported_level=sqlglot.ErrorLevel.RAISE, comments=False
    )
    return re.sub(
        r"FROM_UNIXTIME\((.*?) / 1000\.0\)",
        r"CAST(FROM_UNIXTIME(\1 / 1000.0) AT TIME ZONE 'UTC' AS timestamp)",
        translated,
    )


def _table() -> str:
    members = ",".join([*(f"{name}:string" for name in (*IDS, *TIMES, *TEXTS)), "version:bigint"])
    properties = ",\n  ".join(f"'{name}' = '{value}'" for name, value in _PROJECTION.items())
    return (
        "CREATE EXTERNAL TABLE IF NOT EXISTS session_events (\n"
        "  id string,\n  format int,\n  kind string,\n  occurred_at string,\n  over_at string,\n  over_reason string,\n"
        f"  session struct<{members}>\n)\n"
        "PARTITIONED BY (year int, month int, day int)\n"
        "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'\n"
        "WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true')\n"
        "LOCATION 's3://BUCKET/'\n"
        f"TBLPROPERTIES (\n  {properties}\n)"
    )


def _events() -> str:
    columns = [
        "id",
        "kind",
        _time("occurred_at", "occurred_at"),
        _time("over_at", "over_at"),
        "over_reason",
        *(f"session.{name} AS {name}" for name in (*IDS, "version")),
        *(_time(f"session.{name}", name) for name in TIMES),
        *(f"session.{name} AS {name}" for name in TEXTS),
    ]
    selected = ",\n  ".join(columns)
    return f"CREATE OR REPLACE VIEW events AS\nSELECT\n  {selected}\nFROM session_events\nWHERE format = {FORMAT}"


def _time(value: str, name: str) -> str:
    return f"CAST(FROM_ISO8601_TIMESTAMP({value}) AT TIME ZONE 'UTC' AS timestamp) AS {name}"


if __name__ == "__main__":
    PATH.write_text(athena_script(), encoding="utf-8")
