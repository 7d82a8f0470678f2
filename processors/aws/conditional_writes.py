"""Writes that hold only if the item is still the one read: as PartiQL statements, and as requests of single items.

A new item is inserted; one that goes is deleted as a whole. An existing item is changed by an update of our own
attributes alone, so that what other writers keep in it survives, also where they change it at the same moment: they do
not raise our `version`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from schemas import attributes
from schemas.keys import Key

Item = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Write:
    """An item to store in place of what was read, or to delete.

    Args:
        key: Its primary key.
        old: What was read, None where there was nothing.
        new: Our attributes as they shall be, without `version`; None: the whole item is deleted.
        owned: Our attributes, with their types (`S`, `N`, `M`): what is stored, but not in `new`, is removed if it is
            one of these. Everything else in the item stays.
    """

    key: Key
    old: Item | None
    new: Item | None
    owned: Mapping[str, str]

    @property
    def old_version(self) -> dict[str, Any] | None:
        """The version read, of whatever type; None where there was no item, or one without."""
        return self.old.get("version") if self.old is not None else None

    def next_version(self, at_least: int) -> dict[str, str]:
        """Return the version to write: above the one read, and at least as given."""
        read = attributes.number(self.old, "version") if self.old is not None else None
        return {"N": str(at_least if read is None else max(read + 1, at_least))}

    def changes(self) -> tuple[Item, tuple[str, ...]]:
        """Return what an update of the existing item sets and what it removes; what stays is not sent."""
        old, new = self.old or {}, self.new or {}
        changed = {name: value for name, value in new.items() if old.get(name) != value}
        gone = tuple(name for name, value in old.items() if name not in new and self.owned.get(name) in value)
        return changed, gone


def statement(table_name: str, write: Write, *, at_least: int) -> Any:
    """Make the statement of a BatchExecuteStatement: its text is the same for all writes of one shape.

    Args:
        table_name: The table.
        write: What to store.
        at_least: The least `version` to write, from the clock.
    """
    version = write.next_version(at_least)
    if write.old is None:
        item = {**(write.new or {}), "version": version}
        return {"Statement": _insert(table_name, tuple(item)), "Parameters": list(item.values())}
    where = _where(has_sort_key=write.key.sk is not None, has_version=write.old_version is not None)
    as_read = [*key_item(write.key).values(), *([] if write.old_version is None else [write.old_version])]
    if write.new is None:
        return {"Statement": f'DELETE FROM "{table_name}" WHERE {where}', "Parameters": as_read}  # noqa: S608 # our own names
    changed, gone = write.changes()
    text = _update(table_name, tuple(changed), gone, where)
    return {"Statement": text, "Parameters": [*changed.values(), version, *as_read]}


@lru_cache(maxsize=4096)
def _insert(table_name: str, names: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table_name}" VALUE {{{listed}}}'


@lru_cache(maxsize=4096)
def _update(table_name: str, names: tuple[str, ...], gone: tuple[str, ...], where: str) -> str:
    sets = [f'SET "{name}" = ?' for name in (*names, "version")]
    changes = " ".join(sets + [f'REMOVE "{name}"' for name in gone])
    return f'UPDATE "{table_name}" {changes} WHERE {where}'


def _where(*, has_sort_key: bool, has_version: bool) -> str:
    key = '"PK" = ? AND "SK" = ?' if has_sort_key else '"PK" = ?'
    version = '"version" = ?' if has_version else '"version" IS MISSING'
    return f"{key} AND {version}"


def put_request(write: Write, *, at_least: int) -> dict[str, Any]:
    """Make the PutItem of an item that does not exist yet."""
    return {
        "Item": {**(write.new or {}), "version": write.next_version(at_least)},
        "ConditionExpression": "attribute_not_exists(PK)",
    }


def update_request(write: Write, *, at_least: int) -> dict[str, Any]:
    """Make the UpdateItem of an existing item, on the condition that its `version` is the one read."""
    changed, gone = write.changes()
    changed["version"] = write.next_version(at_least)
    places = {name: f"a{position}" for position, name in enumerate((*changed, *gone))}
    update = "SET " + ", ".join(f"#{places[name]} = :{places[name]}" for name in changed)
    if gone:
        update += " REMOVE " + ", ".join(f"#{places[name]}" for name in gone)
    condition, values = _as_read(write)
    return {
        "Key": key_item(write.key),
        "UpdateExpression": update,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {f"#{place}": name for name, place in places.items()},
        "ExpressionAttributeValues": values | {f":{places[name]}": value for name, value in changed.items()},
    }


def delete_request(write: Write) -> dict[str, Any]:
    """Make the DeleteItem of an existing item, on the condition that its `version` is the one read."""
    condition, values = _as_read(write)
    request = {"Key": key_item(write.key), "ConditionExpression": condition}
    return request | ({"ExpressionAttributeValues": values} if values else {})


def _as_read(write: Write) -> tuple[str, Item]:
    if write.old_version is None:
        return "attribute_exists(PK) AND attribute_not_exists(version)", {}
    return "version = :version", {":version": write.old_version}


def key_item(key: Key) -> Item:
    """Return a primary key as DynamoDB's API has it."""
    return {"PK": {"S": key.pk}} if key.sk is None else {"PK": {"S": key.pk}, "SK": {"S": key.sk}}
