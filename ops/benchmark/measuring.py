"""One batch after the other, the contenders in turn, so that a busy moment of the machine meets all of them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from ops.benchmark.bare import BareLoop
from ops.benchmark.engines import Changes, Engine
from ops.benchmark.pipelines import BARE, BARE_TABLE, OURS, Context, Pipeline
from ops.benchmark.stub import Counts
from ops.benchmark.workloads import Event, Workload, sqs_batch, stream_batch

OURS_PER_ROUND = 4
"""Batches of ours for each of the textbook's, which takes longer: for percentiles."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured invocation.

    Attributes:
        size: Events or records in its batch.
        cpu_seconds: Of this process, all threads.
        wall_seconds: What Lambda bills.
        counts: What the engine was asked.
    """

    size: int
    cpu_seconds: float
    wall_seconds: float
    counts: Counts


@dataclass(slots=True)
class Figures:
    """The samples of one contender in one role.

    Attributes:
        samples: In order.
    """

    samples: list[Sample] = field(default_factory=list)

    @property
    def cpu_ms(self) -> float:
        """Client CPU per event, median, in milliseconds."""
        return median(1000 * sample.cpu_seconds / sample.size for sample in self.samples)

    @property
    def batch_ms(self) -> float:
        """Duration of a batch, median, in milliseconds: what Lambda bills."""
        return 1000 * median(sample.wall_seconds for sample in self.samples)

    @property
    def batch_ms_p99(self) -> float:
        """The same, 99th percentile by nearest rank: of fewer than 100 samples the longest."""
        ranked = sorted(sample.wall_seconds for sample in self.samples)
        return 1000 * ranked[-(-99 * len(ranked) // 100) - 1]

    @property
    def requests(self) -> float:
        """Requests per event."""
        return median(sample.counts.requests / sample.size for sample in self.samples)

    def requests_of(self, is_wanted: Callable[[str], bool]) -> float:
        """Requests per event of those operations that are wanted."""
        return median(
            sum(count for operation, count in sample.counts.operations.items() if is_wanted(operation)) / sample.size
            for sample in self.samples
        )

    @property
    def write_units(self) -> float:
        """Write units per event, indexes included."""
        return median(sample.counts.write_units / sample.size for sample in self.samples)

    @property
    def read_units(self) -> float:
        """Read units per event."""
        return median(sample.counts.read_units / sample.size for sample in self.samples)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one workload costs.

    Attributes:
        workload: Its name.
        size: Events in a batch.
        consumers: By contender.
        projectors: By contender; records as the consumer's batch wrote them, none where it wrote nothing.
    """

    workload: str
    size: int
    consumers: dict[str, Figures]
    projectors: dict[str, Figures]


class Measurement:
    """Runs workloads through pipelines.

    Args:
        engine: Where.
        pipelines: What.
        rounds: Batches of each contender per comparison. One more comes before the first, to warm up.
    """

    def __init__(self, engine: Engine, pipelines: list[Pipeline], *, rounds: int) -> None:
        self._engine = engine
        self._pipelines = pipelines
        self._rounds = rounds
        self._is_warm = False
        self._batches = 0

    def compare(
        self,
        make: Callable[[int], Workload],
        size: int,
        *,
        rounds: int | None = None,
        with_bare_loop: bool = False,
        only: str | None = None,
    ) -> Comparison:
        """Measure batches of one workload.

        Args:
            make: Gives a batch that no other batch shares a session with.
            size: Events in a batch.
            rounds: Instead of the usual number.
            with_bare_loop: Measure the bare loop with the same items as well: new ones only.
            only: Leave out the other contenders.
        """
        bare = BareLoop(BARE_TABLE) if with_bare_loop else None
        comparison = Comparison(make(1).name, size, {}, {})
        for number in range(self._is_warm, (rounds or self._rounds) + 1):
            into = comparison if number else Comparison("warm-up", size, {}, {})
            self._is_warm = True
            for pipeline in self._pipelines:
                if only in (None, pipeline.name):
                    for _ in range(OURS_PER_ROUND if number and pipeline.name == OURS else 1):
                        changes = self._run(pipeline, make(size), into)
                        if bare is not None and pipeline.name == OURS:
                            self._run_bare(bare, changes, into)
        return comparison

    def _run(self, pipeline: Pipeline, workload: Workload, into: Comparison) -> Changes:
        if workload.before:
            with self._engine.unhurried():
                succeed(pipeline.consume, sqs_batch(workload.before))
                before = stream_batch(self._engine.take_changes(pipeline.sessions_table), at=self._now())
                succeed(pipeline.project, before)
        sample = timed(self._engine, pipeline.consume, sqs_batch(workload.batch), len(workload.batch))
        into.consumers.setdefault(pipeline.name, Figures()).samples.append(sample)
        changes = self._engine.take_changes(pipeline.sessions_table)
        if changes:
            sample = timed(self._engine, pipeline.project, stream_batch(changes, at=self._now()), len(changes))
            into.projectors.setdefault(pipeline.name, Figures()).samples.append(sample)
            with self._engine.unhurried():
                pass
        return changes

    def _run_bare(self, bare: BareLoop, changes: Changes, into: Comparison) -> None:
        requests = bare.prepare([after for _, after in changes])
        sample = timed(self._engine, lambda prepared, _: bare.write(prepared), requests, len(changes))
        into.consumers.setdefault(BARE, Figures()).samples.append(sample)
        with self._engine.unhurried():
            pass

    def _now(self) -> datetime:
        """Give each stream batch a time of its own, further apart than clocks may differ: days are long.

        Never before the handlers' own clock: records from before a projection was made are read again.
        """
        self._batches += 1
        return datetime.now(UTC) + self._batches * timedelta(seconds=6)


def timed(engine: Engine, handler: Callable[[Any, Any], Any], event: Any, size: int) -> Sample:
    """Measure one invocation.

    Args:
        engine: Counts what it is asked.
        handler: Whose invocation.
        event: What it is invoked with.
        size: What the sample's figures are divided by.

    Raises:
        RuntimeError: It answered with failures.
    """
    gc.collect()  # what went before is not to be paid for here
    cpu, wall = time.process_time(), time.perf_counter()
    answer = handler(event, Context())
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    _check(answer)
    return Sample(size, cpu, wall, engine.counts())


def succeed(handler: Callable[[Any, Any], Any], batch: dict[str, Any]) -> None:
    """Invoke a handler, unmeasured.

    Raises:
        RuntimeError: It answered with failures.
    """
    _check(handler(batch, Context()))


def _check(answer: Any) -> None:
    if answer is not None and answer.get("batchItemFailures"):
        raise RuntimeError(f"a batch failed, so its figures mean nothing: {answer['batchItemFailures'][:3]}")


def apply(pipeline: Pipeline, events: list[Event]) -> None:
    """Bring events into a pipeline's tables, unmeasured."""
    succeed(pipeline.consume, sqs_batch(events))
