"""Puts the handlers on the simulated stage: clients, clock, environment. The handlers stay as they are."""

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

from processors.aws import batch_sending, deadline, item_store
from processors.life_cycle import agenda_table, sweeper
from processors.runtime import clock, telemetry, wiring
from tests.simulation.faults import Fault
from tests.simulation.releases import releases_of
from tests.simulation.scheduler import Scheduler

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

EVENTS_URL, REJECTED_URL = "https://simulated/events", "https://simulated/rejected"
COMMANDS_URL = "https://simulated/commands"


class _NoMetrics:
    """Takes metrics and forgets them."""

    def __init__(self, **settings: str) -> None:
        pass

    def add_metric(self, **metric: Any) -> None:
        pass

    def flush_metrics(self) -> None:
        pass


class _Chance:
    """The source of randomness of whoever asks: each kind of function has its own, so that none disturbs another."""

    def __init__(self, scheduler: Scheduler, otherwise: Random) -> None:
        self._scheduler = scheduler
        self._otherwise = otherwise

    def uniform(self, least: float, most: float) -> float:
        return self._source().uniform(least, most)

    def randrange(self, count: int) -> int:
        return self._source().randrange(count)

    def _source(self) -> Random:
        task = self._scheduler.current
        source: Random = self._otherwise if task is None or task.functions is None else task.functions.source
        return source


class _Environment:
    """The environment of the function that asks: its own variables, and those that all have."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def get(self, name: str, otherwise: str | None = None) -> str | None:
        task = self._scheduler.current
        own: str | None = None if task is None else task.functions.environment.get(name)
        return os.environ.get(name, otherwise) if own is None else own


@contextmanager
def playing(simulation: "Simulation") -> Iterator[None]:
    """Let the handlers see the simulated world for a while."""
    scheduler = simulation.scheduler
    chance = _Chance(scheduler, simulation.source)

    def client(service: str) -> Any:
        assert scheduler.current is not None
        return scheduler.current.functions.clients[service]

    def utc_now() -> datetime:
        skew = scheduler.current.clock_skew if scheduler.current is not None else 0.0
        return datetime.fromtimestamp(scheduler.now + skew, UTC)

    store_defaults = {**(item_store.ItemStore.__init__.__kwdefaults__ or {}), "sleep": scheduler.sleep}
    sweeper_defaults = {**(sweeper.ExpirySweeper.__init__.__kwdefaults__ or {}), "choose": chance.randrange}
    environment = {
        "SESSIONS_TABLE": "sessions",
        "PROJECTIONS_TABLE": "projections",
        "SESSION_EVENTS_QUEUE_URL": EVENTS_URL,
        "REJECTED_EVENTS_QUEUE_URL": REJECTED_URL,
        "SESSION_TTL_SECONDS": str(simulation.history.default_seconds),
        "SESSION_MAX_LIFETIME_SECONDS": str(simulation.history.maximum_seconds),
        "MAX_SESSIONS_PER_CUSTOMER": str(simulation.history.limit),
        "DYNAMODB_BATCH_STATEMENTS": str(simulation.transport == "statements").lower(),
    }
    if Fault.ROLLED_BACK in simulation.faults:
        environment["FAILED_BATCHES_BUCKET"] = "failed-batches"
    if simulation.apart_since is not None:
        environment["SESSION_COMMANDS_QUEUE_URL"] = COMMANDS_URL
    with ExitStack() as stack:
        for patch in (
            mock.patch.object(wiring, "client", client),
            mock.patch.object(wiring, "CONCURRENCY", 1),  # a thread would run beside the scheduler
            mock.patch.object(deadline, "time", SimpleNamespace(monotonic=lambda: scheduler.now)),
            mock.patch.object(clock, "utc_now", utc_now),
            mock.patch.object(clock, "sleep", scheduler.sleep),
            mock.patch.object(item_store, "random", chance),
            mock.patch.object(agenda_table, "random", chance),
            mock.patch.object(batch_sending, "random", chance),
            mock.patch.object(item_store.ItemStore.__init__, "__kwdefaults__", store_defaults),
            mock.patch.object(sweeper.ExpirySweeper.__init__, "__kwdefaults__", sweeper_defaults),
            mock.patch.dict(os.environ, environment),
            mock.patch.object(wiring, "os", SimpleNamespace(environ=_Environment(scheduler))),
            # Logs and metrics go nowhere: to format them would be most of a run's time.
            mock.patch.object(wiring, "configure_logging", return_value=None),
            mock.patch.object(telemetry, "EphemeralMetrics", _NoMetrics),
        ):
            stack.enter_context(patch)
        if Fault.ROLLED_BACK in simulation.faults:
            stack.enter_context(releases_of(simulation))
        package = logging.getLogger("processors")
        stack.callback(package.setLevel, package.level)
        package.setLevel(logging.CRITICAL)
        yield
