"""Batch reads of the sessions table: many keys, customers, families or children a request."""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from processors.aws.conditional_writes import Item
from processors.aws.errors import raising_read_errors
from processors.aws.item_store import ItemStore
from processors.aws.parallel import chunks, run_all
from schemas.errors import MalformedItemError
from schemas.items import Revocation, Session, key_of, read_item
from schemas.keys import CHILD_PREFIX, CUSTOMER_PREFIX, SESSION_PREFIX, Key, child_sort_key, customer_partition
from schemas.keys import session_partition as partition_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)

INVERTED_INDEX = "GSI1_inverse"

PARTITIONS_A_SELECT = 50
"""Most partition keys of an IN. Source: DynamoDB Developer Guide, "PartiQL operators"."""


class _Access(NamedTuple):
    """Partitions of the table or of its index, and the sort keys wanted of each."""

    hash_name: str
    range_name: str
    prefix: str | None
    names: tuple[str, ...]
    """The attributes to read; none: all."""

    @property
    def index_name(self) -> str | None:
        return INVERTED_INDEX if self.hash_name == "SK" else None


_FAMILIES = _Access("PK", "SK", None, ())
_CHILDREN = _Access("PK", "SK", CHILD_PREFIX, ())
_PARENTS = _Access("PK", "SK", CUSTOMER_PREFIX, ())
# keys only: the items are read from the table, whatever the index holds
_CUSTOMERS_SESSIONS = _Access("SK", "PK", SESSION_PREFIX, ("PK", "SK"))
_CHILDREN_BY_ID = _Access("SK", "PK", None, ("PK", "SK"))


@dataclass(slots=True)
class Items:
    """Items read by key.

    Args:
        found: The items, by key.
        unreadable: Keys whose item breaks the schema, or is of a later release.
    """

    found: dict[Key, Session | Revocation] = field(default_factory=dict)
    unreadable: set[Key] = field(default_factory=set)

    @property
    def sessions(self) -> dict[Key, Session]:
        """The sessions among them."""
        return {key: item for key, item in self.found.items() if isinstance(item, Session)}


