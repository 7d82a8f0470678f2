"""Batch reads of the sessions table: many keys, customers, families or children a request."""

import logging
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from processors.aws.conditional_writes import Item
from processors.aws.errors import raising_read_errors
from processors.aws.item_store import ItemStore
from processors.register.partitions import Access, PartitionReader
from schemas.errors import MalformedItemError, NewerFormatError
from schemas.item_mapping import key_of, read_item
from schemas.items import Revocation, Session, with_parent
from schemas.keys import CHILD_PREFIX, CUSTOMER_PREFIX, SESSION_PREFIX, Key, child_sort_key, customer_partition
from schemas.keys import session_partition as partition_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)

_FAMILIES = Access("PK", "SK", None, ())
_CHILDREN = Access("PK", "SK", CHILD_PREFIX, ())
_PARENTS = Access("PK", "SK", CUSTOMER_PREFIX, ())
# keys only: the items are read from the table, whatever the index holds
_CUSTOMERS_SESSIONS = Access("SK", "PK", SESSION_PREFIX, ("PK", "SK"))
_FAMILY_KEYS = Access("PK", "SK", None, ("PK", "SK"))
_CHILDREN_BY_ID = Access("SK", "PK", None, ("PK", "SK"))


@dataclass(slots=True)
class Items:
    """Items read by key.

    Args:
        found: The items, by key.
        unreadable: Keys whose item breaks the schema, or is of a later release.
        newer: Those of them whose item is of a later release: it may be a session like any other.
    """

    found: dict[Key, Session | Revocation] = field(default_factory=dict)
    unreadable: set[Key] = field(default_factory=set)
    newer: set[Key] = field(default_factory=set)

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
        self._store = store
        self._partitions = PartitionReader(
            client, table_name, batch_statements=batch_statements, concurrency=concurrency
        )

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
                if isinstance(error, NewerFormatError):
                    items.newer.add(key)
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
        found = self._partitions.read(_CUSTOMERS_SESSIONS, partitions, most=most)
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
        found = self._partitions.read(_CHILDREN, partitions, most=most)
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
        for partition, items in self._partitions.read(_FAMILIES, partitions, most=most).items():
            pages = [items] if items is not None else self._partitions.pages(_FAMILIES, partition)
            families[partitions[partition]] = [session for page in pages for session in _sessions_in(page)]
        return families

    def find_family_keys(self, partitions: Collection[str]) -> set[Key]:
        """Read the keys of everything in partitions of sessions, readable or not; strongly consistent."""
        found = self._partitions.read(_FAMILY_KEYS, partitions, most=1_000_000_000)
        return {key_of(item) for items in found.values() for item in items or ()}

    def page_children(self, session_id: str) -> Iterator[list[Session]]:
        """Read the child sessions of one session page by page, as they are asked for; strongly consistent."""
        for page in self._partitions.pages(_CHILDREN, partition_of(session_id)):
            yield list(_children_in(page))

    def find_parents(self, session_id: str) -> dict[str, Session]:
        """Read the top-level sessions of one id, by customer; strongly consistent."""
        items = [item for page in self._partitions.pages(_PARENTS, partition_of(session_id)) for item in page]
        return {parent.customer_id: parent for parent in _sessions_in(items) if parent.customer_id is not None}

    def find_children_by_id(self, session_ids: Collection[str], *, most: int = 100) -> dict[str, list[Session]]:
        """Find child sessions by their own ids: the index is eventually consistent, the items read are not.

        A child of the original schema gets the customer of its parent, which is attached.

        Args:
            session_ids: Ids of child sessions.
            most: Most parents that a child's id is looked for under.
        """
        partitions = {child_sort_key(session_id): session_id for session_id in session_ids}
        found = self._partitions.read(_CHILDREN_BY_ID, partitions, most=most)
        keys = {key_of(item) for items in found.values() for item in items or ()}
        children: dict[str, list[Session]] = {}
        for child in self.read_items(keys).sessions.values() if keys else ():
            if child.has_login:
                owned = child if child.customer_id is not None else self._with_parent(child)
                children.setdefault(child.session_id, []).append(owned)
        return children

    def _with_parent(self, child: Session) -> Session:
        return with_parent(child, self.find_parents(child.parent_session_id or ""))


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
