"""One write path for both tables: read, decide, compare-and-set under `version`.

A pure decision is asked what to store, given what is stored. It is written on the condition that the item's `version`
is still the one decided upon (absent counts as a version), and every write raises it. Whoever loses a race reads and
decides again.
"""

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from processors.aws.conditional_writes import Item, Write, condition, statement
from processors.aws.errors import ThroughputError, error_code
from processors.aws.parallel import run_all
from schemas.keys import Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

Decide = Callable[[Mapping[Key, Item | None]], Mapping[Key, tuple[Item | None, Result]]]
"""From stored items (None: there is none) to the item to store (None: nothing changes) and a result, for each key."""

READ_BATCH = 100
"""Most keys of one BatchGetItem."""
STATEMENT_BATCH = 25
"""Most statements of one BatchExecuteStatement."""

_LOST_RACES = frozenset({"ConditionalCheckFailed", "DuplicateItem"})
_PASSING = frozenset(
    {
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "InternalServerError",
        "TransactionConflict",
    }
)
"""Codes of single statements; a whole request with such a fault botocore has tried again already."""


def forever() -> float:
    """Time left where there is no deadline."""
    return float("inf")


class Fate(Enum):
    """What became of a write."""

    WRITTEN = auto()
    AGAIN = auto()
    """Somebody else had written, or the statement was throttled: read and decide anew."""
    FAILED = auto()
    """Left to a later delivery."""


