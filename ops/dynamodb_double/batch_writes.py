"""BatchWriteItem: up to 25 items put or deleted, each by itself and without a condition."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ops.dynamodb_double.errors import NotSimulatedError, invalid
from ops.dynamodb_double.tables import Item, ItemKey, Table

if TYPE_CHECKING:
    from ops.dynamodb_double.service import Service

MAX_WRITES = 25

Fields = dict[str, Any]


def write_batch(service: Service, request: Fields) -> Fields:
    """Carry out a BatchWriteItem; what the service leaves undone comes back as unprocessed.

    Raises:
        ServiceError: There are too many writes, two of one item, or an item that DynamoDB does not take.
        NotSimulatedError: A write is neither a put nor a deletion.
    """
    wanted = [(name, write) for name, writes in request["RequestItems"].items() for write in writes]
    if not 0 < len(wanted) <= MAX_WRITES:
        raise invalid("Too many items requested for the BatchWriteItem call")
    writes = [_bind(service, name, write) for name, write in wanted]
    if len({(table.name, key) for table, key, _ in writes}) < len(writes):
        raise invalid("Provided list of item keys contains duplicates")
    service.meter.begin("BatchWriteItem", wanted[0][0])
    steps = [partial(_write, service, *write) for write in writes]
    are_done = service.conduct.carry_out("BatchWriteItem", steps, writes=True)
    unprocessed: Fields = {}
    for (name, write), is_done in zip(wanted, are_done, strict=True):
        if not is_done:
            unprocessed.setdefault(name, []).append(write)
    return {"UnprocessedItems": unprocessed}


def _bind(service: Service, name: str, write: Fields) -> tuple[Table, ItemKey, Item | None]:
    table = service.table_of(name)
    match write:
        case {"PutRequest": {"Item": item}} if len(write) == 1:
            service.check_item(item)
            return table, service.key_of(table, item), item
        case {"DeleteRequest": {"Key": key}} if len(write) == 1:
            return table, service.key_of(table, key), None
    raise NotSimulatedError(f"BatchWriteItem with {sorted(write)}")


def _write(service: Service, table: Table, key: ItemKey, item: Item | None) -> bool:
    if service.conduct.leaves_unprocessed():
        return False
    service.write(table, key, lambda before: item)
    return True
