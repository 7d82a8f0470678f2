"""Writes that hold only if the item is still the one read: as PartiQL statements, and as PutItem's condition."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from schemas.keys import Key

Item = dict[str, dict[str, Any]]


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


def statement(table_name: str, write: Write) -> Any:
    """Make the statement of a BatchExecuteStatement: its text is the same for all writes of one shape."""
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


def condition(write: Write) -> dict[str, Any]:
    """Make the parameters of a PutItem that hold it to the item read."""
    if write.old is None:
        return {"ConditionExpression": "attribute_not_exists(PK)"}
    if write.old_version is None:
        return {"ConditionExpression": "attribute_exists(PK) AND attribute_not_exists(version)"}
    return {
        "ConditionExpression": "version = :version",
        "ExpressionAttributeValues": {":version": write.old_version},
    }
