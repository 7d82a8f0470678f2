"""The service: requests in, answers out, as DynamoDB's JSON protocol has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ops.dynamodb_double.batch_writes import write_batch
from ops.dynamodb_double.conduct import Conduct, Meter
from ops.dynamodb_double.errors import ConditionFailedError, NotSimulatedError, ServiceError, invalid
from ops.dynamodb_double.expressions import condition, resolve, updated
from ops.dynamodb_double.paging import page_of
from ops.dynamodb_double.requests import KNOWN_MEMBERS, Fields, check_placeholders
from ops.dynamodb_double.sizes import MAX_ITEM_BYTES, item_size
from ops.dynamodb_double.statements import Statements
from ops.dynamodb_double.tables import INDEX_NAME, Item, ItemKey, Table

_KEY_BYTES = (2048, 1024)


class Service:
    """The tables behind DynamoDB's operations.

    Args:
        table_of: Gives a table by its name.
        clock: Epoch seconds.
        conduct: How it behaves where that is left open.
        meter: Takes what requests cost.
        checks_sizes: Whether items written are held to the limits of the service.
    """

    def __init__(
        self,
        table_of: Callable[[str], Table],
        *,
        clock: Callable[[], float],
        conduct: Conduct | None = None,
        meter: Meter | None = None,
        checks_sizes: bool = True,
    ) -> None:
        self.table_of = table_of
        self.clock = clock
        self.conduct = conduct or Conduct()
        self.meter = meter or Meter()
        self._checks_sizes = checks_sizes
        statements = Statements(self)
        self._operations: dict[str, Callable[[Fields], Fields]] = {
            "GetItem": self._get_item,
            "BatchGetItem": self._batch_get_item,
            "PutItem": self._put_item,
            "UpdateItem": self._update_item,
            "DeleteItem": self._delete_item,
            "Query": self._query,
            "Scan": self._scan,
            "BatchWriteItem": partial(write_batch, self),
            "ExecuteStatement": statements.execute,
            "BatchExecuteStatement": statements.execute_batch,
        }

    def call(self, operation: str, request: Fields) -> Fields:
        """Answer a request.

        Raises:
            ServiceError: As the service would refuse it.
            NotSimulatedError: It is not known here.
        """
        handler = self._operations.get(operation)
        unknown = set(request) - KNOWN_MEMBERS.get(operation, set(request)) - {"TableName", "ReturnConsumedCapacity"}
        if handler is None or unknown:
            raise NotSimulatedError(f"{operation} with {sorted(unknown)}")
        return handler(request)

    # --- used by the operations, and by the statements

    def key_of(self, table: Table, attributes: Item) -> ItemKey:
        """Read an item's key and hold it to the limits."""
        try:
            key = table.key_of(attributes)
        except (KeyError, TypeError):
            raise invalid("One or more parameter values were invalid: a key is missing, or of a wrong type") from None
        for text, longest in zip(key, _KEY_BYTES[: len(table.key_names)], strict=False):
            if not isinstance(text, str) or not 0 < len(text.encode("utf-8", "surrogatepass")) <= longest:
                raise invalid("a key attribute of a wrong type or size")
        return key

    def check_item(self, item: Item) -> None:
        """Refuse what DynamoDB would not store."""
        if not self._checks_sizes:
            return
        try:
            size = item_size(item)
        except (ValueError, UnicodeEncodeError) as error:
            raise invalid(str(error)) from None
        if size > MAX_ITEM_BYTES:
            raise invalid("Item size has exceeded the maximum allowed size")

    def write(self, table: Table, key: ItemKey, make: Callable[[Item | None], Item | None]) -> None:
        """Store what is made of what is there, at this instant.

        Raises:
            ConditionFailedError: From `make`.
        """
        before = table.items.get(key)
        try:
            after = make(before)
        except ConditionFailedError:
            self.meter.wrote(table, before, None)
            raise
        self.meter.wrote(table, before, after)
        table.store(key, after, self.clock())

    # --- operations

    def _get_item(self, request: Fields) -> Fields:
        table = self.table_of(request["TableName"])
        self.meter.begin("GetItem", table.name)
        key = self.key_of(table, request["Key"])
        if not request.get("ConsistentRead"):
            self.conduct.reads_the_past("GetItem")
        [item] = self.conduct.carry_out("GetItem", [lambda: table.items.get(key)])
        self.meter.read([item or {}], consistent=request.get("ConsistentRead", False))
        return {} if item is None else {"Item": projected(item, request)}

    def _batch_get_item(self, request: Fields) -> Fields:
        wanted = {name: self._keys_of(name, part) for name, part in request["RequestItems"].items()}
        if not 0 < sum(len(keys) for _, keys in wanted.values()) <= 100:
            raise invalid("Too many items requested for the BatchGetItem call")
        self.meter.begin("BatchGetItem", next(iter(wanted)))
        places = [(table, key) for table, keys in wanted.values() for key in keys]
        steps = [partial(table.items.get, key) for table, key in places]
        found = iter(self.conduct.carry_out("BatchGetItem", steps))
        answer: Fields = {"Responses": {}, "UnprocessedKeys": {}}
        for name, part in request["RequestItems"].items():
            items, left = answer["Responses"].setdefault(name, []), []
            for key in part["Keys"]:
                item = next(found)
                if self.conduct.leaves_unprocessed():
                    left.append(key)
                    continue
                self.meter.read([item or {}], consistent=part.get("ConsistentRead", False))
                if item is not None:
                    items.append(projected(item, part))
            if left:
                answer["UnprocessedKeys"][name] = {**part, "Keys": left}
        return answer

    def _keys_of(self, name: str, part: Fields) -> tuple[Table, list[ItemKey]]:
        unknown = set(part) - {"Keys", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"}
        if unknown:
            raise NotSimulatedError(f"BatchGetItem with {sorted(unknown)}")
        if not part.get("ConsistentRead"):
            self.conduct.reads_the_past("BatchGetItem")
        table = self.table_of(name)
        keys = [self.key_of(table, key) for key in part["Keys"]]
        if len(set(keys)) < len(keys):
            raise invalid("Provided list of item keys contains duplicates")
        return table, keys

    def _put_item(self, request: Fields) -> Fields:
        item = request["Item"]
        self.check_item(item)
        return self._conditional("PutItem", request, item, lambda before: item)

    def _update_item(self, request: Fields) -> Fields:
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})

        def make(before: Item | None) -> Item:
            after = updated(before or {}, request.get("UpdateExpression", ""), names, values)
            if any(after.get(name, value) != value for name, value in request["Key"].items()):
                raise invalid("Cannot update attribute: it is part of the key")
            after |= request["Key"]
            self.check_item(after)
            return after

        return self._conditional("UpdateItem", request, request["Key"], make)

    def _delete_item(self, request: Fields) -> Fields:
        return self._conditional("DeleteItem", request, request["Key"], lambda before: None)

    def _conditional(
        self, operation: str, request: Fields, attributes: Item, make: Callable[[Item | None], Item | None]
    ) -> Fields:
        table = self.table_of(request["TableName"])
        key = self.key_of(table, attributes)
        text = request.get("ConditionExpression")
        check_placeholders(request)
        check = condition(text) if text else None
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
        self.meter.begin(operation, table.name)

        def make_if_it_holds(before: Item | None) -> Item | None:
            if check is not None and not check(before or {}, names, values):
                raise ConditionFailedError(before)
            return make(before)

        def step() -> ConditionFailedError | ServiceError | None:
            try:
                self.write(table, key, make_if_it_holds)
            except (ConditionFailedError, ServiceError) as error:
                return error
            return None

        [problem] = self.conduct.carry_out(operation, [step], writes=True)
        if isinstance(problem, ServiceError):
            raise problem
        if problem is not None:
            [before] = problem.args
            is_shown = before is not None and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            shown = {"Item": before} if is_shown else {}
            raise ServiceError("ConditionalCheckFailedException", "The conditional request failed", **shown)
        return {}

    def _query(self, request: Fields) -> Fields:
        table = self.table_of(request["TableName"])
        index, consistent = request.get("IndexName"), request.get("ConsistentRead", False)
        if index is not None and (index != INDEX_NAME or not table.has_index):
            raise invalid("The table does not have the specified index")
        if index is not None and consistent:
            raise invalid("Consistent reads are not supported on global secondary indexes")
        hash_name, range_name = (table.key_names if index is None else ("SK", "PK"))[:2]
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
        check_placeholders(request)
        hash_value = _hash_value(request["KeyConditionExpression"], hash_name, names, values)
        check = condition(request["KeyConditionExpression"])
        self.meter.begin("Query", table.name)
        if index is None and not consistent:
            self.conduct.reads_the_past("Query")

        def read() -> list[Item]:
            items = table.partition(hash_value) if index is None else table.index_partition(hash_value, self.clock())
            return [item for item in items if check(item, names, values)]

        return self._page("Query", request, table, (range_name,), read)

    def _scan(self, request: Fields) -> Fields:
        table = self.table_of(request["TableName"])
        self.meter.begin("Scan", table.name)
        if not request.get("ConsistentRead"):
            self.conduct.reads_the_past("Scan")
        return self._page("Scan", request, table, table.key_names, lambda: list(table.scan()))

    def _page(
        self, operation: str, request: Fields, table: Table, order: Sequence[str], read: Callable[[], list[Item]]
    ) -> Fields:
        most = min(request.get("Limit") or 10**9, self.conduct.query_page() or 10**9)
        start = request.get("ExclusiveStartKey")
        is_forward = request.get("ScanIndexForward", True)
        [(items, has_more)] = self.conduct.carry_out(
            operation, [lambda: page_of(read(), order, start, most, is_forward=is_forward)]
        )
        self.meter.read(items, consistent=request.get("ConsistentRead", False))
        answer: Fields = {"Items": [projected(item, request) for item in items], "Count": len(items)}
        if request.get("Select") == "COUNT":
            del answer["Items"]
        if has_more:
            answer["LastEvaluatedKey"] = {name: items[-1][name] for name in table.key_names}
        return answer


def projected(item: Item, request: Mapping[str, Any]) -> Item:
    """Leave the attributes that a ProjectionExpression names; all without one."""
    text = request.get("ProjectionExpression")
    if text is None:
        return item
    names = [resolve(name.strip(), request.get("ExpressionAttributeNames", {})) for name in text.split(",")]
    return {name: item[name] for name in names if name in item}


def _hash_value(text: str, hash_name: str, names: Mapping[str, str], values: Item) -> str:
    """Find the partition that a key condition names, wherever in it."""
    for term in text.split(" AND "):
        name, _, place = term.strip().strip("()").partition(" = ")
        if place in values and resolve(name, names) == hash_name:
            return str(values[place]["S"])
    raise invalid("Query condition missed key schema element")
