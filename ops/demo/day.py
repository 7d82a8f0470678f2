"""A realistic day of session events, invented from a seed: the same seed and `now` give the same day.

Customers log in on a phone, a laptop or a TV, are logged in again silently while they use them, open child sessions,
log out, log out everywhere, or just let a session run out. Some do so at Auth0, Okta or Keycloak, whose events have
those systems' own shapes (`ops.demo.provider_shapes`). What carries their events is as unreliable as in life:
copies, delays, logouts that overtake their logins, a few malformed events, one message that nothing can ever process.

Pure: no clock, no network. `make_day` is what others call; it answers the deliveries in the order to publish them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from random import Random
from typing import Any

from ops.demo.malformed import BREAKAGES
from ops.demo.provider_shapes import message_from, provider_of
from ops.publishing.publisher import Channel, Message

MINIMUM_SIZE = 100
"""The fewest deliveries a day can have and still hold every kind."""

POISON_SESSION_ID = "session-never-seen"
"""The session of the poison message: a logout that names no customer, whose login never arrives."""

TOKEN_PREFIX = "example-token-"  # noqa: S105 - the opposite of a secret
"""How every access token of the day and of the samples begins, so that one that leaks is found."""

_LENGTH_OF_DAY = timedelta(hours=24)
_LONGEST_DELAY = timedelta(hours=3)
_OVERTAKEN, _NAMELESS = 1, 3
"""Of every 15 sessions, the one whose logout overtakes its login, and the one whose logout names no customer."""
_SOURCE = "auth.example.com"


class Kind(StrEnum):
    """What a delivery is."""

    LOGIN = "login"
    REFRESH = "silent re-login"
    CHILD_LOGIN = "login of a child session"
    LOGOUT = "logout"
    LOGOUT_WITHOUT_CUSTOMER = "logout that names no customer"
    LOGOUT_ALL = "logout everywhere"
    LOGOUT_ALL_EXCEPT = "logout everywhere else"
    REPEATED_EVENT = "the same event again"
    REPEATED_FACT = "the same fact under a new event id"
    OTHER = "event of another kind"
    MALFORMED = "malformed"
    POISON = "poison"


@dataclass(frozen=True, slots=True)
class Delivery(Message):
    """A message of the day, and what it is.

    Attributes:
        kind: What it is.
        note: What is wrong with it, in words; empty where nothing is.
        provider: The identity system whose shape it has; empty for our own.
    """

    kind: Kind
    note: str = ""
    provider: str = ""


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


@dataclass(frozen=True, slots=True)
class _Device:
    name: str
    user_agent: str
    lifetime: timedelta | None
    """How long its sessions last unless refreshed; None leaves it to the system's default."""
    refreshes: int
    """At most so many silent re-logins a session."""


