"""Draws what happens in a run: sessions and their families, logouts, what is in the tables before, and poison."""

from dataclasses import replace
from random import Random

from tests.simulation.facts import START, Fact, History, Route, Sending
from tests.simulation.faults import Fault, Faults

_POISON = (
    "",
    "no json",
    "5",
    '{"event_type":"login"}',
    '{"event_id":"p","event_type":"login","occurred_at":17000000,"customer_id":"A","session_id":"s0"}',
    '{"event_id":"p","event_type":"Login","occurred_at":"2026-03-01T12:00:00Z","customer_id":"A","session_id":"s0"}',
    '{"event_id":"p","event_type":"logout","occurred_at":"2026-03-01T12:00:00","customer_id":"A","session_id":"s0"}',
    '{"event_id":"p","event_type":"login","occurred_at":"2999-03-01T12:00:00Z","customer_id":"A","session_id":"s0"}',
    '{"event_id":"p","event_id":"q","event_type":"logout","occurred_at":"2026-03-01T12:00:00Z","session_id":"s0"}',
    '{"event_id":"p","event_type":"logout_all","occurred_at":"2026-03-01T12:00:00Z","access_token":"t0ken-p"}',
    '{"event_id":NaN}',
)


class Generator:
    """Draws a history.

    Args:
        source: The run's one source of randomness.
        faults: Those that shape what is sent.
    """

    def __init__(self, source: Random, faults: Faults) -> None:
        self._source = source
        self._faults = faults
        default, maximum = source.choice(((43_200, 604_800), (1200, 3600), (1200, 3600)))
        span = source.choice((5.0, 300.0, 1.2 * default, 1.5 * maximum))
        limit = source.choice((0, 0, 0, 1, 2, 3))
        self.history = History(default, maximum, limit, span)
        self._count = 0
        self._customers = "ABC"[: source.randint(1, 3)]
        self._skew = {
            customer: source.uniform(-300, 290) if faults.planned(Fault.CLOCK_SKEW, 0.5) else 0.0
            for customer in self._customers
        }

    def draw(self) -> History:
        """Make the history."""
        owned = self._sessions()
        for customer, session in owned:
            self._session(customer, session, None)
        for number in range(self._source.choice((0, 0, 1, 2, 3))):
            customer, parent = self._source.choice(owned)
            self._session(customer, f"k{number}", parent)
            others = [other for other in self._customers if other != customer]
            if others and self._faults.planned(Fault.SHARED_IDS, 0.3):
                self._session(self._source.choice(others), f"k{number}", parent)
        for _ in range(self._source.choice((0, 0, 0, 1, 1, 2, 3, 5))):
            self._logout_all([*(session for _, session in owned), "nowhere"])
        if Fault.POISON in self._faults:
            self._poison()
        if Fault.FOREIGN_TTL in self._faults:
            for number in range(3):  # of the original schema, and nothing more is heard of them
                at = int(START - 5000) * 1000
                fact = Fact("login", "", at, self._source.choice(self._customers), f"s9{number}", is_original=True)
                self.history.old_items.append((fact, False))
        self.history.sendings.sort(key=lambda sending: sending.at)
        return self.history

    def _sessions(self) -> list[tuple[str, str]]:
        owned = [(self._source.choice(self._customers), f"s{n}") for n in range(self._source.randint(2, 6))]
        for _, session in list(owned):
            other = self._source.choice(self._customers)
            if (other, session) not in owned and self._faults.planned(Fault.SHARED_IDS, 0.3):
                owned.append((other, session))
        return owned

    def _session(self, customer: str, session: str, parent: str | None) -> None:
        born = START + self._source.random() * self.history.span * 0.7
        times = sorted(
            [born, *(born + self._source.random() * self.history.span * 0.3 for _ in range(self._few_refreshes()))]
        )
        is_free = all((fact.session, fact.parent) != (session, parent) for fact, _ in self.history.old_items)
        if is_free and self._faults.planned(Fault.OLD_ITEMS, 0.3) and self._old_item(customer, session, parent):
            # It is over, and session ids are not used again: what comes now are late copies of what was before.
            times = [START - 600 * self._source.random() for _ in times]
        for number, moment in enumerate(times):
            login = self._fact("login", customer, session, parent, moment)
            country = self._source.choice((None, "GB", "IT"))
            login = replace(login, expires_at=self._expiry(login.occurred_at), country=country)
            hold_back = number == 0 and self._faults.planned(Fault.LOGOUT_FIRST, 0.3)
            self._send(login, moment, self._source.random() * self.history.span if hold_back else 0.0)
        if self._source.random() < 0.6:
            self._logouts(customer, session, parent, max(times))

    def _few_refreshes(self) -> int:
        return self._source.choice((0, 0, 0, 1, 1, 2, 3))

    def _expiry(self, occurred_at: int) -> int | None:
        lifetimes = (60, 0.3 * self.history.default_seconds, self.history.maximum_seconds, 1e7, -30)
        draw = self._source.random()
        return None if draw < 0.5 else occurred_at + int(1000 * self._source.choice(lifetimes)) + int(1000 * draw)

    def _logouts(self, customer: str, session: str, parent: str | None, after: float) -> None:
        moment = after + self._source.choice((0.0, self._source.random() * self.history.span * 0.3))
        for _ in range(self._source.choice((1, 1, 1, 2, 3))):  # more than one: in the same millisecond
            named = None if self._source.random() < 0.2 else customer
            below = parent if self._source.random() < 0.5 else None
            logout = self._fact("logout", named, session, below, moment)
            occurred_at = max(logout.occurred_at, self._milliseconds(after, customer))
            reason = self._source.choice((None, None, "admin", "security", "parent"))
            self._send(replace(logout, occurred_at=occurred_at, reason=reason), moment)

    def _logout_all(self, sessions: list[str]) -> None:
        moment = START + self._source.random() * self.history.span
        fact = self._fact("logout_all", self._source.choice(self._customers), None, None, moment)
        exception = self._source.choice(sessions) if self._source.random() < 0.5 else None
        occurred_at = fact.occurred_at
        if self._source.random() < 0.2:  # in the millisecond of a login: that one ends, too
            occurred_at = self._source.choice(self.history.sendings).fact.occurred_at
        self._send(replace(fact, exception=exception, occurred_at=occurred_at), max(moment, occurred_at / 1000))

    def _fact(self, kind: str, customer: str | None, session: str | None, parent: str | None, at: float) -> Fact:
        self._count += 1
        # not in the order of time: ids only break ties
        event_id = f"{self._source.choice('abcxyz')}{self._count}"
        return Fact(kind, event_id, self._milliseconds(at, customer), customer, session, parent)

    def _milliseconds(self, at: float, customer: str | None) -> int:
        return int(1000 * (at + self._skew.get(customer or "", 0.0)))

    def _old_item(self, customer: str, session: str, parent: str | None) -> bool:
        """Put an item into the table; answers whether it is over."""
        occurred_at = int(START - self._source.choice((10, 5000))) * 1000
        is_original = self._source.random() < 0.6
        fact = Fact("login", "", occurred_at, customer, session, parent, is_original=is_original)
        if not is_original:
            fact = replace(fact, expires_at=occurred_at + self.history.maximum_seconds * 1000)
        is_over = self._source.random() < 0.2
        self.history.old_items.append((fact, is_over))
        return is_over

    def _poison(self) -> None:
        for _ in range(self._source.randint(1, 3)):
            at = START + self._source.random() * self.history.span
            self.history.poison.append((at, self._source.choice(_POISON)))

    def _send(self, fact: Fact, moment: float, hold_back: float = 0.0) -> None:
        at = max(moment, START) + hold_back + self._source.choice((0.05, 1.0)) * self._source.random()
        if self._faults.planned(Fault.REORDER, 0.4):
            at += self._source.random() * self.history.span
        if self._faults.planned(Fault.LONG_DELAY, 0.15):
            lifetime = self.history.maximum_seconds
            # any time after, or just before the longest life of its session ends
            late = self._source.choice((at + 2 * lifetime * self._source.random(), moment + lifetime - 60))
            at = max(at, late)
        route = self._source.choice(list(Route))
        if route in (Route.BUS_TO_QUEUE, Route.BUS_TO_FUNCTION) and self._source.random() < 0.2:
            fact = replace(fact, event_id="")
        self.history.sendings.append(Sending(at, fact, route, self._source.random() < 0.7))
        if self._faults.planned(Fault.DUPLICATE_FACT, 0.3):
            again = at + self._source.choice((0.01, 5.0, self.history.span, self.history.maximum_seconds))
            if fact.event_id:
                route = self._source.choice(list(Route))
            self.history.sendings.append(Sending(again, fact, route))
