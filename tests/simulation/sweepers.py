"""The sweepers of expiries in a run: when they start, and what publishers send about when a session runs out."""

from collections import Counter
from random import Random
from typing import TYPE_CHECKING

from ops.dynamodb_double.tables import Item, ItemKey
from tests.simulation.agenda_double import AgendaTable, slot_end_of
from tests.simulation.event_sources.invocation import FunctionError
from tests.simulation.facts import START, Fact
from tests.simulation.functions import Functions
from tests.simulation.reading import session_in
from tests.simulation.scheduler import Jobs

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

_DAY = 86_400.0
_MOST_DAYS_WITHOUT = 5
"""An item goes fifteen days after its session ran out, and what is gone when a sweeper comes it cannot tell."""


class Sweepers:
    """Starts `expiry_sweeper`, as a schedule does that is late for hours, or starts two at once.

    Args:
        run: The run.
        functions: Invokes it.
        source: Of all chance.
        agenda: Its agenda.
        jobs: Where it runs.
    """

    def __init__(
        self, run: "Simulation", functions: Functions, source: Random, agenda: AgendaTable, jobs: Jobs
    ) -> None:
        self.is_on = False
        self.done: Counter[str] = Counter()
        """What sweepers said that they did."""
        self._run = run
        self._functions = functions
        self._source = source
        self._jobs = jobs
        self._in_time = source.randint(0, 5)
        self._events = source.choice((0, 2, 5))
        agenda.on_change = self._noted

    def plan(self, end: float) -> None:
        """Put into the heap what is to happen until a time, epoch seconds."""
        at = self._run.scheduler.at
        for _ in range(self._source.randint(1, 3)):
            moment = self._source.uniform(START, end)
            for _ in range(self._source.choice((1, 1, 2, 3))):  # runs overlap
                at(moment + self._source.choice((0.0, 0.1, 10.0, 59.0)), self.start)
        for days in range(_MOST_DAYS_WITHOUT, int((end - START) / _DAY), _MOST_DAYS_WITHOUT):
            at(START + days * _DAY, self._start_until_done)

    def start(self) -> None:
        """Start one now."""
        if self.is_on:
            self._jobs.start("schedule", self._sweep)

    def _start_until_done(self) -> None:
        if self.is_on:
            self._jobs.start("schedule", self._sweep_until_done)

    def _sweep_until_done(self) -> None:
        while not self._sweep():
            self._run.scheduler.sleep(60.0)

    def _sweep(self) -> bool:
        try:
            self.done.update(self._functions.invoke("expiry_sweeper", {"source": "aws.scheduler"}))
        except FunctionError as error:  # the schedule does not try again: the next minute's run does what is left
            self._run.note(f"sweeper failed: {error}")
            return False
        return True

    def _noted(self, old: Item | None, new: Item | None, is_ttl: bool) -> None:
        """An agenda item was written: sometimes a sweeper comes as soon as it is due, and an event about then."""
        if new is None or self._run.faults.is_quiet:
            return
        due = slot_end_of(new) + 2.0
        if self._in_time and self._source.random() < 0.5:
            self._in_time -= 1
            late = self._source.choice((0.0, 0.5, 5.0, 60.0)) * self._source.random()
            self._run.scheduler.at(due + late, self.start)
        if self._events and self._source.random() < 0.5:
            self._events -= 1
            entry = self._source.choice(new["entries"]["L"])["L"]
            key = entry[0]["S"], entry[1]["S"]
            self._run.scheduler.at(due + self._source.uniform(-10.0, 10.0), self._send_about, key)

    def _send_about(self, key: ItemKey) -> None:
        """Extend a session, or end it, about when it runs out."""
        run = self._run
        session = session_in(run.sessions.items.get(key))
        if session is None or session.customer_id in {None, *run.erasures.customers} or run.faults.is_quiet:
            return
        now = int(run.scheduler.now * 1000)
        event_id = f"about-{session.session_id}-{now}"
        is_login = self._source.random() < 0.7 and not run.claims.may_forget(session)
        expires_at = now + 1000 * self._source.choice((5, 60, 900, 3600))
        fact = Fact(
            "login" if is_login else "logout",
            event_id,
            now,
            session.customer_id,
            session.session_id,
            session.parent_session_id,
            expires_at=expires_at if is_login else None,
        )
        run.claims.know(fact)
        run.publish(fact)
