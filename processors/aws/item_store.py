"""One write path for both tables: read, decide, compare-and-set under `version`.

A pure function decides what to store, given what is stored. It is written on the condition that the item's `version` is
still the one decided upon (absent counts as a version), and every write raises it. Whoever loses a race reads and
decides again.
"""

import logging
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from processors.aws.conditional_writes import Item, Write, key_item
from processors.aws.deadline import NEVER, Deadline
from processors.aws.errors import ThroughputError
from processors.aws.parallel import chunks, run_all
from processors.aws.transports import TableFormat, Transport, WriteResult, log_failure
from processors.runtime.clock import utc_now
from schemas.keys import Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

READ_BATCH = 100
"""Most keys of one BatchGetItem."""

_BACK_OFF_BASE_SECONDS = 0.02
_BACK_OFF_CAP_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Decision(Generic[Result]):
    """What to do about one item.

    Args:
        item: Our attributes of the item to store, without `version`; None where nothing changes.
        result: What the caller learns once the decision holds.
        is_deletion: Delete what is stored; `item` is None.
    """

    item: Item | None
    result: Result
    is_deletion: bool = False


Decide: TypeAlias = Callable[[Mapping[Key, Item | None]], Mapping[Key, Decision[Result]]]
"""Decides about stored items (None: there is none). A key without decision is left to a later delivery."""


class ItemStore:
    """A table written by compare-and-set.

    Args:
        client: A boto3 DynamoDB client. Its time-outs bound each request.
        table_name: The table.
        table_format: What is ours in it.
        batch_statements: The transport: BatchExecuteStatement, 25 items a request; False for engines without PartiQL,
            where each item is a PutItem or an UpdateItem.
        rounds: How often a key is read and decided again after a conflict or a throttle.
        sleep: Waits for so many seconds.
        concurrency: Most requests under way at a time. Above 1 the client has to be thread-safe, as boto3's are.
        clock: Aware UTC, for the `version` of each write.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        table_format: TableFormat,
        *,
        batch_statements: bool = True,
        rounds: int = 6,
        sleep: Callable[[float], None] = time.sleep,
        concurrency: int = 1,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.client = client
        self.table_name = table_name
        self._owned = table_format.owned
        self._concurrency = concurrency
        transport = Transport(client, table_name, table_format, clock=clock, concurrency=concurrency)
        self._write_all = transport.execute_statements if batch_statements else transport.write_items
        self._rounds = rounds
        self._sleep = sleep

    def converge(
        self,
        keys: Collection[Key],
        decide: Decide[Result],
        *,
        deadline: Deadline = NEVER,
    ) -> dict[Key, Result]:
        """Read, decide and write until every key is settled, or rounds or time have run out.

        Args:
            keys: The items to bring up to date.
            decide: The decision; made again for each key whose write did not hold.
            deadline: When the caller must have answered; no request is begun after it.

        Returns:
            The result of the decision that held, for each settled key. A key that is missing was not processed; the
            cause is logged. Trying again later is always safe.
        """
        settled: dict[Key, Result] = {}
        unsettled = set(keys)
        for attempt in range(self._rounds):
            if not unsettled:
                return settled
            if attempt:
                self._back_off(attempt)
            if deadline.expired:
                break
            unsettled = self._settle(self._read_known(unsettled, deadline), decide, settled, deadline)
        if unsettled:
            logger.warning(
                "deadline reached" if deadline.expired else "optimistic-lock retries exhausted",
                extra={"table": self.table_name, "unsettled": len(unsettled)},
            )
        return settled

    def _settle(
        self,
        stored: Mapping[Key, Item | None],
        decide: Decide[Result],
        settled: dict[Key, Result],
        deadline: Deadline,
    ) -> set[Key]:
        """Decide about what is stored and write it; decisions that hold are added to `settled`.

        Returns:
            The keys to read and decide again.
        """
        decisions = decide(stored) if stored else {}
        conflicts: set[Key] = set()
        writes: list[Write] = []
        for key, decision in decisions.items():
            if decision.item is None and not (decision.is_deletion and stored[key] is not None):
                settled[key] = decision.result
            else:
                writes.append(Write(key, stored[key], decision.item, self._owned))
        for write, result in self._write_all(writes, deadline):
            if result is WriteResult.WRITTEN:
                settled[write.key] = decisions[write.key].result
            elif result is WriteResult.CONFLICT:
                conflicts.add(write.key)
        return conflicts

    def read(self, keys: Collection[Key]) -> dict[Key, Item]:
        """Read items, strongly consistent, 100 a request.

        Raises:
            ClientError: The service refused.
            BotoCoreError: It could not be reached.
            ThroughputError: Keys were left unprocessed after several tries.
        """
        items: dict[Key, Item] = {}
        read = partial(self._read_chunk, NEVER)
        for found, unread in run_all(read, chunks(sorted(keys), READ_BATCH), concurrency=self._concurrency):
            if unread:
                raise ThroughputError(f"{len(unread)} keys left unprocessed after {self._rounds} tries")
            items |= found
        return items

    def _read_known(self, keys: Collection[Key], deadline: Deadline) -> dict[Key, Item | None]:
        """Read what can be read; what cannot is left out, and logged."""
        found: dict[Key, Item | None] = {}
        read = partial(self._try_chunk, deadline)
        for part in run_all(read, chunks(sorted(keys), READ_BATCH), concurrency=self._concurrency):
            found |= part
        return found

    def _try_chunk(self, deadline: Deadline, keys: Sequence[Key]) -> dict[Key, Item | None]:
        try:
            found, unread = self._read_chunk(deadline, keys)
        except (ClientError, BotoCoreError) as error:
            log_failure("BatchGetItem", self.table_name, len(keys), error)
            return {}
        if unread:
            logger.warning("keys left unprocessed", extra={"table": self.table_name, "items": len(unread)})
        return {key: found.get(key) for key in keys if key not in unread}

    def _read_chunk(self, deadline: Deadline, keys: Sequence[Key]) -> tuple[dict[Key, Item], set[Key]]:
        """Read up to a hundred keys, again where some are left unprocessed; return the items, and the keys unread."""
        items: dict[Key, Item] = {}
        wanted: Any = [key_item(key) for key in keys]
        for attempt in range(self._rounds):
            if attempt:
                self._back_off(attempt)
            if deadline.expired:
                break
            response: Any = self.client.batch_get_item(
                RequestItems={self.table_name: {"Keys": wanted, "ConsistentRead": True}}
            )
            for item in response["Responses"].get(self.table_name, ()):
                items[_key_of(item)] = item
            wanted = response.get("UnprocessedKeys", {}).get(self.table_name, {}).get("Keys")
            if not wanted:
                break
        return items, {_key_of(key) for key in wanted or ()}

    def _back_off(self, attempt: int) -> None:
        """Wait with full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/."""
        longest = min(_BACK_OFF_BASE_SECONDS * 2**attempt, _BACK_OFF_CAP_SECONDS)
        self._sleep(random.uniform(0, longest))  # noqa: S311 # jitter, no secret


def _key_of(attributes: Item) -> Key:
    return Key(attributes["PK"]["S"], attributes["SK"]["S"] if "SK" in attributes else None)
