"""A batch's facts, gathered by the item they are about: pure.

A login and a logout of one session in one batch are one write, whatever else lies between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from processors.register.sessions import Lifetimes, fold_facts, fold_logout_all
from schemas.items import Revocation, Session
from schemas.keys import Key
from schemas.outcomes import Outcome

if TYPE_CHECKING:
    from schemas.events import Event


@dataclass(slots=True)
class ItemFacts:
    """The facts of a batch for one item, in order of arrival.

    Args:
        blank: What the item is before anything is known of it; None for a customer's revocation item.
        facts: Logins and logouts of the session, or the customer's `logout_all` events.
        positions: Where each fact's event stands in the batch.
    """

    blank: Session | None
    facts: list[Any] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)

    @property
    def may_be_child(self) -> bool:
        """Whether the facts may be logouts of a child session that do not name its parent."""
        is_top_level = self.blank is not None and self.blank.parent_session_id is None
        return is_top_level and all(fact.event_type == "logout" for fact in self.facts)

    def fold(
        self, stored: Session | Revocation | None, *, lifetimes: Lifetimes, now: datetime
    ) -> tuple[Session | Revocation | None, list[Outcome]]:
        """Decide what to store (None: nothing changes), with one outcome per fact."""
        if self.blank is not None:
            session = stored if isinstance(stored, Session) else None
            return fold_facts(session, self.facts, blank=self.blank, lifetimes=lifetimes, now=now)
        latest = stored if isinstance(stored, Revocation) else None
        changed: Revocation | None = None
        outcomes = []
        for event in self.facts:
            after = fold_logout_all(changed or latest, event, lifetimes=lifetimes, now=now)
            outcomes.append(Outcome.DUPLICATE if after is None else Outcome.APPLIED)
            changed = after or changed
        return changed, outcomes


class Batch:
    """Facts by item."""

    def __init__(self) -> None:
        self.items: dict[Key, ItemFacts] = {}

    def add(self, position: int, event: "Event", about: Session | None = None) -> None:
        """Add an event's fact.

        Args:
            position: Where the event stands in the batch.
            event: The event.
            about: The session it is about, where that was looked up; otherwise the event names it.
        """
        if about is not None:
            blank = Session(
                session_id=about.session_id,
                customer_id=about.customer_id,
                parent_session_id=about.parent_session_id,
            )
        elif event.event_type == "logout_all":
            self._append(
                Revocation(customer_id=event.customer_id, revoked_at=event.occurred_at).key, None, position, event
            )
            return
        else:
            # a child session belongs to whoever logs in: its key names no customer, and a logout claims nothing
            is_child = event.parent_session_id is not None
            blank = Session(
                session_id=event.session_id,
                customer_id=None if is_child else event.customer_id,
                parent_session_id=event.parent_session_id,
            )
        self._append(blank.key, blank, position, event)

    def _append(self, key: Key, blank: Session | None, position: int, event: "Event") -> None:
        item = self.items.setdefault(key, ItemFacts(blank))
        item.facts.append(event)
        item.positions.append(position)


def combine(outcomes: Sequence[Outcome]) -> Outcome:
    """Make one outcome of those an event had on several items; with none, nothing was found to apply it to yet."""
    for outcome in (Outcome.RETRY, Outcome.APPLIED, Outcome.REJECTED, Outcome.DUPLICATE):
        if outcome in outcomes:
            return outcome
    return outcomes[0] if outcomes else Outcome.RETRY
