"""One write path for both tables: read, decide, compare-and-set under `version`.

A pure decision is asked what to store, given what is stored. It is written on the condition that the item's `version`
is still the one decided upon (absent counts as a version), and every write raises it. Whoever loses a race reads and
decides again.
"""

import logging
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from processors.parallel import run_all
from schemas.keys import Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)

Item = dict[str, dict[str, Any]]
Result = TypeVar("Result")

Decide = Callable[[Mapping[Key, Item | None]], Mapping[Key, tuple[Item | None, Result]]]
"""From stored items (None: there is none) to the item to store (None: nothing changes) and a result, for each key."""

READ_BATCH = 100
"""Most keys of one BatchGetItem."""
STATEMENT_BATCH = 25
"""Most statements of one BatchExecuteStatement."""

_RACE_CODES = frozenset({"ConditionalCheckFailed", "DuplicateItem", "ConditionalCheckFailedException"})
_PASSING_CODES = frozenset(
    {
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "InternalServerError",
        "TransactionConflict",
    }
)


def forever() -> float:
    """Time left where there is no deadline."""
    return float("inf")


@dataclass(frozen=True, slots=True)
class Write:
    """An item to store in place of what was read.

    Args:
        key: Its primary key.
        old: What was read, None where there was nothing.
        new: What to store, without `version`.
    """

    key: Key
    old: Item | None
    new: Item

    @property
    def old_version(self) -> dict[str, Any] | None:
        """The version read; None where there was no item, or one of the original schema."""
        return self.old.get("version") if self.old is not None else None

    @property
    def versioned(self) -> Item:
        """The item to store, with the version after the one read."""
        version = self.old_version
        return {**self.new, "version": {"N": str(int(version["N"]) + 1 if version else 1)}}


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
            decide: The pure decision.
            time_left: Seconds until the caller must have answered.

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
            unsettled = self._settle(self._read_known(unsettled), decide, settled)
        if unsettled:
            logger.warning("gave up", extra={"table": self.table_name, "unsettled": len(unsettled)})
        return settled

    def _settle(
        self, stored: Mapping[Key, Item | None], decide: Decide[Result], settled: dict[Key, Result]
    ) -> set[Key]:
        """Decide upon what is stored and write it; what sticks is added to `settled`.

        Returns:
            The keys whose write is to be decided anew.
        """
        decisions = decide(stored)
        settled |= {key: result for key, (new, result) in decisions.items() if new is None}
        refused: set[Key] = set()
        for write, problem in self._write_all(
            [Write(key, stored[key], new) for key, (new, _) in decisions.items() if new is not None]
        ):
            if problem is None:
                settled[write.key] = decisions[write.key][1]
            elif problem in _RACE_CODES or problem in _PASSING_CODES:
                refused.add(write.key)
        return refused

    def read(self, keys: Collection[Key]) -> dict[Key, Item]:
        """Read items, strongly consistent, 100 a request.

        Raises:
            ClientError: The service refused.
            BotoCoreError: It could not be reached.
            ThroughputError: Keys were left unprocessed after several tries.
        """
        items: dict[Key, Item] = {}
        for found in run_all(self._read_chunk, chunks(sorted(keys), READ_BATCH), concurrency=self._concurrency):
            items |= found
        return items

    def _read_known(self, keys: Collection[Key]) -> dict[Key, Item | None]:
        """Read what can be read; what cannot is left out, and logged."""
        found: dict[Key, Item | None] = {}
        for part in run_all(self._try_chunk, chunks(sorted(keys), READ_BATCH), concurrency=self._concurrency):
            found |= part
        return found

    def _try_chunk(self, keys: Sequence[Key]) -> dict[Key, Item | None]:
        try:
            return dict.fromkeys(keys) | self._read_chunk(keys)
        except (ClientError, BotoCoreError, ThroughputError) as error:
            _log_failure("BatchGetItem", self.table_name, len(keys), error)
            return {}

    def _read_chunk(self, keys: Sequence[Key]) -> dict[Key, Item]:
        items: dict[Key, Item] = {}
        wanted: Any = [{"PK": {"S": key.pk}, "SK": {"S": key.sk}} if key.sk else {"PK": {"S": key.pk}} for key in keys]
        for attempt in range(self._rounds):
            if attempt:
                self._back_off(attempt)
            response: Any = self.client.batch_get_item(
                RequestItems={self.table_name: {"Keys": wanted, "ConsistentRead": True}}
            )
            for item in response["Responses"].get(self.table_name, ()):
                items[Key(item["PK"]["S"], item["SK"]["S"] if "SK" in item else "")] = item
            wanted = response.get("UnprocessedKeys", {}).get(self.table_name, {}).get("Keys")
            if not wanted:
                return items
        raise ThroughputError(f"{len(wanted)} keys left unprocessed after {self._rounds} tries")

    def _execute_statements(self, writes: Sequence[Write]) -> Iterator[tuple[Write, str | None]]:
        for answers in run_all(self._execute_chunk, chunks(writes, STATEMENT_BATCH), concurrency=self._concurrency):
            yield from answers

    def _execute_chunk(self, writes: Sequence[Write]) -> list[tuple[Write, str | None]]:
        try:
            response = self.client.batch_execute_statement(
                Statements=[_statement(self.table_name, write) for write in writes]
            )
        except (ClientError, BotoCoreError) as error:
            code = _log_failure("BatchExecuteStatement", self.table_name, len(writes), error)
            if code == "ValidationException" and len(writes) > 1:  # one bad statement refuses all of them
                return [answer for write in writes for answer in self._execute_chunk([write])]
            return [(write, code) for write in writes]
        answers: list[tuple[Write, str | None]] = []
        for write, answer in zip(writes, response["Responses"], strict=True):
            problem = answer["Error"]["Code"] if "Error" in answer else None
            if problem is not None and problem not in _RACE_CODES:
                logger.warning("write failed", extra={"table": self.table_name, "error_code": problem})
            answers.append((write, problem))
        return answers

    def _put_items(self, writes: Sequence[Write]) -> Iterator[tuple[Write, str | None]]:
        for write in writes:
            try:
                self.client.put_item(TableName=self.table_name, Item=write.versioned, **_condition(write))
            except self.client.exceptions.ConditionalCheckFailedException:
                yield write, "ConditionalCheckFailed"
            except (ClientError, BotoCoreError) as error:
                yield write, _log_failure("PutItem", self.table_name, 1, error)
            else:
                yield write, None

    def _back_off(self, attempt: int) -> None:
        self._sleep(random.uniform(0, min(0.02 * 2**attempt, 0.5)))  # noqa: S311 # jitter, no secret


