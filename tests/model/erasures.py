"""Histories of a customer who is erased meanwhile: publishers, workers and replays, each in a container of its own.

Play many: `python -m tests.model.erasures --histories 2000`, or with each rule taken away in turn: `--rules`.
"""

import argparse
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from unittest import mock

from ops.erasure import erasing
from ops.erasure.erasing import Erasure
from processors.aws.deadline import Deadline
from processors.aws.message_queue import MessageQueue
from processors.projection_table import NotWrittenError, ProjectionTable
from processors.projections.projector import Projector
from processors.register.erased_list import ErasedList
from processors.session_table import SessionTable
from schemas.events import Event, LoginEvent, LogoutAllEvent, LogoutEvent
from schemas.item_mapping import read_item
from schemas.items import Revocation, Session
from schemas.keys import session_key
from schemas.times import parse_rfc3339
from tests.model.world import PROJECTIONS, SESSIONS, World

CUSTOMER = "c"
NAMES = ("a", "b", "d")
PARENT = "a"
FUNCTION_SECONDS = 60.0
"""The longest run of a function."""


@dataclass(frozen=True, slots=True)
class Container:
    """What one container of a function holds: tables, with a list of erased customers that may be a minute old."""

    sessions: SessionTable
    projections: ProjectionTable


class CrashError(Exception):
    """The process that erases dies."""


