"""Items of the sessions table: sessions, child sessions, revocations.

Plain values; times are aware UTC `datetime`. `schemas.item_mapping` reads and writes their items.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from schemas.keys import Key, child_session_key, revocation_key, session_key

ACTIVE = "active"
CLOSING = "closing"
"""Over. Any state that is not known here means over as well, and is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session, or a child session where `parent_session_id` is set.

    `closing` means over: the item is a tombstone until DynamoDB deletes it. A tombstone whose login has not arrived has
    no `last_login_time`. `expires_at` is when the session runs out, floored to the second; None: an item of the
    original schema, which is live while active. `ttl` only says when the item may go.
    """

    session_id: str
    customer_id: str | None
    parent_session_id: str | None = None
    session_state: str = ACTIVE
    started_at: datetime | None = None
    last_login_time: datetime | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    ended_event_id: str | None = None
    end_reason: str | None = None
    access_token_sha256: str | None = None
    client_ip: str | None = None
    user_agent: str | None = None
    device_id: str | None = None
    country: str | None = None
    source: str | None = None
    last_login_event_id: str | None = None
    ttl: int | None = None
    version: int | None = None
    parent: "Session | None" = None
    """The parent's item, where a read of children fetched it. No attribute of the table."""

    @property
    def key(self) -> Key:
        """Primary key of the item.

        Raises:
            ValueError: A top-level session without customer has none.
        """
        if self.parent_session_id is not None:
            return child_session_key(self.parent_session_id, self.session_id)
        if self.customer_id is None:
            raise ValueError("a top-level session belongs to a customer")
        return session_key(self.session_id, self.customer_id)

    @property
    def has_login(self) -> bool:
        """Whether a login made it.

        In the original schema nothing else does, though not every item names its login: items without `version` are of
        it, and those that were only touched since: a login of ours has an expiry, a tombstone of ours an end.
        """
        is_original = self.version is None or (self.expires_at is None and self.ended_at is None)
        return self.last_login_time is not None or is_original

    def ends_after(self, ended_at: datetime, event_id: str | None) -> bool:
        """Whether an end would move this session's: it has none, or a later one.

        The law of every end: the smallest (`ended_at`, `ended_event_id`) wins, whatever order they arrive in.
        """
        if self.session_state == ACTIVE:
            return True
        if self.ended_at is None:  # ended by another writer, who did not say when
            return False
        return (self.ended_at, self.ended_event_id or "") > (ended_at, event_id or "")

    def is_live(self, now: datetime) -> bool:
        """Whether the session has a login, was not ended and has not run out; a child needs a live parent, too."""
        return (
            self.session_state == ACTIVE
            and self.has_login
            and (self.expires_at is None or now < self.expires_at)
            and (self.parent is None or self.parent.is_live(now))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """A customer's merged `logout_all` events: exact for any number of them.

    A session that began at or before `revoked_at` is revoked, unless it is `except_session_id`; that one is where it
    began at or before `other_revoked_at`, the newest revocation with another exception.
    """

    customer_id: str
    revoked_at: datetime
    except_session_id: str | None = None
    other_revoked_at: datetime | None = None
    other_except_session_id: str | None = None
    ttl: int | None = None
    version: int | None = None

    @property
    def key(self) -> Key:
        """Primary key of the item."""
        return revocation_key(self.customer_id)

    def covers(self, session_id: str, started_at: datetime) -> bool:
        """Whether the session is among those ended."""
        revoked_at = self.revoked_at if session_id != self.except_session_id else self.other_revoked_at
        return revoked_at is not None and started_at <= revoked_at


def with_parent(child: Session, parents: Mapping[str, Session]) -> Session:
    """Attach the parent's item, by the child's customer; a child of the original schema names none, so the only one."""
    parent = parents.get(child.customer_id) if child.customer_id is not None else None
    if child.customer_id is None and len(parents) == 1:
        parent = next(iter(parents.values()))
    return replace(child, parent=parent, customer_id=child.customer_id or (parent.customer_id if parent else None))
