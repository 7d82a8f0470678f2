"""The projections table: per customer the last login and the live sessions."""

import logging
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from processors.aws.conditional_writes import Item
from processors.aws.item_store import ItemStore, ThroughputError, error_code, forever
from processors.projections.merge import CAPACITY, CustomerActivity, CustomerFacts, Merged, activity_at, doubted, merge
from processors.runtime.clock import utc_now
from schemas.errors import MalformedItemError
from schemas.items import Session
from schemas.keys import Key
from schemas.projection_items import Projection, projection_key, read_projection, write_projection

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)

ReadSessions = Callable[[Collection[Key]], Mapping[Key, Session]]
"""Reads session items by key, strongly consistent."""


class ProjectionTable:
    """The projections table.

    Args:
        client: A boto3 DynamoDB client.
        table_name: The table, with partition key PK and no sort key.
        batch_statements: Write 25 items a request (BatchExecuteStatement). The handler sets it from
            `DYNAMODB_BATCH_STATEMENTS`; without it every engine does.
        clock: Gives the time of a write and of "now" in reads, aware UTC.
        capacity: Most sessions in one item.
        limit: Most sessions of a customer that may be live at a time; 0: no limit.
        concurrency: Most requests under way at a time.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        *,
        batch_statements: bool = False,
        clock: Callable[[], datetime] = utc_now,
        capacity: int = CAPACITY,
        limit: int = 0,
        concurrency: int = 1,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._store = ItemStore(client, table_name, batch_statements=batch_statements, concurrency=concurrency)
        self._clock = clock
        self._capacity = capacity
        self._limit = limit

    def get_customer_activity(self, customer_id: str, *, now: datetime | None = None) -> CustomerActivity:
        """Answer for a customer at `now` (aware UTC; None for the clock); strongly consistent.

        Zero and None for an unknown customer.

        Raises:
            ClientError: The service refused.
            BotoCoreError: It could not be reached.
            MalformedItemError: The item breaks the schema.
        """
        response = self._client.get_item(
            TableName=self._table_name, Key={"PK": {"S": projection_key(customer_id).pk}}, ConsistentRead=True
        )
        projection = read_projection(response["Item"]) if "Item" in response else None
        return activity_at(projection, customer_id, now or self._clock())

    def apply(
        self,
        facts: Mapping[str, CustomerFacts],
        read_sessions: ReadSessions,
        *,
        time_left: Callable[[], float] = forever,
    ) -> dict[str, Merged]:
        """Merge what a batch says of each customer; at most one write per customer.

        Args:
            facts: By customer id.
            read_sessions: Reads session items, strongly consistent. It is asked after the projection was read, and
                again after each lost race: only so is its answer newer than every end that the projection knows.
            time_left: Seconds until the caller must have answered; nothing is begun once it is zero.

        Returns:
            What it came to for each customer; one that is missing was not processed, and the cause is logged.
        """
        customers = {projection_key(customer_id): customer_id for customer_id in facts}
        settled = self._store.converge(
            customers, partial(self._decide, customers, facts, read_sessions), time_left=time_left
        )
        return {customers[key]: merged for key, merged in settled.items()}

    def _decide(
        self,
        customers: Mapping[Key, str],
        facts: Mapping[str, CustomerFacts],
        read_sessions: ReadSessions,
        stored: Mapping[Key, Item | None],
    ) -> dict[Key, tuple[Item | None, Merged]]:
        projections: dict[Key, Projection | None] = {}
        for key, item in stored.items():
            try:
                projections[key] = None if item is None else read_projection(item)
            except MalformedItemError:
                logger.exception("a projection item breaks the schema; delete it and rebuild")
        in_doubt = {key: doubted(projection, facts[customers[key]]) for key, projection in projections.items()}
        wanted = set().union(*in_doubt.values())
        try:
            read_again = read_sessions(wanted) if wanted else {}
        except (ClientError, BotoCoreError, ThroughputError, MalformedItemError) as error:
            logger.warning("session items could not be read again", extra={"error_code": error_code(error)})
            read_again = {}
            projections = {key: projection for key, projection in projections.items() if not in_doubt[key]}
        decisions: dict[Key, tuple[Item | None, Merged]] = {}
        for key, projection in projections.items():
            customer_id = customers[key]
            merged = merge(
                projection,
                facts[customer_id],
                customer_id=customer_id,
                read_again=read_again,
                now=self._clock(),
                capacity=self._capacity,
                limit=self._limit,
            )
            decisions[key] = (write_projection(merged.projection) if merged.is_changed else None, merged)
        return decisions
