"""What the publisher asks for a session that begins or ends, and the sweeper for one that runs out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ops.benchmark.engines import Changes, StubEngine
from ops.benchmark.measuring import Figures, Sample, apply, succeed, timed
from ops.benchmark.pipelines import SESSIONS_TABLE, Pipeline
from ops.benchmark.workloads import START, Event, Workload, Workloads, stream_batch
from processors import expiry_sweeper, session_publisher
from processors.aws.parallel import chunks
from schemas.times import format_rfc3339, parse_rfc3339

LOGINS, LOGOUTS = "logins", "logouts"
DUE = 1_000
"""Sessions that a sweep finds due: its sixteen queries are asked once, whatever it finds."""

LIFETIME = timedelta(hours=1)
"""Shorter than `START` is ago, so that all have run out."""

_MEASURED = 100
"""Most batches of a thousand records that are measured."""

_EVENT_OPERATIONS = ("PutEvents", "PutRecordBatch")


@dataclass(slots=True)
class LifeCycleCosts:
    """What was measured.

    Attributes:
        publisher: By batch size and workload, per stream record.
        sweeper: By the batch size that its expiries were noted in, per expiry; a sweep finds `DUE` of them.
        idle: A sweep that finds nothing.
    """

    publisher: dict[int, dict[str, Figures]] = field(default_factory=dict)
    sweeper: dict[int, Figures] = field(default_factory=dict)
    idle: Figures = field(default_factory=Figures)

    def agenda_units(self, size: int) -> float:
        """Write units of an agenda entry, in and out."""
        return self.publisher[size][LOGINS].write_units + self.sweeper[size].write_units

    def agenda_requests(self, size: int) -> float:
        """Requests of an agenda entry, in and out, beside those that carry the events."""
        return beside_events(self.publisher[size][LOGINS]) + beside_events(self.sweeper[size])


def beside_events(figures: Figures) -> float:
    """Return the requests per session that carry no event."""
    return figures.requests_of(lambda operation: operation not in _EVENT_OPERATIONS)


def measure_costs(
    engine: StubEngine, ours: Pipeline, workloads: Workloads, *, sizes: tuple[int, ...], rounds: int
) -> LifeCycleCosts:
    """Measure publisher and sweeper at several batch sizes; logins of one lifetime.

    Args:
        engine: The stub.
        ours: Writes the sessions, unmeasured.
        workloads: Makes events.
        sizes: Stream records in a batch; none above `DUE`.
        rounds: How often `DUE` sessions are published and swept; those of batches of one, a thousand batches, once.
    """
    costs = LifeCycleCosts()
    _sweep(engine, 1)  # the first makes the clients
    for size in sizes:
        published = costs.publisher[size] = {LOGINS: Figures(), LOGOUTS: Figures()}
        costs.sweeper[size] = Figures()
        for _ in range(rounds if size > 1 else 1):
            changes = _write(engine, ours, _with_one_lifetime(workloads.logins(DUE)))
            published[LOGINS].samples += _publish(engine, changes, size)
            costs.sweeper[size].samples.append(_sweep(engine, DUE))
            changes = _write(engine, ours, workloads.logouts(DUE))
            published[LOGOUTS].samples += _publish(engine, changes, size)
    costs.idle.samples = [_sweep(engine, 1) for _ in range(max(3, rounds))]
    return costs


def _with_one_lifetime(workload: Workload) -> Workload:
    def run_out(login: Event) -> Event:
        return login | {"expires_at": format_rfc3339(parse_rfc3339(login["occurred_at"]) + LIFETIME)}

    return Workload(workload.name, batch=[run_out(login) for login in workload.batch])


def _write(engine: StubEngine, ours: Pipeline, workload: Workload) -> Changes:
    """Write a workload's sessions; what came before its batch is not published."""
    with engine.unhurried():
        if workload.before:
            apply(ours, workload.before)
            engine.take_changes(SESSIONS_TABLE)
        apply(ours, workload.batch)
        return engine.take_changes(SESSIONS_TABLE)


def _publish(engine: StubEngine, changes: Changes, size: int) -> list[Sample]:
    """Publish changes in batches; so many of them are measured as a median needs."""
    parts = chunks(changes, size)
    batches = [stream_batch(list(part), at=START) for part in parts]
    samples = [_measured(engine, session_publisher.lambda_handler, batch, size) for batch in batches[:_MEASURED]]
    with engine.unhurried():
        for batch in batches[_MEASURED:]:
            succeed(session_publisher.lambda_handler, batch)
    return samples


def _sweep(engine: StubEngine, size: int) -> Sample:
    return _measured(engine, expiry_sweeper.lambda_handler, {}, size)


def _measured(engine: StubEngine, handler: Callable[[Any, Any], Any], event: Any, size: int) -> Sample:
    engine.stub.clear_counts()
    return timed(engine, handler, event, size)