class RegisterReader:
    """Batch reads of the sessions table. Every method raises `ReadError` for a read that failed.

    Args:
        client: A DynamoDB client.
        table_name: The sessions table.
        store: Reads items by key.
        batch_statements: Read up to 50 partitions a SELECT; otherwise each by a Query, for engines without PartiQL.
        concurrency: Most requests under way at a time.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        *,
        store: ItemStore,
        batch_statements: bool,
        concurrency: int,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._store = store
        self._read_partitions = self._select_partitions if batch_statements else self._query_partitions
        self._concurrency = concurrency

    def read_items(self, keys: Collection[Key], *, strict: bool = False) -> Items:
        """Read items by key, strongly consistent, 100 a request; keys without item are left out.

        Args:
            keys: The keys.
            strict: Raise for an item that cannot be read.

        Raises:
            MalformedItemError: With `strict`: an item breaks the schema, or is of a later release.
        """
        items = Items()
        with raising_read_errors():
            stored = self._store.read(keys)
        for key, attributes in stored.items():
            try:
                item = read_item(attributes)
            except MalformedItemError as error:
                if strict:
                    raise
                _log_unreadable(error)
                items.unreadable.add(key)
            else:
                if item is not None:
                    items.found[key] = item
        return items

    def find_session_keys(self, customer_ids: Collection[str], *, most: int) -> dict[str, list[Key] | None]:
        """Ask the index for the keys of customers' top-level sessions; eventually consistent.

        Returns:
            By customer; None for one with more than `most` sessions.
        """
        partitions = {customer_partition(customer_id): customer_id for customer_id in customer_ids}
        found = self._read_all(_CUSTOMERS_SESSIONS, partitions, most=most)
        return {
            customer_id: None if (items := found.get(partition, [])) is None else [key_of(item) for item in items]
            for partition, customer_id in partitions.items()
        }

    def find_children(self, session_ids: Collection[str], *, most: int) -> dict[str, list[Session] | None]:
        """Read the child sessions of many sessions, ended ones too; strongly consistent. No parent is attached.

        Returns:
            By their parent's id; sessions without children are left out. None for a family of more than `most`: see
            `page_children`.
        """
        partitions = {partition_of(session_id): session_id for session_id in session_ids}
        found = self._read_all(_CHILDREN, partitions, most=most)
        return {
            partitions[partition]: None if items is None else list(_children_in(items))
            for partition, items in found.items()
        }

    def find_families(self, session_ids: Collection[str], *, most: int = 200) -> dict[str, list[Session]]:
        """Read everything under many session ids; strongly consistent.

        Args:
            session_ids: Ids of top-level sessions.
            most: Items of one family that are read together with other families; a larger one is read page by page.

        Returns:
            By id: the top-level sessions, one per customer, and their children; ids without items are left out.
        """
        partitions = {partition_of(session_id): session_id for session_id in session_ids}
        families: dict[str, list[Session]] = {}
        for partition, items in self._read_all(_FAMILIES, partitions, most=most).items():
            with raising_read_errors():
                every = (
                    items
                    if items is not None
                    else [i for page in self._query_pages(_FAMILIES, partition) for i in page]
                )
            families[partitions[partition]] = list(_sessions_in(every))
        return families

    def page_children(self, session_id: str) -> Iterator[list[Session]]:
        """Read the child sessions of one session page by page, as they are asked for; strongly consistent."""
        pages = self._query_pages(_CHILDREN, partition_of(session_id))
        while True:
            with raising_read_errors():
                page = next(pages, None)
            if page is None:
                return
            yield list(_children_in(page))

    def find_parents(self, session_id: str) -> dict[str, Session]:
        """Read the top-level sessions of one id, by customer; strongly consistent."""
        with raising_read_errors():
            items = [item for page in self._query_pages(_PARENTS, partition_of(session_id)) for item in page]
        return {parent.customer_id: parent for parent in _sessions_in(items) if parent.customer_id is not None}

    def find_children_by_id(self, session_ids: Collection[str], *, most: int = 100) -> dict[str, list[Session]]:
        """Find child sessions by their own ids: the index is eventually consistent, the items read are not.

        Args:
            session_ids: Ids of child sessions.
            most: Most parents that a child's id is looked for under.
        """
        partitions = {child_sort_key(session_id): session_id for session_id in session_ids}
        found = self._read_all(_CHILDREN_BY_ID, partitions, most=most)
        keys = {key_of(item) for items in found.values() for item in items or ()}
        children: dict[str, list[Session]] = {}
        for child in self.read_items(keys).sessions.values() if keys else ():
            if child.has_login:
                children.setdefault(child.session_id, []).append(child)
        return children

    def _read_all(self, access: _Access, partitions: Iterable[str], *, most: int) -> dict[str, list[Item] | None]:
        parts = chunks(sorted(partitions), PARTITIONS_A_SELECT)
        found: dict[str, list[Item] | None] = {}
        with raising_read_errors():
            for part in run_all(partial(self._read_partitions, access, most), parts, concurrency=self._concurrency):
                found |= part
        return found

    def _select_partitions(self, access: _Access, most: int, partitions: Sequence[str]) -> dict[str, list[Item] | None]:
        """Read up to 50 partitions in one SELECT; one with too many items is left out, and the others are read anew."""
        oversize: dict[str, list[Item] | None] = {}
        while wanted := [partition for partition in partitions if partition not in oversize]:
            found: dict[str, list[Item]] = defaultdict(list)
            for item in self._select(access, wanted):
                partition = item[access.hash_name]["S"]
                found[partition].append(item)
                if len(found[partition]) > most:
                    oversize[partition] = None
                    break
            else:
                return oversize | found
        return oversize

    def _select(self, access: _Access, partitions: Sequence[str]) -> Iterator[Item]:
        source = f'"{self._table_name}"' + (f'."{access.index_name}"' if access.index_name else "")
        attributes = ", ".join(f'"{name}"' for name in access.names) or "*"
        places = ", ".join("?" * len(partitions))
        text = f'SELECT {attributes} FROM {source} WHERE "{access.hash_name}" IN [{places}]'  # noqa: S608 # our own names; values are parameters
        parameters: list[Any] = [{"S": partition} for partition in partitions]
        if access.prefix is not None:
            text += f' AND begins_with("{access.range_name}", ?)'
            parameters.append({"S": access.prefix})
        request: dict[str, Any] = {"Statement": text, "Parameters": parameters}
        if access.index_name is None:
            request["ConsistentRead"] = True
        while True:
            page: Any = self._client.execute_statement(**request)
            yield from page["Items"]
            if "NextToken" not in page:
                return
            request["NextToken"] = page["NextToken"]

    def _query_partitions(self, access: _Access, most: int, partitions: Sequence[str]) -> dict[str, list[Item] | None]:
        """Read partition by partition, for engines without PartiQL."""
        found: dict[str, list[Item] | None] = {}
        for partition in partitions:
            items = list(islice((item for page in self._query_pages(access, partition) for item in page), most + 1))
            if items:
                found[partition] = None if len(items) > most else items
        return found

    def _query_pages(self, access: _Access, partition: str) -> Iterator[list[Any]]:
        query: dict[str, Any] = {
            "KeyConditionExpression": f"{access.hash_name} = :hash",
            "ExpressionAttributeValues": {":hash": {"S": partition}},
        }
        if access.prefix is not None:
            query["KeyConditionExpression"] += f" AND begins_with({access.range_name}, :prefix)"
            query["ExpressionAttributeValues"][":prefix"] = {"S": access.prefix}
        if access.index_name is None:
            query["ConsistentRead"] = True
        else:
            query["IndexName"] = access.index_name
        for page in self._client.get_paginator("query").paginate(TableName=self._table_name, **query):
            yield page["Items"]


def _sessions_in(items: Iterable[Item]) -> Iterator[Session]:
    """Read sessions; an item that cannot be read is logged and passed over: no other session depends on it."""
    for attributes in items:
        try:
            item = read_item(attributes)
        except MalformedItemError as error:
            _log_unreadable(error)
            continue
        if isinstance(item, Session):
            yield item


def _children_in(items: Iterable[Item]) -> Iterator[Session]:
    return (child for child in _sessions_in(items) if child.parent_session_id is not None and child.has_login)


def _log_unreadable(error: MalformedItemError) -> None:
    logger.error("stored item cannot be read: repair or delete it", extra={"reason": str(error)})
