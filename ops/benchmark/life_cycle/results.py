"""All that is measured of life-cycle events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from ops.benchmark.due import due_session
from ops.benchmark.engines import stub_engine
from ops.benchmark.life_cycle.costs import LifeCycleCosts, measure_costs
from ops.benchmark.life_cycle.delays import Delays, measure_delays
from ops.benchmark.life_cycle.million import DueAtOnce, measure_due_at_once
from ops.benchmark.pipelines import OURS, make_pipelines
from ops.benchmark.steady_state import PROCESS_STATUS
from ops.benchmark.workloads import Workloads
from processors.aws.event_bus import line_of
from schemas.life_cycle import expired_detail


@dataclass(frozen=True, slots=True)
class LifeCyclePlan:
    """How much to measure of life-cycle events.

    Attributes:
        sizes: Stream records in a batch.
        rounds: Times a thousand sessions.
        delayed: Sessions whose expiries are timed on the local stack; 0 leaves it out.
        due_at_once: Sessions that run out in one minute; 0 leaves it out.
    """

    sizes: tuple[int, ...] = (1, 100, 1_000)
    rounds: int = 8
    delayed: int = 1_200
    due_at_once: int = 1_000_000


QUICK_LIFE_CYCLE = LifeCyclePlan(sizes=(100, 1_000), rounds=1, delayed=0, due_at_once=0)
WINDOW_SECONDS = 60


@dataclass(frozen=True, slots=True)
class LifeCycle:
    """What came out.

    Attributes:
        day: For the report.
        machine: Processor, cores, versions.
        costs: Of publisher and sweeper.
        line_bytes: Of a life-cycle event of usual size, as JSON with its line's end.
        delays: Of expiries on the local stack, where they were measured.
        due_at_once: A minute in which very many run out, where it was measured.
    """

    day: date
    machine: str
    costs: LifeCycleCosts
    line_bytes: int
    delays: Delays | None
    due_at_once: DueAtOnce | None


def measure_life_cycle(
    plan: LifeCyclePlan, *, service_ms: float, day: date, machine: str, tell: Callable[[str], None]
) -> LifeCycle:
    """Measure everything in a plan.

    Args:
        plan: How much.
        service_ms: What the stub takes for a request.
        day: For the report.
        machine: What it is measured on, in words.
        tell: Takes what is going on, in words.

    Raises:
        LocalStackError: The local stack cannot run, or expiries were not published.
        RuntimeError: A handler answered with failures, or the sweeper's process failed.
    """
    due = None
    with stub_engine(service_ms=service_ms) as engine:
        [ours] = [pipeline for pipeline in make_pipelines() if pipeline.name == OURS]
        tell("life-cycle events: publisher and sweeper")
        costs = measure_costs(engine, ours, Workloads(), sizes=plan.sizes, rounds=plan.rounds)
        if plan.due_at_once and not PROCESS_STATUS.exists():
            tell("no sessions due at once: the peak of memory is told by Linux only")
        elif plan.due_at_once:
            tell(f"life-cycle events: {plan.due_at_once:,} sessions due in one minute")
            due = measure_due_at_once(engine, plan.due_at_once)
    delays = None
    if plan.delayed:
        tell("life-cycle events: delay of expiries on the local stack")
        delays = measure_delays(sessions=plan.delayed, window_seconds=WINDOW_SECONDS)
    return LifeCycle(day, machine, costs, _line_bytes(), delays, due)


def _line_bytes() -> int:
    return len(line_of(expired_detail(due_session(0, 1_795_600_000, 1)))) + 1
