"""The tables of the stub: as much of DynamoDB as the contenders call, in dictionaries; anything else is refused.

It reads PartiQL, conditions and update expressions in the few forms the contenders write, once per text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from threading import Lock
from typing import Any

from ops.benchmark.sizes import item_size, read_units, write_units

Item = dict[str, dict[str, Any]]
Fields = dict[str, Any]

_KEYS = {"idempotency": ("id",), "projections": ("PK",), "textbook-projections": ("PK",)}
_SESSION_KEY = ("PK", "SK")
_INDEXED = ("sessions", "textbook-sessions", "bare-sessions")
"""Tables with the inverted index, which costs a write again."""


class StubError(Exception):
    """An answer of status 400.

    Args:
        code: As in `__type`.
        fields: What else the answer holds.
    """

    def __init__(self, code: str, **fields: Any) -> None:
        super().__init__(code)
        self.code = code
        self.fields = fields


class StubStore:
    """The tables, and what was asked of them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tables: dict[str, dict[tuple[str, ...], Item]] = {}
        self._partitions: dict[tuple[str, str], dict[tuple[str, ...], None]] = {}
        self.requests: dict[str, int] = {}
        self.write_units = 0
        self.read_units = 0.0
        self.changes: list[tuple[str, Item | None, Item]] = []
        self.keep = True
        """Whether writes are kept; where they are not, every item is new for ever."""
        self._operations: dict[str, Callable[[Fields], Fields]] = {
            "GetItem": self._get_item,
            "BatchGetItem": self._batch_get_item,
            "PutItem": self._put_item,
            "UpdateItem": self._update_item,
            "Query": self._query,
            "ExecuteStatement": self._execute_statement,
            "BatchExecuteStatement": self._batch_execute_statement,
            "SendMessageBatch": self._send_message_batch,
        }

    def clear_counts(self) -> None:
        """Begin to count anew."""
        self.requests, self.write_units, self.read_units, self.changes = {}, 0, 0.0, []

    def clear(self) -> None:
        """Forget all items, too."""
        self.clear_counts()
        self._tables, self._partitions = {}, {}

    def counts(self) -> dict[str, Any]:
        """Give what was counted since the last `clear_counts`."""
        return {"requests": self.requests, "write_units": self.write_units, "read_units": self.read_units}

    def load(self, table_name: str, items: list[Item]) -> None:
        """Put items into a table, uncounted."""
        with self._lock:
            for item in items:
                self._store(table_name, _key(table_name, item), item)

    def call(self, operation: str, request: Fields) -> Fields:
        """Answer a request.

        Raises:
            StubError: As the service would refuse it.
        """
        handler = self._operations.get(operation)
        if handler is None:
            raise StubError("UnknownOperationException", message=f"the stub does not know {operation}")
        with self._lock:
            self.requests[operation] = self.requests.get(operation, 0) + 1
            return handler(request)

    # --- operations

    def _get_item(self, request: Fields) -> Fields:
        item = self._get(request["TableName"], request["Key"], consistent=request.get("ConsistentRead", False))
        return {} if item is None else {"Item": item}

    def _batch_get_item(self, request: Fields) -> Fields:
        found = {}
        for table_name, wanted in request["RequestItems"].items():
            consistent = wanted.get("ConsistentRead", False)
            items = (self._get(table_name, key, consistent=consistent) for key in wanted["Keys"])
            found[table_name] = [item for item in items if item is not None]
        return {"Responses": found, "UnprocessedKeys": {}}

    def _put_item(self, request: Fields) -> Fields:
        table_name, item = request["TableName"], request["Item"]
        key = _key(table_name, item)
        before = self._table(table_name).get(key)
        self._require(request, table_name, before)
        self._write(table_name, key, before, item)
        return {}

    def _update_item(self, request: Fields) -> Fields:
        table_name = request["TableName"]
        key = _key(table_name, request["Key"])
        before = self._table(table_name).get(key)
        self._require(request, table_name, before)
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
        after: Item = {**request["Key"], **(before or {})}
        for name, place, is_added in _changes(request["UpdateExpression"]):
            attribute, value = names.get(name, name), values[place]
            if is_added:
                value = {"N": str(int(after.get(attribute, {"N": "0"})["N"]) + int(value["N"]))}
            after[attribute] = value
        self._write(table_name, key, before, after)
        return {}

    def _query(self, request: Fields) -> Fields:
        values = request["ExpressionAttributeValues"]
        _, _, place = request["KeyConditionExpression"].partition(" AND ")[0].partition(" = ")
        is_index = "IndexName" in request
        items = list(self._partition(request["TableName"], values[place]["S"], by="SK" if is_index else "PK"))
        consistent = request.get("ConsistentRead", False)
        self.read_units += read_units(sum(item_size(item) for item in items), consistent=consistent)
        return {"Items": items, "Count": len(items)}

    def _execute_statement(self, request: Fields) -> Fields:
        statement = re.fullmatch(
            r'SELECT .+ FROM "([^"]+)" WHERE "PK" IN \[[?, ]+\] AND begins_with\("SK", \?\)', request["Statement"]
        )
        if statement is None:
            raise StubError("ValidationException", message="the stub reads only partitions by their keys")
        *partitions, prefix = (parameter["S"] for parameter in request["Parameters"])
        items: list[Item] = []
        for partition in partitions:
            found = [
                item for item in self._partition(statement[1], partition, by="PK") if item["SK"]["S"].startswith(prefix)
            ]
            self.read_units += read_units(sum(item_size(item) for item in found), consistent=True)
            items += found
        return {"Items": items}

    def _batch_execute_statement(self, request: Fields) -> Fields:
        return {"Responses": [self._execute(statement) for statement in request["Statements"]]}

    def _execute(self, request: Fields) -> Fields:
        is_insert, table_name, names, key_names, gone = _statement(request["Statement"])
        parameters = request["Parameters"]
        if is_insert:
            item = dict(zip(names, parameters, strict=True))
            key = _key(table_name, item)
            before = self._table(table_name).get(key)
            if before is not None:
                self.write_units += write_units(before, None)
                return {"Error": {"Code": "DuplicateItem", "Message": "Duplicate primary key exists in table"}}
            self._write(table_name, key, None, item)
            return {"TableName": table_name}
        conditions = dict(zip(key_names, parameters[len(names) :], strict=True))
        key = tuple(conditions[name]["S"] for name in _KEYS.get(table_name, _SESSION_KEY))
        before = self._table(table_name).get(key)
        if before is None or any(before.get(name) != value for name, value in conditions.items()):
            self.write_units += write_units(before, None)
            return {"Error": {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}}
        after = {name: value for name, value in before.items() if name not in gone}
        self._write(table_name, key, before, after | dict(zip(names, parameters, strict=False)))
        return {"TableName": table_name}

    def _send_message_batch(self, request: Fields) -> Fields:
        return {
            "Successful": [
                {"Id": e["Id"], "MessageId": e["Id"], "MD5OfMessageBody": "0" * 32} for e in request["Entries"]
            ],
            "Failed": [],
        }

    # --- items

    def _table(self, table_name: str) -> dict[tuple[str, ...], Item]:
        return self._tables.setdefault(table_name, {})

    def _get(self, table_name: str, key: Item, *, consistent: bool) -> Item | None:
        item = self._table(table_name).get(_key(table_name, key))
        self.read_units += read_units(item_size(item or {}), consistent=consistent)
        return item

    def _write(self, table_name: str, key: tuple[str, ...], before: Item | None, after: Item) -> None:
        self.write_units += write_units(before, after) * (2 if table_name in _INDEXED else 1)
        if self.keep:
            self._store(table_name, key, after)
            if table_name in _INDEXED:
                self.changes.append((table_name, before, after))

    def _store(self, table_name: str, key: tuple[str, ...], item: Item) -> None:
        self._table(table_name)[key] = item
        for part in key:
            self._partitions.setdefault((table_name, part), {})[key] = None

    def _partition(self, table_name: str, value: str, *, by: str) -> Iterator[Item]:
        table = self._table(table_name)
        for key in self._partitions.get((table_name, value), ()):
            if table[key][by]["S"] == value:
                yield table[key]

    def _require(self, request: Fields, table_name: str, before: Item | None) -> None:
        """Judge a condition by its first term: the others are about items that ran out, of which there are none."""
        condition = request.get("ConditionExpression")
        if condition is None:
            return
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
        function, name, place = _first_term(condition)
        attribute = names.get(name, name)
        stored = (before or {}).get(attribute)
        holds = {
            "attribute_not_exists": stored is None,
            "attribute_exists": stored is not None,
            "": stored is not None and stored == values.get(place),
        }[function]
        if not holds:
            self.write_units += write_units(before, None)
            shown = {"Item": before} if request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" else {}
            raise StubError("ConditionalCheckFailedException", message="The conditional request failed", **shown)