class ErasedHistory:
    """One history.

    Args:
        seed: Of all chance.
    """

    def __init__(self, seed: int) -> None:
        self._source = Random(f"erasure {seed}")
        self.world = World(self._source, index_lag=20.0)
        self._containers = [self._container() for _ in range(4)]
        queue: Any = self.world.commands
        self._queue: MessageQueue = queue
        self._facts: list[Event] = []
        self._delivered = 0
        self._taken = 0
        self._erased_at: datetime | None = None
        # a child that goes on has lost its parent when the erasure is run again: outside the promise
        self._has_children = self._source.random() < 0.6
        self._crashes = 0 if self._has_children else self._source.choice((0, 1, 2))

    def play(self) -> str | None:
        """Play it to its end.

        Returns:
            What is wrong then; None: nothing.
        """
        for actor in (self._publish, self._publish, self._work, self._work, self._redeliver, self._replay, self._erase):
            self.world.start(actor)
        self.world.run()
        self._deliver_all_facts()
        if violation := self._violation():
            return violation
        # a replay of everything, when all is over
        self.world.now += 100
        self._deliver_all_facts()
        for _ in range(6):
            self._replay_some()
        self._project(self.world.records[: self._delivered])
        self._settle()
        return self._violation()

    def _deliver_all_facts(self) -> None:
        for fact in self._source.sample(self._facts, len(self._facts)):
            self._containers[0].sessions.apply([fact])
        self._settle()

    # Actors: each is interrupted at every request that it makes.

    def _publish(self) -> None:
        for _ in range(self._source.randint(2, 7)):
            self._pause()
            fact = self._fact()
            self._facts.append(fact)
            if self._source.random() < 0.8:  # else it comes late
                self._apply(fact)

    def _redeliver(self) -> None:
        for _ in range(self._source.randint(3, 8)):
            self._pause()
            if self._facts:
                self._apply(self._source.choice(self._facts))

    def _work(self) -> None:
        for _ in range(self._source.randint(4, 10)):
            self._pause()
            self._deliver(self._source.randint(1, 3))
            if self._source.random() < 0.4:
                self._consume()

    def _replay(self) -> None:
        for _ in range(self._source.randint(2, 8)):
            self._pause()
            self._replay_some()

    def _erase(self) -> None:
        self._pause()
        while self._erased_at is None:
            container = self._container()
            erasure = Erasure(
                container.sessions, container.projections, clock=self.world.clock, sleep=self._wait_or_crash
            )
            try:
                self._erased_at = erasure.erase(CUSTOMER).erased_at
            except (CrashError, NotWrittenError):
                continue

    def _wait_or_crash(self, seconds: float) -> None:
        if self._crashes and self._source.random() < 0.5:
            self._crashes -= 1
            raise CrashError
        self._wait(seconds)

    def _pause(self) -> None:
        self._wait(self._source.choice((0, 0, 1, 10, 40, 90)))

    def _wait(self, seconds: float) -> None:
        end = self.world.now + seconds
        self.world.give_way()
        while self.world.now < end:
            self.world.give_way()

    # Facts

    def _fact(self) -> Event:
        draw, name = self._source.random(), self._source.choice(NAMES)
        at = self.world.clock().replace(microsecond=0) - timedelta(seconds=self._source.choice((0, 1, 5, 40)))
        fact: dict[str, Any] = {
            "event_id": f"e{len(self._facts)}",
            "occurred_at": at,
            "customer_id": CUSTOMER,
        }
        if draw < 0.08:
            return LogoutAllEvent(**fact, except_session_id=self._source.choice((None, "a")))
        if draw < 0.25:
            return LogoutEvent(**fact, session_id=name)
        expires_at = at + timedelta(hours=2)
        # a child whose parent is not in the table is outside the promise
        if self._has_children and draw < 0.4 and session_key(PARENT, CUSTOMER) in self.world.session_items.items:
            return LoginEvent(**fact, session_id="kid", parent_session_id=PARENT, expires_at=expires_at)
        return LoginEvent(**fact, session_id=name, expires_at=expires_at)

    # Delivery

    def _container(self) -> Container:
        clock = self.world.clock
        sessions = SessionTable(self.world.client, SESSIONS, clock=clock)
        return Container(sessions, ProjectionTable(self.world.client, PROJECTIONS, sessions=sessions, clock=clock))

    def _deadline(self) -> Deadline:
        end = self.world.now + FUNCTION_SECONDS
        return Deadline(lambda: end - self.world.now)

    def _apply(self, fact: Event) -> None:
        self._source.choice(self._containers).sessions.apply([fact], deadline=self._deadline())

    def _deliver(self, count: int) -> None:
        first = self._delivered
        batch = self.world.records[first : first + count]
        if batch and self._project(batch):
            self._delivered = max(self._delivered, first + len(batch))

    def _replay_some(self) -> None:
        if records := self.world.records[: self._delivered]:
            first = self._source.randrange(len(records))
            self._project(records[first : first + self._source.randint(1, 4)])

    def _project(self, records: list[dict[str, Any]]) -> bool:
        container = self._source.choice(self._containers)
        projector = Projector(container.projections, container.sessions, self._queue, deadline=self._deadline())
        return projector.project(records).lowest_failed is None

    def _consume(self) -> None:
        bodies = self.world.commands.bodies[self._taken :]
        self._taken += len(bodies)
        for body in bodies:
            fields = json.loads(body)
            fields["occurred_at"] = parse_rfc3339(fields["occurred_at"])
            self._containers[0].sessions.apply([LogoutEvent(**fields)])

    def _settle(self) -> None:
        """Deliver everything, until no record and no command is left."""
        for _ in range(300):
            if self._delivered == len(self.world.records) and self._taken == len(self.world.commands.bodies):
                return
            self.world.now += 2
            self._deliver(5)
            self._consume()
        raise AssertionError("records or commands never end")

    # What must hold

    def _violation(self) -> str | None:
        erased_at, now = self._erased_at, self.world.clock()
        assert erased_at is not None
        stored = [read_item(item) for item in self.world.session_items.items.values()]
        for item in stored:
            if isinstance(item, Session) and not _is_after(item, erased_at):
                return f"session {item.session_id} of {item.last_login_time} is back"
            if isinstance(item, Revocation) and min(item.revoked_at, item.other_revoked_at or now) <= erased_at:
                return f"revocation of {item.revoked_at} is back"
        return self._violation_of_projection([item for item in stored if isinstance(item, Session)], erased_at, now)

    def _violation_of_projection(self, stored: list[Session], erased_at: datetime, now: datetime) -> str | None:
        live = sorted(each.session_id for each in stored if each.parent_session_id is None and each.is_live(now))
        projection = self.world.projections.find(CUSTOMER)
        found = self.world.projections.get_customer_activity(CUSTOMER, now=now)
        if (found.session_ids, found.is_exact) != (live, True):
            return f"counted {found.session_ids} (exact: {found.is_exact}), live are {live}"
        logins = [fact for fact in self._facts if isinstance(fact, LoginEvent) and fact.occurred_at > erased_at]
        newest = max((login.occurred_at for login in logins), default=None)
        if found.last_login_time != newest:
            return f"last login is {found.last_login_time}, not {newest}"
        revocation = None if projection is None else projection.revocation
        if revocation is not None and revocation.revoked_at <= erased_at:
            return "the projection has a revocation of the erased"
        started = [entry.started_at for entry in projection.sessions.values()] if projection is not None else []
        if started and min(started) < erased_at.timestamp() * 1000:
            return "the projection has a start of the erased"
        ended = {fact.session_id for fact in self._facts if isinstance(fact, LogoutEvent)}
        if not any(isinstance(fact, LogoutAllEvent) for fact in self._facts):
            expected = {each.session_id for each in logins if each.parent_session_id is None} - ended
            if not expected <= set(live):
                return f"live are {live}, and {sorted(expected)} logged in after the erasure"
        return None