class ItemStore:
    """A table written by compare-and-set.

    Args:
        client: A boto3 DynamoDB client. Its time-outs bound each request.
        table_name: The table.
        batch_statements: Write with BatchExecuteStatement, 25 items a request; otherwise with one PutItem each, for
            engines without PartiQL.
        rounds: How often a key is read and decided anew after a lost race or a throttle.
        sleep: Waits for so many seconds.
        concurrency: Most requests under way at a time. Above 1 the client has to be thread-safe, as boto3's are.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        *,
        batch_statements: bool = True,
        rounds: int = 6,
        sleep: Callable[[float], None] = time.sleep,
        concurrency: int = 1,
    ) -> None:
        self.client = client
        self.table_name = table_name
        self._concurrency = concurrency
        self._write_all = self._execute_statements if batch_statements else self._put_items
        self._rounds = rounds
        self._sleep = sleep

    def converge(
        self,
        keys: Collection[Key],
        decide: Decide[Result],
        *,
        time_left: Callable[[], float] = forever,
    ) -> dict[Key, Result]:
        """Read, decide and write until every key is settled, or rounds or time have run out.

        Args:
            keys: The items to bring up to date.
            decide: The decision; asked anew for each key whose write did not stick.
            time_left: Seconds until the caller must have answered; no request is begun once it is zero.

        Returns:
            The result of the decision that stuck, for each settled key. A key that is missing was not processed; the
            cause is logged. Trying again later is always safe.
        """
        settled: dict[Key, Result] = {}
        unsettled = set(keys)
        for attempt in range(self._rounds):
            if not unsettled:
                return settled
            if attempt:
                self._back_off(attempt)
            if time_left() <= 0:
                break
            unsettled = self._settle(self._read_known(unsettled, time_left), decide, settled, time_left)
        if unsettled:
            logger.warning("gave up", extra={"table": self.table_name, "unsettled": len(unsettled)})
        return settled

    def _settle(
        self,
        stored: Mapping[Key, Item | None],
        decide: Decide[Result],
        settled: dict[Key, Result],
        time_left: Callable[[], float],
    ) -> set[Key]:
        """Decide upon what is stored and write it; what sticks is added to `settled`.

        Returns:
            The keys to decide anew.
        """
        decisions = decide(stored)
        settled |= {key: result for key, (new, result) in decisions.items() if new is None}
        again: set[Key] = set()
        writes = [Write(key, stored[key], new) for key, (new, _) in decisions.items() if new is not None]
        for write, fate in self._write_all(writes, time_left):
            if fate is Fate.WRITTEN:
                settled[write.key] = decisions[write.key][1]
            elif fate is Fate.AGAIN:
                again.add(write.key)
        return again

    def read(self, keys: Collection[Key]) -> dict[Key, Item]:
        """Read items, strongly consistent, 100 a request.

        Raises:
            ClientError: The service refused.
            BotoCoreError: It could not be reached.
            ThroughputError: Keys were left unprocessed after several tries.
        """
        items: dict[Key, Item] = {}
        read = partial(self._read_chunk, forever)
        for found, unread in run_all(read, chunks(sorted(keys), READ_BATCH), concurrency=self._concurrency):
            if unread:
                raise ThroughputError(f"{len(unread)} keys left unprocessed after {self._rounds} tries")
            items |= found
        return items

    def _read_known(self, keys: Collection[Key], time_left: Callable[[], float]) -> dict[Key, Item | None]:
        """Read what can be read; what cannot is left out, and logged."""
        found: dict[Key, Item | None] = {}
        read = partial(self._try_chunk, time_left)
        for part in run_all(read, chunks(sorted(keys), READ_BATCH), concurrency=self._concurrency):
            found |= part
        return found

    def _try_chunk(self, time_left: Callable[[], float], keys: Sequence[Key]) -> dict[Key, Item | None]:
        try:
            found, unread = self._read_chunk(time_left, keys)
        except (ClientError, BotoCoreError) as error:
            _log_failure("BatchGetItem", self.table_name, len(keys), error)
            return {}
        if unread:
            logger.warning("keys left unprocessed", extra={"table": self.table_name, "items": len(unread)})
        return {key: found.get(key) for key in keys if key not in unread}

    def _read_chunk(self, time_left: Callable[[], float], keys: Sequence[Key]) -> tuple[dict[Key, Item], set[Key]]:
        """Read up to a hundred keys, again where some are left unprocessed; gives the items, and the keys unread."""
        items: dict[Key, Item] = {}
        wanted: Any = [{"PK": {"S": key.pk}, "SK": {"S": key.sk}} if key.sk else {"PK": {"S": key.pk}} for key in keys]
        for attempt in range(self._rounds):
            if attempt:
                self._back_off(attempt)
            if time_left() <= 0:
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

    def _execute_statements(
        self, writes: Sequence[Write], time_left: Callable[[], float]
    ) -> Iterator[tuple[Write, Fate]]:
        execute = partial(self._execute_chunk, time_left)
        for fates in run_all(execute, chunks(writes, STATEMENT_BATCH), concurrency=self._concurrency):
            yield from fates

    def _execute_chunk(self, time_left: Callable[[], float], writes: Sequence[Write]) -> list[tuple[Write, Fate]]:
        if time_left() <= 0:
            return [(write, Fate.FAILED) for write in writes]
        try:
            response = self.client.batch_execute_statement(
                Statements=[statement(self.table_name, write) for write in writes]
            )
        except (ClientError, BotoCoreError) as error:
            code = _log_failure("BatchExecuteStatement", self.table_name, len(writes), error)
            if code == "ValidationException" and len(writes) > 1:  # one bad statement refuses all of them
                return [fate for write in writes for fate in self._execute_chunk(time_left, [write])]
            return [(write, Fate.FAILED) for write in writes]
        codes = [answer["Error"]["Code"] if "Error" in answer else None for answer in response["Responses"]]
        for code, count in Counter(code for code in codes if code and code not in _LOST_RACES).items():
            details = {"table": self.table_name, "items": count, "error_code": code}
            logger.warning("statements failed", extra=details)
        return [(write, _fate(code)) for write, code in zip(writes, codes, strict=True)]

    def _put_items(self, writes: Sequence[Write], time_left: Callable[[], float]) -> Iterator[tuple[Write, Fate]]:
        for write in writes:
            if time_left() <= 0:
                yield write, Fate.FAILED
                continue
            try:
                self.client.put_item(TableName=self.table_name, Item=write.versioned, **condition(write))
            except self.client.exceptions.ConditionalCheckFailedException:
                yield write, Fate.AGAIN
            except (ClientError, BotoCoreError) as error:
                _log_failure("PutItem", self.table_name, 1, error)
                yield write, Fate.FAILED
            else:
                yield write, Fate.WRITTEN

    def _back_off(self, attempt: int) -> None:
        self._sleep(random.uniform(0, min(0.02 * 2**attempt, 0.5)))  # noqa: S311 # jitter, no secret


def _key_of(attributes: Item) -> Key:
    return Key(attributes["PK"]["S"], attributes["SK"]["S"] if "SK" in attributes else "")


def _fate(code: str | None) -> Fate:
    """What an answer to a statement means; None is success."""
    if code is None:
        return Fate.WRITTEN
    return Fate.AGAIN if code in _LOST_RACES or code in _PASSING else Fate.FAILED


def _log_failure(operation: str, table_name: str, items: int, error: Exception) -> str:
    code = error_code(error)
    details = {"operation": operation, "table": table_name, "items": items, "error_code": code}
    logger.warning("request failed", extra=details)
    return code


_Element = TypeVar("_Element")


def chunks(elements: Sequence[_Element], size: int) -> list[Sequence[_Element]]:
    """Cut a sequence into parts of at most so many elements."""
    return [elements[start : start + size] for start in range(0, len(elements), size)]
