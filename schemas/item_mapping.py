"""Reads and writes items of the sessions table: attribute maps of DynamoDB's API to sessions and revocations, and back.

Items of the original AWS session-management schema (no `version`, no `expires_at`, times without zone) are read, too.
Attributes that are not listed here belong to other writers of the table: they are neither read nor written.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from schemas import attributes as read
from schemas.attributes import Attributes
from schemas.errors import MalformedItemError, NewerFormatError
from schemas.items import ACTIVE, Revocation, Session
from schemas.keys import (
    CHILD_PREFIX,
    CUSTOMER_PREFIX,
    MAX_ENCODED_ID_BYTES,
    REVOKED_PREFIX,
    SESSION_PREFIX,
    Key,
    decode_id,
    encode_id,
)
from schemas.times import format_rfc3339, from_epoch_seconds, to_epoch_seconds

ITEM_FORMAT = 1
"""The greatest `item_format` that is read here; an item without one has format 1, and is written without one."""


class _Kind(NamedTuple):
    """How an attribute is stored."""

    type: str
    read: Callable[[Attributes, str], Any]
    write: Callable[[Any], str]


def _read_epoch_seconds(attributes: Attributes, name: str) -> datetime | None:
    seconds = read.number(attributes, name)
    try:
        return None if seconds is None else from_epoch_seconds(seconds)
    except (ValueError, OverflowError, OSError):
        return None


_TEXT = _Kind("S", read.text, str)
_TIME = _Kind("S", read.time, format_rfc3339)
_NUMBER = _Kind("N", read.number, str)
_EPOCH_SECONDS = _Kind("N", _read_epoch_seconds, lambda moment: str(to_epoch_seconds(moment)))

_SESSION_IDS = {"session_id": _TEXT, "customer_id": _TEXT, "parent_session_id": _TEXT}
_SESSION_FIELDS = {
    "session_state": _TEXT,
    "end_reason": _TEXT,
    "access_token_sha256": _TEXT,
    "client_ip": _TEXT,
    "user_agent": _TEXT,
    "device_id": _TEXT,
    "country": _TEXT,
    "source": _TEXT,
    "last_login_event_id": _TEXT,
    "ended_event_id": _TEXT,
    "started_at": _TIME,
    "last_login_time": _TIME,
    "ended_at": _TIME,
    "expires_at": _EPOCH_SECONDS,
    "ttl": _NUMBER,
}
_REVOCATION_FIELDS = {
    "except_session_id": _TEXT,
    "other_except_session_id": _TEXT,
    "revoked_at": _TIME,
    "other_revoked_at": _TIME,
    "ttl": _NUMBER,
}
_SESSION_ATTRIBUTES = _SESSION_IDS | _SESSION_FIELDS
_REVOCATION_ATTRIBUTES = {"customer_id": _TEXT} | _REVOCATION_FIELDS

OWNED_ATTRIBUTES: Mapping[str, str] = {
    name: kind.type for name, kind in (_SESSION_ATTRIBUTES | _REVOCATION_ATTRIBUTES).items()
} | {"access_token": "S"}
"""Our attributes with their types, `version` and the keys apart: a write removes those that it does not set.

`access_token` is the original schema's; no token is stored here. The list only grows.
"""


def key_of(attributes: Attributes) -> Key:
    """Primary key of an item or an image.

    Raises:
        MalformedItemError: It has none.
    """
    try:
        return Key(read.require_text(attributes, "PK"), read.require_text(attributes, "SK"))
    except (MalformedItemError, AttributeError):
        raise MalformedItemError("an item without the string keys PK and SK") from None


def read_item(attributes: Attributes) -> Session | Revocation | None:
    """Read an item of the sessions table.

    An attribute of another type than ours is another writer's: it is read as absent.

    Returns:
        What it holds, or None where it is nothing of ours: the table may hold items of others.

    Raises:
        NewerFormatError: A later release wrote the item.
        MalformedItemError: The keys are missing, or an id is empty, too long or no text.
    """
    key = key_of(attributes)
    if key.pk.startswith(SESSION_PREFIX) and key.sk is not None:
        id_in_partition = decode_id(key.pk[len(SESSION_PREFIX) :])
        if key.sk.startswith(CUSTOMER_PREFIX):
            return _read_session(attributes, key, id_in_partition, decode_id(key.sk[len(CUSTOMER_PREFIX) :]), None)
        if key.sk.startswith(CHILD_PREFIX):
            child_id = decode_id(key.sk[len(CHILD_PREFIX) :])
            return _read_session(attributes, key, child_id, read.text(attributes, "customer_id"), id_in_partition)
    if key.pk.startswith(CUSTOMER_PREFIX) and key.sk is not None and key.sk.startswith(REVOKED_PREFIX):
        return _read_revocation(attributes, key, decode_id(key.sk[len(REVOKED_PREFIX) :]))
    return None


def _check(attributes: Attributes, key: Key, *ids: str | None) -> None:
    """Refuse an item of a later release, and ids that no key could hold.

    Reading such an id again would fail everything that is read with it.
    """
    if (read.number(attributes, "item_format") or ITEM_FORMAT) > ITEM_FORMAT:
        raise NewerFormatError(f"item {key.pk} / {key.sk} has a greater item_format than {ITEM_FORMAT}")
    for identifier in ids:
        if identifier is not None and not _fits_a_key(identifier):
            raise MalformedItemError(f"item {key.pk} / {key.sk} breaks the schema: an id is empty, too long or no text")


def _fits_a_key(identifier: str) -> bool:
    try:
        return 0 < len(encode_id(identifier)) <= MAX_ENCODED_ID_BYTES
    except UnicodeEncodeError:  # half of a surrogate pair, which no table holds
        return False


def _read_session(
    attributes: Attributes, key: Key, session_id: str, customer_id: str | None, parent_session_id: str | None
) -> Session:
    _check(attributes, key, session_id, customer_id, parent_session_id)
    fields = {name: kind.read(attributes, name) for name, kind in _SESSION_FIELDS.items() if name in attributes}
    fields["started_at"] = fields.get("started_at") or fields.get("last_login_time")
    fields["session_state"] = fields.get("session_state") or ACTIVE
    return Session(
        session_id=session_id,
        customer_id=customer_id,
        parent_session_id=parent_session_id,
        version=read.number(attributes, "version"),
        **fields,
    )


def _read_revocation(attributes: Attributes, key: Key, customer_id: str) -> Revocation | None:
    _check(attributes, key, customer_id)
    fields = {name: kind.read(attributes, name) for name, kind in _REVOCATION_FIELDS.items() if name in attributes}
    if fields.get("revoked_at") is None:
        return None
    return Revocation(customer_id=customer_id, version=read.number(attributes, "version"), **fields)


def write_item(value: Session | Revocation) -> dict[str, dict[str, Any]]:
    """Write a session or a revocation as an item; None is left out, and `version` is the store's to set."""
    pk, sk = value.key
    item: dict[str, dict[str, Any]] = {"PK": {"S": pk}, "SK": {"S": sk}}
    for name, kind in (_SESSION_ATTRIBUTES if isinstance(value, Session) else _REVOCATION_ATTRIBUTES).items():
        content = getattr(value, name)
        if content is not None:
            item[name] = {kind.type: kind.write(content)}
    return item
