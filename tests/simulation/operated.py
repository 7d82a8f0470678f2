"""What is claimed where operators and other programs had their hands in: the projection says what the register says.

What a deletion or a restore by hand makes of a session is the register's to say and not the facts': copies of the facts
may or may not still come. So the oracle is the table itself, counted anew.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ops.dynamodb_double.tables import Item, ItemKey
from processors.projections.activity import activity_at
from schemas.items import Session
from schemas.keys import customer_partition
from schemas.projection_items import NEVER
from tests.simulation.facts import START
from tests.simulation.reading import NEXT_FORMAT, projection_in, session_in

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation


class Operated:
    """Knows what was changed by hand in a run, and judges it.

    Args:
        simulation: The run.
        fail: Takes a violated claim.
    """

    def __init__(self, simulation: "Simulation", fail: Callable[[str, str], None]) -> None:
        self.customers: set[str] = set()
        """Whose sessions or projection were changed by hand."""
        self.without_projection: set[str] = set()
        self.to_rebuild: set[str] = set()
        """Whose projection only an operator's rebuild makes right, for one of two reasons.

        It was born by an invocation that began before an earlier life of it, which is over: it may have read the
        register before that life did, and has no version to lose by. Or it says "at least", as it was born beside
        items of the customer that a later release had written, which was rolled back.
        """
        self.beyond_repair: set[str] = set()
        """Of these, who has an item that nobody can read, which a rebuild refuses."""
        self._has_had_newer: set[str] = set()
        """Of whom a later release has written items."""
        self._born_at: dict[str, float] = {}
        self._last_life: dict[str, float] = {}
        self.foreign: dict[ItemKey, Item] = {}
        """Attributes that another program has set, by item."""
        self._run = simulation
        self._fail = fail

    def session_changed(self, item: Item) -> None:
        """A session's item is changed by hand: all of its customers' sessions may follow from it."""
        session_id = item["PK"]["S"].removeprefix("suuid#")
        for fact in self._run.claims.known:
            if session_id in (fact.session, fact.parent) and fact.customer is not None:
                self.customers.add(fact.customer)

    def projection_deleted(self, customer: str) -> None:
        """A projection is deleted by hand."""
        self.customers.add(customer)
        self.without_projection.add(customer)

    def projection_born(self, customer: str, item: Item) -> None:
        """A projection is written where there was none."""
        task = self._run.scheduler.current
        began_at = task.began_at if task is not None and task.is_invocation else START
        if began_at < self._last_life.get(customer, START):
            self.to_rebuild.add(customer)
        if projection_in(item).dropped_until == NEVER and customer in self._has_had_newer:
            self.customers.add(customer)
            self.to_rebuild.add(customer)
        self._born_at[customer] = self._run.scheduler.now

    def projection_gone(self, customer: str) -> None:
        """A projection is not there any more."""
        self._last_life[customer] = self._born_at[customer]

    def concerns_child(self, claimants: set[str | None]) -> bool:
        """Whether a session's customers are among those concerned."""
        return bool(self.customers.intersection(claimants))

    def written(self, key: ItemKey, new: Item | None) -> None:
        """An item of the sessions table was written by anybody."""
        if new is not None and new.get("item_format") == NEXT_FORMAT and "customer_id" in new:
            self._has_had_newer.add(new["customer_id"]["S"])
        attributes = self.foreign.get(key)
        if attributes is None:
            return
        if new is None:
            del self.foreign[key]
            return
        lost = {name for name, value in attributes.items() if new.get(name) != value}
        if lost:
            self._fail("what is not ours stays", f"{key}: {sorted(lost)}")

    def settled(self) -> None:
        """All is delivered, no fault is left."""
        for customer in sorted(self.customers - self.beyond_repair):
            self._check(customer)

    def _check(self, customer: str) -> None:
        item = self._run.projections.items.get((customer_partition(customer), ""))
        if item is None and customer in self.without_projection:
            return  # nothing touched the customer since
        projection = None if item is None else projection_in(item)
        activity = activity_at(projection, customer, self._run.moment())
        sessions = self._register(customer)
        live = sorted(session.session_id for session in sessions if session.is_live(self._run.moment()))
        if activity.session_ids != live or activity.session_count != len(live) or not activity.is_exact:
            self._fail(
                "a projection says what the register says",
                f"{customer}: {activity.session_count} {activity.session_ids}, not {live}",
            )
        logins = [session.last_login_time for session in sessions if session.last_login_time is not None]
        if logins and (activity.last_login_time is None or activity.last_login_time < max(logins)):
            self._fail("last login is at least the register's", f"{customer}: {activity.last_login_time}")

    def _register(self, customer: str) -> list[Session]:
        found = []
        for (_, sort_key), item in self._run.sessions.items.items():
            session = session_in(item) if sort_key == f"c#{customer}" else None
            if session is not None and session.has_login:
                found.append(session)
        return found
