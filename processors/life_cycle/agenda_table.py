"""The agenda's table: items put, found by slot, and deleted."""

import logging
import random
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from processors.aws.conditional_writes import Item, key_item
from processors.aws.deadline import NEVER, Deadline
from processors.aws.errors import error_code, raising_read_errors
from processors.aws.parallel import chunks, run_all
from processors.life_cycle.agenda import AgendaItem, sort_key_of_slot, write_agenda_item
from schemas.keys import Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)

_WRITE_BATCH = 25
"""Most writes of one BatchWriteItem."""

_ROUNDS = 6
_BACK_OFF_BASE_SECONDS = 0.02
_BACK_OFF_CAP_SECONDS = 1.0


class AgendaTable:
    """The agenda's table.

    Args:
        client: A boto3 DynamoDB client.
        table_name: The table, with partition key PK and sort key SK.
        concurrency: Most requests under way at a time.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        *,
        concurrency: int = 1,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._concurrency = concurrency
        self._sleep = sleep

    def put(self, items: Sequence[AgendaItem], *, deadline: Deadline = NEVER) -> bool:
        """Put items; repeating it changes nothing.

        Returns:
            Whether all are stored; a failure is logged.
        """
        return self._write([{"PutRequest": {"Item": write_agenda_item(item)}} for item in items], deadline)

    def delete(self, keys: Collection[Key], *, deadline: Deadline = NEVER) -> bool:
        """Delete items.

        Returns:
            Whether all are gone; a failure is logged.
        """
        return self._write([{"DeleteRequest": {"Key": key_item(key)}} for key in sorted(set(keys))], deadline)

    def pages_before(self, partition: str, slot: int) -> Iterator[list[Item]]:
        """Read the items of a partition whose slots are before another, the oldest first, page by page.

        Eventually consistent: what is not seen now is seen in the next sweep.

        Args:
            partition: One of `PARTITIONS`.
            slot: First second of the slot before which items are wanted, epoch seconds.

        Raises:
            ReadError: The table could not be read.
        """
        pages: Iterator[Any] = iter(
            self._client.get_paginator("query").paginate(
                TableName=self._table_name,
                KeyConditionExpression="PK = :partition AND SK < :slot",
                ExpressionAttributeValues={":partition": {"S": partition}, ":slot": {"S": sort_key_of_slot(slot)}},
            )
        )
        while True:
            with raising_read_errors():
                page = next(pages, None)
            if page is None:
                return
            yield page["Items"]

    def _write(self, requests: Sequence[Any], deadline: Deadline) -> bool:
        write = partial(self._write_chunk, deadline)
        return all(run_all(write, chunks(requests, _WRITE_BATCH), concurrency=self._concurrency))

    def _write_chunk(self, deadline: Deadline, requests: Sequence[Any]) -> bool:
        for attempt in range(_ROUNDS):
            if attempt:
                longest = min(_BACK_OFF_BASE_SECONDS * 2**attempt, _BACK_OFF_CAP_SECONDS)
                self._sleep(random.uniform(0, longest))  # noqa: S311 # jitter, no secret
            if deadline.expired:
                break
            try:
                response = self._client.batch_write_item(RequestItems={self._table_name: requests})
            except (ClientError, BotoCoreError) as error:
                facts = {"table": self._table_name, "items": len(requests), "error_code": error_code(error)}
                logger.warning("BatchWriteItem failed", extra=facts)
                return False
            requests = response.get("UnprocessedItems", {}).get(self._table_name, [])
            if not requests:
                return True
        logger.warning("items left unprocessed", extra={"table": self._table_name, "items": len(requests)})
        return False
