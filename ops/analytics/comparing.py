"""The archive beside the projections: whose sessions are live, customer by customer."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from ops.analytics.proof import Comparison, Difference
from ops.analytics.reading import Reading, one_row
from ops.analytics.sql import literal, query
from processors.projection_table import ProjectionTable
from processors.session_table import SessionTable
from schemas.items import ACTIVE, Session
from schemas.projection_items import NEVER, Projection, read_projection
from schemas.times import format_rfc3339, from_epoch_seconds

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_SECOND_LOOK_AFTER_SECONDS = 3.0
"""Longer than the projector takes, unless something waits for a person."""

_TABLE = """
CREATE OR REPLACE TABLE projected (
    customer_id VARCHAR, session_id VARCHAR, expires_at TIMESTAMPTZ, is_ending BOOLEAN, at_least_until TIMESTAMPTZ
)
"""
_COLUMNS = (
    "{customer_id: 'VARCHAR', session_id: 'VARCHAR', expires_at: 'TIMESTAMPTZ', is_ending: 'BOOLEAN', "
    "at_least_until: 'TIMESTAMPTZ'}"
)
_LIVE = (
    "SELECT customer_id, session_id FROM projected CROSS JOIN report_moment WHERE NOT is_ending AND moment < expires_at"
)
_CUSTOMERS = (
    "SELECT count(DISTINCT customer_id) FROM (SELECT customer_id FROM projected UNION ALL "
    "SELECT customer_id FROM latest CROSS JOIN report_moment WHERE parent_session_id IS NULL AND over_at IS NULL "
    "AND (expires_at IS NULL OR moment < expires_at))"
)


@dataclass(frozen=True, slots=True)
class Projections:
    """A stack's tables.

    Attributes:
        client: A boto3 DynamoDB client.
        sessions_table: Name of the sessions table.
        projections_table: Name of the projections table.
        clock: Returns the time, aware UTC.
        sleep: Waits for so many seconds.
    """

    client: "DynamoDBClient"
    sessions_table: str
    projections_table: str
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep

    def scan(self) -> Iterator[Projection]:
        """Read every projection; strongly consistent.

        Raises:
            ClientError: The service refused.
            MalformedItemError: An item breaks the schema.
        """
        pages = self.client.get_paginator("scan").paginate(TableName=self.projections_table, ConsistentRead=True)
        for page in pages:
            for item in page["Items"]:
                yield read_projection(item)


def compare(reading: Reading, stack: Projections, shown: Callable[[str], str]) -> Comparison:
    """Compare which top-level sessions are live for an archive, and for the projections read after it.

    Args:
        reading: The archive, read before this is called: what happens meanwhile is in flight.
        stack: The projections.
        shown: Writes a customer id as the report shows it.

    Raises:
        ClientError: The service refused.
        BotoCoreError: It could not be reached.
        MalformedItemError: An item breaks the schema.
    """
    _load(reading, stack.scan())
    at = (
        stack.clock()
    )  # after the projections were read: what ran out before was pruned from them, or is passed over here
    connection = reading.connection
    connection.execute(one_row("report_moment", moment=at))
    [(customers,)] = connection.execute(_CUSTOMERS).fetchall()
    rows = connection.execute(
        f"SELECT d.*, coalesce(p.is_ending, false), coalesce(c.at_least_until <= moment, true) "
        f"FROM ({query('differences')}) d CROSS JOIN report_moment "
        "LEFT JOIN projected p USING (customer_id, session_id) "
        "LEFT JOIN (SELECT customer_id, max(at_least_until) AS at_least_until FROM projected GROUP BY customer_id) c "
        "USING (customer_id) ORDER BY ALL"
    ).fetchall()
    [(live,)] = connection.execute(f"SELECT count(*) FROM ({_LIVE})").fetchall()
    live -= sum(not is_live_in_archive for _, _, is_live_in_archive, _, _ in rows)
    judge = _Judge(stack, _newest_version(reading), at, shown)
    found = [judge.look(*row) for row in rows]
    if any(judged.cause is None for judged in found):
        stack.sleep(_SECOND_LOOK_AFTER_SECONDS)
        found = [judged if judged.cause else judge.look_again(judged) for judged in found]
    differences = tuple(judge.told(judged) for judged in found if judged.cause is None)
    in_flight = tuple(judge.told(judged) for judged in found if judged.cause is not None)
    return Comparison(at, customers, live, differences, in_flight)


@dataclass(frozen=True, slots=True)
class _Judged:
    customer_id: str
    session_id: str
    is_live_in_archive: bool
    item: Session | None
    cause: str | None


@dataclass(frozen=True, slots=True)
class _Judge:
    """Tells what is in flight from what is wrong."""

    stack: Projections
    newest_version: int
    at: datetime
    shown: Callable[[str], str]

    def look(
        self, customer_id: str, session_id: str, is_live_in_archive: bool, is_ending: bool, is_exact: bool
    ) -> _Judged:
        """Look at the session item of a difference."""
        item = self._item(customer_id, session_id)
        cause = None
        if is_ending:
            cause = "a policy ends it, and its logout is on its way"
        elif not is_exact:
            cause = 'the projection says "at least": the customer has more sessions than it keeps'
        elif self._is_newer(item):
            cause = "the session changed after the newest line of the archive"
        return _Judged(customer_id, session_id, is_live_in_archive, item, cause)

    def look_again(self, judged: _Judged) -> _Judged:
        """Look at the projection once more: it may have been written after it was read."""
        table = ProjectionTable(self.stack.client, self.stack.projections_table)
        activity = table.get_customer_activity(judged.customer_id, now=self.at)
        item = self._item(judged.customer_id, judged.session_id)
        cause = None
        if (judged.session_id in activity.session_ids) == judged.is_live_in_archive:
            cause = "the projection was written after it was read"
        elif self._is_newer(item):
            cause = "the session changed after the newest line of the archive"
        return _Judged(judged.customer_id, judged.session_id, judged.is_live_in_archive, item, cause)

    def told(self, judged: _Judged) -> Difference:
        """Write a difference for people."""
        archive, projection = ("live", "not live") if judged.is_live_in_archive else ("not live", "live")
        why = judged.cause or f"the session item {_in_words(judged.item, self.at)}"
        return Difference(self.shown(judged.customer_id), judged.session_id, archive, projection, why)

    def _item(self, customer_id: str, session_id: str) -> Session | None:
        table = SessionTable(self.stack.client, self.stack.sessions_table)
        return table.get_session_by_session_id(session_id, customer_id)

    def _is_newer(self, item: Session | None) -> bool:
        return item is not None and (item.version or 0) > self.newest_version


def _in_words(item: Session | None, at: datetime) -> str:
    if item is None:
        return "is not in the table"
    version = f"(version {item.version})"
    if item.session_state != ACTIVE:
        return f"has ended {version}"
    if item.is_live(at):
        return f"is live {version}"
    return f"ran out at {format_rfc3339(item.expires_at)} {version}" if item.expires_at else f"has no login {version}"


def _load(reading: Reading, projections: Iterator[Projection]) -> None:
    """Fill the table of the sessions in the projections."""
    reading.connection.execute(_TABLE)
    with NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        for projection in projections:
            for session_id, entry in projection.sessions.items():
                row = {
                    "customer_id": projection.customer_id,
                    "session_id": session_id,
                    "expires_at": _time(entry.expires_at),
                    "is_ending": entry.is_ending,
                    "at_least_until": _time(projection.dropped_until),
                }
                file.write(json.dumps(row) + "\n")
        file.flush()
        reading.connection.execute(
            f"INSERT INTO projected SELECT * FROM read_json({literal(file.name)}, columns = {_COLUMNS}, "
            "format = 'newline_delimited')"
        )


def _time(seconds: int | None) -> str | None:
    return None if seconds is None else format_rfc3339(from_epoch_seconds(min(seconds, NEVER)))


def _newest_version(reading: Reading) -> int:
    [(newest,)] = reading.connection.execute("SELECT coalesce(max(version), -1) FROM events").fetchall()
    return int(newest)
