"""ExecuteStatement and BatchExecuteStatement: PartiQL bound to its parameters and carried out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ops.dynamodb_double.errors import ConditionFailedError, NotSimulatedError, ServiceError, invalid
from ops.dynamodb_double.expressions import equal
from ops.dynamodb_double.partiql import Delete, Insert, Select, Term, Update, parse
from ops.dynamodb_double.tables import INDEX_NAME, Item, ItemKey, Table

if TYPE_CHECKING:
    from ops.dynamodb_double.service import Service

MAX_STATEMENTS = 25
MAX_IN = 50
"""Most partition keys of an IN. Source: DynamoDB Developer Guide, "PartiQL operators"."""

Fields = dict[str, Any]
Bound = tuple[Term, list[dict[str, Any]]]
"""A term of a WHERE, and the values of its parameters."""
Write = Callable[[Item | None], Item | None]


class Statements:
    """The two operations.

    Args:
        service: Whose tables they work on.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def execute_batch(self, request: Fields) -> Fields:
        """Write up to 25 items, each by itself."""
        statements = request["Statements"]
        if not 0 < len(statements) <= MAX_STATEMENTS:
            raise invalid("Member must have length less than or equal to 25")
        bound = [self._bind(one["Statement"], one.get("Parameters", [])) for one in statements]
        if len({(table.name, key) for table, key, _, _ in bound}) < len(bound):
            raise invalid("Request can not contain multiple operations on same item")
        self._service.meter.begin("BatchExecuteStatement", bound[0][0].name)
        steps = [partial(self._execute_write, *one) for one in bound]
        codes = self._service.conduct.carry_out("BatchExecuteStatement", steps, writes=True)
        names = [table.name for table, *_ in bound]
        return {
            "Responses": [
                {"TableName": name} | ({"Error": {"Code": code, "Message": code}} if code is not None else {})
                for name, code in zip(names, codes, strict=True)
            ]
        }

    def _execute_write(self, table: Table, key: ItemKey, make: Write, code: str) -> str | None:
        refusal = self._service.conduct.refuses_statement()
        if refusal is not None:
            return refusal
        try:
            self._service.write(table, key, make)
        except ConditionFailedError:
            return code
        except ServiceError as error:
            return "ItemCollectionSizeLimitExceeded" if "size" in error.message.lower() else "ValidationError"
        return None

    def _bind(self, text: str, parameters: list[dict[str, Any]]) -> tuple[Table, ItemKey, Write, str]:
        """Read a statement and its parameters: table, key, what it makes of the item, the code of its refusal."""
        statement = parse(text)
        if isinstance(statement, Select):
            raise NotSimulatedError("a SELECT in a BatchExecuteStatement")
        table = self._service.table_of(statement.table)
        if isinstance(statement, Insert):
            if len(statement.names) != len(parameters):
                raise invalid("Number of parameters in request and statement don't match.")
            item = dict(zip(statement.names, parameters, strict=True))
            self._service.check_item(item)
            return table, self._service.key_of(table, item), partial(_inserted, item), "DuplicateItem"
        changed = statement.changed if isinstance(statement, Update) else ()
        removed = statement.removed if isinstance(statement, Update) else ()
        terms = _bind_terms(statement.where, parameters[len(changed) :])
        touched = {*changed, *removed}
        if touched.intersection(table.key_names) or len(touched) < len(changed) + len(removed):
            raise invalid("a key cannot be updated, nor an attribute twice")
        named = {term.name: values[0] for term, values in terms if term.kind == "=" and term.name in table.key_names}
        key = self._service.key_of(table, named)
        if isinstance(statement, Delete):
            return table, key, partial(_deleted, terms), "ConditionalCheckFailed"
        changes = dict(zip(changed, parameters, strict=False))
        make = partial(self._updated, terms, changes, removed)
        return table, key, make, "ConditionalCheckFailed"

    def _updated(self, terms: Sequence[Bound], changes: Item, removed: Sequence[str], before: Item | None) -> Item:
        if before is None or not _match(before, terms):
            raise ConditionFailedError(before)
        after = {name: value for name, value in {**before, **changes}.items() if name not in removed}
        self._service.check_item(after)
        return after

    def execute(self, request: Fields) -> Fields:
        """Read by a SELECT, each partition at an instant of its own, in pages."""
        unknown = set(request) - {"Statement", "Parameters", "ConsistentRead", "NextToken", "ReturnConsumedCapacity"}
        select = parse(request["Statement"])
        if unknown or not isinstance(select, Select):
            raise NotSimulatedError(f"ExecuteStatement of {request['Statement']!r} with {sorted(unknown)}")
        table, consistent = self._service.table_of(select.table), request.get("ConsistentRead", False)
        if select.index is not None and (select.index != INDEX_NAME or not table.has_index or consistent):
            raise invalid("no such index, or a consistent read of it")
        terms = _bind_terms(select.where, request.get("Parameters", []))
        hash_name, range_name = table.key_names[0], (table.key_names[1:] or ("",))[0]
        if select.index is not None:
            hash_name, range_name = "SK", "PK"
        partitions = _partitions(terms, hash_name)
        self._service.meter.begin("ExecuteStatement", table.name)
        if select.index is None and not consistent:
            self._service.conduct.reads_the_past("ExecuteStatement")
        steps = [partial(self._read, table, partition, select.index) for partition in partitions]
        found = self._service.conduct.carry_out("ExecuteStatement", steps)
        for items in found:
            self._service.meter.read([item for item in items if _match(item, terms)], consistent=consistent)
        rows = list(_after(request.get("NextToken"), found, range_name, terms))
        size = self._service.conduct.select_page() if len(partitions) > 1 else len(rows)
        page: Fields = {"Items": [_projected(item, select.names) for _, _, item in rows[:size]]}
        if len(rows) > size:
            position, place, _ = rows[size - 1]
            page["NextToken"] = json.dumps([position, place])
        return page

    def _read(self, table: Table, partition: str, index: str | None) -> list[Item]:
        if index is None:
            return table.partition(partition)
        return table.index_partition(partition, self._service.clock())