class ThroughputError(Exception):
    """DynamoDB left keys unprocessed, again and again."""


def _statement(table_name: str, write: Write) -> Any:
    item = write.versioned
    if write.old is None:
        return {"Statement": _insert(table_name, tuple(item)), "Parameters": list(item.values())}
    # what stays is not sent: under the version read, it is what it was
    names = tuple(name for name, value in item.items() if write.old.get(name) != value)
    gone = tuple(name for name in write.old if name not in item)
    parameters = [item[name] for name in names]
    parameters += [item[name] for name in ("PK", "SK") if name in item]
    if write.old_version is not None:
        parameters.append(write.old_version)
    text = _update(table_name, names, gone, has_sort_key="SK" in item, has_version=write.old_version is not None)
    return {"Statement": text, "Parameters": parameters}


@lru_cache(maxsize=4096)
def _insert(table_name: str, names: tuple[str, ...]) -> str:
    attributes = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table_name}" VALUE {{{attributes}}}'


@lru_cache(maxsize=4096)
def _update(
    table_name: str, names: tuple[str, ...], gone: tuple[str, ...], *, has_sort_key: bool, has_version: bool
) -> str:
    changes = " ".join([f'SET "{name}" = ?' for name in names] + [f'REMOVE "{name}"' for name in gone])
    key = '"PK" = ? AND "SK" = ?' if has_sort_key else '"PK" = ?'
    version = '"version" = ?' if has_version else '"version" IS MISSING'
    return f'UPDATE "{table_name}" {changes} WHERE {key} AND {version}'


def _condition(write: Write) -> dict[str, Any]:
    if write.old is None:
        return {"ConditionExpression": "attribute_not_exists(PK)"}
    if write.old_version is None:
        return {"ConditionExpression": "attribute_exists(PK) AND attribute_not_exists(version)"}
    return {
        "ConditionExpression": "version = :version",
        "ExpressionAttributeValues": {":version": write.old_version},
    }


def error_code(error: Exception) -> str:
    """Name a failure of boto3 without its message, which may quote values."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__


def _log_failure(operation: str, table_name: str, items: int, error: Exception) -> str:
    code = error_code(error)
    details = {"operation": operation, "table": table_name, "items": items, "error_code": code}
    logger.warning("request failed", extra=details)
    return code


_Element = TypeVar("_Element")


def chunks(elements: Sequence[_Element], size: int) -> list[Sequence[_Element]]:
    """Cut a sequence into parts of at most so many elements."""
    return [elements[start : start + size] for start in range(0, len(elements), size)]
