"""Everything one run measures."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import botocore

from ops.benchmark.engines import local_engine, stub_engine
from ops.benchmark.growth import Growth, measure_growth
from ops.benchmark.life_cycle.results import QUICK_LIFE_CYCLE, LifeCycle, LifeCyclePlan, measure_life_cycle
from ops.benchmark.measuring import Comparison, Measurement
from ops.benchmark.pipelines import OURS, make_pipelines
from ops.benchmark.steady_state import PROCESS_STATUS, SteadyState, measure_steady_state
from ops.benchmark.workloads import Workloads
from ops.packaging.package import PYTHON_VERSION, BuildError, find_python
from ops.packaging.start_up import StartUp, measure_start_up

USUAL_SIZE = 100
"""Events in a batch: the template's."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure.

    Attributes:
        service_ms: What the stub takes for a request.
        rounds: Batches of the textbook pipeline per workload; ours runs several for each.
        sizes: Batch sizes, besides the usual one.
        slow_sizes: Those of them too long for the textbook pipeline.
        growth: Live sessions of a customer.
        steady_events: Events of the long life; 0 leaves it out.
        is_local: Whether to measure on DynamoDB Local, too.
        is_start_up: Whether to start the built functions under Lambda's runtime client.
        life_cycle: How much of life-cycle events.
    """

    service_ms: float = 5.0
    rounds: int = 8
    sizes: tuple[int, ...] = (1, 10, 1_000, 10_000)
    slow_sizes: tuple[int, ...] = (10_000,)
    growth: tuple[int, ...] = (1, 10, 100, 1_000, 100_000)
    steady_events: int = 1_000_000
    is_local: bool = True
    is_start_up: bool = True
    life_cycle: LifeCyclePlan = field(default_factory=LifeCyclePlan)


QUICK = Plan(
    service_ms=0.5,
    rounds=1,
    sizes=(10,),
    slow_sizes=(),
    growth=(1, 300),
    steady_events=0,
    is_local=False,
    is_start_up=False,
    life_cycle=QUICK_LIFE_CYCLE,
)


@dataclass(slots=True)
class Results:
    """What came out.

    Attributes:
        plan: What was asked for.
        machine: Processor, cores, versions: nothing that names the machine.
        workloads: On the stub, at the usual batch size; the first is of logins, with the bare loop.
        sizes: Logins at the other batch sizes.
        growth: With the customer's live sessions.
        keys_only: Ours, logins, logouts and mixed day, with an index of keys alone.
        local: On DynamoDB Local.
        steady_state: The long life, where it was measured.
        start_up: By function, the first is what to compare with; empty where it was not measured.
        life_cycle: Of life-cycle events.
    """

    plan: Plan
    machine: str
    day: date
    workloads: list[Comparison] = field(default_factory=list)
    sizes: list[Comparison] = field(default_factory=list)
    growth: list[Growth] = field(default_factory=list)
    keys_only: list[Comparison] = field(default_factory=list)
    local: list[Comparison] = field(default_factory=list)
    steady_state: SteadyState | None = None
    start_up: dict[str, StartUp] = field(default_factory=dict)
    life_cycle: LifeCycle | None = None

    def workload(self, name: str) -> Comparison:
        """Find a workload's comparison on the stub."""
        return next(comparison for comparison in self.workloads if comparison.workload == name)


def measure(plan: Plan, *, day: date, tell: Callable[[str], None]) -> Results:
    """Measure everything in a plan.

    Args:
        plan: How much.
        day: For the report.
        tell: Takes what is going on, in words.

    Raises:
        EngineError: DynamoDB Local cannot be had.
        BuildError: The functions cannot be built or started: pip failed, or the runtime's Python is missing.
        LocalStackError: The local stack cannot run, or expiries were not published.
        RuntimeError: A handler answered with failures, or a process that was started failed.
    """
    results = Results(plan, describe_machine(), day)
    workloads = Workloads()
    with stub_engine(service_ms=plan.service_ms) as engine:
        pipelines = make_pipelines()
        measurement = Measurement(engine, pipelines, rounds=plan.rounds)
        tell(f"stub at {plan.service_ms:g} ms, batches of {USUAL_SIZE}")
        results.workloads = _compare_workloads(measurement, workloads, tell)
        for size in plan.sizes:
            tell(f"stub, batches of {size:,}")
            only = OURS if size in plan.slow_sizes else None
            rounds = max(1, plan.rounds * USUAL_SIZE // max(USUAL_SIZE, size))
            results.sizes.append(measurement.compare(workloads.logins, size, rounds=rounds, only=only))
        tell("stub, growth with the customer's sessions")
        results.growth = measure_growth(
            engine, pipelines, workloads, counts=list(plan.growth), rounds=max(1, plan.rounds // 2)
        )
    tell("stub, an index of keys alone")
    with stub_engine(service_ms=plan.service_ms) as engine:
        engine.stub.index_keys_only()
        measurement = Measurement(engine, make_pipelines(), rounds=max(1, plan.rounds // 2))
        results.keys_only = [
            measurement.compare(make, USUAL_SIZE, only=OURS)
            for make in (workloads.logins, workloads.logouts, workloads.mixed)
        ]
    if plan.is_start_up:
        tell("start-up of the built functions")
        results.start_up = measure_start_up(_runtime_python())
    if plan.is_local:
        tell("DynamoDB Local")
        with local_engine() as local:
            measurement = Measurement(local, make_pipelines(), rounds=max(1, plan.rounds // 2))
            results.local = [
                measurement.compare(make, USUAL_SIZE) for make in (workloads.logins, workloads.logouts, workloads.mixed)
            ]
    if plan.steady_events and not PROCESS_STATUS.exists():
        tell("no steady state: the peak of memory is told by Linux only")
    elif plan.steady_events:
        tell(f"steady state, {plan.steady_events:,} events")
        results.steady_state = measure_steady_state(plan.steady_events)
    results.life_cycle = measure_life_cycle(
        plan.life_cycle, service_ms=plan.service_ms, day=day, machine=results.machine, tell=tell
    )
    return results


def _runtime_python() -> str:
    python = find_python()
    if python is None:
        raise BuildError(
            f"start-up is measured on python{PYTHON_VERSION}, which is not here: install it, or --no-start-up"
        )
    return python


def _compare_workloads(measurement: Measurement, workloads: Workloads, tell: Callable[[str], None]) -> list[Comparison]:
    compared = [measurement.compare(workloads.logins, USUAL_SIZE, with_bare_loop=True)]
    for make in (
        workloads.logouts,
        workloads.mixed,
        workloads.logouts_first,
        workloads.flood,
        workloads.duplicates,
        workloads.hot_customer,
        workloads.customers,
        workloads.new_customers,
    ):
        compared.append(measurement.compare(make, USUAL_SIZE))
        tell(f"  {compared[-1].workload}")
    return compared


def describe_machine() -> str:
    """Describe the machine without naming it."""
    parts = [f"{os.cpu_count()} cores", platform.machine(), platform.system()]
    with suppress(OSError):  # only Linux tells
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        parts[0:0] = models[:1]
    return ", ".join([*parts, f"Python {platform.python_version()}", f"botocore {botocore.__version__}"])