def _key(table_name: str, item: Item) -> tuple[str, ...]:
    return tuple(item[name]["S"] for name in _KEYS.get(table_name, _SESSION_KEY))


@lru_cache(maxsize=1024)
def _first_term(condition: str) -> tuple[str, str, str]:
    term = re.match(r"\(*(?:(attribute_(?:not_)?exists)\s*\(([#\w]+)\)|([#\w]+) = (:\w+))", condition)
    if term is None:
        raise StubError("ValidationException", message=f"the stub does not understand {condition}")
    return term[1] or "", term[2] or term[3], term[4] or ""


@lru_cache(maxsize=1024)
def _changes(expression: str) -> list[tuple[str, str, bool]]:
    """Read `SET name = :value, ...` and `ADD name :value`."""
    assigned = [(name, place, False) for name, place in re.findall(r"([#\w]+) = (:\w+)", expression)]
    added = expression.partition("ADD ")[2].partition(" SET ")[0]
    return assigned + [(name, place, True) for name, place in re.findall(r"([#\w]+) (:\w+)", added)]


@lru_cache(maxsize=1024)
def _statement(text: str) -> tuple[bool, str, tuple[str, ...], tuple[str, ...], frozenset[str]]:
    """Read an INSERT or UPDATE: table, names set, names of the condition, names removed."""
    insert = re.fullmatch(r'INSERT INTO "([^"]+)" VALUE \{(.*)\}', text)
    if insert is not None:
        return True, insert[1], tuple(re.findall(r"'([^']+)': \?", insert[2])), (), frozenset()
    update = re.fullmatch(r'UPDATE "([^"]+)" (.*) WHERE (.*)', text)
    if update is None:
        raise StubError("ValidationException", message=f"the stub does not understand {text}")
    names = tuple(re.findall(r'SET "([^"]+)" = \?', update[2]))
    gone = frozenset(re.findall(r'REMOVE "([^"]+)"', update[2]))
    return False, update[1], names, tuple(re.findall(r'"([^"]+)" = \?', update[3])), gone