def _bind_terms(where: Sequence[Term], parameters: Sequence[dict[str, Any]]) -> list[Bound]:
    if sum(term.parameters for term in where) != len(parameters):
        raise invalid("Number of parameters in request and statement don't match.")
    left = iter(parameters)
    return [(term, [next(left) for _ in range(term.parameters)]) for term in where]


def _partitions(terms: Sequence[Bound], hash_name: str) -> list[str]:
    for term, values in terms:
        if term.name == hash_name and term.kind in ("=", "IN"):
            if len(values) > MAX_IN:
                raise invalid("the IN list must not exceed 50 partition keys")
            return [value["S"] for value in values]
    raise NotSimulatedError("a SELECT that scans the table")


def _after(
    token: str | None, found: Sequence[list[Item]], range_name: str, terms: Sequence[Bound]
) -> Iterator[tuple[int, str, Item]]:
    """Give what matches and comes after the last page's end: position of the partition, sort key, item."""
    start = json.loads(token) if token else [-1, ""]
    for position, items in enumerate(found):
        for item in items:
            place = item[range_name]["S"] if range_name else ""
            if [position, place] > start and _match(item, terms):
                yield position, place, item


def _match(item: Item, terms: Sequence[Bound]) -> bool:
    return all(_holds(item.get(term.name), term.kind, values) for term, values in terms)


def _holds(found: dict[str, Any] | None, kind: str, values: Sequence[dict[str, Any]]) -> bool:
    if kind in ("MISSING", "NOT MISSING"):
        return (found is None) is (kind == "MISSING")
    if found is None:
        return False
    if kind == "begins_with":
        return "S" in found and bool(found["S"].startswith(values[0]["S"]))
    return any(equal(found, value) for value in values)


def _projected(item: Item, names: Sequence[str]) -> Item:
    return {name: item[name] for name in names if name in item} if names else item


def _inserted(item: Item, before: Item | None) -> Item:
    if before is not None:
        raise ConditionFailedError(before)
    return item


def _deleted(terms: Sequence[Bound], before: Item | None) -> None:
    if before is not None and not _match(before, terms):
        raise ConditionFailedError(before)
