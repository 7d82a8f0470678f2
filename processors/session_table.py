"""The sessions table: the register of who is logged in, and its access patterns."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from processors.aws.conditional_writes import key_item
from processors.aws.deadline import NEVER, Deadline
from processors.aws.errors import raising_read_errors
from processors.aws.item_store import ItemStore
from processors.aws.transports import TableFormat, uses_batch_statements
from processors.register.erased import ErasedCustomers
from processors.register.partitions import INVERTED_INDEX
from processors.register.reader import RegisterReader
from processors.register.session_writes import SessionWrites
from processors.register.sessions import Lifetimes
from processors.runtime.clock import utc_now
from schemas.attributes import Attributes
from schemas.item_mapping import OWNED_ATTRIBUTES, key_of, read_item
from schemas.items import Session, with_parent
from schemas.keys import SESSION_PREFIX, child_sort_key, customer_partition, session_key, session_partition
from schemas.outcomes import Outcome
from schemas.times import to_epoch_milliseconds

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from processors.register.searches import Delivery
    from schemas.events import Event, LoginEvent, LogoutEvent

CHILD_OF_ANOTHER = "the child session belongs to another customer: child session ids must be unique under their parent"
"""Why the table rejects an event; it has no other reason."""


class SessionTable:
    """The sessions table.

    Every read raises `ReadError` where the table could not be read, and `MalformedItemError` for an item that breaks
    the schema or was written by a later release.

    Args:
        client: A boto3 DynamoDB client.
        table_name: The table, with the index `GSI1_inverse` (partition key SK, sort key PK; all attributes or keys
            only).
        lifetimes: How long sessions may live.
        batch_statements: Write 25 items a request (BatchExecuteStatement); False for engines without PartiQL. None:
            as the environment variable `DYNAMODB_BATCH_STATEMENTS` says, by default True.
        clock: Returns the time of a write and of "now" in reads, aware UTC.
        concurrency: Most requests under way at a time.
        max_event_age: Age beyond which the intake rejects logins: a logout that is still older and finds nothing is
            stale. None, as for an import: events of any age are taken.
        erased: Reads the list of erased customers; None: made here. The handlers of a container share one, which reads
            it once a minute.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        *,
        lifetimes: Lifetimes | None = None,
        batch_statements: bool | None = None,
        clock: Callable[[], datetime] = utc_now,
        concurrency: int = 1,
        max_event_age: timedelta | None = None,
        erased: ErasedCustomers | None = None,
    ) -> None:
        if batch_statements is None:
            batch_statements = uses_batch_statements()
        self._client = client
        self._table_name = table_name
        self._clock = clock
        self.erased = erased or ErasedCustomers(client, table_name, clock=clock)
        """The list of erased customers."""
        self.store = store = ItemStore(
            client,
            table_name,
            TableFormat(OWNED_ATTRIBUTES, to_epoch_milliseconds),
            batch_statements=batch_statements,
            concurrency=concurrency,
            clock=clock,
        )
        """Conditional writes by key, for the erasure."""
        self.reader = RegisterReader(
            client, table_name, store=store, batch_statements=batch_statements, concurrency=concurrency
        )
        """Batch reads, for the projector."""
        self._writes = SessionWrites(
            store,
            self.reader,
            lifetimes=lifetimes or Lifetimes(),
            clock=clock,
            max_event_age=max_event_age,
            erased=self.erased,
        )

    def create_session(self, login: "LoginEvent") -> Outcome:
        """Apply one login; see `apply`."""
        return self.apply([login])[0]

    def expire_session(self, logout: "LogoutEvent") -> Outcome:
        """Apply one logout: the item becomes a tombstone, which TTL deletes; see `apply`."""
        return self.apply([logout])[0]

    def apply(
        self,
        events: "Iterable[Event]",
        *,
        deadline: Deadline = NEVER,
        deliveries: "Sequence[Delivery] | None" = None,
    ) -> list[Outcome]:
        """Fold events into the register. Idempotent, and free of order.

        Args:
            events: Of any sessions and customers, in any order, with repetitions.
            deadline: When the caller must have answered; no request is begun after it.
            deliveries: The delivery that brought each event, which bounds the searches for sessions that an event does
                not name in full; None: no bound.

        Returns:
            One outcome per event, in order. `RETRY` means that it was not processed, or not to the end: the table did
            not answer, the searches of its message are used up, or a logout names no customer and its session is not
            here yet. The cause is logged, not raised.
        """
        return self._writes.apply(list(events), deadline=deadline, deliveries=deliveries)

    def get_session_by_session_id(self, session_id: str, customer_id: str) -> Session | None:
        """Read a top-level session, whatever its state; strongly consistent. None where there is none."""
        with raising_read_errors():
            response = self._client.get_item(
                TableName=self._table_name, Key=key_item(session_key(session_id, customer_id)), ConsistentRead=True
            )
        return next(_sessions_in([response["Item"]]), None) if "Item" in response else None

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
        for child in self._query_index("SK = :sk", {":sk": {"S": child_sort_key(child_session_id)}}):
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
        """Return the session id if the session is the customer's, or None; eventually consistent."""
        values = {":sk": {"S": customer_partition(customer_id)}, ":pk": {"S": session_partition(session_id)}}
        sessions = self._query_index("SK = :sk AND PK = :pk", values)
        return next((session.session_id for session in sessions if session.has_login), None)

    def get_sessions_by_customer_id(
        self, customer_id: str, *, live_only: bool = True, now: datetime | None = None, limit: int | None = None
    ) -> list[Session]:
        """Read the customer's top-level sessions, in order of their ids; eventually consistent.

        Args:
            customer_id: The customer.
            live_only: Leave out those that were ended or have run out.
            now: For `live_only`, aware UTC; None for the clock.
            limit: Most sessions to return; None for all.
        """
        return list(islice(self.page_sessions(customer_id, live_only=live_only, now=now), limit))

    def page_sessions(
        self, customer_id: str, *, live_only: bool = True, now: datetime | None = None
    ) -> Iterator[Session]:
        """Read as `get_sessions_by_customer_id` does, page by page as they are asked for."""
        now = now or self._clock()
        values = {":sk": {"S": customer_partition(customer_id)}, ":prefix": {"S": SESSION_PREFIX}}
        for session in self._query_index("SK = :sk AND begins_with(PK, :prefix)", values):
            if session.has_login and (not live_only or session.is_live(now)):
                yield session

    def _partition(self, session_id: str) -> Iterator[Session]:
        """Read a session's partition: its items, one per customer, and its children; strongly consistent."""
        values = {":pk": {"S": session_partition(session_id)}}
        for page in self._query("PK = :pk", values, ConsistentRead=True):
            yield from _sessions_in(page)

    def _query_index(self, condition: str, values: dict[str, Any]) -> Iterator[Session]:
        """Query the inverted index; what it does not hold in full (an index of keys only) is read from the table."""
        for page in self._query(condition, values, IndexName=INVERTED_INDEX):
            partial = [key_of(item) for item in page if "version" not in item or "last_login_time" not in item]
            full = self.reader.read_items(partial, strict=True).sessions if partial else {}
            for item in page:
                if "version" in item and "last_login_time" in item:
                    yield from _sessions_in([item])
                elif (session := full.get(key_of(item))) is not None:
                    yield session

    def _query(self, condition: str, values: dict[str, Any], **query: Any) -> Iterator[list[Any]]:
        pages = iter(
            self._client.get_paginator("query").paginate(
                TableName=self._table_name,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=values,
                **query,
            )
        )
        while True:
            with raising_read_errors():
                page = next(pages, None)
            if page is None:
                return
            yield page["Items"]


def _sessions_in(items: Iterable[Attributes]) -> Iterator[Session]:
    for item in items:
        session = read_item(item)
        if isinstance(session, Session):
            yield session


def _families(sessions: Iterable[Session]) -> tuple[dict[str, Session], list[Session]]:
    """Split a partition into its top-level sessions, by customer, and their children."""
    parents: dict[str, Session] = {}
    children = []
    for session in sessions:
        if session.parent_session_id is not None:
            children.append(session)
        elif session.customer_id is not None:
            parents[session.customer_id] = session
    return parents, children
