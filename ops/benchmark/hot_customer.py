"""One customer whose records come to many projectors at once: how often they lose the race for its projection.

Played in virtual time on the in-memory engine, so that the figures do not depend on this machine: a request takes five
milliseconds, half of it before the engine acts and half after it, and the partition takes a thousand write units a
second. The projector is the real one, and its projection is full.

`python -m ops.benchmark.hot_customer` prints the table of `docs/limits.md`.
"""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import count
from statistics import median
from typing import Any

from ops.benchmark.quotas import PARTITION_WRITE_UNITS_PER_SECOND
from ops.benchmark.workloads import stream_batch
from ops.dynamodb_double.client import Client
from ops.dynamodb_double.conduct import Conduct, UnitMeter
from ops.dynamodb_double.service import Service
from ops.dynamodb_double.tables import Table
from processors.aws.item_store import ItemStore
from processors.aws.message_queue import MessageQueue
from processors.aws.transports import TableFormat
from processors.projection_table import ProjectionTable
from processors.projections.projector import Projector
from processors.projections.state import CAPACITY
from processors.session_table import SessionTable
from schemas.item_mapping import write_item
from schemas.items import Session
from schemas.projection_items import OWNED_ATTRIBUTES
from schemas.times import to_epoch_microseconds

REQUEST_SECONDS = 0.005
BATCH_SECONDS = 0.010
"""What a batch of ten takes a function beside its requests: CPU at 512 MB."""
RECORDS = 10
_START = datetime(2026, 3, 1, tzinfo=UTC)
_CUSTOMER = "robot"


@dataclass(frozen=True, slots=True)
class HotCustomer:
    """What so many projectors came to.

    Attributes:
        projectors: At a time, each with one batch after the other.
        batches_per_second: Of all of them.
        writes: Attempts per batch: those that lost the race or were throttled included.
        redelivered: Share of the deliveries that ended with their retries exhausted, and came again.
        delay_ms: From a batch's first delivery to its end, median.
        delay_ms_p99: 99th percentile, by nearest rank.
        write_units_per_second: Of the one item.
    """

    projectors: int
    batches_per_second: float
    writes: float
    redelivered: float
    delay_ms: float
    delay_ms_p99: float
    write_units_per_second: float


