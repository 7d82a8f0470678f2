"""What is claimed of a run at its end, beside what is at every step."""

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ops.dynamodb_double.tables import Item, ItemKey
from processors.projections.activity import activity_at
from schemas.keys import customer_partition
from schemas.projection_items import Projection
from tests.simulation.claims import StepClaims, last_login_of, milliseconds
from tests.simulation.facts import TOKEN, Fact
from tests.simulation.oracle import Oracle, SessionKey, expiry_of, session_key
from tests.simulation.reading import projection_in, session_in

if TYPE_CHECKING:
    pass


class Claims(StepClaims):
    """Watches a run, and judges it at its end."""

    def everything_settled(self) -> None:
        """All is delivered, no fault is left: what is stored must be what the facts say."""
        oracle = self.oracle()
        self.policies.settled(oracle)
        self.operated.settled()
        self._run.erasures.check()
        for customer in sorted((self._logins | oracle.revocations).keys() - self.operated.customers):
            self._check_customer(customer, oracle)
        for key, expected in sorted(oracle.sessions.items(), key=str):
            if expected.logins and not self.operated.concerns_child(oracle.claimants(key)):
                self._check_session(key, oracle)
        self._check_left_over()

    def oracle(self) -> Oracle:
        """Fold what was accepted."""
        history = self._run.history
        return Oracle(
            [*self.accepted, *(login for login in self._rejected_for_age if self._was_written(login))],
            history.old_items,
            self.policies.evicted,
            self._returned,
            settings=self.settings,
        )

    def _was_written(self, login: Fact) -> bool:
        """Tell whether an item holds what a login says, although it was rejected in the end."""
        session = session_in(self._run.sessions.items.get(_item_key(*session_key(login))))
        if session is None or session.customer_id != login.customer or session.last_login_time is None:
            return False
        last = (milliseconds(session.last_login_time) or 0, session.last_login_event_id or "")
        earliest = min(expiry_of(login, *settings) for settings in self.settings)
        is_within = (milliseconds(session.started_at) or 0) <= login.occurred_at and (
            last >= (login.occurred_at, login.event_id)
        )
        return is_within and (session.expires_at is None or session.expires_at.timestamp() >= earliest)

    def _check_customer(self, customer: str, oracle: Oracle) -> None:
        item = self._run.projections.items.get((customer_partition(customer), ""))
        projection = None if item is None else projection_in(item)
        now = self._run.scheduler.now
        is_settled = len(self.settings) == 1
        for moment in [
            now,
            *(at + change for at in oracle.expiries() if at > now for change in (-0.001, 0.0) if is_settled),
        ]:
            activity = activity_at(projection, customer, self._run.moment(moment))
            certain, possible = oracle.live_sessions(customer, moment)
            names = set(activity.session_ids)
            are_right = not self.has_names or (certain <= names <= possible and len(names) == activity.session_count)
            if not are_right or not len(certain) <= activity.session_count <= len(possible) or not activity.is_exact:
                self.fail(
                    "the session count equals a fold of the facts",
                    f"{customer} at {moment:.3f}: {activity.session_count} {sorted(names)}, not {sorted(certain)}"
                    + (f" to {sorted(possible)}" if possible != certain else ""),
                )
                return
        last = (0, "") if projection is None or projection.last_login_time is None else last_login_of(projection)
        options = oracle.last_logins(customer) or {(0, "")}
        written = {(at.occurred_at, at.session or "") for at in self._rejected_for_age if at.customer == customer}
        if last not in options and not (last in written and last > max(options)):
            self.fail("last login equals a fold of the facts", f"{customer}: {last}, not {sorted(options)}")
        self._check_revocations(customer, projection, oracle)

    def _check_revocations(self, customer: str, projection: Projection | None, oracle: Oracle) -> None:
        stored = None if projection is None else projection.revocation
        for session in sorted({fact.session or "" for fact in self.accepted} | {"another"}):
            for fact in oracle.revocations.get(customer, ()):
                for started_at in (fact.occurred_at, fact.occurred_at + 1):
                    covered = stored is not None and stored.covers(session, self._run.moment(started_at / 1000))
                    if covered != oracle.is_revoked(customer, session, started_at):
                        self.fail("revocations equal a fold of the facts", f"{customer}, {session}: {stored}")

    def _check_session(self, key: SessionKey, oracle: Oracle) -> None:
        """Compare an item that TTL has left alone with the fold of its facts."""
        parent, name, customer = key
        item_key = _item_key(parent, name, customer)
        item = self._run.sessions.items.get(item_key)
        if item_key in self._ttl_deleted or self.violation:
            return
        session = session_in(item)
        expected = oracle.sessions[key]
        if session is None:
            self.fail("every session is stored", f"{item_key}")
            return
        is_ended = session.session_state == "closing"
        has_run_out = self._has_lost_a_tombstone(name) and not session.is_live(self._run.moment())
        is_over = is_ended or has_run_out or key in self.policies.lost_children
        may_be_ended = expected.may_be_ended or self.policies.may_be_ended(key, oracle)
        if (expected.must_be_ended and not is_over) or (is_ended and not may_be_ended):
            self.fail("a session is ended by what ends it and by nothing else", f"{key}: {session.session_state}")
        logins = [login for login in expected.logins if login.customer == session.customer_id]
        last = max(logins, key=lambda login: (login.occurred_at, login.event_id))
        if parent is None or len(oracle.claimants(key)) == 1:
            found = (milliseconds(session.started_at), milliseconds(session.last_login_time), session.country)
            wanted = (min(login.occurred_at for login in logins), last.occurred_at, last.country)
            expires_at = None if session.expires_at is None else int(session.expires_at.timestamp())
            if (
                found != wanted
                or not oracle.may_expire(key, expires_at)
                or (session.last_login_event_id or "") != last.event_id
            ):
                self.fail(
                    "a session equals a fold of its facts",
                    f"{key}: {found}, {expires_at}, {session.last_login_event_id}, "
                    f"not {wanted}, {oracle.expiry(key)}, {last.event_id}",
                )
        if is_ended and not expected.was_closed:
            self.policies.check_end(key, session, oracle)

    def _has_lost_a_tombstone(self, child: str) -> bool:
        """Whether a logout that came before its child session is gone, as it may be once no login can be live."""
        return any(pk == f"suuid#{child}" for pk, _ in self._ttl_deleted)

    def _check_left_over(self) -> None:
        for name, body in self._run.undelivered():
            fact = name if isinstance(name, Fact) else None
            if fact is None or fact.kind != "logout" or fact.customer is not None or self._is_here(fact):
                self.fail("nothing is left undelivered", f"{name or body}")
        rejected = {json.loads(message)["body_sha256"] for message in self._run.rejected_bodies()}
        for body in self._run.bodies_to_reject:
            if sha256(body.encode()).hexdigest() not in rejected:
                self.fail("a bad event never disappears", body)
        if any(TOKEN in message for message in self._run.rejected_bodies()):
            self.fail("no token is stored", "in the rejected-events queue")
        if any("session_id" in item and TOKEN in json.dumps(item) for item in self._run.sessions.items.values()):
            self.fail("no token is stored", "in the sessions table")

    def _is_here(self, logout: Fact) -> bool:
        """Whether a logout without customer had a session to end; a tombstone that TTL left is none."""
        for item in self._run.sessions.items.values():
            session = session_in(item)
            if session is not None and session.session_id == logout.session and session.has_login:
                return True
        return False

    def visible(self, items: dict[ItemKey, Item]) -> list[Any]:
        """Give what readers of projections see now."""
        return [
            activity_at(projection_in(item), item["customer_id"]["S"], self._run.moment())
            for _, item in sorted(items.items())
            if item["customer_id"]["S"] not in self.operated.customers
        ]

    def unclear_facts(self) -> set[Fact]:
        """Name the facts of which the promise leaves the result of another delivery open."""
        oracle = self.oracle()
        unclear = {fact for session in oracle.sessions.values() for fact in session.possible_logouts}
        if self.has_ttl_deleted:  # a child session that is gone may be claimed anew
            for key, expected in oracle.sessions.items():
                if key[0] is not None and len(oracle.claimants(key)) > 1:
                    unclear.update(expected.logins)
        return unclear

    @property
    def has_ttl_deleted(self) -> bool:
        return bool(self._ttl_deleted)


def _item_key(parent: str | None, name: str, customer: str | None) -> ItemKey:
    return f"suuid#{parent or name}", f"c#{customer}" if parent is None else f"child#suuid#{name}"
