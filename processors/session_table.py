"""The sessions table: the register of who is logged in, and its eight access patterns."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from processors.aws.conditional_writes import Item
from processors.aws.errors import error_code
from processors.aws.item_store import ItemStore, forever
from processors.aws.parallel import run_all
from processors.register.batches import Batch, combine
from processors.register.reader import INVERTED_INDEX, RegisterReader
from processors.register.sessions import Lifetimes
from processors.runtime.clock import utc_now
from schemas.errors import MalformedItemError
from schemas.items import Attributes, Session, read_item, with_parent, write_item
from schemas.keys import (
    SESSION_PREFIX,
    Key,
    child_sort_key,
    customer_partition,
    session_key,
    session_partition,
)
from schemas.outcomes import Outcome

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from schemas.events import Event, LoginEvent, LogoutEvent

logger = logging.getLogger(__name__)

Asked = TypeVar("Asked")

CHILD_OF_ANOTHER = "the child session belongs to another customer: child session ids must be unique under their parent"
"""Why the table rejects an event; it has no other reason."""


class SessionTable:
    """The sessions table.

    Args:
        client: A boto3 DynamoDB client.
        table_name: The table, with the index `GSI1_inverse` (partition key SK, sort key PK, all attributes).
        lifetimes: How long sessions may live.
        batch_statements: Write 25 items a request (BatchExecuteStatement). The handlers set it from
            `DYNAMODB_BATCH_STATEMENTS`; without it every engine does.
        clock: Gives the time of a write and of "now" in reads, aware UTC.
        concurrency: Most requests under way at a time.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        *,
        lifetimes: Lifetimes | None = None,
        batch_statements: bool = False,
        clock: Callable[[], datetime] = utc_now,
        concurrency: int = 1,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._lifetimes = lifetimes or Lifetimes()
        self._clock = clock
        self._store = ItemStore(client, table_name, batch_statements=batch_statements, concurrency=concurrency)
        self._concurrency = concurrency
        self.reader = RegisterReader(
            client, table_name, store=self._store, batch_statements=batch_statements, concurrency=concurrency
        )
        """Batch reads, for the projector."""

    # --- writes

    def create_session(self, login: "LoginEvent") -> Outcome:
        """Apply one login; see `apply`."""
        return self.apply([login])[0]

    def expire_session(self, logout: "LogoutEvent") -> Outcome:
        """Apply one logout: the item becomes a tombstone, which TTL deletes; see `apply`."""
        return self.apply([logout])[0]

    def apply(self, events: Sequence["Event"], *, time_left: Callable[[], float] = forever) -> list[Outcome]:
        """Fold events into the register. Idempotent, and free of order.

        Args:
            events: Of any sessions and customers, in any order, with repetitions.
            time_left: Seconds until the caller must have answered; nothing is begun once it is zero.

        Returns:
            One outcome per event, in order. `RETRY` means that it was not processed, or not to the end: the table did
            not answer, or a logout names no customer and its session is not here yet. The cause is logged, not raised.
        """
        outcomes: list[list[Outcome]] = [[] for _ in events]
        batch, unresolved = Batch(), []
        for position, event in enumerate(events):
            if event.event_type == "logout" and event.customer_id is None and event.parent_session_id is None:
                unresolved.append((position, event))
            else:
                batch.add(position, event)
        self._settle(batch, outcomes, time_left)
        if unresolved:
            self._settle(self._resolve(unresolved, time_left), outcomes, time_left)
        return [combine(several) for several in outcomes]

    def _settle(self, batch: Batch, outcomes: list[list[Outcome]], time_left: Callable[[], float]) -> None:
        """Write a batch; outcomes are added at the positions of their events."""
        results = self._store.converge(batch.items, partial(self._decide, batch, time_left), time_left=time_left)
        redirected = Batch()
        for key, item in batch.items.items():
            result = results.get(key, [Outcome.RETRY] * len(item.facts))
            if isinstance(result, Session):
                for position, fact in zip(item.positions, item.facts, strict=True):
                    redirected.add(position, fact, about=result)
            else:
                for position, outcome in zip(item.positions, result, strict=True):
                    outcomes[position].append(outcome)
        if redirected.items:
            self._settle(redirected, outcomes, time_left)

    def _decide(
        self, batch: Batch, time_left: Callable[[], float], stored: Mapping[Key, Item | None]
    ) -> dict[Key, tuple[Item | None, list[Outcome] | Session]]:
        """Fold each item's facts into it; logouts that turn out to be a child session's give that instead."""
        now = self._clock()
        asked = [key for key, item in stored.items() if item is None and batch.items[key].may_be_child]
        found = self._in_time(self._child_meant, [batch.items[key].blank for key in asked], time_left)
        meant = dict(zip(asked, found, strict=True))
        decisions: dict[Key, tuple[Item | None, list[Outcome] | Session]] = {}
        for key, item in stored.items():
            children = meant.get(key, [])
            if children is None:
                continue  # not known: as a child's end it would be lost under a key of its own
            if children:
                decisions[key] = (None, children[0])
                continue
            try:
                before = None if item is None else read_item(item)
                after, outcomes = batch.items[key].fold(before, lifetimes=self._lifetimes, now=now)
                decisions[key] = (None if after is None else write_item(after), outcomes)
            except MalformedItemError:
                logger.exception("a stored item breaks the schema; repair or delete it")
        return decisions

    def _child_meant(self, session: Session | None) -> list[Session]:
        if session is None:
            return []
        children = self._children_named(session.session_id)
        return [child for child in children if child.has_login and child.customer_id == session.customer_id][:1]

    def _resolve(self, logouts: Sequence[tuple[int, "LogoutEvent"]], time_left: Callable[[], float]) -> Batch:
        """Find the sessions of logouts that name no customer; one whose session is not found gets no fact."""
        batch = Batch()
        found = self._in_time(self._all_named, [logout.session_id for _, logout in logouts], time_left)
        for (position, logout), sessions in zip(logouts, found, strict=True):
            if sessions == []:
                logger.info("the session of a logout without customer is not here yet")
            for session in sessions or ():
                is_below = session.parent_session_id == logout.session_id
                fact = logout.model_copy(update={"reason": "parent"}) if is_below else logout
                batch.add(position, fact, about=session)
        return batch

    def _all_named(self, session_id: str) -> list[Session]:
        """Everything in the session's partition, or else the child sessions of that id."""
        sessions = list(self._partition(session_id))
        if all(session.parent_session_id is not None for session in sessions):
            return [child for child in self._children_named(session_id) if child.has_login]
        return sessions

    def _in_time(
        self, find: Callable[[Asked], list[Session]], asked: Sequence[Asked], time_left: Callable[[], float]
    ) -> list[list[Session] | None]:
        """Make a query for each of many; None where it failed, which is logged, or there was no time for it."""

        def try_to_find(one: Asked) -> list[Session] | None:
            if time_left() <= 0:
                return None
            try:
                return find(one)
            except (ClientError, BotoCoreError, MalformedItemError) as error:
                logger.warning("query failed", extra={"table": self._table_name, "error_code": error_code(error)})
                return None

        return run_all(try_to_find, asked, concurrency=self._concurrency)

    # --- reads

    def get_session_by_session_id(self, session_id: str, customer_id: str) -> Session | None:
        """Read a top-level session, whatever its state; strongly consistent. None where there is none."""
        key = session_key(session_id, customer_id)
        response = self._client.get_item(
            TableName=self._table_name, Key={"PK": {"S": key.pk}, "SK": {"S": key.sk}}, ConsistentRead=True
        )
        session = read_item(response["Item"]) if "Item" in response else None
        return session if isinstance(session, Session) else None

    def get_child_sessions_by_session_id(self, session_id: str) -> list[Session]:
        """Read the child sessions of a session, ended ones too; strongly consistent.

        Each knows its parent: a child of an ended or expired parent is over.
        """
        parents, children = _families(self._partition(session_id))
        return [with_parent(child, parents) for child in children if child.has_login]

    def get_session_by_child_session_id(self, child_session_id: str) -> Session | None:
        """Read a child session by its own id, with `parent_session_id`; None where there is none.

        Eventually consistent: DynamoDB's indexes are.
        """
        for child in self._children_named(child_session_id):
            if child.has_login and child.parent_session_id is not None:
                parents, _ = _families(self._partition(child.parent_session_id))
                return with_parent(child, parents)
        return None

    def get_last_login_time_by_customer_id(self, customer_id: str) -> datetime | None:
        """Read the latest login over all of the customer's top-level sessions, aware UTC; eventually consistent."""
        logins = (session.last_login_time for session in self.page_sessions(customer_id, live_only=False))
        return max((login for login in logins if login is not None), default=None)

    def get_session_ids_by_customer_id(self, customer_id: str) -> list[str]:
        """Read the ids of all of the customer's top-level sessions, ended ones too; eventually consistent."""
        return [session.session_id for session in self.page_sessions(customer_id, live_only=False)]

    def get_session_id_by_customer_id(self, customer_id: str, session_id: str) -> str | None:
        """Give back the session id if the session is the customer's, or None; eventually consistent."""
        items = self._query(
            IndexName=INVERTED_INDEX,
            KeyConditionExpression="SK = :sk AND PK = :pk",
            ExpressionAttributeValues={
                ":sk": {"S": customer_partition(customer_id)},
                ":pk": {"S": session_partition(session_id)},
            },
        )
        return next((session.session_id for session in items if session.has_login), None)

    def get_sessions_by_customer_id(
        self, customer_id: str, *, live_only: bool = True, now: datetime | None = None, limit: int | None = None
    ) -> list[Session]:
        """Read the customer's top-level sessions, in order of their ids; eventually consistent.

        Args:
            customer_id: Whose.
            live_only: Leave out those that were ended or have run out.
            now: For `live_only`, aware UTC; None for the clock.
            limit: Most sessions to give; None for all.
        """
        return list(islice(self.page_sessions(customer_id, live_only=live_only, now=now), limit))

    def page_sessions(
        self, customer_id: str, *, live_only: bool = True, now: datetime | None = None
    ) -> Iterator[Session]:
        """Read as `get_sessions_by_customer_id` does, page by page as they are asked for."""
        now = now or self._clock()
        sessions = self._query(
            IndexName=INVERTED_INDEX,
            KeyConditionExpression="SK = :sk AND begins_with(PK, :prefix)",
            ExpressionAttributeValues={":sk": {"S": customer_partition(customer_id)}, ":prefix": {"S": SESSION_PREFIX}},
        )
        return (session for session in sessions if session.has_login and (not live_only or session.is_live(now)))

    def _partition(self, session_id: str) -> Iterator[Session]:
        """Everything in a session's partition: its items, one per customer, and its children; strongly consistent."""
        return self._query(
            KeyConditionExpression="PK = :pk",
            ExpressionAttributeValues={":pk": {"S": session_partition(session_id)}},
            ConsistentRead=True,
        )

    def _children_named(self, session_id: str) -> Iterator[Session]:
        return self._query(
            IndexName=INVERTED_INDEX,
            KeyConditionExpression="SK = :sk",
            ExpressionAttributeValues={":sk": {"S": child_sort_key(session_id)}},
        )

    def _query(self, **query: Any) -> Iterator[Session]:
        for page in self._client.get_paginator("query").paginate(TableName=self._table_name, **query):
            yield from _sessions_in(page["Items"])


def _sessions_in(items: Iterable[Attributes]) -> Iterator[Session]:
    for item in items:
        session = read_item(item)
        if isinstance(session, Session):
            yield session


def _families(items: Iterator[Session]) -> tuple[dict[str, Session], list[Session]]:
    parents: dict[str, Session] = {}
    children = []
    for session in items:
        if session.parent_session_id is not None:
            children.append(session)
        elif session.customer_id is not None:
            parents[session.customer_id] = session
    return parents, children
