"""The agenda of expiries: sessions packed into items by the slot in which they run out. Pure.

An item's key holds the hash of its content: it is never written again with another, so that deleting it after its
sessions were published loses none that was added meanwhile.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from schemas.attributes import Attributes
from schemas.errors import MalformedItemError
from schemas.items import ACTIVE, Session
from schemas.keys import SESSION_PREFIX, Key
from schemas.times import to_epoch_seconds

SLOT_SECONDS = 5
MOST_ENTRIES = 100
"""Sessions in one item: at two keys of at most 1,024 bytes each, half of DynamoDB's 400 KB."""

PARTITIONS = tuple(f"due#{digit}" for digit in "0123456789abcdef")

_HASH_DIGITS = 16
_SLOT_DIGITS = 12
_MAX_PARTITION_KEY_BYTES = 2048
_MAX_SORT_KEY_BYTES = 1024


class Entry(NamedTuple):
    """A session that runs out.

    Args:
        pk: Partition key of the session's item.
        sk: Its sort key.
        expires_at: Epoch seconds.
    """

    pk: str
    sk: str
    expires_at: int

    @property
    def key(self) -> Key:
        """Primary key of the session's item."""
        return Key(self.pk, self.sk)


@dataclass(frozen=True, slots=True)
class AgendaItem:
    """Sessions that run out in one slot.

    Args:
        key: Primary key of the item.
        slot: First second of the slot, epoch seconds.
        entries: The sessions.
        malformed: What is in the place of an entry and is none.
    """

    key: Key
    slot: int
    entries: tuple[Entry, ...]
    malformed: tuple[Any, ...] = ()

    @property
    def slot_end(self) -> int:
        """First second after the slot, epoch seconds."""
        return self.slot + SLOT_SECONDS


def pack(sessions: Iterable[Session]) -> list[AgendaItem]:
    """Pack sessions, each with `expires_at`, into items: one for each slot, or several where one holds too many.

    The same sessions in the same versions give the same items, in whatever order and however often they are named. The
    hash counts the versions, too: a session that changes and changes back comes under another key.
    """
    versions: dict[Entry, int] = {}
    for session in sessions:
        if session.expires_at is not None:
            entry = Entry(session.key.pk, session.key.sk or "", to_epoch_seconds(session.expires_at))
            versions[entry] = max(session.version or 0, versions.get(entry, 0))
    slots: dict[int, list[Entry]] = defaultdict(list)
    for entry in sorted(versions):
        slots[max(0, entry.expires_at - entry.expires_at % SLOT_SECONDS)].append(entry)
    packed = [
        (slot, entries[start : start + MOST_ENTRIES])
        for slot, entries in slots.items()
        for start in range(0, len(entries), MOST_ENTRIES)
    ]
    return [_item(slot, part, [versions[entry] for entry in part]) for slot, part in packed]


def remainder(item: AgendaItem, entries: Sequence[Entry]) -> AgendaItem:
    """Make the item of those entries of another that are still to be published."""
    return _item(item.slot, entries, item.key.sk)


def is_due(session: Session, item: AgendaItem) -> bool:
    """Whether a session, as stored now, ran out in an item's slot or before: it is active, and was not extended."""
    is_active = session.has_login and session.session_state == ACTIVE
    return is_active and session.expires_at is not None and to_epoch_seconds(session.expires_at) < item.slot_end


def first_future_slot(now: int) -> int:
    """Return the first slot that is not to be worked on: those before it ended at least two seconds ago.

    Args:
        now: Epoch seconds.
    """
    return (now - 2) // SLOT_SECONDS * SLOT_SECONDS


def sort_key_of_slot(slot: int) -> str:
    """Return what the sort keys of a slot's items begin with; texts sort as the slots do."""
    return f"{slot:0{_SLOT_DIGITS}}"


def write_agenda_item(item: AgendaItem) -> dict[str, Any]:
    """Write an item as DynamoDB's API has it."""
    entries = [{"L": [{"S": entry.pk}, {"S": entry.sk}, {"N": str(entry.expires_at)}]} for entry in item.entries]
    return {"PK": {"S": item.key.pk}, "SK": {"S": item.key.sk}, "entries": {"L": entries}}


def read_agenda_item(attributes: Attributes) -> AgendaItem:
    """Read an item. What is in the place of an entry, but could not be one, is kept as `malformed`.

    Raises:
        MalformedItemError: It names no slot, or has no list of entries.
    """
    key = Key(attributes["PK"]["S"], attributes["SK"]["S"])
    slot, _, _ = str(key.sk).partition("#")
    entries = attributes.get("entries", {}).get("L")
    if not (slot.isascii() and slot.isdecimal() and len(slot) == _SLOT_DIGITS) or not isinstance(entries, list):
        raise MalformedItemError(f"agenda item {key.pk} / {key.sk} breaks the schema")
    read = [_read_entry(entry) for entry in entries]
    return AgendaItem(
        key,
        int(slot),
        tuple(entry for entry in read if entry is not None),
        tuple(raw for raw, entry in zip(entries, read, strict=True) if entry is None),
    )


def _item(slot: int, entries: Sequence[Entry], origin: object) -> AgendaItem:
    digest = sha256(json.dumps([slot, entries, origin]).encode()).hexdigest()
    return AgendaItem(
        Key(f"due#{digest[0]}", f"{sort_key_of_slot(slot)}#{digest[:_HASH_DIGITS]}"), slot, tuple(entries)
    )


def _read_entry(raw: Any) -> Entry | None:
    """Read an entry whose key DynamoDB would take: one that it does not take would fail all that is read with it."""
    try:
        pk, sk, expires_at = raw["L"]
        entry = Entry(pk["S"], sk["S"], int(expires_at["N"]))
        is_key = (
            entry.pk.startswith(SESSION_PREFIX)
            and len(entry.pk.encode()) <= _MAX_PARTITION_KEY_BYTES
            and 0 < len(entry.sk.encode()) <= _MAX_SORT_KEY_BYTES
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return entry if is_key else None
