"""Records of the sessions table's stream, as Lambda hands them over.

Source: "DynamoDB Streams record contents" (StreamRecord). SequenceNumber is a decimal string of 21 to 40 digits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.errors import MalformedItemError
from schemas.items import Revocation, Session, read_item

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
        after: What the item holds now; None where it is gone, or of no kind known here.
        old_image: The item before, as attribute map, or None.
    """

    event_name: str
    sequence_number: str
    created_at: float
    after: Session | Revocation | None
    old_image: Mapping[str, Any] | None

    @property
    def before(self) -> Session | Revocation | None:
        """What the item held before; read on demand, as nothing on the hot path needs it.

        Raises:
            MalformedItemError: The image breaks the schema.
        """
        return None if self.old_image is None else read_item(self.old_image)


def sequence_number_of(record: object) -> str:
    """Read a record's sequence number, which names it in a partial batch response; empty where it has none."""
    change = record.get("dynamodb") if isinstance(record, dict) else None
    number = change.get("SequenceNumber") if isinstance(change, dict) else None
    is_number = isinstance(number, str) and number.isascii() and number.isdecimal() and len(number) <= _MOST_DIGITS
    return str(number) if is_number else ""


def read_record(record: object) -> StreamRecord:
    """Read one record of a Lambda event.

    Raises:
        MalformedItemError: It is no stream record, or its new image breaks the schema.
    """
    sequence_number = sequence_number_of(record)
    try:
        fields: Any = record
        change = fields["dynamodb"]
        event_name = fields["eventName"]
        created_at = float(change.get("ApproximateCreationDateTime") or 0)
        new_image, old_image = change.get("NewImage"), change.get("OldImage")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise MalformedItemError(f"not a DynamoDB stream record ({type(error).__name__})") from None
    if not sequence_number:
        raise MalformedItemError("a stream record without sequence number")
    if not 0 <= created_at <= _LATEST_CREATION:  # what is not finite neither
        raise MalformedItemError("a stream record with an impossible ApproximateCreationDateTime")
    return StreamRecord(
        event_name=event_name,
        sequence_number=sequence_number,
        created_at=created_at,
        after=None if new_image is None else read_item(new_image),
        old_image=old_image,
    )
