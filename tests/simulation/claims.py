"""What is claimed of a run at every step."""

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from ops.dynamodb_double.tables import Item, ItemKey
from processors.policies.ending import LIMIT, REVOKED
from schemas.items import Session
from schemas.keys import customer_partition
from schemas.projection_items import Projection
from tests.simulation.facts import Fact
from tests.simulation.faults import Fault
from tests.simulation.operated import Operated
from tests.simulation.oracle import SessionKey, session_key
from tests.simulation.policy_claims import PolicyClaims
from tests.simulation.reading import projection_in, session_in

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

TOMBSTONE_GRACE_SECONDS = 600

_OLDEST_TAKEN_SECONDS = 1_296_300
"""MAX_EVENT_AGE_SECONDS, by a clock that is five minutes behind."""


class StepClaims:
    """Watches a run.

    Args:
        simulation: The run.
    """

    has_names = True
    """Whether the count is made of sessions that can be named; a naive design may only have the number."""

    def __init__(self, simulation: "Simulation") -> None:
        self.violation: str | None = None
        self.known: set[Fact] = set()
        """Every fact that is, was or will be sent."""
        self.accepted: dict[Fact, None] = {}
        self.is_table_final = False
        self.policies = PolicyClaims(simulation, self.fail)
        self.operated = Operated(simulation, self.fail)
        self.settings = [(simulation.history.default_seconds, simulation.history.maximum_seconds)]
        """Lifetimes that were ever set: default and maximum, in seconds."""
        self._run = simulation
        self._logins: dict[str, set[tuple[int, str]]] = defaultdict(set)
        self._opened: dict[str, set[str]] = defaultdict(set)
        self._last_login: dict[str, str] = {}
        self._ended: dict[SessionKey, Fact] = {}
        self._seen_over: dict[str, set[str]] = defaultdict(set)
        self._claimants: dict[SessionKey, set[str | None]] = defaultdict(set)
        self._ttl_deleted: set[ItemKey] = set()
        self._returned: set[SessionKey] = set()
        self._tried_at: dict[Fact, float] = {}
        self._rejected_for_age: dict[Fact, None] = {}
        for fact, _ in simulation.history.old_items:
            self.know(fact)
        for fact in simulation.history.facts:
            self.know(fact)

    def know(self, fact: Fact) -> None:
        """Learn of a fact that will be sent."""
        self.known.add(fact)
        if fact.kind == "login":
            self._logins[fact.customer or ""].add((fact.occurred_at, fact.session or ""))
            self._claimants[session_key(fact)].add(fact.customer)

    def fail(self, claim: str, details: str) -> None:
        """Note a violation; the first one counts."""
        if self.violation is None:
            self.violation = f"{claim}: {details}"
            self._run.note("VIOLATED " + self.violation)

    # --- at every step

    def session_changed(self, old: Item | None, new: Item | None, is_ttl: bool) -> None:
        """An item of the sessions table was written."""
        if self.is_table_final and not _is_tombstone_of_child(new):
            self.fail("delivering everything again writes nothing to the sessions table", f"{old} became {new}")
        self.operated.written(self._run.sessions.key_of(new or old or {}), new)
        if is_ttl and old is not None:
            self._ttl_deleted.add((old["PK"]["S"], old["SK"]["S"]))
            self._tombstone_gone(old)
        session = session_in(new)
        if session is None:
            return
        self._check_over(session)
        self.policies.session_changed(_key_of(session), session)
        if session.has_login and session.parent_session_id is None:
            self._opened[session.customer_id or ""].add(session.session_id)

    def _tombstone_gone(self, item: Item) -> None:
        """Forget a session that a policy ended and that its publisher, not knowing, used again long afterwards.

        Its tombstone lasts for as long as any login that came before the end may be live. A later one is a new session.
        """
        session = session_in(item)
        if session is None or session.end_reason not in (LIMIT, REVOKED) or session.ttl is None:
            return
        latest = 1000 * (session.ttl - self._run.history.maximum_seconds - TOMBSTONE_GRACE_SECONDS)
        customer = session.customer_id or ""
        if any(at > latest for at, name in self._logins[customer] if name == session.session_id):
            self._returned.add(_key_of(session))
            self._seen_over[customer].discard(session.session_id)

    def may_forget(self, session: Session) -> bool:
        """Whether TTL may take the tombstone of a session whose logout was taken, or that was over from the beginning.

        A login that comes then is a new session's, which no publisher makes under an old id. While the tombstone
        stands, a later login must not revive it.
        """
        key = _key_of(session)
        was_over = any(is_over and session_key(fact) == key for fact, is_over in self._run.history.old_items)
        return Fault.TTL in self._run.faults and (key in self._ended or was_over)

    def _check_over(self, session: Session) -> None:
        key = _key_of(session)
        if self._is_operated(session):
            return
        if key in self._ended and session.is_live(self._run.moment()) and not self._is_claimed_anew(key):
            self.fail("nothing is live after its logout was acknowledged", f"{key} after {self._ended[key]}")

    def _is_operated(self, session: Session) -> bool:
        return self.operated.concerns_child({session.customer_id, *self._claimants[_key_of(session)]})

    def _is_claimed_anew(self, key: SessionKey) -> bool:
        """Whether a child session that two customers claim is gone, so that it may be the other one's now."""
        return len(self._claimants[key]) > 1 and (f"suuid#{key[0]}", f"child#suuid#{key[1]}") in self._ttl_deleted

    def projection_changed(self, old: Item | None, new: Item | None) -> None:
        """An item of the projections table was written."""
        if new is None:
            if old is None or old["customer_id"]["S"] not in self.operated.without_projection:
                self.fail("a projection is never deleted", f"{old}")
            elif old is not None:
                self._last_login.pop(old["customer_id"]["S"], None)
                self.operated.projection_gone(old["customer_id"]["S"])
            return
        customer = new["customer_id"]["S"]
        if old is None:
            self.operated.projection_born(customer, new)
        last = new.get("last_login_time", {}).get("S", "")
        if last < self._last_login.get(customer, "") and customer not in self._run.erasures.customers:
            self.fail("last login never decreases", f"{customer}: {self._last_login[customer]} became {last}")
        self._last_login[customer] = last
        projection = projection_in(new)
        before = None if old is None else projection_in(old)
        if customer in self.operated.customers:
            return
        self.policies.projection_changed(before, projection, self._opened[customer] - self._seen_over[customer])
        if last and last_login_of(projection) not in self._logins[customer]:
            self.fail("last login is a real login", f"{customer}: {last} of {projection.last_login_session_id}")
        if not 0 <= projection.session_count <= len(self._opened[customer]):
            self.fail("0 <= count <= sessions opened", f"{customer}: {projection.session_count}")
        revived = self._seen_over[customer].intersection(projection.sessions)
        if revived:
            self.fail("a session seen to be over never counts again", f"{customer}: {sorted(revived)}")

    def records_acknowledged(self, records: list[dict[str, Any]]) -> None:
        """The projector reported stream records as done."""
        for record in records:
            image = record["dynamodb"].get("NewImage")
            if image is None or image.get("session_state", {}).get("S") != "closing" or "broken" in image:
                continue
            session = session_in(image)
            if session is not None and session.parent_session_id is None and session.has_login:
                customer = session.customer_id or ""
                if _key_of(session) in self._returned:
                    continue
                self._seen_over[customer].add(session.session_id)
                item = self._run.projections.items.get((customer_partition(customer), ""))
                if item is not None:
                    self.projection_changed(item, item)

    def tried(self, fact: Fact) -> None:
        """An event is given to a function, for the first time or again."""
        self._tried_at.setdefault(fact, self._run.scheduler.now)

    def rejected_for_age(self, fact: Fact) -> None:
        """A login was too old when it came; an earlier delivery of it may have been written, and not answered for."""
        if fact.kind == "login" and 1000 * (self._tried_at[fact] - _OLDEST_TAKEN_SECONDS) < fact.occurred_at:
            self._rejected_for_age[fact] = None

    def event_acknowledged(self, fact: Fact) -> None:
        """An event was taken off its queue for good, and nothing in it was wrong."""
        self.accepted[fact] = None
        key = self._certainly_ended_by(fact)
        if key is None:
            return
        self._ended.setdefault(key, fact)
        table = self._run.sessions
        for item in table.items.values():
            session = session_in(item)
            if session is not None:
                self._check_over(session)

    def _certainly_ended_by(self, fact: Fact) -> SessionKey | None:
        if fact.kind != "logout":
            return None
        if fact.parent is not None or (fact.customer is not None and fact.session and fact.session[0] == "s"):
            return session_key(fact)
        if fact.customer is None and fact.session and fact.session[0] == "s":
            [*owners] = [key for key in self._claimants if key[0] is None and key[1] == fact.session]
            return owners[0] if len(owners) == 1 else None
        return None  # a child without its parent's name ends a little later


def _is_tombstone_of_child(item: Item | None) -> bool:
    """Whether an item is what a child session's logout left that named no parent and found no child.

    Nobody sees it. Of further such logouts some found the child, through the index; delivered again they find this.
    """
    return item is not None and item["PK"]["S"].startswith("suuid#k") and "last_login_time" not in item


def _key_of(session: Session) -> SessionKey:
    parent = session.parent_session_id
    return parent, session.session_id, session.customer_id if parent is None else None


def last_login_of(projection: Projection) -> tuple[int | None, str]:
    return milliseconds(projection.last_login_time), projection.last_login_session_id or ""


def milliseconds(moment: Any) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
