"""What must come of the facts, written from the promise and not from the code: no merge, no order, no stream.

A child of two customers, a logout without customer where several sessions bear its id, a parent's children under such a
logout: there the promise leaves room, and so does the oracle (`may_be_ended`).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from tests.simulation.facts import Fact

SessionKey = tuple[str | None, str, str | None]
"""Parent, session, customer; a child session's customer is left open, as it belongs to one of those who claim it."""


@dataclass
class Expected:
    """What is known of one session.

    Args:
        logins: Its logins.
        logouts: What must have ended it.
        possible_logouts: What may have ended it.
        was_closed: An old item said that it is over.
    """

    logins: list[Fact] = field(default_factory=list)
    logouts: list[Fact] = field(default_factory=list)
    possible_logouts: list[Fact] = field(default_factory=list)
    was_closed: bool = False

    @property
    def must_be_ended(self) -> bool:
        return bool(self.logouts) or self.was_closed

    @property
    def may_be_ended(self) -> bool:
        return self.must_be_ended or bool(self.possible_logouts)


class Oracle:
    """A fold of facts.

    Args:
        facts: Every fact that was accepted.
        old_items: Facts that were in the table before, and whether each was ended.
        evicted: Sessions that were ended because of the limit, which depends on what had arrived.
        returned: Sessions used again after a policy had ended them and TTL had taken the tombstone: they may be live.
        settings: Lifetimes that were ever set, in seconds: from a login to its expiry, and what any is clipped to.
    """

    def __init__(
        self,
        facts: Iterable[Fact],
        old_items: Iterable[tuple[Fact, bool]],
        evicted: Collection[SessionKey],
        returned: Collection[SessionKey],
        *,
        settings: Sequence[tuple[int, int]],
    ) -> None:
        self._evicted = evicted
        self.returned = returned
        self._settings = settings
        self.sessions: dict[SessionKey, Expected] = defaultdict(Expected)
        self.revocations: dict[str, list[Fact]] = defaultdict(list)
        facts = list(facts)
        for fact, is_over in old_items:
            session = self.sessions[session_key(fact)]
            session.was_closed |= is_over
            if not (fact.is_original and fact.parent):  # such a child names neither customer nor login
                session.logins.append(fact)
        for fact in facts:
            if fact.kind == "login":
                self.sessions[session_key(fact)].logins.append(fact)
            elif fact.kind == "logout_all":
                self.revocations[fact.customer or ""].append(fact)
        with_login = set(self.sessions)
        self._tombstones = {(fact.session, fact.customer) for fact in facts if fact.kind == "logout" and fact.customer}
        for fact in facts:
            if fact.kind == "logout":
                self._end(fact, with_login)

    def _end(self, logout: Fact, with_login: set[SessionKey]) -> None:
        named = logout.session or ""
        if logout.parent is not None:
            self.sessions[logout.parent, named, None].logouts.append(logout)
            return
        children = [key for key in with_login if key[0] is not None and key[1] == named]
        if logout.customer is not None:
            key: SessionKey = (None, named, logout.customer)
            mine = [child for child in children if logout.customer in self.claimants(child)]
            if key in with_login or not mine:
                self.sessions[key].logouts.append(logout)
            else:
                self._end_one_of(mine, logout)
            return
        top_level = [key for key in with_login if key[0] is None and key[1] == named]
        for below in with_login:
            if below[0] == named:
                self.sessions[below].possible_logouts.append(logout)
        self._end_one_of(top_level or children, logout)

    def _end_one_of(self, keys: list[SessionKey], logout: Fact) -> None:
        is_certain = len(keys) == 1 and len(self.claimants(keys[0])) == 1
        if is_certain and logout.customer is None:  # what it found may have been another customer's tombstone
            [claimant] = self.claimants(keys[0])
            is_certain = all(name != logout.session or of == claimant for name, of in self._tombstones)
        for key in keys:
            (self.sessions[key].logouts if is_certain else self.sessions[key].possible_logouts).append(logout)

    def claimants(self, key: SessionKey) -> set[str | None]:
        """Name the customers who logged in on a session."""
        return {login.customer for login in self.sessions[key].logins}

    def must_be_over(self, key: SessionKey) -> bool:
        """Tell whether a top-level session cannot be live, whether or not it was ended before it ran out."""
        is_ended_by_policy = key not in self.returned and (key in self._evicted or bool(self.covering(key)))
        return self.sessions[key].must_be_ended or is_ended_by_policy

    def covering(self, key: SessionKey) -> set[int]:
        """Give the times of the `logout_all` events that cover a session; children only follow their parents."""
        parent, session, customer = key
        logins = self.sessions[key].logins
        if parent is not None or not logins:
            return set()
        start = min(login.occurred_at for login in logins)
        revocations = self.revocations.get(customer or "", ())
        return {fact.occurred_at for fact in revocations if start <= fact.occurred_at and fact.exception != session}

    def pushers(self, key: SessionKey) -> set[int]:
        """Give when the customer's other top-level sessions began that may have pushed a session out."""
        start = min((login.occurred_at for login in self.sessions[key].logins), default=0)
        return {
            login.occurred_at
            for other, expected in self.sessions.items()
            for login in expected.logins
            if other[0] is None and other[2] == key[2] and other[1] != key[1] and login.occurred_at >= start
        }

    def expiry(self, key: SessionKey) -> int | None:
        """Tell when a session runs out, epoch seconds; None: an item of the original schema, never by itself."""
        return self._expiries(key)[1]

    def may_expire(self, key: SessionKey, at: int | None) -> bool:
        """Tell whether a session may run out at a time: replays under changed settings give what the new ones say."""
        earliest, latest = self._expiries(key)
        if at is None or earliest is None or latest is None:
            return at is latest
        return earliest <= at <= latest

    def _expiries(self, key: SessionKey) -> tuple[int | None, int | None]:
        logins = [login for login in self.sessions[key].logins if not login.is_original]
        bounds = [max((expiry_of(login, *settings) for login in logins), default=None) for settings in self._settings]
        finite = [bound for bound in bounds if bound is not None]
        return min(finite, default=None), max(finite, default=None)

    def live_sessions(self, customer: str, now: float) -> tuple[set[str], set[str]]:
        """Name the customer's top-level sessions that must count at a time, and those that may."""
        certain: set[str] = set()
        possible: set[str] = set()
        for (parent, session, owner), expected in self.sessions.items():
            if parent is not None or owner != customer or not expected.logins:
                continue
            if self.must_be_over((parent, session, owner)):
                continue
            earliest, latest = self._expiries((parent, session, owner))
            if latest is None or now < latest:
                may_be_over = earliest is not None and now >= earliest
                is_open = may_be_over or expected.may_be_ended or (parent, session, owner) in self.returned
                (possible if is_open else certain).add(session)
        return certain, certain | possible

    def last_logins(self, customer: str) -> set[tuple[int, str]]:
        """Give what may be the customer's last login (milliseconds, session); a child claimed twice leaves a choice."""
        certain: list[tuple[int, str]] = []
        contested: list[tuple[int, str]] = []
        for key, expected in self.sessions.items():
            logins = [(login.occurred_at, key[1]) for login in expected.logins if login.customer == customer]
            is_contested = key[0] is not None and len(self.claimants(key)) > 1
            (contested if is_contested else certain).extend(logins)
        latest = max(certain, default=None)
        options = {login for login in contested if latest is None or login > latest}
        if latest is not None or not options:
            return options | ({latest} if latest else set())
        return options | {(0, "")}

    def expiries(self) -> list[int]:
        """All moments at which something runs out."""
        moments = {self.expiry(key) for key in self.sessions if self.sessions[key].logins}
        return sorted(moment for moment in moments if moment is not None)

    def is_revoked(self, customer: str, session: str, started_at: int) -> bool:
        """Tell whether a `logout_all` covers a session that began at a time."""
        return any(
            started_at <= fact.occurred_at and fact.exception != session for fact in self.revocations.get(customer, ())
        )


def session_key(fact: Fact) -> SessionKey:
    """Say which session a login, or a logout that names everything, is about."""
    return fact.parent, fact.session or "", fact.customer if fact.parent is None else None


def expiry_of(login: Fact, default: int, maximum: int) -> int:
    """Tell when a login runs out, epoch seconds, under some settings."""
    asked = login.expires_at if login.expires_at is not None else login.occurred_at + default * 1000
    return min(asked, login.occurred_at + maximum * 1000) // 1000
