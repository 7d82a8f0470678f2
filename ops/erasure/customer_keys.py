"""Where a customer's items are in the register: what the projection and the index name, their children, or a scan."""

from collections.abc import Collection
from typing import Any, NamedTuple

from processors.session_table import SessionTable
from schemas.item_mapping import key_of
from schemas.keys import CHILD_PREFIX, CUSTOMER_PREFIX, Key, customer_partition, revocation_key, session_key

_ALL = 1_000_000_000


class CustomerKeys(NamedTuple):
    """Keys of what may be a customer's.

    Args:
        children: Child sessions, each with the customer that it belongs to where its item names none: of the original
            schema, the only one who has a session of its parent's id.
        sessions: Top-level sessions.
        revocation: The customer's revocation.
    """

    children: dict[Key, str | None]
    sessions: dict[Key, str | None]
    revocation: dict[Key, str | None]


def find_keys(
    sessions: SessionTable, customer_id: str, *, named: Collection[str], scanned: Collection[Key] = ()
) -> CustomerKeys:
    """Find the keys of what may be a customer's: of items that another customer owns as well.

    Args:
        sessions: The register.
        customer_id: The customer.
        named: Ids of sessions that the projection names.
        scanned: Keys that a scan found.

    Raises:
        ReadError: A table could not be read.
    """
    indexed = sessions.reader.find_session_keys([customer_id], most=_ALL)[customer_id] or ()
    own = {key for key in scanned if key.sk is not None and key.sk.startswith(CUSTOMER_PREFIX)}
    tops = {session_key(session_id, customer_id) for session_id in named} | own | set(indexed)
    family = sessions.reader.find_family_keys({key.pk for key in tops})
    customers: dict[str, set[str]] = {}
    for key in family:
        if key.sk is not None and key.sk.startswith(CUSTOMER_PREFIX):
            customers.setdefault(key.pk, set()).add(key.sk)
    sole = {customer_partition(customer_id)}
    found = {*family, *scanned}
    children = {
        key: customer_id if customers.get(key.pk) == sole else None
        for key in found
        if key.sk is not None and key.sk.startswith(CHILD_PREFIX)
    }
    return CustomerKeys(children, dict.fromkeys(tops), {revocation_key(customer_id): None})


def scan_for(sessions: SessionTable, customer_id: str) -> list[Key]:
    """Scan the register for a customer's sessions and child sessions; strongly consistent, and as long as the table.

    Raises:
        ClientError: The service refused.
        BotoCoreError: It could not be reached.
    """
    store = sessions.store
    pages: Any = store.client.get_paginator("scan")
    found = pages.paginate(
        TableName=store.table_name,
        ConsistentRead=True,
        ProjectionExpression="PK, SK",
        FilterExpression="SK = :own OR (customer_id = :customer AND begins_with(SK, :child))",
        ExpressionAttributeValues={
            ":own": {"S": customer_partition(customer_id)},
            ":customer": {"S": customer_id},
            ":child": {"S": CHILD_PREFIX},
        },
    )
    return [key_of(item) for page in found for item in page["Items"]]
