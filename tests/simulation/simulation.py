"""One run: a small AWS around the real handlers, played from a seed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ops.dynamodb_double.tables import Item
from tests.simulation.deliveries import Deliveries
from tests.simulation.facts import START, Fact
from tests.simulation.faults import Fault
from tests.simulation.old_items import broken_item, old_item
from tests.simulation.stage import playing

MAX_STEPS = 60_000
"""Far above what any history takes; a run that needs more does not end."""

_LARGER: dict[Fault | None, int] = {None: 1, Fault.BACKLOG: 2, Fault.FLOOD: 10}
"""How much more a history takes that has many events at once."""

_DAY = 86_400.0


@dataclass
class Report:
    """What came of a run.

    Args:
        seed: Its seed.
        transport: `statements` (BatchExecuteStatement) or `items` (PutItem).
        faults: What was allowed to happen.
        violation: The claim violated, or None.
        steps: Events of the scheduler.
        events: Messages sent by publishers.
        invocations: Of all functions.
        injected: How often each fault happened.
        commands: How many commands the projector sent, by reason, repeats included.
        told: How many life-cycle events the bus accepted, by kind, and what sweepers did; repeats included.
        trace: One line per thing that happened, if asked for.
    """

    seed: int
    transport: str
    faults: list[Fault]
    violation: str | None
    steps: int
    events: int
    invocations: int
    injected: dict[Fault, int]
    commands: dict[str, int]
    told: dict[str, int]
    trace: list[str] = field(default_factory=list)


class Simulation(Deliveries):
    """One run."""

    def play(self) -> Report:
        """Play the run to its end, or to the first violation."""
        with playing(self):
            try:
                self._begin()
                self._have_faults()
                self._settle()
                if self.claims.violation is None:
                    self.claims.everything_settled()
                if self.claims.violation is None:
                    self._deliver_everything_again()
                if self.claims.violation is None and self.publishing is not None:
                    self.publishing.settle()
            finally:
                self.scheduler.close()
        publishing = self.publishing
        return Report(
            self.seed,
            self.transport,
            [fault for fault in Fault if fault in self.faults],
            self.claims.violation,
            self.scheduler.steps,
            len(self.history.sendings) + len(self.history.poison),
            self.functions.invocations + (publishing.functions.invocations if publishing else 0),
            dict(self.faults.injected + publishing.faults.injected if publishing else self.faults.injected),
            dict(self._commands),
            publishing.figures if publishing else {},
            self.trace,
        )

    def _begin(self) -> None:
        if self.publishing is not None:
            self.publishing.begin()
        for fact, is_over in self.history.old_items:
            self._put(old_item(fact, is_over))
        if Fault.POISON in self.faults:
            self._put(broken_item())
        for sending in self.history.sendings:
            self.scheduler.at(sending.at, self._send, sending)
        for at, body in self.history.poison:
            self.scheduler.at(at, self._send_poison, body)

    def _put(self, item: Item) -> None:
        self.sessions.store(self.sessions.key_of(item), item, self.scheduler.now)

    def _have_faults(self) -> None:
        last = max(sending.at for sending in self.history.sendings)
        end = last + self.source.choice((0.0, 5.0, 0.2 * self.history.span))
        if self.faults.planned(Fault.DEAD_LETTERS, 0.5):
            end += self.source.uniform(0.5, 5) * _DAY
        plans: tuple[tuple[Fault, int, Callable[[], object]], ...] = (
            (Fault.ARCHIVE_REPLAY, 2, self._replay_archive),
            (Fault.DEAD_LETTERS, 2, self._redrive),
            (Fault.RECOMPOSITION, 3, self._restart_a_reader),
            (Fault.SHARD_SPLIT, 2, self._split_a_shard),
            (Fault.TRIM_HORIZON_REPLAY, 2, self._replay_stream),
        )
        for fault, times, action in plans:
            for _ in range(times):
                if self.faults.planned(fault, 0.6):
                    self.scheduler.at(self.source.uniform(START, end), action)
        self.operations.plan(end)
        if self.publishing is not None:
            self.publishing.plan(end)
        for _ in range(12 if Fault.TTL in self.faults else 0):
            self.scheduler.at(self.source.uniform(START, end), self._sweep)
        self.pass_time_until(end, "the history ends")

    def _settle(self) -> None:
        """Switch the faults off, deliver what is left, and wait until nothing moves."""
        self.faults.is_quiet = True
        self.note("faults off")
        self._drain()
        if self._has_lost_commands or self.claims.operated.without_projection:
            self._touch_customers()
            self._drain()
        if self.claims.operated.to_rebuild:
            self.operations.rebuild(self.claims.operated.to_rebuild)
            self._drain()
        if Fault.CLOCK_SKEW in self.faults:  # a function whose clock was ahead has let sessions go too early
            self.pass_time_until(self.scheduler.now + 301, "time goes on")

    def pass_time_until(self, moment: float, claim: str) -> None:
        self.scheduler.at(moment, self.note, claim)
        self.run_until(lambda: self.scheduler.now >= moment, claim)

    def _drain(self) -> None:
        for _ in range(6):
            self.run_until(lambda: self._is_drained, "everything is processed in bounded steps")
            if self.claims.violation is not None or not self._redrive():
                break

    def _touch_customers(self) -> None:
        """Log in once for each customer, as operators would have it done where commands are known to be lost."""
        now = self.scheduler.now
        customers = {fact.customer for fact in self.history.facts if fact.customer is not None}
        for customer in sorted(customers - self.erasures.customers):
            login = Fact("login", f"touch-{customer}", int(now * 1000), customer, f"touch-{customer}")
            self.claims.know(login)
            self.publish(login)

    def _deliver_everything_again(self) -> None:
        """Deliver every event and every stream record once more: nothing may change."""
        self.note("everything again")
        self.operations.end()
        has_lost = bool(self.claims.policies.lost_children)  # this may heal them
        is_changed = bool(self.claims.operated.customers) or len(self.claims.settings) > 1
        is_changed |= Fault.ROLLED_BACK in self.faults  # the previous release's `ttl` is too early, and is made later
        self.claims.is_table_final = not self.claims.has_ttl_deleted and not has_lost and not is_changed
        before = dict(self.projections.items)
        unclear = self.claims.unclear_facts()
        for body, fact in self._sent:
            if fact not in unclear:
                self.events_queue.send(body)
        self._replay_stream()
        self.run_until(lambda: self._is_drained, "everything is processed in bounded steps")
        self.erasures.check()
        was, is_now = self.claims.visible(before), self.claims.visible(self.projections.items)
        if self.claims.violation is None and was != is_now and len(self.claims.settings) == 1:
            gone = [activity for activity in was if activity not in is_now]
            new = [activity for activity in is_now if activity not in was]
            self.claims.fail("delivering everything again changes nothing", f"{gone} became {new}")

    def run_until(self, is_over: Any, claim: str) -> None:
        most = MAX_STEPS * max(times for fault, times in _LARGER.items() if fault is None or fault in self.faults)
        if not self.scheduler.run(lambda: self.claims.violation is not None or is_over(), most):
            self.claims.fail(claim, f"not after {most} steps")

    @property
    def _is_drained(self) -> bool:
        return (
            not self.events_queue.messages
            and not self.commands_queue.messages
            and not self.function_queue.messages
            and not self.functions.running
            and not self.network.pending_late
            and not self._redriving
            and not self.erasures.under_way
            and not (self.publishing is not None and self.publishing.is_touching)
            and all(task.is_idle and poller.is_idle for poller, task in self._pollers)
            and all(task.is_idle and poller.is_idle and v.is_at_end for v, (poller, task) in self._views.items())
        )
