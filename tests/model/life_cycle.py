"""Histories of life-cycle events: logins, logouts, operators, redelivered streams, and sweepers that overlap and crash.

The publisher, the sweeper and the register are the real ones; bus, archive and agenda are kept in memory, and every
request is a point where somebody else may go on, or the one who asks may die.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from processors.aws.batch_sending import Failures
from processors.life_cycle import sweeper as sweeping
from processors.life_cycle.agenda import AgendaItem, sort_key_of_slot, write_agenda_item
from processors.life_cycle.publisher import Outlets, SessionPublisher
from schemas.events import LoginEvent, LogoutEvent
from schemas.item_mapping import read_item
from schemas.items import ACTIVE, Session
from schemas.keys import Key
from schemas.life_cycle import EXPIRED, MEMBERS, detail_of, latest, over_as_of
from tests.model.world import World

CUSTOMER = "c"
SESSIONS = ("a", "b", "p")
CHILD_OF_P = "k"
GRACE_SECONDS = 2.0


class CrashError(BaseException):
    """The sandbox dies: nothing in it gets a chance to react."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """What happens in a history beside logins, logouts, deliveries and sweeps.

    Args:
        removals: Session items are deleted by hand.
        restores: Session items are put back as they once were; everything is touched afterwards, and what is not yet
            touched is not removed.
        begins_late: The publisher is switched on over a table that holds sessions, which are touched.
        crashes: Workers die between any two requests.
        refreshes: Whether the bus gets every refresh.
        outage: Most seconds for which no sweeper runs.
        families: There are a parent and its child alone, and many of their logins.
    """

    removals: bool = True
    restores: bool = False
    begins_late: bool = False
    crashes: bool = True
    refreshes: bool = False
    outage: float = 0.0
    families: bool = False


@dataclass
class InMemoryOutlet:
    """A bus or an archive that keeps what it accepts, and throttles at times."""

    give_way: Callable[[], None]
    is_throttling: Callable[[], bool]
    on_accepted: Callable[[Mapping[str, Any]], None]

    def put(self, details: Sequence[Mapping[str, Any]], **_: Any) -> Failures:
        failures = Failures()
        for position, detail in enumerate(details):
            self.give_way()
            if self.is_throttling():
                failures.unsent[position] = "ThrottlingException"
            else:
                self.on_accepted(detail)
        return failures


class InMemoryAgenda:
    """The agenda's table, in memory, with faults."""

    def __init__(self, give_way: Callable[[], None], is_throttling: Callable[[], bool]) -> None:
        self.items: dict[Key, dict[str, Any]] = {}
        self._give_way = give_way
        self._is_throttling = is_throttling

    def put(self, items: Sequence[AgendaItem], **_: Any) -> bool:
        for item in items:
            self._give_way()
            if self._is_throttling():
                return False
            self.items[item.key] = write_agenda_item(item)
        return True

    def delete(self, keys: Sequence[Key], **_: Any) -> bool:
        for key in keys:
            self._give_way()
            if self._is_throttling():
                return False
            self.items.pop(key, None)
        return True

    def pages_before(self, partition: str, slot: int) -> Iterator[list[dict[str, Any]]]:
        found = sorted(key for key in self.items if key.pk == partition and str(key.sk) < sort_key_of_slot(slot))
        if found:
            self._give_way()
        for start in range(0, len(found), 3):
            yield [self.items[key] for key in found[start : start + 3] if key in self.items]
            self._give_way()


@dataclass
class FailureStore:
    """Where the publisher sets aside what bus and archive do not take; it is replayed at the end."""

    lines: dict[str, list[str]]
    kept: int = 0

    def put_lines(self, prefix: str, lines: Sequence[str]) -> bool:
        self.lines.setdefault(prefix, []).extend(lines)
        self.kept += len(lines)
        return True


