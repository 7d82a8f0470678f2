"""The write path of the register: events in, one outcome each out.

What names its item is written first. A logout that names no customer, or whose session is not there, is searched for
after that, 50 sessions a request and within a budget: a flood of those delays no other event.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from processors.aws.conditional_writes import Item
from processors.aws.deadline import Deadline
from processors.aws.errors import ReadError
from processors.aws.item_store import Decision, ItemStore
from processors.aws.parallel import chunks
from processors.register.batches import Batch, ItemFacts, RevocationFacts, SessionFacts
from processors.register.erased import ErasedCustomers
from processors.register.erased_list import ErasedList
from processors.register.reader import RegisterReader
from processors.register.searches import Delivery, within_budget
from processors.register.sessions import GRACE, Folded, Lifetimes, fold_facts, fold_logouts_all
from schemas.errors import MalformedItemError
from schemas.item_mapping import read_item, write_item
from schemas.items import Revocation, Session
from schemas.keys import Key
from schemas.outcomes import Outcome

if TYPE_CHECKING:
    from schemas.events import Event, LogoutEvent

logger = logging.getLogger(__name__)

SEARCHES_A_STEP = 400
"""Sessions searched for between two looks at the clock: 8 requests at a time of 50 each."""


class Deferred(Enum):
    """A decision that has to wait."""

    SEARCH_FIRST = auto()
    """There is no such session: the logouts may mean a child session of that id."""


Result: TypeAlias = list[Outcome] | Deferred

Found: TypeAlias = Mapping[str, list[Session]]
"""Sessions found, by the id that was looked up. An id that is missing could not be looked up."""


@dataclass(slots=True)
class _Pass:
    """A batch on its way: what is known of its events so far.

    Args:
        events: The events.
        outcomes: Those of each event, on every item it is about; none: a retry.
        erased: Who was erased.
        deadline: When the caller must have answered.
    """

    events: "Sequence[Event]"
    outcomes: list[list[Outcome]]
    erased: ErasedList
    deadline: Deadline
    unresolved: "list[tuple[int, LogoutEvent]]" = field(default_factory=list)
    """Logouts that name neither customer nor parent, with their positions."""


class SessionWrites:
    """Folds events into the register.

    Args:
        store: Reads and writes items by key.
        reader: Searches.
        lifetimes: How long sessions may live.
        clock: Aware UTC.
        max_event_age: No older login is taken, so a logout that is still older and finds nothing is of no use any more;
            None: logins of any age are taken.
        erased: Who was erased.
    """

    def __init__(
        self,
        store: ItemStore,
        reader: RegisterReader,
        *,
        lifetimes: Lifetimes,
        clock: Callable[[], datetime],
        max_event_age: timedelta | None,
        erased: ErasedCustomers,
    ) -> None:
        self._store = store
        self._reader = reader
        self._lifetimes = lifetimes
        self._clock = clock
        self._max_event_age = max_event_age
        self._erased = erased

    def apply(
        self, events: "Sequence[Event]", *, deadline: Deadline, deliveries: Sequence[Delivery] | None
    ) -> list[Outcome]:
        """Fold events into the register; see `SessionTable.apply`."""
        try:
            erased = self._erased.current()
        except ReadError as error:
            logger.warning("list of erased customers could not be read", extra={"error_code": error.code})
            return [Outcome.RETRY] * len(events)
        work = _Pass(events, [[] for _ in events], erased, deadline)
        waiting = self._write(self._group(work), work)
        needed = sorted(
            [position for facts in waiting for position in facts.positions] + [p for p, _ in work.unresolved]
        )
        if needed:
            chosen = within_budget(needed, deliveries)
            found = self._search([facts for facts in waiting if not chosen.isdisjoint(facts.positions)], work, chosen)
            self._write(found, work, is_searched=True)
        return [Outcome.most_severe(several) if several else Outcome.RETRY for several in work.outcomes]

    def _group(self, work: _Pass) -> Batch:
        """Group the events that name what they are about."""
        batch = Batch()
        for position, event in enumerate(work.events):
            if work.erased.has_event(event.customer_id, event.occurred_at):
                work.outcomes[position].append(Outcome.IGNORED)
            elif event.event_type == "logout" and event.customer_id is None and event.parent_session_id is None:
                work.unresolved.append((position, event))
            else:
                batch.add(position, event)
        return batch

    def _write(self, batch: Batch, work: _Pass, *, is_searched: bool = False) -> list[SessionFacts]:
        """Write a batch; outcomes are added at the positions of their events.

        Returns:
            The logouts to search for first.
        """
        decide = partial(self._decide, batch, work.erased, is_searched)
        results = self._store.converge(batch.items, decide, deadline=work.deadline)
        waiting = []
        for key, facts in batch.items.items():
            match results.get(key):
                case Deferred.SEARCH_FIRST if isinstance(facts, SessionFacts):
                    waiting.append(facts)
                case list() as outcomes:
                    for position, outcome in zip(facts.positions, outcomes, strict=True):
                        work.outcomes[position].append(outcome)
                case _:
                    for position in facts.positions:
                        work.outcomes[position].append(Outcome.RETRY)
        return waiting

    def _decide(
        self, batch: Batch, erased: ErasedList, is_searched: bool, stored: Mapping[Key, Item | None]
    ) -> dict[Key, Decision[Result]]:
        """Fold each item's facts into it."""
        now = self._clock()
        decisions: dict[Key, Decision[Result]] = {}
        for key, item in stored.items():
            facts = batch.items[key]
            try:
                before = None if item is None else read_item(item)
            except MalformedItemError as error:
                logger.error("stored item cannot be read: repair or delete it", extra={"reason": str(error)})
                continue
            if isinstance(before, Session) and isinstance(facts, SessionFacts) and _are_erased(before, facts, erased):
                decisions[key] = Decision(None, [Outcome.IGNORED] * len(facts.facts))
                continue
            decisions[key] = self._decide_one(before, facts, now, is_missing=item is None, is_searched=is_searched)
        return decisions

    def _decide_one(
        self,
        before: Session | Revocation | None,
        facts: ItemFacts,
        now: datetime,
        *,
        is_missing: bool,
        is_searched: bool,
    ) -> Decision[Result]:
        folded: Folded[Session] | Folded[Revocation]
        if isinstance(facts, RevocationFacts):
            folded = fold_logouts_all(before if isinstance(before, Revocation) else None, facts.facts, now=now)
        else:
            if is_missing and facts.may_be_child and not is_searched:
                return Decision(None, Deferred.SEARCH_FIRST)
            if is_missing and facts.all_occurred_before(self._oldest_of_use(now)):
                return Decision(None, [Outcome.STALE] * len(facts.facts))
            session = before if isinstance(before, Session) else None
            folded = fold_facts(session, facts.facts, identity=facts.identity, lifetimes=self._lifetimes, now=now)
        return Decision(None if folded.item is None else write_item(folded.item), folded.outcomes)

    def _oldest_of_use(self, now: datetime) -> datetime:
        """Return since when a logout may still meet its login, aware UTC."""
        if self._max_event_age is None:
            return datetime.min.replace(tzinfo=now.tzinfo)
        return now - self._max_event_age - GRACE

    def _search(self, waiting: Sequence[SessionFacts], work: _Pass, chosen: Collection[int]) -> Batch:
        """Find what logouts are about; those that could not be looked up, or found nothing to end, get no fact."""
        batch = Batch()
        unresolved = [(position, logout) for position, logout in work.unresolved if position in chosen]
        families = self._look_up(self._reader.find_families, {logout.session_id for _, logout in unresolved}, work)
        without_top_level = {
            name for name, found in families.items() if all(session.parent_session_id for session in found)
        }
        ids = {facts.identity.session_id for facts in waiting} | without_top_level
        children = self._look_up(self._reader.find_children_by_id, ids, work)
        for facts in waiting:
            named = children.get(facts.identity.session_id)
            if named is not None:  # as a child's end it would be lost under a key of its own
                mine = (child for child in named if child.customer_id == facts.identity.customer_id)
                batch.add_about(next(mine, facts.identity), facts.positions, facts.facts)
        not_here_yet = 0
        for position, logout in unresolved:
            found = children if logout.session_id in without_top_level else families
            not_here_yet += not self._resolve(position, logout, found.get(logout.session_id), batch, work)
        if not_here_yet:
            logger.info("logouts without customer_id: session not found yet, will retry", extra={"count": not_here_yet})
        return batch

    def _resolve(
        self, position: int, logout: "LogoutEvent", sessions: Sequence[Session] | None, batch: Batch, work: _Pass
    ) -> bool:
        """End every session that a logout without customer was found to be about.

        Returns:
            Whether this was all; False where its session may still come.
        """
        if sessions == []:
            is_stale = logout.occurred_at < self._oldest_of_use(self._clock())
            work.outcomes[position] += [Outcome.STALE] * is_stale
            return is_stale
        for session in sessions or ():
            if work.erased.has_event(session.customer_id, logout.occurred_at):
                work.outcomes[position].append(Outcome.IGNORED)
                continue
            is_below = session.parent_session_id == logout.session_id
            fact = logout.model_copy(update={"reason": "parent"}) if is_below else logout
            batch.add_about(session, [position], [fact])
        return True

    def _look_up(
        self, find: Callable[[Collection[str]], Mapping[str, list[Session]]], ids: Collection[str], work: _Pass
    ) -> Found:
        """Look up many ids, step by step; a step that fails, or that there is no time for, leaves its ids out."""
        found: dict[str, list[Session]] = {}
        for part in chunks(sorted(ids), SEARCHES_A_STEP):
            if work.deadline.expired:
                logger.warning("deadline reached", extra={"searches_left": len(ids) - len(found)})
                break
            try:
                sessions = find(part)
            except ReadError as error:
                logger.warning("sessions could not be searched", extra={"error_code": error.code})
                continue
            found |= {name: sessions.get(name, []) for name in part}
        return found


def _are_erased(stored: Session, facts: SessionFacts, erased: ErasedList) -> bool:
    """Whether all facts are logouts of a child that name no customer, and its customer was erased after them."""
    return all(
        fact.customer_id is None and erased.has_event(stored.customer_id, fact.occurred_at) for fact in facts.facts
    )