_DEVICES = (
    _Device("phone", "ExampleApp/4.2 (Android 15)", None, 3),
    _Device("laptop", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", timedelta(hours=8), 2),
    # Longer than any session may last: what the system clips.
    _Device("tv", "ExampleTV/9.1", timedelta(days=30), 0),
)
_COUNTRIES = ("DE", "FR", "NL", "PL", "SE")
_NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
_DETAIL_TYPES = {"login": "Login", "logout": "Logout", "logout_all": "LogoutAll"}
_HOURLY_WEIGHTS = (1, 1, 1, 1, 1, 2, 4, 7, 9, 8, 7, 6, 7, 6, 6, 6, 7, 8, 9, 9, 8, 6, 4, 2)
"""How busy each hour (UTC) is: a morning and an evening peak."""


@dataclass(frozen=True, slots=True)
class _Sending:
    """An event on its way, and when it leaves its publisher: occurrence plus delay."""

    at: datetime
    kind: Kind
    channel: Channel
    detail: dict[str, Any]
    note: str = ""
    body: str = ""
    """What is sent in place of the detail, where it is malformed."""

    def delivery(self) -> Delivery:
        """Dress the event for its channel: on EventBridge the detail-type says what the body need not."""
        provider = "" if self.body else provider_of(self.detail)
        if provider:
            # As a rule on the system's own bus puts it into the queue.
            body = message_from(provider, self.detail, sent_at=self.at)
            return Delivery(Channel.QUEUE, "", body, self.kind, self.note, provider)
        if self.channel is Channel.QUEUE:
            return Delivery(self.channel, "", self.body or json.dumps(self.detail), self.kind, self.note)
        detail_type = _DETAIL_TYPES[self.detail["event_type"]]
        bare = {name: value for name, value in self.detail.items() if name != "event_type"}
        return Delivery(self.channel, detail_type, self.body or json.dumps(bare), self.kind, self.note)


@dataclass(frozen=True, slots=True)
class _Visit:
    """One session, from its first login to the logout that may end it.

    The rarer fates go by number rather than by chance, so that the smallest day has each of them.
    """

    number: int
    customer_id: str
    device: _Device
    client: dict[str, str]
    started_at: datetime
    ended_at: datetime | None

    @property
    def session_id(self) -> str:
        return f"session-{self.number:05d}"

    @property
    def runs_out(self) -> bool:
        """It names an early `expires_at`, and nobody refreshes it or logs it out."""
        return self.ended_at is None and self.number % 6 == 4

    @property
    def is_overtaken(self) -> bool:
        """Its logout is published before its login."""
        return self.number % 15 == _OVERTAKEN

    @property
    def ends_nameless(self) -> bool:
        """Its logout names no customer: the one kind that needs its login to be here already."""
        return self.number % 15 == _NAMELESS


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

    def _facts(self, count: int) -> list[_Sending]:
        """Tell customer after customer, and stop at `count`: a prefix of a life is a life as well."""
        facts: list[_Sending] = []
        number = 0
        while len(facts) < count:
            facts.extend(self._customer(number))
            number += 1
        return facts[:count]

    def _customer(self, number: int) -> Iterator[_Sending]:
        # Some identity systems have ids with reserved characters: keys must survive them.
        customer_id = f"customer-{2001 + number}" + ("#eu" if number % 40 == 9 else "")
        logs_out_everywhere = number % 100 in (3, 5)
        devices = self._random.sample(_DEVICES, k=2 if logs_out_everywhere else self._random.choice((1, 1, 2, 2, 3)))
        visits = [
            self._visit(customer_id, number, device) for device in devices for _ in range(self._sessions_of(device))
        ]
        for visit in visits:
            yield from self._sendings_of(visit)
        if logs_out_everywhere:
            yield self._logout_all(visits, everywhere_else=number % 100 == 5)

    def _sessions_of(self, device: _Device) -> int:
        return 1 if device.name == "tv" else self._random.choice((1, 1, 2))

    def _visit(self, customer_id: str, number: int, device: _Device) -> _Visit:
        self._visits += 1
        started_at = self._busy_moment()
        client = {
            "ip": f"{self._random.choice(_NETWORKS)}.{1 + number % 254}",
            "user_agent": device.user_agent,
            "device_id": f"{device.name}-{2001 + number}",
            "country": _COUNTRIES[number % len(_COUNTRIES)],
        }
        is_logged_out = self._visits % 15 in (_OVERTAKEN, _NAMELESS) or self._random.random() < 0.4
        ended_at = self._between(started_at + timedelta(minutes=10), self._now) if is_logged_out else None
        return _Visit(self._visits, customer_id, device, client, started_at, ended_at)

    def _sendings_of(self, visit: _Visit) -> Iterator[_Sending]:
        yield self._login(visit)
        for moment in self._refresh_moments(visit):
            yield self._send(Kind.REFRESH, self._login_detail(visit, moment), moment)
        if visit.device.name == "laptop" and self._random.random() < 0.5:
            yield from self._child(visit)
        if visit.ended_at:
            yield self._logout(visit, visit.ended_at)

    def _login(self, visit: _Visit) -> _Sending:
        sending = self._send(Kind.LOGIN, self._login_detail(visit, visit.started_at), visit.started_at)
        if visit.ends_nameless:
            return replace(sending, at=visit.started_at)
        if visit.is_overtaken and visit.ended_at:
            # Later than the longest delay a logout can have.
            return replace(sending, at=visit.ended_at + _LONGEST_DELAY)
        return sending

    def _refresh_moments(self, visit: _Visit) -> list[datetime]:
        if visit.runs_out:
            return []
        until = visit.ended_at or self._now
        count = self._random.randint(0, visit.device.refreshes)
        return sorted(self._between(visit.started_at, until) for _ in range(count))

    def _child(self, visit: _Visit) -> Iterator[_Sending]:
        until = visit.ended_at or self._now
        started_at = self._between(visit.started_at, until)
        identity = {"session_id": f"{visit.session_id}-mail", "parent_session_id": visit.session_id}
        yield self._send(Kind.CHILD_LOGIN, self._login_detail(visit, started_at) | identity, started_at)
        if self._random.random() < 0.5:
            ended_at = self._between(started_at, until)
            yield self._send(Kind.LOGOUT, self._logout_detail(visit, ended_at) | identity, ended_at)

    def _logout(self, visit: _Visit, ended_at: datetime) -> _Sending:
        detail = self._logout_detail(visit, ended_at)
        if visit.ends_nameless:
            del detail["customer_id"]
            return self._send(Kind.LOGOUT_WITHOUT_CUSTOMER, detail, ended_at)
        return self._send(Kind.LOGOUT, detail, ended_at)

    def _logout_all(self, visits: list[_Visit], *, everywhere_else: bool) -> _Sending:
        newest = max(visits, key=lambda visit: visit.started_at)
        occurred_at = self._between(newest.started_at, self._now)
        detail = self._event("logout_all", occurred_at) | {"customer_id": newest.customer_id, "reason": "security"}
        if everywhere_else:
            return self._send(Kind.LOGOUT_ALL_EXCEPT, detail | {"except_session_id": newest.session_id}, occurred_at)
        return self._send(Kind.LOGOUT_ALL, detail, occurred_at)

    # What becomes of events on their way

    def _repeats(self, facts: list[_Sending], count: int) -> Iterator[_Sending]:
        for number, fact in enumerate(self._random.sample(facts, k=count)):
            kind = Kind.REPEATED_FACT if number % 4 == 3 else Kind.REPEATED_EVENT
            detail = fact.detail | {"event_id": self._event_id()} if kind is Kind.REPEATED_FACT else fact.detail
            channel = fact.channel if number % 2 else _other(fact.channel)
            later = fact.at + timedelta(minutes=self._random.expovariate(1 / 20))
            yield _Sending(later, kind, channel, detail)

    def _send(self, kind: Kind, detail: dict[str, Any], occurred_at: datetime) -> _Sending:
        channel = self._random.choice((Channel.EVENTBRIDGE, Channel.EVENTBRIDGE, Channel.QUEUE))
        return _Sending(occurred_at + self._delay(), kind, channel, detail)

    def _delay(self) -> timedelta:
        """Seconds as a rule, minutes now and then, hours rarely."""
        longest = self._random.choices(
            (timedelta(seconds=2), timedelta(minutes=2), _LONGEST_DELAY), weights=(90, 7, 3)
        )[0]
        return longest * self._random.random()

    # What comes along with them

    def _others(self) -> Iterator[_Sending]:
        for _ in range(3):
            occurred_at = self._busy_moment()
            detail = self._event("password_changed", occurred_at) | {"customer_id": "customer-2001"}
            yield _Sending(occurred_at, Kind.OTHER, Channel.QUEUE, detail)

    def _poison(self) -> _Sending:
        # Early, because it takes several receives until the dead-letter queue has it.
        occurred_at = self._now - _LENGTH_OF_DAY + timedelta(minutes=30)
        detail = self._event("logout", occurred_at) | {"session_id": POISON_SESSION_ID}
        note = "a logout that names no customer, and whose login never arrives"
        return _Sending(occurred_at, Kind.POISON, Channel.QUEUE, detail, note)

    def _malformed(self) -> Iterator[_Sending]:
        for breakage in BREAKAGES:
            moment = self._busy_moment()
            login = self._event("login", moment) | {
                "customer_id": "customer-2001",
                "session_id": "session-malformed",
                "access_token": self._token(),
            }
            body = breakage.spoil(login, self._now)
            yield _Sending(moment, Kind.MALFORMED, breakage.channel, login, breakage.note, body)

    # Parts of an event

    def _login_detail(self, visit: _Visit, occurred_at: datetime) -> dict[str, Any]:
        detail = self._event("login", occurred_at) | {
            "customer_id": visit.customer_id,
            "session_id": visit.session_id,
            "access_token": self._token(),
            "client": visit.client,
        }
        lifetime = timedelta(minutes=20) if visit.runs_out else visit.device.lifetime
        return detail | {"expires_at": _rfc3339(occurred_at + lifetime)} if lifetime else detail

    def _logout_detail(self, visit: _Visit, occurred_at: datetime) -> dict[str, Any]:
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
        weights = [_HOURLY_WEIGHTS[(beginning + timedelta(hours=hour)).hour] for hour in hours]
        moment = beginning + timedelta(hours=self._random.choices(hours, weights)[0] + self._random.random())
        return min(moment, self._now - timedelta(minutes=30, seconds=self._random.uniform(0, 600)))

    def _between(self, earliest: datetime, latest: datetime) -> datetime:
        return earliest + (latest - earliest) * self._random.random()


def _other(channel: Channel) -> Channel:
    return Channel.QUEUE if channel is Channel.EVENTBRIDGE else Channel.EVENTBRIDGE


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
