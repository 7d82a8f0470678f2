"""Records of the sessions table's stream, as Lambda hands them over.

Source: "DynamoDB Streams record contents" (StreamRecord). SequenceNumber is a decimal string of 21 to 40 digits.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.errors import MalformedItemError
from schemas.item_mapping import read_item
from schemas.items import Revocation, Session

TTL_PRINCIPAL = "dynamodb.amazonaws.com"
"""Who removes items whose TTL has passed. Source: DynamoDB Developer Guide, "DynamoDB Streams and Time to Live"."""

_MOST_DIGITS = 40
_LATEST_CREATION = 253_402_300_799
"""9999-12-31T23:59:59Z."""


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A change of one item.

    Args:
        event_name: `INSERT`, `MODIFY` or `REMOVE`.
        sequence_number: Position in the shard; kept as given, compared as an integer.
        created_at: Epoch seconds, by DynamoDB's clock; it may be rounded down to the second. Zero where unknown.
        after: The item after the change; None where it was removed, or its key is not one of ours.
        goes_backwards: Whether the change lowered `version` or `expires_at`, as restoring an older item does.
        removed_by_ttl: Whether DynamoDB's TTL removed the item.
        old_image: The item before, as attribute map; None where there was none. Of a change it is as it came: not read.
        new_image: The item after, as attribute map; None where it was removed.
    """

    event_name: str
    sequence_number: str
    created_at: float
    after: Session | Revocation | None
    goes_backwards: bool
    removed_by_ttl: bool
    old_image: Mapping[str, Any] | None
    new_image: Mapping[str, Any] | None = None

    @property
    def is_removal(self) -> bool:
        """Whether the item was removed."""
        return self.event_name == "REMOVE"


def lowest_sequence_number(numbers: Collection[str]) -> str | None:
    """Return the lowest by value; None of none. A record without number fails its whole batch, so it comes first."""
    return min(numbers, key=lambda number: int(number) if number else -1, default=None)


def sequence_number_of(record: object) -> str:
    """Read a record's sequence number, which names it in a partial batch response; empty where it has none."""
    change = record.get("dynamodb") if isinstance(record, dict) else None
    number = change.get("SequenceNumber") if isinstance(change, dict) else None
    is_number = isinstance(number, str) and number.isascii() and number.isdecimal() and len(number) <= _MOST_DIGITS
    return str(number) if is_number else ""


def read_record(record: object) -> StreamRecord:
    """Read one record of a Lambda event.

    Raises:
        MalformedItemError: It is not a stream record, has not the images of NEW_AND_OLD_IMAGES, its image is not a map
            of attributes, or the new one breaks the schema.
    """
    sequence_number = sequence_number_of(record)
    try:
        fields: Any = record
        change = fields["dynamodb"]
        event_name = fields["eventName"]
        created_at = float(change.get("ApproximateCreationDateTime") or 0)
        new_image, old_image = change.get("NewImage"), change.get("OldImage")
        identity = fields.get("userIdentity")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise MalformedItemError(f"not a DynamoDB stream record ({type(error).__name__})") from None
    if not sequence_number:
        raise MalformedItemError("a stream record without sequence number")
    image = old_image if event_name == "REMOVE" else new_image
    if image is None:
        raise MalformedItemError("a stream record without its image: StreamViewType has to be NEW_AND_OLD_IMAGES")
    if not isinstance(image, Mapping):
        raise MalformedItemError("a stream record with an image that is not a map of attributes")
    if not 0 <= created_at <= _LATEST_CREATION:  # also rejects NaN and infinity
        raise MalformedItemError("a stream record with an impossible ApproximateCreationDateTime")
    return StreamRecord(
        event_name=event_name,
        sequence_number=sequence_number,
        created_at=created_at,
        after=None if new_image is None else read_item(new_image),
        goes_backwards=any(_went_down(old_image, new_image, name) for name in ("version", "expires_at")),
        removed_by_ttl=isinstance(identity, dict) and identity.get("principalId") == TTL_PRINCIPAL,
        old_image=old_image,
        new_image=new_image,
    )


def _went_down(old_image: Any, new_image: Any, name: str) -> bool:
    """Whether a number of the item is lower than before, or gone; what is not a number is not compared."""
    try:
        before = int(old_image[name]["N"])
    except (TypeError, ValueError, KeyError, OverflowError):
        return False
    try:
        return int(new_image[name]["N"]) < before
    except (TypeError, ValueError, KeyError, OverflowError):
        return new_image is not None
