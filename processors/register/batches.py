"""A batch's facts, grouped by the item they are about: pure.

A login and a logout of one session in one batch are one write, whatever else lies between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from schemas.items import Session
from schemas.keys import Key, revocation_key

if TYPE_CHECKING:
    from processors.register.sessions import SessionFact
    from schemas.events import Event, LogoutAllEvent


@dataclass(slots=True)
class SessionFacts:
    """The logins and logouts of one session, in order of arrival.

    Args:
        identity: The session with nothing known of it but its ids.
        facts: The events.
        positions: The position of each event in the batch.
    """

    identity: Session
    facts: "list[SessionFact]" = field(default_factory=list)
    positions: list[int] = field(default_factory=list)

    @property
    def may_be_child(self) -> bool:
        """Whether the facts may be logouts of a child session that do not name its parent."""
        return self.identity.parent_session_id is None and all(fact.event_type == "logout" for fact in self.facts)

    def all_occurred_before(self, moment: datetime) -> bool:
        """Whether all facts are logouts that occurred before a time, aware UTC."""
        return all(fact.event_type == "logout" and fact.occurred_at < moment for fact in self.facts)


@dataclass(slots=True)
class RevocationFacts:
    """The `logout_all` events of one customer, in order of arrival.

    Args:
        facts: The events.
        positions: The position of each event in the batch.
    """

    facts: "list[LogoutAllEvent]" = field(default_factory=list)
    positions: list[int] = field(default_factory=list)


ItemFacts: TypeAlias = SessionFacts | RevocationFacts


@dataclass(slots=True)
class Batch:
    """Facts by item.

    Args:
        items: The facts, by the item's key.
    """

    items: dict[Key, ItemFacts] = field(default_factory=dict)

    def add(self, position: int, event: "Event") -> None:
        """Add an event that names what it is about.

        Args:
            position: The event's position in the batch.
            event: The event; a logout without customer names a child session and its parent.
        """
        if event.event_type == "logout_all":
            revocations = self.items.setdefault(revocation_key(event.customer_id), RevocationFacts())
            if isinstance(revocations, RevocationFacts):
                revocations.facts.append(event)
                revocations.positions.append(position)
            return
        # a child session belongs to whoever logs in: its key names no customer, and a logout claims nothing
        is_child = event.parent_session_id is not None
        identity = Session(
            session_id=event.session_id,
            customer_id=None if is_child else event.customer_id,
            parent_session_id=event.parent_session_id,
        )
        self.add_about(identity, [position], [event])

    def add_about(self, session: Session, positions: Sequence[int], facts: "Sequence[SessionFact]") -> None:
        """Add facts about a session that was looked up.

        Args:
            session: The session.
            positions: The position of each event in the batch.
            facts: Logins and logouts, whatever session they name.
        """
        sessions = self.items.get(session.key)
        if not isinstance(sessions, SessionFacts):
            identity = Session(
                session_id=session.session_id,
                customer_id=session.customer_id,
                parent_session_id=session.parent_session_id,
            )
            self.items[identity.key] = sessions = SessionFacts(identity)
        sessions.facts.extend(facts)
        sessions.positions.extend(positions)