class VirtualTime:
    """Threads of which one runs at a time, until it sleeps; time passes between them alone.

    Attributes:
        seconds: Since the beginning.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._order = count()
        self._sleepers: list[tuple[float, int, threading.Semaphore]] = []
        self._at_rest = threading.Semaphore(0)
        self._errors: list[BaseException] = []

    def now(self) -> datetime:
        """Return the time, aware UTC."""
        return _START + timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        """Let the others run until so many seconds have passed."""
        ready = threading.Semaphore(0)
        heappush(self._sleepers, (self.seconds + seconds, next(self._order), ready))
        self._at_rest.release()
        ready.acquire()

    def run(self, bodies: Sequence[Callable[[], None]]) -> None:
        """Run all of them to their ends; raises the first error."""
        threads = [threading.Thread(target=self._body, args=(body,), daemon=True) for body in bodies]
        for thread in threads:
            thread.start()
            self._at_rest.acquire()
        while self._sleepers:
            self.seconds, _, ready = heappop(self._sleepers)
            ready.release()
            self._at_rest.acquire()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _body(self, body: Callable[[], None]) -> None:
        try:
            body()
        except BaseException as error:  # noqa: BLE001 # raised by `run`
            self._errors.append(error)
        finally:
            self._at_rest.release()


class _DistantClient(Client):
    """The in-memory engine, a request away."""

    def __init__(self, service: Service, time: VirtualTime) -> None:
        super().__init__(service)
        self._time = time

    def _call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        self._time.sleep(REQUEST_SECONDS / 2)
        try:
            return super()._call(operation, request)
        finally:
            self._time.sleep(REQUEST_SECONDS / 2)


class _OnePartition(Conduct):
    """Refuses writes beyond what a partition takes a second; what was not used before is not left over."""

    def __init__(self, time: VirtualTime, meter: UnitMeter) -> None:
        self._time = time
        self._meter = meter
        self._rate = PARTITION_WRITE_UNITS_PER_SECOND.value
        self._left = self._most = self._rate / 10
        self._seen_units = 0.0
        self._seen_at = 0.0

    def refuses_statement(self) -> str | None:
        """Refuse a statement while the units are used up."""
        units, now = self._meter.write_units, self._time.seconds
        earned = (now - self._seen_at) * self._rate
        self._left = min(self._most, self._left + earned) - max(0.0, units - self._seen_units)
        self._seen_units, self._seen_at = units, now
        return "ProvisionedThroughputExceeded" if self._left <= 0 else None


class _World:
    """Tables with one customer's projection, and what is asked of them."""

    def __init__(self, seed: int) -> None:
        random.seed(seed)  # the back-off's jitter
        self.time = VirtualTime()
        self.meter = UnitMeter()
        self._register = Table("sessions")
        tables = {"sessions": self._register, "projections": Table("projections", key_names=("PK",))}
        service = Service(
            tables.__getitem__,
            clock=lambda: self.time.now().timestamp(),
            conduct=_OnePartition(self.time, self.meter),
            meter=self.meter,
            checks_sizes=False,
        )
        self._client: Any = _DistantClient(service, self.time)
        self._sessions = count()

    def projector(self) -> Projector:
        """Make what a function's container holds."""
        sessions = SessionTable(self._client, "sessions", clock=self.time.now)
        projections = ProjectionTable(self._client, "projections", sessions=sessions, clock=self.time.now)
        projections.store = ItemStore(
            self._client,
            "projections",
            TableFormat(OWNED_ATTRIBUTES, to_epoch_microseconds),
            clock=self.time.now,
            sleep=self.time.sleep,
        )
        return Projector(projections, sessions, MessageQueue(self._client, "commands"))

    def batch(self, records: int) -> list[dict[str, Any]]:
        """Write first logins of the customer, and make their stream records."""
        images = [self._image(next(self._sessions)) for _ in range(records)]
        self._register.load(images)
        return list(stream_batch([(None, image) for image in images], at=self.time.now())["Records"])

    def _image(self, number: int) -> dict[str, Any]:
        session = Session(
            session_id=f"5f0c1b7e-8f7a-4c3e-9d55-{number:012d}",
            customer_id=_CUSTOMER,
            started_at=self.time.now(),
            last_login_time=self.time.now(),
            expires_at=self.time.now() + timedelta(hours=12),
        )
        return write_item(session) | {
            "PK": {"S": session.key.pk},
            "SK": {"S": str(session.key.sk)},
            "version": {"N": "1"},
        }


def measure_hot_customer(projectors: int, *, batches: int, seed: int = 1) -> HotCustomer:
    """Let projectors work on one customer, as fast as each can.

    Args:
        projectors: How many at a time.
        batches: Of each.
        seed: Of the back-off's jitter.
    """
    world = _World(seed)
    world.time.run([partial(_begin, world)])
    world.meter.clear()
    began = world.time.seconds
    delays: list[float] = []
    deliveries: list[int] = []

    def body() -> None:
        projector = world.projector()
        for _ in range(batches):
            started = world.time.seconds
            deliveries.append(_succeed(projector, world.batch(RECORDS), world.time))
            delays.append(world.time.seconds - started)

    world.time.run([body] * projectors)
    seconds, done = world.time.seconds - began, projectors * batches
    ranked = sorted(delays)
    return HotCustomer(
        projectors,
        done / seconds,
        world.meter.requests["BatchExecuteStatement"] / done,
        1 - done / sum(deliveries),
        1000 * median(delays),
        1000 * ranked[-(-99 * len(ranked) // 100) - 1],
        world.meter.write_units / seconds,
    )


def _begin(world: _World) -> None:
    """Fill the projection, and wait until no record is read again because of its birth."""
    _succeed(world.projector(), world.batch(CAPACITY), world.time)
    world.time.sleep(10)


def _succeed(projector: Projector, records: Sequence[Any], time: VirtualTime) -> int:
    """Deliver a batch until it succeeds, as Lambda does; returns how often it was delivered."""
    for delivery in count(1):
        time.sleep(BATCH_SECONDS)
        if not projector.project(records).failed:
            return delivery
    raise AssertionError("counting does not end")


def main() -> None:
    """Measure 1, 10 and 100 projectors, and print a line for each."""
    for projectors, batches in ((1, 40), (10, 20), (100, 6)):
        sys.stdout.write(f"{measure_hot_customer(projectors, batches=batches)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
