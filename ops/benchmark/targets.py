"""What was promised of costs, and what a run says of it."""

from __future__ import annotations

from typing import Literal

from ops.benchmark.life_cycle.results import LifeCycle
from ops.benchmark.measuring import Figures
from ops.benchmark.pipelines import BARE, OURS, TEXTBOOK
from ops.benchmark.results import Results
from ops.benchmark.target import Target
from ops.packaging.start_up import BASELINE

_WHY_PROJECTOR = (
    "Both write each customer's item under a condition; only the requests are fewer. Most of our CPU is botocore's: "
    "making seven requests (decisions.md, 17 and 51)."
)


def judge(results: Results) -> list[Target]:
    """Judge a run."""
    logins, logouts, mixed = (results.workload(name) for name in ("logins", "logouts", "mixed day"))
    textbook = logins.consumers[TEXTBOOK]
    ours = logins.consumers[OURS]
    return [
        _fraction("consumer CPU per login, of the textbook's", ours.cpu_ms, textbook.cpu_ms, 12, "timed"),
        _multiple("consumer CPU per login, of the bare loop's", ours.cpu_ms, logins.consumers[BARE].cpu_ms, 2),
        _fraction("requests per login, of the textbook's", ours.requests, textbook.requests, 50, "counted"),
        _fraction(
            "requests per event of the mixed day, of the textbook's",
            mixed.consumers[OURS].requests,
            mixed.consumers[TEXTBOOK].requests,
            25,
            "counted",
        ),
        *(
            _fraction(
                f"billed time of a batch of {comparison.workload}, of the textbook's",
                comparison.consumers[OURS].batch_ms,
                comparison.consumers[TEXTBOOK].batch_ms,
                20,
                "timed",
            )
            for comparison in (logins, logouts, mixed)
        ),
        *(
            _fraction(
                f"projector CPU per record of {comparison.workload}, of the textbook's",
                comparison.projectors[OURS].cpu_ms,
                comparison.projectors[TEXTBOOK].cpu_ms,
                6,
                "timed",
                why=_WHY_PROJECTOR,
            )
            for comparison in (logins, logouts, mixed)
        ),
        _units_of_a_life(
            [logins.consumers[OURS], logouts.consumers[OURS], logins.projectors[OURS], logouts.projectors[OURS]]
        ),
        *_keys_only(results),
        *_start_ups(results),
        *_steady_states(results),
    ]


def _keys_only(results: Results) -> list[Target]:
    """Judge what an index of keys alone saves."""
    life = [comparison for comparison in results.keys_only if comparison.workload in ("logins", "logouts")]
    figures = [stage[OURS] for comparison in life for stage in (comparison.consumers, comparison.projectors)]
    return (
        [_units_of_a_life(figures, most=5, name="write units of a session's life, an index of keys alone")]
        if figures
        else []
    )


def judge_life_cycle(life_cycle: LifeCycle) -> list[Target]:
    """Judge what life-cycle events cost, and how late expiries are published."""
    costs, targets = life_cycle.costs, []
    for size in [size for size in costs.publisher if size >= 100]:
        batches = f"from batches of {size:,}"
        units, requests = costs.agenda_units(size), costs.agenda_requests(size)
        targets += [
            Target(
                f"write units of an agenda entry, in and out, {batches}",
                "≤ 0.25",
                f"{units:.3f}",
                units <= 0.25,
                "counted",
            ),
            Target(
                f"requests of an agenda entry, in and out, beside its events, {batches}",
                "≤ 0.1",
                f"{requests:.3f}",
                requests <= 0.1,
                "counted",
            ),
        ]
    if life_cycle.delays is not None:
        earliest, p99 = life_cycle.delays.seconds[0], life_cycle.delays.percentile(99)
        targets += [
            Target("from expiry to event, p99", "≤ 15 s", f"{p99:.1f} s", p99 <= 15, "timed"),
            Target("from expiry to event, earliest", "≥ 0 s", f"{earliest:.1f} s", earliest >= 0, "counted"),
        ]
    return targets


def _start_ups(results: Results) -> list[Target]:
    """Judge the time to the first request for an event, of every function."""
    if not results.start_up:
        return []
    reference = results.start_up[BASELINE].next_ms
    return [
        _multiple(
            f"start-up of {name}, of a handler's that makes a boto3 client",
            one.next_ms,
            reference,
            1.15 if name.startswith("StreamProjector") else 1.45,
        )
        for name, one in results.start_up.items()
        if name != BASELINE
    ]


def _steady_states(results: Results) -> list[Target]:
    """Judge whether memory grows."""
    state = results.steady_state
    if state is None:
        return []
    return [_multiple("peak memory after all events, of that after a tenth", state.peak_mb, state.early_peak_mb, 1.05)]


def _fraction(
    name: str, ours: float, theirs: float, divisor: int, kind: Literal["counted", "timed"], *, why: str = ""
) -> Target:
    return Target(name, f"≤ 1/{divisor}", f"1/{theirs / ours:.2f}", ours * divisor <= theirs, kind, why)


def _multiple(name: str, ours: float, theirs: float, factor: float) -> Target:
    return Target(name, f"≤ {factor} x", f"{ours / theirs:.2f} x", ours <= factor * theirs, "timed")


def _units_of_a_life(
    parts: list[Figures], *, most: int = 6, name: str = "write units of a session's life (login, logout, projections)"
) -> Target:
    units = sum(part.write_units for part in parts)
    return Target(name, f"≤ {most}", f"{units:.2f}", units <= most, "counted")