def _is_after(session: Session, erased_at: datetime) -> bool:
    """Whether a session has nothing from before; of a logout or command that came after, only ids stay."""
    if not session.has_login:
        return session.client_ip is None
    return min(moment for moment in (session.started_at, session.last_login_time) if moment is not None) >= erased_at


Patches = list[Any]


def _rest_with_its_start(rest_of: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, item, customer_id=None: item if rest_of(self, item, customer_id) is not None else None


RULES: Mapping[str, Callable[[], Patches]] = {
    "the consumer knows the list": lambda: [mock.patch.object(ErasedList, "has_event", return_value=False)],
    "the projector passes over records": lambda: [
        mock.patch.object(ErasedList, "rest_of_record", lambda _, record: record)
    ],
    "an older start is read as the erasure": lambda: [
        mock.patch.object(ErasedList, "rest_of", _rest_with_its_start(ErasedList.rest_of))
    ],
    "three minutes pass before the deletion": lambda: [
        mock.patch.object(erasing, "OLD_LISTS_GONE", timedelta(seconds=0))
    ],
    "three minutes pass, and all is done once more": lambda: [
        mock.patch.object(Erasure, "_delete", _once(Erasure._delete)),
        mock.patch.object(erasing, "OLD_LISTS_GONE", timedelta(seconds=0)),
    ],
}
"""By the rule that is taken away: makes the patches."""


def _once(delete: Callable[..., bool]) -> Callable[..., bool]:
    def delete_once(self: Any, work: Any) -> bool:
        return True if work.counts else delete(self, work)

    return delete_once


def main() -> None:
    """Print how many histories end wrong, with all rules and with each taken away."""
    parser = argparse.ArgumentParser(prog="python -m tests.model.erasures", description=__doc__)
    parser.add_argument("--histories", type=int, default=500)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--rules", action="store_true", help="take each rule away in turn")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    for rule in [None, *RULES] if options.rules else [None]:
        with ExitStack() as stack:
            for patch in RULES[rule]() if rule is not None else ():
                stack.enter_context(patch)
            wrong = {}
            for seed in range(options.first, options.first + options.histories):
                if violation := ErasedHistory(seed).play():
                    wrong[seed] = violation
        print(f"{rule or 'all rules'}: {len(wrong)} of {options.histories} wrong", *list(wrong.items())[:3], sep="\n  ")


if __name__ == "__main__":
    main()
