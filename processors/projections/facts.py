"""What a batch of stream records says about each customer: pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas.errors import MalformedItemError
from schemas.item_mapping import read_item
from schemas.items import ACTIVE, Revocation, Session
from schemas.keys import Key
from schemas.stream import StreamRecord


@dataclass(frozen=True, slots=True)
class Image:
    """A session as a stream record shows it.

    Args:
        session: The item after the change.
        created_at: Epoch seconds of the record, by DynamoDB's clock; zero where unknown.
        goes_backwards: Whether the change lowered `version` or `expires_at`: somebody restored an older item.
        sequence_number: The record.
    """

    session: Session
    created_at: float
    goes_backwards: bool = False
    sequence_number: str = ""

    @property
    def key(self) -> Key:
        """Primary key of the session's item."""
        return self.session.key

    @property
    def is_active(self) -> bool:
        """Whether it shows a session that was not ended; it may have run out."""
        return self.session.session_state == ACTIVE

    @property
    def is_top_level(self) -> bool:
        """Whether the session may be counted: child sessions are not."""
        return self.session.parent_session_id is None


@dataclass(frozen=True, slots=True)
class Removal:
    """A top-level session whose item was removed, by hand or by another writer's TTL.

    Args:
        key: The item's key.
        session_id: The session.
        created_at: Epoch seconds of the record, by DynamoDB's clock; zero where unknown.
        last_login_time: The last login of the item that was removed, aware UTC; None where it had none.
        sequence_number: The record.
    """

    key: Key
    session_id: str
    created_at: float
    last_login_time: datetime | None = None
    sequence_number: str = ""


@dataclass(slots=True)
class CustomerFacts:
    """What a batch of stream records says about one customer."""

    images: list[Image] = field(default_factory=list)
    removals: list[Removal] = field(default_factory=list)
    revocations: list[Revocation] = field(default_factory=list)
    sequence_numbers: list[str] = field(default_factory=list)

    @property
    def calls_for_policies(self) -> bool:
        """Whether a login or a `logout_all` is among them; ends alone end no other session (decision 10)."""
        return bool(self.revocations) or any(image.is_active and image.is_top_level for image in self.images)

    @property
    def are_removals_only(self) -> bool:
        """Whether nothing but removals is known: they never create a projection."""
        return not self.images and not self.revocations

    def session_keys(self) -> set[Key]:
        """List the items of the top-level sessions seen."""
        return {image.key for image in self.images if image.is_top_level} | {removal.key for removal in self.removals}

    def without(self, unreadable: Collection[Key]) -> tuple["CustomerFacts", frozenset[str]]:
        """Leave out the sessions whose items cannot be read.

        Returns:
            The other facts, and the sequence numbers of the records left out.
        """
        if not unreadable:
            return self, frozenset()
        seen: list[Image | Removal] = [*self.images, *self.removals]
        left_out = [fact.sequence_number for fact in seen if fact.key in unreadable]
        kept = replace(
            self,
            images=[image for image in self.images if image.key not in unreadable],
            removals=[removal for removal in self.removals if removal.key not in unreadable],
        )
        return kept, frozenset(left_out)

    def logins(self) -> list[tuple[datetime, str]]:
        """List every login seen, with its session; child sessions and records that are re-read included.

        A login stays a fact even if the session state in the image is out of date.
        """
        seen = [(image.session.last_login_time, image.session.session_id) for image in self.images]
        seen += [(removal.last_login_time, removal.session_id) for removal in self.removals]
        return [(moment, session_id) for moment, session_id in seen if moment is not None]


def add_record(facts: dict[str, CustomerFacts], record: StreamRecord) -> None:
    """Add a record to the facts of its customer.

    Tombstones without a login are left out: no image of their session was ever live, unless somebody put an older one
    back. So are child sessions of the original schema, which name no customer, and the removal of a child session or a
    revocation, which change no count.

    Raises:
        MalformedItemError: A removed item has no readable key.
    """
    value = _removed(record) if record.is_removal else record.after
    if value is None or value.customer_id is None:
        return
    if isinstance(value, Session) and not value.has_login and not record.goes_backwards and _is_no_end(record):
        return
    customer = facts.setdefault(value.customer_id, CustomerFacts())
    number = record.sequence_number
    customer.sequence_numbers.append(number)
    if isinstance(value, Revocation):
        customer.revocations.append(value)
    elif record.is_removal:
        customer.removals.append(Removal(value.key, value.session_id, record.created_at, value.last_login_time, number))
    else:
        customer.images.append(Image(value, record.created_at, record.goes_backwards, number))


def _is_no_end(record: StreamRecord) -> bool:
    """Whether the item was a tombstone before, too, or new; one of the original schema may have named no login."""
    return not isinstance(record.old_image, Mapping) or "ended_at" in record.old_image


def _removed(record: StreamRecord) -> Session | None:
    """Read the top-level session that a record shows removed; None where its removal changes no count.

    TTL's own removals change none: the expiry is in the state. An item of the original schema has no expiry, so its
    writer's TTL ends it. Of an item that cannot be read the key still says which session it was.
    """
    image = record.old_image or {}
    try:
        session = read_item(image)
    except MalformedItemError:
        session = read_item({name: image[name] for name in ("PK", "SK") if name in image})
    if not isinstance(session, Session) or session.parent_session_id is not None:
        return None
    return None if record.removed_by_ttl and session.expires_at is not None else session
