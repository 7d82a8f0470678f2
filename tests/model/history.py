"""Histories of one customer: logins and logouts, operators' deletions and restores, workers, replays and rebuilds."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from processors.aws.message_queue import MessageQueue
from processors.projection_table import NotWrittenError
from processors.projections.projector import Projector
from schemas.events import Event, LoginEvent, LogoutAllEvent, LogoutEvent
from schemas.item_mapping import read_item
from schemas.items import Revocation, Session
from schemas.projection_items import projection_key
from schemas.times import parse_rfc3339
from tests.model.world import World

CUSTOMER = "c"
NAMES = ("a", "b", "d")


@dataclass(frozen=True, slots=True)
class Kinds:
    """What happens in a history beside logins, logouts, workers and replays.

    Args:
        removals: Session items are deleted by hand.
        restores: Session items are put back as they once were.
        rebuilds: The projection is rebuilt.
        projection_deletions: The projection is deleted by hand.
        index_lag_at_deletion: As `index_lag`, where projections are deleted: what the index does not show yet a birth
            after a deletion misses, which is outside the promise.
        index_lag: Most seconds until a change shows in the index.
        limit: Most live sessions of a customer; 0: no limit.
        sessions: How many session ids there are.
        ends: Which share of the events ends sessions.
        replays: How many redeliver old records, beside the workers.
        clocks_differ: As in `World`.
        hurries: As in `World`.
    """

    removals: bool = True
    restores: bool = True
    rebuilds: bool = True
    projection_deletions: bool = False
    index_lag_at_deletion: float = 0.0
    index_lag: float = 1.0
    limit: int = 0
    sessions: int = 3
    ends: float = 0.2
    replays: int = 2
    clocks_differ: bool = False
    hurries: bool = False


class History:
    """One history.

    Args:
        seed: Of all chance.
        kinds: What happens.
    """

    def __init__(self, seed: int, kinds: Kinds) -> None:
        self._source = Random(f"model {seed}")
        self._kinds = kinds
        self.world = World(
            self._source,
            index_lag=kinds.index_lag_at_deletion if kinds.projection_deletions else kinds.index_lag,
            limit=kinds.limit,
            clocks_differ=kinds.clocks_differ,
            hurries=kinds.hurries,
        )
        queue: Any = self.world.commands
        self._queue: MessageQueue = queue
        self._names = NAMES[: kinds.sessions]
        self._delivered = 0
        self._taken = 0
        self._past: list[dict[str, Any]] = []
        self._logins: list[datetime] = []
        self._number = 0
        self._lowered: str | None = None

    def play(self) -> str | None:
        """Play it to its end.

        Returns:
            What is wrong then; None: nothing.
        """
        self.world.projection_items.on_change = self._watch_last_login
        publishers = [self._publish, self._publish, self._publish]
        replays = [self._replay] * self._kinds.replays
        actors = [*publishers, self._work, self._work, *replays, self._operate, self._operate]
        for actor in actors:
            self.world.start(actor)
        self.world.run()
        if self._kinds.projection_deletions:  # a deleted projection heals at the next touch
            self.world.sessions.apply([self._login("touch")])
        self._settle()
        if violation := self._violation():
            return violation
        for _ in range(6):  # a redrive, when all is over
            self._replay()
        self._settle()
        return self._violation()

    # Actors: each is interrupted at every request that it makes.

    def _publish(self) -> None:
        for _ in range(self._source.randint(2, 5)):
            self.world.give_way()
            self.world.sessions.apply([self._event()])
            if self._source.random() < 0.15:  # a session that lasts no longer than clocks of partitions differ
                name = self._source.choice(self._names)
                self.world.sessions.apply([self._login(name)])
                self.world.sessions.apply([LogoutEvent(**self._fact(), session_id=name)])
            self._past += list(self.world.session_items.items.values())

    def _work(self) -> None:
        """Deliver new records in order, as Lambda does; what fails comes again."""
        for _ in range(self._source.randint(3, 8)):
            self.world.give_way()
            self._deliver(self._source.randint(1, 3))
            if self._source.random() < 0.4:
                self._consume()

    def _replay(self) -> None:
        """Deliver old records again, beside the worker: redelivery, bisecting, a redrive of any age."""
        for _ in range(self._source.randint(1, 5)):
            self.world.give_way()
            if records := self.world.records[: self._delivered]:
                first = self._source.randrange(len(records))
                self._project(records[first : first + self._source.randint(1, 3)])

    def _operate(self) -> None:
        for _ in range(self._source.randint(1, 4)):
            self.world.give_way()
            kinds = self._kinds
            actions: list[tuple[bool, Callable[[], None]]] = [
                (kinds.removals, self._remove),
                (kinds.restores, self._restore),
                (kinds.rebuilds, self._rebuild),
                (kinds.projection_deletions, self._delete_projection),
            ]
            if wanted := [action for is_wanted, action in actions if is_wanted]:
                self._source.choice(wanted)()

    def _event(self) -> Event:
        draw, name = self._source.random(), self._source.choice(self._names)
        if draw < 0.3 * self._kinds.ends:
            return LogoutAllEvent(**self._fact())
        if draw < self._kinds.ends:
            return LogoutEvent(**self._fact(), session_id=name)
        return self._login(name)

    def _login(self, name: str) -> LoginEvent:
        fact = self._fact()
        self._logins.append(fact["occurred_at"])
        lifetime = timedelta(seconds=self._source.choice((60, 3600, 3600, 7200)))
        return LoginEvent(**fact, session_id=name, expires_at=fact["occurred_at"] + lifetime)

    def _fact(self) -> dict[str, Any]:
        self._number += 1
        at = self.world.clock().replace(microsecond=0) - timedelta(seconds=self._source.choice((0, 0, 1, 5, 40)))
        return {"event_id": f"e{self._number}", "occurred_at": at, "customer_id": CUSTOMER}

    def _remove(self) -> None:
        if keys := sorted(self.world.session_items.items):
            self.world.session_items.delete(self._source.choice(keys), self.world.now)

    def _restore(self) -> None:
        sessions = [item for item in self._past if item["PK"]["S"].startswith("suuid#")]
        if self._source.random() < 0.5:
            sessions = [item for item in sessions if item["session_state"]["S"] == "active"]
        if sessions:
            item = self._source.choice(sessions)
            self.world.session_items.store(self.world.session_items.key_of(item), item, self.world.now)

    def _rebuild(self) -> None:
        send = self.world.commands.send if self._source.random() < 0.5 else None
        with suppress(NotWrittenError):  # too many races were lost: the operator's next try is another step
            self.world.projections.rebuild(CUSTOMER, send=send)

    def _delete_projection(self) -> None:
        self.world.projection_items.delete((projection_key(CUSTOMER).pk, ""), self.world.now)

    # Delivery

    def _deliver(self, count: int) -> None:
        first = self._delivered
        batch = self.world.records[first : first + count]
        if batch and self._project(batch):
            self._delivered = max(self._delivered, first + len(batch))

    def _project(self, records: list[dict[str, Any]]) -> bool:
        projector = Projector(self.world.projections, self.world.sessions, self._queue)
        return projector.project(records).lowest_failed is None

    def _consume(self) -> None:
        """Apply the commands sent so far; an already applied one may come again."""
        bodies = self.world.commands.bodies[self._taken :]
        self._taken += len(bodies)
        for body in bodies:
            fields = json.loads(body)
            fields["occurred_at"] = parse_rfc3339(fields["occurred_at"])
            self.world.sessions.apply([LogoutEvent(**fields)])

    def _settle(self) -> None:
        """Deliver everything, until no record and no command is left."""
        for _ in range(200):
            if self._delivered == len(self.world.records) and self._taken == len(self.world.commands.bodies):
                return
            self.world.now += 2
            self._deliver(5)
            self._consume()
        raise AssertionError("records or commands never end")

    def _watch_last_login(self, old: Any, new: Any, _: bool) -> None:
        """Note where last login decreases, other than by the deletion of its projection."""
        before, after = (self._last_login_in(item) for item in (old, new))
        if new is not None and after < before:
            self._lowered = f"last login went from {before} back to {after}"

    @staticmethod
    def _last_login_in(item: Any) -> str:
        return str(item["last_login_time"]["S"]) if item is not None and "last_login_time" in item else ""

    def _violation(self) -> str | None:
        items = [read_item(item) for item in self.world.session_items.items.values()]
        sessions = [item for item in items if isinstance(item, Session)]
        now = self.world.clock()
        expiries = sorted(
            {session.expires_at for session in sessions if session.expires_at and session.expires_at > now}
        )
        for moment in [now, *expiries]:
            live = sorted(session.session_id for session in sessions if session.is_live(moment))
            found = self.world.projections.get_customer_activity(CUSTOMER, now=moment)
            if (found.session_ids, found.is_exact) != (live, True):
                return f"counted {found.session_ids} (exact: {found.is_exact}) at {moment}, live are {live}"
        live_now = [session for session in sessions if session.is_live(now)]
        revocations = [item for item in items if isinstance(item, Revocation)]
        if any(of.covers(session.session_id, session.started_at or now) for of in revocations for session in live_now):
            return f"revoked and live: {live_now}"
        if 0 < self._kinds.limit < len(live_now):
            return f"{len(live_now)} are live, {self._kinds.limit} may be"
        return self._lowered or self._wrong_last_login()

    def _wrong_last_login(self) -> str | None:
        found = self.world.projections.get_customer_activity(CUSTOMER).last_login_time
        newest = max(self._logins, default=None)
        if not self._kinds.removals and not self._kinds.projection_deletions and found != newest:
            return f"last login is {found}, not {newest}"
        return None
