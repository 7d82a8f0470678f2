"""Touch the items of the register: their `version` goes up, and nothing else changes.

The stream then shows each item once more, and its readers work it out anew: the projector reads it, and the publisher
publishes the present state again. For a restored table, a table that was there before the stack, or a new reader.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum

from processors.aws.conditional_writes import Item
from processors.aws.item_store import Decision
from processors.session_table import SessionTable
from schemas import attributes as read
from schemas.errors import MalformedItemError, NewerFormatError
from schemas.item_mapping import read_item
from schemas.items import Session
from schemas.keys import Key


class Touch(StrEnum):
    """What became of an item that was to be touched."""

    TOUCHED = "touched"
    GONE = "gone"
    """It was deleted since its key was read."""
    FOREIGN = "foreign"
    """Another writer's: nothing of this project's."""
    NEWER_FORMAT = "newer_format"
    """A later release wrote it."""
    UNREADABLE = "unreadable"
    """It breaks the schema."""
    WITHOUT_LOGIN_TIME = "without_login_time"
    """Of the original schema, without a login time: with a `version` it would no longer be a session with a login."""
    NOT_WRITTEN = "not_written"
    """Races were lost, or the table was throttled, again and again: touch it later."""


def touch(sessions: SessionTable, keys: Collection[Key]) -> dict[Key, Touch]:
    """Touch items by key, each under the version read; touching one twice is harmless.

    Sessions, child sessions, tombstones and revocations are touched. What is not this release's to write is left alone.

    Args:
        sessions: The register.
        keys: Primary keys of its items.

    Returns:
        What became of each.
    """
    return dict.fromkeys(keys, Touch.NOT_WRITTEN) | sessions.store.converge(keys, _decide)


def _decide(stored: Mapping[Key, Item | None]) -> dict[Key, Decision[Touch]]:
    return {key: decide_touch(item) for key, item in stored.items()}


def decide_touch(stored: Item | None) -> Decision[Touch]:
    """Decide whether an item is touched; pure.

    Args:
        stored: The item as read, or None where there is none.
    """
    if stored is None:
        return Decision(None, Touch.GONE)
    try:
        item = read_item(stored)
    except NewerFormatError:
        return Decision(None, Touch.NEWER_FORMAT)
    except MalformedItemError:
        return Decision(None, Touch.UNREADABLE)
    if item is None:
        return Decision(None, Touch.FOREIGN)
    if isinstance(item, Session) and item.last_login_time is None and read.number(stored, "version") is None:
        return Decision(None, Touch.WITHOUT_LOGIN_TIME)
    # the store writes what differs from what was read, and that is the version alone
    return Decision({name: value for name, value in stored.items() if name != "version"}, Touch.TOUCHED)
