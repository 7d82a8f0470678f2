"""Verify the projections against a recount of the session items.

The recount is made the plain way, item by item, and shares nothing with the merge that keeps the projections. It is
exact once queue and stream are drained: on a busy system a mismatch may be a change that is still under way, so audit
again before you act on it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from processors.projection_table import ProjectionTable
from processors.projections.activity import CustomerActivity
from schemas.attributes import Attributes
from schemas.errors import MalformedItemError
from schemas.item_mapping import read_item
from schemas.items import Session
from schemas.keys import CUSTOMER_PREFIX, decode_id
from schemas.times import format_rfc3339

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(slots=True)
class Recount:
    """What the session items say of one customer.

    Attributes:
        live_session_ids: Top-level sessions that are live.
        last_login_time: The latest login, child sessions included; None where no login came.
    """

    live_session_ids: set[str] = field(default_factory=set)
    last_login_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A customer whose projection is wrong, with both sides in words.

    Attributes:
        customer_id: Whose projection it is.
        problem: What does not hold.
        items: What the session items say.
        projection: What the projection says.
    """

    customer_id: str
    problem: str
    items: str
    projection: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The result.

    Attributes:
        at: The moment for which sessions were counted, aware UTC.
        customers: How many customers were compared: those of either table.
        session_items: How many items of sessions and child sessions were read.
        live_sessions: How many top-level sessions the recount found live.
        inexact: How many projections say "at least", having more sessions than they store.
        mismatches: Each projection that is wrong, by customer.
        unreadable: Each item of either table that breaks the schema, with what is wrong with it.
    """

    at: datetime
    customers: int
    session_items: int
    live_sessions: int
    inexact: int
    mismatches: tuple[Mismatch, ...]
    unreadable: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether every projection agrees with the session items, and every item could be read."""
        return not self.mismatches and not self.unreadable


def audit(
    client: "DynamoDBClient", *, sessions_table: str, projections_table: str, now: datetime | None = None
) -> Audit:
    """Read both tables and compare them, customer by customer.

    Scans both tables with strongly consistent reads, and keeps one entry per customer in memory.

    Args:
        client: A boto3 DynamoDB client.
        sessions_table: Name of the sessions table.
        projections_table: Name of the projections table.
        now: The moment for which live sessions are counted, aware UTC; None for the clock.

    Raises:
        ClientError: The service refused.
        BotoCoreError: It could not be reached.
        ThroughputError: It left a projection unread after several tries.
    """
    now = now or datetime.now(UTC)
    sessions, unreadable = _read_sessions(_scan(client, sessions_table))
    recounts = recount(sessions, now)
    projections = ProjectionTable(client, projections_table)
    activities: list[CustomerActivity] = []
    for customer_id in sorted(recounts.keys() | _customer_ids(_scan(client, projections_table))):
        try:
            activities.append(projections.get_customer_activity(customer_id, now=now))
        except MalformedItemError as error:
            unreadable.append(f"projection of {customer_id}: {error}")
    return Audit(
        at=now,
        customers=len(activities),
        session_items=len(sessions),
        live_sessions=sum(len(counted.live_session_ids) for counted in recounts.values()),
        inexact=sum(not activity.is_exact for activity in activities),
        mismatches=tuple(
            mismatch
            for activity in activities
            for mismatch in compare(recounts.get(activity.customer_id, Recount()), activity)
        ),
        unreadable=tuple(unreadable),
    )


def recount(sessions: Iterable[Session], now: datetime) -> dict[str, Recount]:
    """Count each customer's live top-level sessions and find the latest login, in any order of the items.

    A child session of the original schema names no customer and no login, and is left out.
    """
    recounts: dict[str, Recount] = {}
    for session in sessions:
        if session.customer_id is None:
            continue
        counted = recounts.setdefault(session.customer_id, Recount())
        if session.last_login_time is not None:
            counted.last_login_time = max(counted.last_login_time or session.last_login_time, session.last_login_time)
        if session.parent_session_id is None and session.is_live(now):
            counted.live_session_ids.add(session.session_id)
    return recounts


def compare(counted: Recount, activity: CustomerActivity) -> Iterator[Mismatch]:
    """Name everything in which a projection contradicts the recount.

    Its last login may be newer, as items of old sessions are gone; where it says "at least", its count may be lower.
    """
    if not activity.is_exact:
        if activity.session_count > len(counted.live_session_ids):
            yield _count_mismatch("at least as many live sessions as there are is too many", counted, activity)
    elif activity.session_count != len(counted.live_session_ids):
        yield _count_mismatch("the number of live sessions differs", counted, activity)
    elif set(activity.session_ids) != counted.live_session_ids:
        yield _count_mismatch("the number of live sessions is right, but these are other sessions", counted, activity)
    if (
        counted.last_login_time
        and (activity.last_login_time or datetime.min.replace(tzinfo=UTC)) < counted.last_login_time
    ):
        yield Mismatch(
            activity.customer_id,
            "the last login is older than the session items know",
            items=format_rfc3339(counted.last_login_time),
            projection=format_rfc3339(activity.last_login_time) if activity.last_login_time else "no login",
        )


def _count_mismatch(problem: str, counted: Recount, activity: CustomerActivity) -> Mismatch:
    in_items, in_projection = counted.live_session_ids, set(activity.session_ids)
    return Mismatch(
        activity.customer_id,
        problem,
        items=_in_words(len(in_items), "only here", in_items - in_projection),
        projection=_in_words(activity.session_count, "only here", in_projection - in_items),
    )


def _in_words(count: int, label: str, session_ids: set[str]) -> str:
    shown = sorted(session_ids)[:3] + (["…"] if len(session_ids) > 3 else [])
    return f"{count}, {label}: {', '.join(shown)}" if shown else str(count)


def _read_sessions(scanned: Iterable[Attributes]) -> tuple[list[Session], list[str]]:
    sessions: list[Session] = []
    unreadable: list[str] = []
    for attributes in scanned:
        try:
            item = read_item(attributes)
        except MalformedItemError as error:
            unreadable.append(str(error))
        else:
            if isinstance(item, Session):
                sessions.append(item)
    return sessions, unreadable


def _customer_ids(projections: Iterable[Attributes]) -> set[str]:
    return {decode_id(item["PK"]["S"].removeprefix(CUSTOMER_PREFIX)) for item in projections}


def _scan(client: "DynamoDBClient", table_name: str) -> Iterator[Attributes]:
    for page in client.get_paginator("scan").paginate(TableName=table_name, ConsistentRead=True):
        yield from page["Items"]
