"""The part of boto3's DynamoDB client that the handlers use, over simulated tables. Anything else is refused."""

import re
from collections.abc import Callable, Iterator
from random import Random
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from tests.simulation.faults import Fault, Faults
from tests.simulation.network import Network, client_error
from tests.simulation.partiql import Insert, StatementError, Update, parse
from tests.simulation.tables import ConditionFailedError, Item, ItemKey, Table, matches

_SELECT = re.compile(
    r'SELECT \* FROM "(?P<table>[^"]+)" WHERE "PK" IN \[(?P<places>[?, ]+)\] AND begins_with\("SK", \?\)'
)
INDEX_NAME = "GSI1_inverse"


class NotSimulatedError(Exception):
    """The handlers asked what they never asked before: simulate it as the service answers, and compare both engines.

    No answer is made up here: one that is too kind would let pass what the service refuses, in every seed. A handler
    that raises this violates a claim, so it cannot go unseen.
    """


class ConditionalCheckFailedException(ClientError):  # noqa: N818 # boto3's name
    """The condition of a PutItem does not hold."""


class DynamoDbClient:
    """A client.

    Args:
        tables: The tables.
        network: The way to them.
        source: The run's one source of randomness.
        faults: What goes wrong.
    """

    exceptions = SimpleNamespace(ConditionalCheckFailedException=ConditionalCheckFailedException)

    def __init__(
        self, tables: list[Table], network: Network, source: Random, faults: Faults, clock: Callable[[], float]
    ) -> None:
        self._tables = {table.name: table for table in tables}
        self._network = network
        self._source = source
        self._faults = faults
        self._clock = clock

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 # boto3's names
        [(name, request)] = RequestItems.items()
        if set(request) != {"Keys", "ConsistentRead"} or request["ConsistentRead"] is not True:
            raise NotSimulatedError(f"BatchGetItem with {sorted(request)}")
        table = self._tables[name]
        keys = [table.key_of(key) for key in request["Keys"]]
        if not 0 < len(keys) <= 100 or len(set(keys)) < len(keys):
            raise client_error("BatchGetItem", "ValidationException")
        steps = [lambda key=key: table.items.get(key) for key in keys]
        found = self._network.request("BatchGetItem", steps)
        left = [self._faults.strikes(Fault.UNPROCESSED_KEYS) for _ in keys]
        response: dict[str, Any] = {
            "Responses": {name: [item for item, is_left in zip(found, left, strict=True) if item and not is_left]},
            "UnprocessedKeys": {},
        }
        if any(left):
            unprocessed = [key for key, is_left in zip(request["Keys"], left, strict=True) if is_left]
            response["UnprocessedKeys"] = {name: {"Keys": unprocessed, "ConsistentRead": True}}
        return response

    def put_item(self, *, TableName: str, Item: Item, **condition: Any) -> dict[str, Any]:  # noqa: N803
        table = self._tables[TableName]
        holds = _put_condition(**condition)
        [problem] = self._network.request(
            "PutItem", [lambda: _problem_of(lambda: table.put(Item, holds, self._clock()))], writes=True
        )
        if problem is not None:
            raise client_error("PutItem", "ConditionalCheckFailedException", ConditionalCheckFailedException)
        return {}

    def delete_item(self, *, TableName: str, Key: Item) -> dict[str, Any]:  # noqa: N803
        table = self._tables[TableName]
        self._network.request("DeleteItem", [lambda: table.delete(table.key_of(Key), self._clock())], writes=True)
        return {}

    def batch_execute_statement(self, *, Statements: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        if not 0 < len(Statements) <= 25:
            raise client_error("BatchExecuteStatement", "ValidationException")
        bound = [self._bind(statement) for statement in Statements]
        if len({(table.name, key) for table, key, _ in bound}) < len(bound):
            raise client_error("BatchExecuteStatement", "ValidationException")
        steps = [lambda key=key, write=write: self._execute(write) for _, key, write in bound]
        problems = self._network.request("BatchExecuteStatement", steps, writes=True)
        return {"Responses": [{} if code is None else {"Error": {"Code": code}} for code in problems]}

    def execute_statement(
        self,
        *,
        Statement: str,  # noqa: N803
        Parameters: list[dict[str, Any]],  # noqa: N803
        ConsistentRead: bool = False,  # noqa: N803
        NextToken: str | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        """Read the children in up to 50 partitions, each at an instant of its own, in pages."""
        select = _SELECT.fullmatch(Statement)
        if select is None or not ConsistentRead:
            raise NotSimulatedError(f"the statement {Statement!r}")
        *partitions, prefix = (parameter["S"] for parameter in Parameters)
        if not 0 < len(partitions) <= 50 or select["places"] != ", ".join("?" * len(partitions)):
            raise client_error("ExecuteStatement", "ValidationException")
        table = self._tables[select["table"]]
        steps = [lambda partition=partition: list(table.partition(partition)) for partition in partitions]
        found = [item for items in self._network.request("ExecuteStatement", steps) for item in items]
        children = [item for item in found if item["SK"]["S"].startswith(prefix)]
        start, size = int(NextToken or 0), self._source.choice((1, 2, 50))
        page: dict[str, Any] = {"Items": children[start : start + size]}
        return page | ({"NextToken": str(start + size)} if start + size < len(children) else {})

    def get_paginator(self, operation: str) -> "_QueryPaginator":
        if operation != "query":
            raise NotSimulatedError(f"paginator of {operation}")
        return _QueryPaginator(self._tables, self._network, self._source, self._clock)

    def _execute(self, write: Callable[[], str | None]) -> str | None:
        if self._faults.strikes(Fault.THROTTLED_STATEMENT):
            return self._source.choice(("ThrottlingError", "ProvisionedThroughputExceeded", "InternalServerError"))
        return write()

    def _bind(self, request: dict[str, Any]) -> tuple[Table, ItemKey, Callable[[], str | None]]:
        """Read a statement and its parameters; the write answers with an error code or None."""
        try:
            statement = parse(request["Statement"])
        except StatementError as error:
            raise NotSimulatedError(str(error)) from None
        parameters = request["Parameters"]
        table = self._tables[statement.table]
        if isinstance(statement, Insert):
            if len(statement.names) != len(parameters):
                raise client_error("BatchExecuteStatement", "ValidationException")
            item = dict(zip(statement.names, parameters, strict=True))
            return (
                table,
                table.key_of(item),
                lambda: _problem_of(lambda: table.insert(item, self._clock()), "DuplicateItem"),
            )
        return self._bind_update(table, statement, parameters)

    def _bind_update(
        self, table: Table, statement: Update, parameters: list[Any]
    ) -> tuple[Table, ItemKey, Callable[[], str | None]]:
        names = [*statement.changed, *statement.equal]
        touched = {*statement.changed, *statement.removed}
        if (
            len(names) != len(parameters)
            or touched.intersection(table.key_names)
            or len(touched) < len(statement.changed + statement.removed)
        ):
            raise client_error("BatchExecuteStatement", "ValidationException")
        changes = dict(zip(statement.changed, parameters, strict=False))
        expected: dict[str, Any] = dict(zip(statement.equal, parameters[len(changes) :], strict=True))
        key = table.key_of(expected)
        expected |= dict.fromkeys(statement.missing)
        return (
            table,
            key,
            lambda: _problem_of(lambda: table.update(key, changes, statement.removed, expected, self._clock())),
        )


class _QueryPaginator:
    def __init__(self, tables: dict[str, Table], network: Network, source: Random, clock: Callable[[], float]) -> None:
        self._tables = tables
        self._network = network
        self._source = source
        self._clock = clock

    def paginate(
        self,
        *,
        TableName: str,  # noqa: N803
        KeyConditionExpression: str,  # noqa: N803
        ExpressionAttributeValues: dict[str, Any],  # noqa: N803
        IndexName: str | None = None,  # noqa: N803
        ConsistentRead: bool = False,  # noqa: N803
    ) -> Iterator[dict[str, Any]]:
        """Give the pages, each read at an instant of its own."""
        if IndexName not in (None, INDEX_NAME) or (IndexName and ConsistentRead):
            raise client_error("Query", "ValidationException")
        if IndexName is None and not ConsistentRead:
            raise NotSimulatedError("an eventually consistent Query of the table")
        table = self._tables[TableName]
        hash_name, range_name = ("SK", "PK") if IndexName else ("PK", "SK")
        hash_value, accepts = _key_condition(KeyConditionExpression, ExpressionAttributeValues, hash_name, range_name)

        def read(after: str, size: int) -> list[Item]:
            items = table.index_partition(hash_value, self._clock()) if IndexName else table.partition(hash_value)
            return [i for i in items if i[range_name]["S"] > after and accepts(i[range_name]["S"])][:size]

        last = ""
        while True:
            size = self._source.choice((1, 2, 50))
            [items] = self._network.request("Query", [lambda after=last, size=size: read(after, size)])
            yield {"Items": items}
            if len(items) < size:
                return
            last = items[-1][range_name]["S"]


def _key_condition(
    expression: str, values: dict[str, Any], hash_name: str, range_name: str
) -> tuple[str, Callable[[str], bool]]:
    first, _, second = expression.partition(" AND ")
    name, _, place = first.partition(" = ")
    if name != hash_name or place not in values:
        raise client_error("Query", "ValidationException")
    hash_value = values[place]["S"]
    if not second:
        return hash_value, lambda text: True
    if second.startswith(f"begins_with({range_name}, ") and second.endswith(")"):
        prefix = values[second[len(f"begins_with({range_name}, ") : -1]]["S"]
        return hash_value, lambda text: text.startswith(prefix)
    name, _, place = second.partition(" = ")
    if name != range_name or place not in values:
        raise NotSimulatedError(f"the key condition {expression!r}")
    return hash_value, lambda text: text == values[place]["S"]


def _put_condition(
    ConditionExpression: str = "",  # noqa: N803
    ExpressionAttributeValues: dict[str, Any] | None = None,  # noqa: N803
) -> Callable[[Item | None], bool]:
    terms = [term for term in ConditionExpression.split(" AND ") if term]
    checks = [_put_term(term, ExpressionAttributeValues or {}) for term in terms]
    return lambda item: all(check(item) for check in checks)


def _put_term(term: str, values: dict[str, Any]) -> Callable[[Item | None], bool]:
    for function, wanted in (("attribute_not_exists", False), ("attribute_exists", True)):
        if term.startswith(f"{function}(") and term.endswith(")"):
            attribute = term[len(function) + 1 : -1]
            return lambda item: (item is not None and attribute in item) is wanted
    name, _, place = term.partition(" = ")
    if place not in values:
        raise NotSimulatedError(f"the condition {term!r}")
    return lambda item: item is not None and matches(item, {name: values[place]})


def _problem_of(write: Callable[[], None], code: str = "ConditionalCheckFailed") -> str | None:
    try:
        write()
    except ConditionFailedError:
        return code
    return None
