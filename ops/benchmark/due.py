"""Sessions that run out in one minute, a million of them in little memory.

The register makes an item when it is read, and the agenda keeps its items as text: as objects of Python they would take
gigabytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ops.dynamodb_double.tables import Item, ItemKey
from processors.life_cycle.agenda import MOST_ENTRIES, pack, write_agenda_item
from schemas.item_mapping import write_item
from schemas.items import Session
from schemas.times import from_epoch_seconds

MINUTE_SECONDS = 60
_LIFETIME_SECONDS = 43_200
_CUSTOMERS = 10_000
_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)


def due_session(number: int, first_expiry: int, count: int) -> Session:
    """Return one of `count` sessions that run out evenly over a minute, of usual size.

    Args:
        number: Which, from 0.
        first_expiry: When the first runs out, epoch seconds.
        count: How many there are.
    """
    expires_at = first_expiry + number * MINUTE_SECONDS // count
    began = from_epoch_seconds(expires_at - _LIFETIME_SECONDS)
    customer_id = f"customer-{number % _CUSTOMERS:05d}"
    return Session(
        session_id=f"5f0c1b7e-8f7a-4c3e-9d55-{number:012d}",
        customer_id=customer_id,
        started_at=began,
        last_login_time=began,
        expires_at=from_epoch_seconds(expires_at),
        access_token_sha256="0" * 64,
        client_ip=f"198.51.100.{number % 250}",
        user_agent=_AGENT,
        device_id=f"device-{customer_id}",
        country="GB",
        source="auth.example.com",
        last_login_event_id=f"0b9de1e4-55a8-4a5e-8a67-{number:012d}",
        ttl=expires_at + 1_296_600,
        version=expires_at * 1000,
    )


def agenda_of(count: int, first_expiry: int) -> Iterator[Item]:
    """Return the agenda's items of such sessions, packed from batches of a hundred."""
    for start in range(0, count, MOST_ENTRIES):
        numbers = range(start, min(count, start + MOST_ENTRIES))
        for item in pack(due_session(number, first_expiry, count) for number in numbers):
            yield write_agenda_item(item)


class DueSessions(dict[ItemKey, Item]):
    """The items of such sessions, each made when it is read; what is written is not kept.

    Args:
        count: How many there are.
        first_expiry: When the first runs out, epoch seconds.
    """

    def __init__(self, count: int, first_expiry: int) -> None:
        super().__init__()
        self._count = count
        self._first_expiry = first_expiry

    def get(self, key: ItemKey, default: Any = None) -> Any:
        """Make an item."""
        session = due_session(int(key[0][-12:]), self._first_expiry, self._count)
        keys = {"PK": {"S": key[0]}, "SK": {"S": key[1]}, "version": {"N": str(session.version)}}
        return {**write_item(session), **keys}


class ItemsAsText(dict[ItemKey, Any]):
    """Items by key, kept as JSON."""

    def __setitem__(self, key: ItemKey, item: Item) -> None:
        """Keep an item."""
        super().__setitem__(key, json.dumps(item, separators=(",", ":")))

    def __getitem__(self, key: ItemKey) -> Any:
        """Read an item."""
        return json.loads(super().__getitem__(key))

    def get(self, key: ItemKey, default: Any = None) -> Any:
        """Read an item, if it is there."""
        text = super().get(key)
        return default if text is None else json.loads(text)
