"""What was promised of costs, and what a run says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ops.benchmark.measuring import Figures
from ops.benchmark.pipelines import BARE, OURS, TEXTBOOK
from ops.benchmark.results import Results
from ops.packaging.start_up import BASELINE


@dataclass(frozen=True, slots=True)
class Target:
    """A target and its measurement.

    Attributes:
        name: What is compared.
        limit: What was promised, in words.
        measured: What came out, in words.
        is_met: Whether the promise holds.
        kind: `counted` figures are the same in every run; `timed` ones are not.
        why: What stands in the way, for where it is missed.
    """

    name: str
    limit: str
    measured: str
    is_met: bool
    kind: Literal["counted", "timed"]
    why: str = ""


_WHY_PROJECTOR = (
    "Both write each customer's item under a condition; only the requests are fewer. Two thirds of our CPU are "
    "botocore's: making seven requests, and parsing the projections that were read (decisions.md, 17)."
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
                5,
                "timed",
                why=_WHY_PROJECTOR,
            )
            for comparison in (logins, logouts, mixed)
        ),
        _units_of_a_life(
            [logins.consumers[OURS], logouts.consumers[OURS], logins.projectors[OURS], logouts.projectors[OURS]]
        ),
        *_start_ups(results),
        *_steady_states(results),
    ]


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


def _units_of_a_life(parts: list[Figures]) -> Target:
    units = sum(part.write_units for part in parts)
    return Target(
        "write units of a session's life (login, logout, projections)", "≤ 6", f"{units:.2f}", units <= 6, "counted"
    )
