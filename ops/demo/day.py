"""A realistic day of session events, invented from a seed: the same seed and `now` give the same day.

Customers log in on a phone, a laptop or a TV, are logged in again silently while they use them, open child sessions,
log out, log out everywhere, or just let a session run out. Some do so at Auth0, Okta or Keycloak, whose events have
those systems' own shapes (`ops.demo.provider_shapes`). What carries their events is as unreliable as in life:
copies, delays, logouts that overtake their logins, a few malformed events, one message that nothing can ever process.

Pure: no clock, no network. `make_day` is what others call; it answers the deliveries in the order to publish them.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

from ops.demo.deliveries import Delivery, Kind, Sending
from ops.demo.malformed import BREAKAGES
from ops.demo.visits import COUNTRIES, DEVICES, HOURLY_WEIGHTS, NAMELESS, NETWORKS, OVERTAKEN, Device, Visit
from ops.publishing.publisher import Channel

MINIMUM_SIZE = 100
"""The fewest deliveries a day can have and still hold every kind."""

POISON_SESSION_ID = "session-never-seen"
"""The session of the poison message: a logout that names no customer, whose login never arrives."""

TOKEN_PREFIX = "example-token-"  # noqa: S105 - the opposite of a secret
"""How every access token of the day and of the samples begins, so that one that leaks is found."""

_LENGTH_OF_DAY = timedelta(hours=24)
_LONGEST_DELAY = timedelta(hours=3)
_SOURCE = "auth.example.com"


def make_day(*, seed: int, size: int, now: datetime) -> list[Delivery]:
    """Invent the events of the 24 hours before `now`.

    Args:
        seed: The same seed gives the same events, ids and order.
        size: How many deliveries, copies and malformed ones included.
        now: The end of the day, aware. Only the malformed event "from the future" occurs later.

    Returns:
        Exactly `size` deliveries in publishing order, which is not the order in which things occurred.

    Raises:
        ValueError: `size` is below `MINIMUM_SIZE`, or `now` has no time zone.
    """
    if size < MINIMUM_SIZE:
        raise ValueError(f"a day has at least {MINIMUM_SIZE} events, so that each kind is among them; got {size}")
    if now.tzinfo is None:
        raise ValueError("now needs a time zone, for example datetime.now(UTC)")
    return _Day(seed=seed, size=size, now=now.astimezone(UTC)).deliveries()


class _Day:
    """One day in the making: the random numbers, and the counters that make ids and the rarer cases."""

    def __init__(self, *, seed: int, size: int, now: datetime) -> None:
        self._random = Random(seed)  # noqa: S311 - invents test data, guards nothing
        self._size = size
        self._now = now
        self._events = 0
        self._visits = 0

    def deliveries(self) -> list[Delivery]:
        """Put the day together, in publishing order."""
        oddities = [*self._malformed(), self._poison(), *self._others()]
        repeats = self._size // 25
        facts = self._facts(self._size - repeats - len(oddities))
        sendings = [*facts, *oddities, *self._repeats(facts, repeats)]
        return [sending.delivery() for sending in sorted(sendings, key=lambda sending: sending.at)]

    # What customers do

    def _facts(self, count: int) -> list[Sending]:
        """Tell customer after customer, and stop at `count`: a prefix of a life is a life as well."""
        facts: list[Sending] = []
        number = 0
        while len(facts) < count:
            facts.extend(self._customer(number))
            number += 1
        return facts[:count]

    def _customer(self, number: int) -> Iterator[Sending]:
        # Some identity systems have ids with reserved characters: keys must survive them.
        customer_id = f"customer-{2001 + number}" + ("#eu" if number % 40 == 9 else "")
        logs_out_everywhere = number % 100 in (3, 5)
        devices = self._random.sample(DEVICES, k=2 if logs_out_everywhere else self._random.choice((1, 1, 2, 2, 3)))
        visits = [
            self._visit(customer_id, number, device) for device in devices for _ in range(self._sessions_of(device))
        ]
        for visit in visits:
            yield from self._sendings_of(visit)
        if logs_out_everywhere:
            yield self._logout_all(visits, everywhere_else=number % 100 == 5)

    def _sessions_of(self, device: Device) -> int:
        return 1 if device.name == "tv" else self._random.choice((1, 1, 2))

    def _visit(self, customer_id: str, number: int, device: Device) -> Visit:
        self._visits += 1
        started_at = self._busy_moment()
        client = {
            "ip": f"{self._random.choice(NETWORKS)}.{1 + number % 254}",
            "user_agent": device.user_agent,
            "device_id": f"{device.name}-{2001 + number}",
            "country": COUNTRIES[number % len(COUNTRIES)],
        }
        is_logged_out = self._visits % 15 in (OVERTAKEN, NAMELESS) or self._random.random() < 0.4
        ended_at = self._between(started_at + timedelta(minutes=10), self._now) if is_logged_out else None
        return Visit(self._visits, customer_id, device, client, started_at, ended_at)

    def _sendings_of(self, visit: Visit) -> Iterator[Sending]:
        yield self._login(visit)
        for moment in self._refresh_moments(visit):
            yield self._send(Kind.REFRESH, self._login_detail(visit, moment), moment)
        if visit.device.name == "laptop" and self._random.random() < 0.5:
            yield from self._child(visit)
        if visit.ended_at:
            yield self._logout(visit, visit.ended_at)

    def _login(self, visit: Visit) -> Sending:
        sending = self._send(Kind.LOGIN, self._login_detail(visit, visit.started_at), visit.started_at)
        if visit.ends_nameless:
            return replace(sending, at=visit.started_at)
        if visit.is_overtaken and visit.ended_at:
            # Later than the longest delay a logout can have.
            return replace(sending, at=visit.ended_at + _LONGEST_DELAY)
        return sending

    def _refresh_moments(self, visit: Visit) -> list[datetime]:
        if visit.runs_out:
            return []
        until = visit.ended_at or self._now
        count = self._random.randint(0, visit.device.refreshes)
        return sorted(self._between(visit.started_at, until) for _ in range(count))

    def _child(self, visit: Visit) -> Iterator[Sending]:
        until = visit.ended_at or self._now
        started_at = self._between(visit.started_at, until)
        identity = {"session_id": f"{visit.session_id}-mail", "parent_session_id": visit.session_id}
        yield self._send(Kind.CHILD_LOGIN, self._login_detail(visit, started_at) | identity, started_at)
        if self._random.random() < 0.5:
            ended_at = self._between(started_at, until)
            yield self._send(Kind.LOGOUT, self._logout_detail(visit, ended_at) | identity, ended_at)

    def _logout(self, visit: Visit, ended_at: datetime) -> Sending:
        detail = self._logout_detail(visit, ended_at)
        if visit.ends_nameless:
            del detail["customer_id"]
            return self._send(Kind.LOGOUT_WITHOUT_CUSTOMER, detail, ended_at)
        return self._send(Kind.LOGOUT, detail, ended_at)

    def _logout_all(self, visits: list[Visit], *, everywhere_else: bool) -> Sending:
        newest = max(visits, key=lambda visit: visit.started_at)
        occurred_at = self._between(newest.started_at, self._now)
        detail = self._event("logout_all", occurred_at) | {"customer_id": newest.customer_id, "reason": "security"}
        if everywhere_else:
            return self._send(Kind.LOGOUT_ALL_EXCEPT, detail | {"except_session_id": newest.session_id}, occurred_at)
        return self._send(Kind.LOGOUT_ALL, detail, occurred_at)

    # What becomes of events on their way

    def _repeats(self, facts: list[Sending], count: int) -> Iterator[Sending]:
        for number, fact in enumerate(self._random.sample(facts, k=count)):
            kind = Kind.REPEATED_FACT if number % 4 == 3 else Kind.REPEATED_EVENT
            detail = fact.detail | {"event_id": self._event_id()} if kind is Kind.REPEATED_FACT else fact.detail
            channel = fact.channel if number % 2 else _other(fact.channel)
            later = fact.at + timedelta(minutes=self._random.expovariate(1 / 20))
            yield Sending(later, kind, channel, detail)

    def _send(self, kind: Kind, detail: dict[str, Any], occurred_at: datetime) -> Sending:
        channel = self._random.choice((Channel.EVENTBRIDGE, Channel.EVENTBRIDGE, Channel.QUEUE))
        return Sending(occurred_at + self._delay(), kind, channel, detail)

    def _delay(self) -> timedelta:
        """Seconds as a rule, minutes now and then, hours rarely."""
        longest = self._random.choices(
            (timedelta(seconds=2), timedelta(minutes=2), _LONGEST_DELAY), weights=(90, 7, 3)
        )[0]
        return longest * self._random.random()

    # What comes along with them

    def _others(self) -> Iterator[Sending]:
        for _ in range(3):
            occurred_at = self._busy_moment()
            detail = self._event("password_changed", occurred_at) | {"customer_id": "customer-2001"}
            yield Sending(occurred_at, Kind.OTHER, Channel.QUEUE, detail)

    def _poison(self) -> Sending:
        # Early, because it takes several receives until the dead-letter queue has it.
        occurred_at = self._now - _LENGTH_OF_DAY + timedelta(minutes=30)
        detail = self._event("logout", occurred_at) | {"session_id": POISON_SESSION_ID}
        note = "a logout that names no customer, and whose login never arrives"
        return Sending(occurred_at, Kind.POISON, Channel.QUEUE, detail, note)

    def _malformed(self) -> Iterator[Sending]:
        for breakage in BREAKAGES:
            moment = self._busy_moment()
            login = self._event("login", moment) | {
                "customer_id": "customer-2001",
                "session_id": "session-malformed",
                "access_token": self._token(),
            }
            body = breakage.spoil(login, self._now)
            yield Sending(moment, Kind.MALFORMED, breakage.channel, login, breakage.note, body)

    # Parts of an event

    def _login_detail(self, visit: Visit, occurred_at: datetime) -> dict[str, Any]:
        detail = self._event("login", occurred_at) | {
            "customer_id": visit.customer_id,
            "session_id": visit.session_id,
            "access_token": self._token(),
            "client": visit.client,
        }
        lifetime = timedelta(minutes=20) if visit.runs_out else visit.device.lifetime
        return detail | {"expires_at": _rfc3339(occurred_at + lifetime)} if lifetime else detail

    def _logout_detail(self, visit: Visit, occurred_at: datetime) -> dict[str, Any]:
        reason = self._random.choice(("user", "user", "user", "timeout", "admin"))
        identity = {"customer_id": visit.customer_id, "session_id": visit.session_id}
        return self._event("logout", occurred_at) | identity | {"reason": reason}

    def _event(self, event_type: str, occurred_at: datetime) -> dict[str, Any]:
        event_id = self._event_id()
        # Some publishers write local time: an offset is as good as a Z.
        written = occurred_at.astimezone(timezone(timedelta(hours=2))) if self._events % 7 == 0 else occurred_at
        return {"event_id": event_id, "event_type": event_type, "occurred_at": _rfc3339(written), "source": _SOURCE}

    def _event_id(self) -> str:
        self._events += 1
        return f"event-{self._events:06d}"

    def _token(self) -> str:
        return f"{TOKEN_PREFIX}{self._random.getrandbits(96):024x}"

    def _busy_moment(self) -> datetime:
        """A moment of the day; its last half hour is left for what follows a login."""
        beginning = self._now - _LENGTH_OF_DAY
        hours = range(24)
        weights = [HOURLY_WEIGHTS[(beginning + timedelta(hours=hour)).hour] for hour in hours]
        moment = beginning + timedelta(hours=self._random.choices(hours, weights)[0] + self._random.random())
        return min(moment, self._now - timedelta(minutes=30, seconds=self._random.uniform(0, 600)))

    def _between(self, earliest: datetime, latest: datetime) -> datetime:
        return earliest + (latest - earliest) * self._random.random()


def _other(channel: Channel) -> Channel:
    return Channel.QUEUE if channel is Channel.EVENTBRIDGE else Channel.EVENTBRIDGE


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
