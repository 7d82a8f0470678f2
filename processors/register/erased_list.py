"""Who was erased, and what of the register that covers: pure.

What occurred up to a customer's erasure is passed over, however late it arrives. A login after it is a new customer's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import TypeVar

from schemas.errors import MalformedItemError
from schemas.item_mapping import read_item
from schemas.items import Revocation, Session
from schemas.projection_items import Projection
from schemas.stream import StreamRecord

Item = TypeVar("Item", Session, Revocation, Session | Revocation)


@dataclass(frozen=True, slots=True)
class ErasedList:
    """The list of erased customers, as read at some time.

    Args:
        erased_at: Up to when each customer is erased, aware UTC; by the SHA-256 of the customer id in hex.
    """

    erased_at: Mapping[str, datetime] = field(default_factory=dict)

    @classmethod
    def of(cls, customer_id: str, erased_at: datetime) -> "ErasedList":
        """Make the list of one customer, who is erased up to a time (aware UTC)."""
        return cls({hash_of(customer_id): erased_at})

    def erased_at_of(self, customer_id: str | None) -> datetime | None:
        """Return up to when a customer is erased, aware UTC; None where the customer is not."""
        if not self.erased_at or customer_id is None:
            return None
        return self.erased_at.get(hash_of(customer_id))

    def has_event(self, customer_id: str | None, occurred_at: datetime) -> bool:
        """Whether an event of a customer occurred at or before the erasure."""
        erased_at = self.erased_at_of(customer_id)
        return erased_at is not None and occurred_at <= erased_at

    def has_session(self, session: Session, customer_id: str | None = None) -> bool:
        """Whether a session's newest login is not after the erasure, whenever it ended; of a tombstone its end.

        Args:
            session: The session, child session or tombstone.
            customer_id: Its customer, where the item does not name one.
        """
        newest = session.last_login_time or session.started_at or session.ended_at
        erased_at = self.erased_at_of(session.customer_id or customer_id)
        return erased_at is not None and (newest is None or newest <= erased_at)

    def has_revocation(self, revocation: Revocation) -> bool:
        """Whether a customer's newest revocation is not after the erasure."""
        return self.has_event(revocation.customer_id, revocation.revoked_at)

    def rest_of(self, item: Item, customer_id: str | None = None) -> Item | None:
        """Return what of an item is not erased.

        Args:
            item: As stored, or as a stream record shows it.
            customer_id: Its customer, where the item does not name one.

        Returns:
            The item itself where the erasure does not concern it. Of a session that goes on an older start is read as
            the time of the erasure; of a revocation after it the older one, with another exception, is left out. None:
            all of it is erased.
        """
        erased_at = self.erased_at_of(item.customer_id or customer_id)
        if erased_at is None:
            return item
        if isinstance(item, Revocation):
            return None if self.has_revocation(item) else _without_older_revocation(item, erased_at)
        if self.has_session(item, customer_id):
            return None
        is_older = item.started_at is not None and item.started_at < erased_at
        return replace(item, started_at=erased_at) if is_older else item

    def rest_of_record(self, record: StreamRecord) -> StreamRecord | None:
        """Return what a stream record shows that is not erased; None: it is to be passed over."""
        if not self.erased_at:
            return record
        if record.is_removal:
            return None if self._shows_removal(record) else record
        if record.after is None:
            return record
        after = self.rest_of(record.after)
        if after is record.after:
            return record
        return None if after is None else replace(record, after=after)

    def rest_of_projection(self, projection: Projection) -> Projection:
        """Return a projection without the last login and the revocation that are erased.

        Its entries stay: what became of their sessions the register says.
        """
        erased_at = self.erased_at_of(projection.customer_id)
        if erased_at is None:
            return projection
        if projection.last_login_time is not None and projection.last_login_time <= erased_at:
            projection = replace(projection, last_login_time=None, last_login_session_id=None)
        if projection.revocation is not None:
            projection = replace(projection, revocation=self.rest_of(projection.revocation))
        return projection

    def _shows_removal(self, record: StreamRecord) -> bool:
        try:
            removed = read_item(record.old_image or {})
        except MalformedItemError:
            return False  # of an item that cannot be read no login is taken
        return removed is not None and self.rest_of(removed) is None


def _without_older_revocation(revocation: Revocation, erased_at: datetime) -> Revocation:
    """Leave out the older of two revocations where it is erased: it covers only sessions that are."""
    if revocation.other_revoked_at is None or revocation.other_revoked_at > erased_at:
        return revocation
    return replace(revocation, other_revoked_at=None, other_except_session_id=None)


def hash_of(customer_id: str) -> str:
    """Return what names a customer on the list: the SHA-256 of its id in hex."""
    return sha256(customer_id.encode()).hexdigest()
