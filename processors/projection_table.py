"""The projections table: per customer the last login and the live sessions."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from processors.aws.conditional_writes import Item, key_item
from processors.aws.deadline import NEVER, Deadline
from processors.aws.errors import ReadError, raising_read_errors
from processors.aws.item_store import Decision, ItemStore
from processors.aws.transports import TableFormat, uses_batch_statements
from processors.policies.commands import logouts_for_ending
from processors.projections.activity import CustomerActivity, activity_at
from processors.projections.facts import CustomerFacts
from processors.projections.merge import Merged, merge
from processors.projections.rebuild import rebuild
from processors.projections.register_reads import ReadBack, needs_register, read_for_batch, read_for_rebuild
from processors.projections.state import CAPACITY, Rules
from processors.runtime.clock import utc_now
from schemas.errors import MalformedItemError, NewerFormatError
from schemas.keys import Key
from schemas.projection_items import OWNED_ATTRIBUTES, Projection, projection_key, read_projection, write_projection
from schemas.times import to_epoch_microseconds

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from processors.session_table import SessionTable

logger = logging.getLogger(__name__)


class NotWrittenError(Exception):
    """An item could not be written: races were lost, or the table was throttled, again and again."""


class ProjectionTable:
    """The projections table.

    Args:
        client: A boto3 DynamoDB client.
        table_name: The table, with partition key PK and no sort key.
        sessions: The sessions table, which projections are made from; only reading an activity does without.
        batch_statements: Write 25 items a request (BatchExecuteStatement); False for engines without PartiQL. None:
            as the environment variable `DYNAMODB_BATCH_STATEMENTS` says, by default True.
        clock: Returns the time of a write and of "now" in reads, aware UTC.
        capacity: Most sessions in one item.
        limit: Most sessions of a customer that may be live at a time; 0: no limit.
        concurrency: Most requests under way at a time.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        *,
        sessions: "SessionTable | None" = None,
        batch_statements: bool | None = None,
        clock: Callable[[], datetime] = utc_now,
        capacity: int = CAPACITY,
        limit: int = 0,
        concurrency: int = 1,
    ) -> None:
        if batch_statements is None:
            batch_statements = uses_batch_statements()
        self._client = client
        self._table_name = table_name
        self._sessions = sessions
        self.store = ItemStore(
            client,
            table_name,
            TableFormat(OWNED_ATTRIBUTES, to_epoch_microseconds),
            batch_statements=batch_statements,
            concurrency=concurrency,
            clock=clock,
        )
        """Conditional writes by key, for the erasure."""
        self._clock = clock
        self.rules = Rules(capacity=capacity, limit=limit)
        """What bounds a customer's sessions."""

    def get_customer_activity(self, customer_id: str, *, now: datetime | None = None) -> CustomerActivity:
        """Return a customer's activity at `now` (aware UTC; None for the clock); strongly consistent.

        Zero and None for an unknown customer.

        Raises:
            ReadError: The table could not be read.
            MalformedItemError: The item breaks the schema.
        """
        item = self._get(customer_id)
        return activity_at(None if item is None else read_projection(item), customer_id, now or self._clock())

    def apply(self, facts: Mapping[str, CustomerFacts], *, deadline: Deadline = NEVER) -> dict[str, Merged]:
        """Merge what a batch says about each customer; at most one write per customer.

        A customer without projection gets one from the register, so that one deleted by hand heals itself.

        Args:
            facts: By customer id.
            deadline: When the caller must have answered; nothing is begun after it.

        Returns:
            The result for each customer; one that is missing was not processed, and the cause is logged.
        """
        customers = {projection_key(customer_id): customer_id for customer_id in facts}
        settled = self.store.converge(customers, partial(self._decide, customers, facts), deadline=deadline)
        return {customers[key]: merged for key, merged in settled.items()}

    def rebuild(
        self,
        customer_id: str,
        *,
        now: datetime | None = None,
        send: Callable[[Sequence[str]], object] | None = None,
    ) -> CustomerActivity:
        """Make a customer's projection anew from the register, while the system runs.

        It corrects a count that is too high as well as one that is too low. Repeating it is harmless.

        Args:
            customer_id: The customer.
            now: The time of the activity returned, aware UTC; None for the clock. The state is always made by the
                clock.
            send: Called after the write with the logouts (canonical events, as JSON) of the sessions that a policy
                ends. Without it no further session is marked as ending.

        Returns:
            The customer's activity, as written.

        Raises:
            TypeError: The table was made without `sessions`.
            ReadError: A table could not be read.
            MalformedItemError: A session item breaks the schema, or the projection is of a later release.
            NotWrittenError: Races were lost, or the table was throttled, again and again.
        """
        self._register()
        key = projection_key(customer_id)
        settled = self.store.converge([key], partial(self._decide_rebuild, customer_id, send is not None))
        if key not in settled:
            raise NotWrittenError(customer_id)
        merged = settled[key]
        if send is not None and merged.ending:
            send(logouts_for_ending(customer_id, merged.ending))
        return activity_at(merged.projection, customer_id, now or self._clock())

    def find(self, customer_id: str) -> Projection | None:
        """Read a customer's projection; strongly consistent. None where there is none, or it breaks the schema.

        Raises:
            ReadError: The table could not be read.
            NewerFormatError: A later release wrote the item.
        """
        return read_if_possible(self._get(customer_id))

    def _get(self, customer_id: str) -> Item | None:
        with raising_read_errors():
            response: Any = self._client.get_item(
                TableName=self._table_name, Key=key_item(projection_key(customer_id)), ConsistentRead=True
            )
        item: Item | None = response.get("Item")
        return item

    def _register(self) -> "SessionTable":
        if self._sessions is None:
            raise TypeError(
                "ProjectionTable(..., sessions=...) is needed: projections are made from the sessions table"
            )
        return self._sessions

    def _decide_rebuild(
        self, customer_id: str, with_policies: bool, stored: Mapping[Key, Item | None]
    ) -> dict[Key, Decision[Merged]]:
        [(key, item)] = stored.items()
        erased = self._register().erased.current()
        projection = read_if_possible(item)
        if projection is not None:
            projection = erased.rest_of_projection(projection)
        read_at = self._clock()  # after the projection was read, and before the register is
        register = read_for_rebuild(self._register().reader, customer_id, projection, read_at, erased)
        merged = rebuild(
            projection,
            register,
            CustomerFacts(),
            customer_id=customer_id,
            now=read_at,
            rules=self.rules,
            with_policies=with_policies,
        )
        is_unknown = item is None and not register.sessions and register.revocation is None
        return {key: Decision(None if is_unknown else write_projection(merged.projection), merged)}

    def _decide(
        self, customers: Mapping[Key, str], facts: Mapping[str, CustomerFacts], stored: Mapping[Key, Item | None]
    ) -> dict[Key, Decision[Merged]]:
        read_at = self._clock()  # after the projections were read, and before the register is
        merged: dict[str, Merged] = {}
        projections: dict[str, Projection | None] = {}
        for key, item in stored.items():
            customer_id = customers[key]
            try:
                projections[customer_id] = None if item is None else read_projection(item)
            except MalformedItemError as error:
                is_newer = isinstance(error, NewerFormatError)
                advice = "update this stack" if is_newer else "run sessionctl rebuild"
                logger.error("projection cannot be read", extra={"reason": str(error), "advice": advice})
                numbers = frozenset(facts[customer_id].sequence_numbers)
                merged[customer_id] = Merged(Projection(customer_id=customer_id), False, {}, numbers)
        needing = {name: found for name, found in projections.items() if needs_register(found, facts[name])}
        read = ReadBack()
        try:
            if needing:
                sessions = self._register()
                read = read_for_batch(sessions.reader, needing, facts, read_at, sessions.erased.current())
        except ReadError as error:
            logger.warning("sessions could not be read again", extra={"error_code": error.code})
            projections = {name: found for name, found in projections.items() if name not in needing}
        for customer_id, projection in projections.items():
            merged[customer_id] = self._merge(customer_id, projection, facts[customer_id], read)
        return {
            key: Decision(write_projection(result.projection) if result.is_changed else None, result)
            for key in stored
            if (result := merged.get(customers[key])) is not None
        }

    def _merge(self, customer_id: str, projection: Projection | None, facts: CustomerFacts, read: ReadBack) -> Merged:
        """Merge one customer's facts, but for those that depend on items nobody here can read."""
        readable, unreadable = facts.without(read.items.unreadable)
        now = self._clock()
        if customer_id in read.births:
            merged = rebuild(
                projection,
                read.births[customer_id],
                readable,
                customer_id=customer_id,
                now=now,
                rules=self.rules,
            )
        elif projection is None:  # a removal never creates a projection
            merged = Merged(Projection(customer_id=customer_id), False, {})
        else:
            merged = merge(
                projection,
                readable,
                customer_id=customer_id,
                reread=read.sessions,
                now=now,
                rules=self.rules,
            )
        return merged._replace(unreadable=unreadable)


def read_if_possible(item: Item | None) -> Projection | None:
    """Read a projection that is to be made anew: one that breaks the schema is read as absent.

    Raises:
        NewerFormatError: A later release wrote it: it may hold what would be lost here.
    """
    try:
        return None if item is None else read_projection(item)
    except NewerFormatError:
        raise
    except MalformedItemError:
        logger.exception("projection cannot be read: made anew from the register")
        return None
