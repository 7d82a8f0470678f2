"""The two transports of conditional writes: statements, 25 a request, and single items."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from processors.aws.conditional_writes import Write, delete_request, put_request, statement, update_request
from processors.aws.deadline import Deadline
from processors.aws.errors import error_code
from processors.aws.parallel import chunks, run_all

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)

STATEMENT_BATCH = 25
"""Most statements of one BatchExecuteStatement."""

_CONFLICT_CODES = frozenset({"ConditionalCheckFailed", "DuplicateItem"})
_TRANSIENT_CODES = frozenset(
    {
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "InternalServerError",
        "TransactionConflict",
    }
)
"""Codes of single statements; a whole request with such an error was retried by botocore already."""


def uses_batch_statements() -> bool:
    """Return whether the engine takes BatchExecuteStatement, by `DYNAMODB_BATCH_STATEMENTS`; handlers check it."""
    return os.environ.get("DYNAMODB_BATCH_STATEMENTS", "").lower() != "false"


class WriteResult(Enum):
    """What became of a write."""

    WRITTEN = auto()
    CONFLICT = auto()
    """Version conflict, or a throttled statement: read and decide again."""
    FAILED = auto()
    """Left to a later delivery."""


@dataclass(frozen=True, slots=True)
class TableFormat:
    """What is ours in a table.

    Args:
        owned: Our attributes with their types; see `Write`.
        version_at: Returns the least `version` of a write at a time, aware UTC. Versions made by the clock order an
            item after a deleted or restored one under the same key.
    """

    owned: Mapping[str, str]
    version_at: Callable[[datetime], int]


class Transport:
    """Sends conditional writes.

    Args:
        client: A boto3 DynamoDB client.
        table_name: The table.
        table_format: What is ours in it.
        clock: Aware UTC, read right at each request: a version made before a stall could lose its order.
        concurrency: Most requests under way at a time.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        table_format: TableFormat,
        *,
        clock: Callable[[], datetime],
        concurrency: int,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._format = table_format
        self._clock = clock
        self._concurrency = concurrency

    def execute_statements(self, writes: Sequence[Write], deadline: Deadline) -> Iterator[tuple[Write, WriteResult]]:
        """Write with BatchExecuteStatement, 25 items a request."""
        execute = partial(self._execute_chunk, deadline)
        for results in run_all(execute, chunks(writes, STATEMENT_BATCH), concurrency=self._concurrency):
            yield from results

    def _execute_chunk(self, deadline: Deadline, writes: Sequence[Write]) -> list[tuple[Write, WriteResult]]:
        if deadline.expired:
            return [(write, WriteResult.FAILED) for write in writes]
        at_least = self._format.version_at(self._clock())
        try:
            response = self._client.batch_execute_statement(
                Statements=[statement(self._table_name, write, at_least=at_least) for write in writes]
            )
        except (ClientError, BotoCoreError) as error:
            code = log_failure("BatchExecuteStatement", self._table_name, len(writes), error)
            if code == "ValidationException" and len(writes) > 1:  # one invalid statement fails the whole request
                return [result for write in writes for result in self._execute_chunk(deadline, [write])]
            return [(write, WriteResult.FAILED) for write in writes]
        codes = [answer["Error"]["Code"] if "Error" in answer else None for answer in response["Responses"]]
        for code, count in Counter(code for code in codes if code and code not in _CONFLICT_CODES).items():
            details = {"table": self._table_name, "items": count, "error_code": code}
            logger.warning("statements failed", extra=details)
        return [(write, _result_of(code)) for write, code in zip(writes, codes, strict=True)]

    def write_items(self, writes: Sequence[Write], deadline: Deadline) -> Iterator[tuple[Write, WriteResult]]:
        """Write with a PutItem, UpdateItem or DeleteItem for each item, for engines without PartiQL."""
        for write in writes:
            yield write, WriteResult.FAILED if deadline.expired else self._write_item(write)

    def _write_item(self, write: Write) -> WriteResult:
        at_least = self._format.version_at(self._clock())
        send: Callable[..., object]
        if write.old is None:
            operation, send, request = "PutItem", self._client.put_item, put_request(write, at_least=at_least)
        elif write.new is None:
            operation, send, request = "DeleteItem", self._client.delete_item, delete_request(write)
        else:
            operation, send, request = "UpdateItem", self._client.update_item, update_request(write, at_least=at_least)
        try:
            send(TableName=self._table_name, **request)
        except self._client.exceptions.ConditionalCheckFailedException:
            return WriteResult.CONFLICT
        except (ClientError, BotoCoreError) as error:
            log_failure(operation, self._table_name, 1, error)
            return WriteResult.FAILED
        return WriteResult.WRITTEN


def _result_of(code: str | None) -> WriteResult:
    """Return what an answer to a statement means; None is success."""
    if code is None:
        return WriteResult.WRITTEN
    return WriteResult.CONFLICT if code in _CONFLICT_CODES or code in _TRANSIENT_CODES else WriteResult.FAILED


def log_failure(operation: str, table_name: str, items: int, error: Exception) -> str:
    """Log a failed request and return the code of its error."""
    code = error_code(error)
    details = {"operation": operation, "table": table_name, "items": items, "error_code": code}
    logger.warning("request failed", extra=details)
    return code
