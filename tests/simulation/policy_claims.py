"""What is claimed of the policies: logout everywhere, session limit, cascade, and the commands that carry them out."""

import json
from collections import defaultdict
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from processors.policies.ending import LIMIT
from schemas.items import CLOSING, Session
from schemas.keys import session_key as item_key_of
from schemas.projection_items import Projection
from schemas.times import parse_stored, to_epoch_milliseconds
from tests.simulation.facts import Fact
from tests.simulation.faults import Fault
from tests.simulation.oracle import Oracle, SessionKey, session_key
from tests.simulation.reading import session_in

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

_INVOCATION_SECONDS = 60.0
"""What was decided at the beginning of an invocation may be written at its end, with what time-outs add."""


class PolicyClaims:
    """Watches what ends sessions in a run.

    Args:
        simulation: The run.
        fail: Takes a violated claim.
    """

    def __init__(self, simulation: "Simulation", fail: Callable[[str, str], None]) -> None:
        self.evicted: set[SessionKey] = set()
        self.lost_children: set[SessionKey] = set()
        """Child sessions of which a command was lost: a cascade keeps no state that could send it again."""
        self._run = simulation
        self._fail = fail
        self._ends: dict[SessionKey, set[int]] = defaultdict(set)
        self._expires_at: dict[SessionKey, float] = defaultdict(float)
        self._started_at: dict[SessionKey, tuple[int, int]] = {}
        old_facts = [fact for fact, _ in simulation.history.old_items]
        self._nameless = {session_key(fact) for fact in old_facts if fact.is_original and fact.parent is not None}
        """Child sessions of the original schema, which name no customer: any parent of that id may be theirs."""
        self._pushed_out: dict[SessionKey, set[int]] = defaultdict(set)
        self._commands: dict[str, None] = {}
        skew = 300.0 if Fault.CLOCK_SKEW in simulation.faults else 0.0
        late = 600.0 if Fault.LATE_WRITE in simulation.faults else 0.0
        self._slack = _INVOCATION_SECONDS + skew + late

    # --- at every step

    def session_changed(self, key: SessionKey, session: Session) -> None:
        """An item of a session was written."""
        if session.ended_at is not None:
            self._ends[key].add(to_epoch_milliseconds(session.ended_at))
        if session.end_reason == LIMIT:
            self.evicted.add(key)
        if session.last_login_time is not None:
            expires_at = float("inf") if session.expires_at is None else session.expires_at.timestamp()
            self._expires_at[key] = max(self._expires_at[key], expires_at)
            start = to_epoch_milliseconds(session.started_at or session.last_login_time)
            first, last = self._started_at.get(key, (start, start))
            self._started_at[key] = min(first, start), max(last, start)

    def command_sent(self, body: str, *, is_lost: bool) -> None:
        """The projector sent a command, and SQS took it."""
        self._commands[body] = None
        if is_lost and "parent_session_id" in (command := json.loads(body)):
            self.lost_children.add(_key_of(command))

    def projection_changed(self, before: Projection | None, after: Projection, seen_live: Collection[str]) -> None:
        """A projection was written.

        Args:
            before: What it was.
            after: What it is.
            seen_live: The customer's sessions that were opened and not yet seen to be over.
        """
        known = before.sessions if before is not None else {}
        told_before = {name for name, entry in known.items() if entry.end_reason is not None}
        told = {name for name, entry in after.sessions.items() if entry.end_reason == LIMIT} - told_before
        if not told:
            return
        customer, limit = after.customer_id, self._run.history.limit
        long_ago = self._run.scheduler.now - self._slack
        keys = {name: (None, name, customer) for name in seen_live if name not in told_before}
        live = {name: key for name, key in keys.items() if self._expires_at[key] > long_ago}
        if not 0 < limit <= len(live) - len(told):
            self._fail(
                "no eviction unless more than the limit were seen live",
                f"{customer}: {sorted(told)} marked as ending, limit {limit}, live at most {sorted(live)}",
            )
        for name in sorted(told):
            key = (None, name, customer)
            self._pushed_out[key].add(after.sessions[name].end_as_of or 0)
            first = self._started_at.get(key, (0, 0))[0]
            younger = [other for other, its in live.items() if other != name and self._started_at[its][1] >= first]
            if len(younger) < limit:
                self._fail("the limit ends the oldest", f"{customer}: {name}, younger than it are {sorted(younger)}")

    # --- at the end

    def settled(self, oracle: Oracle) -> None:
        """All is delivered, no fault is left."""
        sessions = [session_in(item) for item in self._run.sessions.items.values()]
        live = [s for s in sessions if s is not None and s.is_live(self._run.moment())]
        self._check_limit([session for session in live if session.parent_session_id is None])
        for session in live:
            if session.parent_session_id is None:
                self._check_revoked(session, oracle)
            else:
                self._check_orphan(session)
        for body in self._commands:
            self._check_command(json.loads(body), oracle)

    def _check_limit(self, live: list[Session]) -> None:
        limit = self._run.history.limit
        by_customer: dict[str, list[str]] = defaultdict(list)
        for session in live:
            by_customer[session.customer_id or ""].append(session.session_id)
        for customer, names in sorted(by_customer.items()):
            if customer not in self._run.claims.operated.customers and 0 < limit < len(names):
                self._fail("never more than the limit are live", f"{customer}: {names}, limit {limit}")

    def _check_revoked(self, session: Session, oracle: Oracle) -> None:
        key = (None, session.session_id, session.customer_id)
        covering = oracle.covering(key)
        if session.customer_id in self._run.claims.operated.customers:
            return
        if covering and key not in oracle.returned:
            self._fail("no session at or before its customer's revocation is live", f"{key}: {sorted(covering)}")

    def _check_orphan(self, child: Session) -> None:
        if child.customer_id is None:  # of the original schema, and nobody logged in on it since: over when it is read
            return
        if child.customer_id in self._run.claims.operated.customers:
            return
        parent = self._parent_of(child, child.customer_id)
        has_ended = parent is not None and parent.session_state == CLOSING and parent.ended_at is not None
        key = (child.parent_session_id, child.session_id, None)
        if has_ended and key not in self.lost_children:
            self._fail("no child is live under an ended parent", f"{key} of {child.customer_id}")

    def _parent_of(self, child: Session, customer: str) -> Session | None:
        key = item_key_of(child.parent_session_id or "", customer)
        item = self._run.sessions.items.get((key.pk, key.sk or ""))
        return session_in(item)

    def check_end(self, key: SessionKey, session: Session, oracle: Oracle) -> None:
        """Check that an end names a cause that is there: its time, its reason, its event."""
        expected = oracle.sessions[key]
        assert session.ended_at is not None
        at, event_id = to_epoch_milliseconds(session.ended_at), session.ended_event_id or ""
        earliest = min((_order(fact) for fact in expected.logouts), default=(at, event_id))
        if (at, event_id) > earliest and key not in self.lost_children:
            self._fail("a session ends by its earliest logout", f"{key}: {at}, {event_id}")
        reasons = {_order(fact): fact.reason or "user" for fact in expected.logouts + expected.possible_logouts}
        is_below = {_order(fact) for fact in expected.possible_logouts if fact.session == key[0]}
        if (at, event_id) in reasons:
            if session.end_reason != ("parent" if (at, event_id) in is_below else reasons[at, event_id]):
                self._fail("an end names its cause", f"{key}: {session.end_reason}, {event_id}")
            return
        reason = session.end_reason or ""
        if not event_id.startswith(f"{reason}:") or at not in self._causes(key, reason, oracle):
            self._fail("an end has a cause", f"{key}: {at}, {reason}, {event_id}")
        self._check_follows(key, session)

    def _check_follows(self, key: SessionKey, child: Session) -> None:
        parent = self._parent_of(child, child.customer_id or "") if child.end_reason == "parent" else None
        if parent is None or parent.ended_at is None or child.ended_at is None or key in self.lost_children:
            return
        if child.ended_at > parent.ended_at:
            self._fail("a child's end follows its parent's", f"{key}: {child.ended_at}, not {parent.ended_at}")

    def _check_command(self, command: dict[str, str], oracle: Oracle) -> None:
        key, reason = _key_of(command), command["reason"]
        if command["customer_id"] in self._run.claims.operated.customers:
            return
        at = to_epoch_milliseconds(parse_stored(command["occurred_at"]))
        passed_on = oracle.sessions[key].logouts + oracle.sessions[key].possible_logouts
        if at not in self._causes(key, reason, oracle) and (at, command["event_id"]) not in map(_order, passed_on):
            self._fail("a command has a cause", f"{command}")

    def _causes(self, key: SessionKey, reason: str, oracle: Oracle) -> set[int]:
        """Give the times at which a policy may have ended a session, in epoch milliseconds."""
        if reason == "revoked":
            return oracle.covering(key)
        if reason == LIMIT:
            return self._pushed_out[key] & oracle.pushers(key)
        if reason == "parent" and key[0] is not None:
            customers = oracle.claimants(key)
            return {
                at
                for parent, ends in self._ends.items()
                if parent[:2] == (None, key[0]) and (key in self._nameless or parent[2] in customers)
                for at in ends
            }
        return set()

    def may_be_ended(self, key: SessionKey, oracle: Oracle) -> bool:
        """Tell whether a policy had a reason to end a session."""
        return key in self.evicted or bool(oracle.covering(key)) or bool(self._causes(key, "parent", oracle))


def _order(logout: Fact) -> tuple[int, str]:
    return logout.occurred_at, logout.event_id


def _key_of(command: dict[str, str]) -> SessionKey:
    parent = command.get("parent_session_id")
    return parent, command["session_id"], command["customer_id"] if parent is None else None
