"""What a stream record says about a session's life: pure. At most one event of each record, and one agenda entry."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from schemas import attributes as read
from schemas.item_mapping import read_item
from schemas.items import ACTIVE, Session
from schemas.life_cycle import (
    ENDED,
    EXPIRED,
    MEMBERS,
    REFRESHED,
    STARTED,
    Over,
    detail_of,
    over_as_of,
    with_ids_only,
)
from schemas.stream import StreamRecord
from schemas.times import from_epoch_milliseconds

DELETED = "deleted"
"""The `over_reason` of a session whose item was removed while it was active."""

EXPIRY_MARGIN = timedelta(seconds=60)
"""A refresh later than this before the old expiry is always published: the expiry may have been, or soon be."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a session's item.

    Args:
        old: The session before; None where there was none.
        new: The session after; None where the item was removed.
        created_at: The record's creation by DynamoDB's clock, aware UTC; it may be rounded down to the second.
        removed_by_ttl: Whether DynamoDB's TTL removed the item.
        is_touch: Whether `version` alone changed, which asks for the present state to be published again.
    """

    old: Session | None
    new: Session | None
    created_at: datetime
    removed_by_ttl: bool = False
    is_touch: bool = False

    @property
    def session(self) -> Session | None:
        """The session, as it is or was."""
        return self.new or self.old

    @property
    def is_told(self) -> bool:
        """Whether anything changed that an event shows, or the item was touched."""
        if self.is_touch or self.old is None or self.new is None:
            return True
        return any(getattr(self.old, name) != getattr(self.new, name) for name in (*MEMBERS, "session_state"))


@dataclass(frozen=True, slots=True)
class Transition:
    """A life-cycle event to publish.

    Args:
        detail: The event's `detail`.
        is_optional: Whether it is a refresh that the bus only gets where the settings ask for it.
    """

    detail: dict[str, Any]
    is_optional: bool = False


def change_of(record: StreamRecord) -> Change:
    """Read the change of a session out of a stream record; of another item it has neither old nor new session.

    Raises:
        MalformedItemError: The old image breaks the schema, or is of a later release.
    """
    old = read_item(record.old_image) if record.old_image is not None else None
    return Change(
        old=old if isinstance(old, Session) else None,
        new=record.after if isinstance(record.after, Session) else None,
        created_at=from_epoch_milliseconds(round(record.created_at * 1000)),
        removed_by_ttl=record.removed_by_ttl,
        is_touch=_is_touch(record.old_image, record.new_image),
    )


def transition_of(change: Change, *, is_erased: bool = False) -> Transition | None:
    """Decide which life-cycle event a change makes.

    Args:
        change: The change.
        is_erased: Whether the session is an erased customer's: its end alone is published, with its ids alone.

    Returns:
        None where there is nothing to publish.
    """
    transition = _transition(change) if change.is_told else None
    if transition is None or not is_erased:
        return transition
    return Transition(with_ids_only(transition.detail)) if transition.detail["kind"] == ENDED else None


def expiry_to_note(change: Change) -> Session | None:
    """Return the session whose expiry has to be put on the agenda; None where it is there already, or never comes."""
    old, new = change.old, change.new
    if new is None or not _is_active(new) or new.expires_at is None:
        return None
    known = old.expires_at if old is not None and _is_active(old) else None
    return new if change.is_touch or new.expires_at != known else None


def _transition(change: Change) -> Transition | None:
    new = change.new
    if new is None:
        return _removal(change)
    if not new.has_login and not _named_no_login(change.old):
        return None
    over = over_as_of(new, change.created_at)
    if new.session_state != ACTIVE:
        return Transition(detail_of(ENDED, new, occurred_at=new.ended_at or change.created_at, over=over))
    occurred_at = new.last_login_time or change.created_at
    if change.old is None or change.old.version is None or not change.old.has_login:
        return Transition(detail_of(STARTED, new, occurred_at=occurred_at, over=over))
    is_optional = not (change.is_touch or _may_have_ended(change.old, change.created_at))
    return Transition(detail_of(REFRESHED, new, occurred_at=occurred_at, over=over), is_optional)


def _removal(change: Change) -> Transition | None:
    """A removed session ends where it was active, and DynamoDB did not remove it after its time."""
    old = change.old
    if old is None or not _is_active(old) or (change.removed_by_ttl and old.expires_at is not None):
        return None
    over = Over(change.created_at, DELETED)
    if old.expires_at is not None and old.expires_at < change.created_at:
        over = Over(old.expires_at, EXPIRED)
    removed = replace(old, version=(old.version or 0) + 1)
    return Transition(detail_of(ENDED, removed, occurred_at=change.created_at, over=over))


def _named_no_login(old: Session | None) -> bool:
    """Whether it was of the original schema, without a login: once ended, it looks like a tombstone."""
    return old is not None and old.has_login and old.last_login_time is None


def _is_active(session: Session) -> bool:
    return session.has_login and session.session_state == ACTIVE


def _may_have_ended(old: Session, created_at: datetime) -> bool:
    """Whether readers may think the session over: it was ended, or its expiry has been published or is about to be."""
    has_expired = old.expires_at is not None and created_at >= old.expires_at - EXPIRY_MARGIN
    return has_expired or old.session_state != ACTIVE


def _is_touch(old_image: Mapping[str, Any] | None, new_image: Mapping[str, Any] | None) -> bool:
    if old_image is None or new_image is None or old_image.get("version") == new_image.get("version"):
        return False
    names = (old_image.keys() | new_image.keys()) - {"version"}
    return read.number(new_image, "version") is not None and all(
        old_image.get(name) == new_image.get(name) for name in names
    )