class LifeCycleHistory:
    """One history.

    Args:
        seed: Of all chance.
        kinds: What happens.
        sweeper: The sweeper's class: the real one, or a naive one.
    """

    def __init__(
        self, seed: int, kinds: Kinds, *, sweeper: type[sweeping.ExpirySweeper] = sweeping.ExpirySweeper
    ) -> None:
        self._source = Random(f"life cycle {seed}")
        self._kinds = kinds
        self._sweeper_class = sweeper
        self.world = World(self._source)
        self._fault_rate = 0.05
        self.agenda = InMemoryAgenda(self._step, self._is_unlucky)
        self.told: list[dict[str, Any]] = []
        self.archived: list[dict[str, Any]] = []
        self.violations: list[str] = []
        self._delivered = self._switched_on_at = 0
        self._number = 0
        self._past: list[dict[str, Any]] = []
        self._stored: dict[tuple[Key, int], list[Session]] = {}
        self.world.session_items.on_change = self._remember
        self._sweepers_rest_until = self.world.now + kinds.outage

    def play(self) -> list[str]:
        """Play it to its end, and say what is wrong then."""
        if self._kinds.begins_late:
            self._log_in_and_out(6)
            self._delivered = self._switched_on_at = len(self.world.records)
            self.world.start(self._touch_all)
        for actor in (self._publish, self._deliver, self._replay, self._operate, self._sweep, self._sweep, self._sweep):
            self.world.start(self._until_it_dies(actor))
        self.world.run()
        self._fault_rate = 0.0
        if self._kinds.restores:
            self._touch_all()
        self._settle()
        self._check()
        return self.violations

    # Actors

    def _until_it_dies(self, actor: Callable[[], None]) -> Callable[[], None]:
        def body() -> None:
            for _ in range(4):
                try:
                    actor()
                except CrashError:
                    continue

        return body

    def _publish(self) -> None:
        self._log_in_and_out(2)

    def _log_in_and_out(self, count: int) -> None:
        for _ in range(count):
            self.world.give_way()
            self._number += 1
            names = ("p", CHILD_OF_P) if self._kinds.families else (*SESSIONS, CHILD_OF_P)
            name = self._source.choice(names)
            parent: dict[str, Any] = {"parent_session_id": "p"} if name == CHILD_OF_P else {}
            at = self.world.clock() - timedelta(seconds=self._source.choice((0, 1, 9)))
            fact: dict[str, Any] = {
                "event_id": str(self._number),
                "occurred_at": at,
                "customer_id": CUSTOMER,
                "session_id": name,
            }
            if self._source.random() < 0.25:
                self.world.sessions.apply([LogoutEvent(**fact, **parent)])
            else:
                expires_at = at + timedelta(seconds=self._source.choice((1, 6, 12, 30, 5_000)))
                self.world.sessions.apply([LoginEvent(**fact, **parent, expires_at=expires_at)])

    def _deliver(self) -> None:
        """Deliver new records in order, as Lambda does; what fails comes again."""
        for _ in range(3):
            self._step()
            batch = self.world.records[self._delivered : self._delivered + self._source.randint(1, 4)]
            self._delivered += self._project(batch)

    def _replay(self) -> None:
        """Deliver old records again, beside the worker."""
        self._step()
        if records := self.world.records[self._switched_on_at : self._delivered]:
            first = self._source.randrange(len(records))
            self._project(records[first : first + self._source.randint(1, 3)])

    def _operate(self) -> None:
        self.world.give_way()
        items = self.world.session_items
        removable = [key for key in sorted(items.items) if self._is_newest(items.items[key])]
        if self._kinds.removals and removable and self._source.random() < 0.4:
            items.delete(self._source.choice(removable), self.world.now)
        if self._kinds.restores and self._past and self._source.random() < 0.4:
            item = self._source.choice(self._past)
            items.store(items.key_of(item), item, self.world.now)

    def _is_newest(self, item: dict[str, Any]) -> bool:
        """Whether an item was not restored, or touched since: before, its removal is older than what was told."""
        session = read_item(item)
        versions = [version for key, version in self._stored if isinstance(session, Session) and key == session.key]
        return int(item["version"]["N"]) == max(versions, default=-1)

    def _sweep(self) -> None:
        for _ in range(3):
            self._step()
            if self.world.now >= self._sweepers_rest_until:
                self._new_sweeper().sweep()

    def _new_sweeper(self) -> sweeping.ExpirySweeper:
        agenda: Any = self.agenda
        bus: Any = InMemoryOutlet(self._step, self._is_unlucky, self._accept)
        sessions = self.world.sessions
        offset = self._source.uniform(-1.0, 0.0)  # a clock that is behind is late, and nothing else
        return self._sweeper_class(
            agenda,
            sessions.reader,
            bus,
            self.world.sessions.erased,
            clock=lambda: self.world.clock() + timedelta(seconds=offset),
            choose=self._source.randrange,
        )

    # What they stand on

    def _step(self) -> None:
        self.world.give_way()
        if self._kinds.crashes and self._source.random() < self._fault_rate / 2:
            raise CrashError

    def _is_unlucky(self) -> bool:
        return self._source.random() < self._fault_rate

    def _project(self, batch: list[dict[str, Any]]) -> int:
        """Publish records; return how many of them are done."""
        if not batch:
            return 0
        store = FailureStore({})
        bus: Any = InMemoryOutlet(self._step, self._is_unlucky, self._accept)
        archive: Any = InMemoryOutlet(self._step, self._is_unlucky, lambda detail: self.archived.append(dict(detail)))
        agenda: Any = self.agenda
        kept: Any = store if self._source.random() < 0.5 else None
        outlets = Outlets(bus, archive, agenda, refreshes_to_bus=self._kinds.refreshes)
        published = SessionPublisher(outlets, self.world.sessions.erased, failed_batches=kept).publish(batch)
        self._replay_lines(store)
        if published.lowest_failed is None:
            return len(batch)
        return [record["dynamodb"]["SequenceNumber"] for record in batch].index(published.lowest_failed)

    def _replay_lines(self, store: FailureStore) -> None:
        self.told += map(json.loads, store.lines.get("bus", ()))
        self.archived += map(json.loads, store.lines.get("archive", ()))

    def _touch_all(self) -> None:
        """Write every item with a greater version, as `sessionctl rebuild register` does."""
        items = self.world.session_items
        for key in sorted(items.items):
            self.world.give_way()
            if (item := items.items.get(key)) is not None:
                version = max(int(item["version"]["N"]) + 1, int(self.world.now * 1000))
                items.store(key, item | {"version": {"N": str(version)}}, self.world.now)

    def _settle(self) -> None:
        """Deliver all, let most sessions run out, and sweep until nothing is due."""
        while self._delivered < len(self.world.records):
            self._delivered += self._project(self.world.records[self._delivered :])
        self.world.now += 1_000
        for _ in range(2):
            self._new_sweeper().sweep()

    # The judge

    def _remember(self, old: Any, new: Any, is_ttl: bool) -> None:
        session = read_item(new) if new is not None else None
        if isinstance(session, Session):
            if session.has_login:  # an item put back without its login tells a reader nothing: outside the promise
                self._past.append(new)
            self._stored.setdefault((session.key, session.version or 0), []).append(session)

    def _accept(self, detail: Mapping[str, Any]) -> None:
        """Keep what the bus took; an expiry must be of a state that was stored, active, and over."""
        self.told.append(dict(detail))
        if detail["kind"] != EXPIRED:
            return
        pk, sk, seconds, _ = detail["id"].rsplit("/", 3)
        states = self._stored.get((Key(pk, sk), detail["session"]["version"]), [])
        if int(seconds) + GRACE_SECONDS > self.world.now:
            self.violations.append(f"told before its time: {detail['id']}")
        if not any(
            state.session_state == ACTIVE and state.expires_at and state.expires_at.timestamp() == int(seconds)
            for state in states
        ):
            self.violations.append(f"told of a session that was not active: {detail['id']}")

    def _check(self) -> None:
        bus, archive = (latest(self._as_a_reader_gets(told)) for told in (self.told, self.archived))
        register = [read_item(item) for item in self.world.session_items.items.values()]
        sessions = [found for found in register if isinstance(found, Session) and found.has_login]
        now = self.world.clock()
        stored = [detail_of("ended", found, occurred_at=now, over=over_as_of(found, now)) for found in sessions]
        names = latest(stored).keys()
        removed = {key: detail for key, detail in bus.items() if key not in names}
        # a parent that was removed is over to a reader, and its children with it
        for key, expected in latest([*stored, *removed.values()]).items():
            if key in names:
                self._compare(key, expected, bus.get(key), archive.get(key))
        live = [key for key, detail in removed.items() if detail["over_at"] is None]
        if live:
            self.violations.append(f"removed, and live to a reader: {live}")
        expired = [detail["id"] for detail in self.told if detail["kind"] == EXPIRED]
        for found in sessions:
            if found.session_state == ACTIVE and found.expires_at is not None and found.expires_at < now:
                wanted = f"{found.key.pk}/{found.key.sk}/{int(found.expires_at.timestamp())}/expired"
                if wanted not in expired:
                    self.violations.append(f"an expiry that stood was not told: {wanted}")
        left = sorted(
            str(key.sk) for key in self.agenda.items if str(key.sk) < sort_key_of_slot(int(self.world.now) - 10)
        )
        if left:
            self.violations.append(f"left on the agenda: {left}")

    def _compare(self, key: Any, expected: Any, on_bus: Any, in_archive: Any) -> None:
        if on_bus is None or in_archive is None:
            self.violations.append(f"unknown to a reader: {key}")
            return
        if (on_bus["over_at"], on_bus["over_reason"]) != (expected["over_at"], expected["over_reason"]):
            self.violations.append(f"over differs: {key}, {on_bus}, {expected}")
        for reader in (on_bus, in_archive) if self._kinds.refreshes else (in_archive,):
            wrong = [name for name in MEMBERS if reader["session"][name] != expected["session"][name]]
            if wrong:
                self.violations.append(f"{wrong} differ: {key}, {reader}, {expected}")

    def _as_a_reader_gets(self, told: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Repeat and shuffle."""
        received = list(told) + [self._source.choice(told) for _ in range(5) if told]
        self._source.shuffle(received)
        return received
