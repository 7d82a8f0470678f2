"""Key formats of both tables, from the AWS session-management schema.

Ids are stored exactly: `#`, `%` and non-ASCII bytes are percent-encoded, so that no id can forge a key; everything
else stays readable.
"""

from typing import NamedTuple
from urllib.parse import quote, unquote

SESSION_PREFIX = "suuid#"
CUSTOMER_PREFIX = "c#"
CHILD_PREFIX = "child#suuid#"
REVOKED_PREFIX = "revoked#c#"

MAX_ENCODED_ID_BYTES = 1000
"""DynamoDB ends sort keys at 1,024 bytes; the longest prefix and a margin are subtracted."""

_UNENCODED = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in "#%")


class Key(NamedTuple):
    """Primary key of an item of either table."""

    pk: str
    sk: str | None = None
    """None where the table has no sort key."""


def encode_id(identifier: str) -> str:
    """Make an id safe to stand in a key; `decode_id` is its inverse."""
    if identifier.isascii() and "#" not in identifier and "%" not in identifier:
        return identifier
    return quote(identifier, safe=_UNENCODED)


def decode_id(encoded: str) -> str:
    """Read an id out of a key. Never fails: bytes that are not UTF-8 become U+FFFD."""
    return unquote(encoded) if "%" in encoded else encoded


def session_partition(session_id: str) -> str:
    """Partition of a session: its own items and its children."""
    return SESSION_PREFIX + encode_id(session_id)


def customer_partition(customer_id: str) -> str:
    """Partition of a customer: in the inverted index the sessions, in the projections table the one item."""
    return CUSTOMER_PREFIX + encode_id(customer_id)


def child_sort_key(session_id: str) -> str:
    """Sort key of a child session, which is its partition in the inverted index."""
    return CHILD_PREFIX + encode_id(session_id)


def session_key(session_id: str, customer_id: str) -> Key:
    """Key of a top-level session: the pair of session and customer."""
    return Key(session_partition(session_id), customer_partition(customer_id))


def child_session_key(parent_session_id: str, session_id: str) -> Key:
    """Key of a child session, under its parent's partition."""
    return Key(session_partition(parent_session_id), child_sort_key(session_id))


def revocation_key(customer_id: str) -> Key:
    """Key of a customer's revocation item (`logout_all`)."""
    return Key(customer_partition(customer_id), REVOKED_PREFIX + encode_id(customer_id))
