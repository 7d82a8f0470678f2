"""The whole bill of the mixed day, from a run's own figures."""

from __future__ import annotations

from dataclasses import replace

from ops.benchmark.measuring import Figures
from ops.benchmark.pipelines import OURS, TEXTBOOK
from ops.benchmark.results import Results
from ops.costs import figures
from ops.costs.bill import Bill
from ops.costs.figures import PipelineFigures, StageFigures
from ops.costs.tables import bills_of
from ops.costs.traffic import Traffic

SESSIONS_A_DAY = 1_000_000

MIXED_DAY = Traffic(
    sessions_a_day=SESSIONS_A_DAY,
    refreshes=30 / 35,
    logged_out=1.0,
    customers=SESSIONS_A_DAY,
    is_publishing=True,
    is_archiving=True,
)


def bills_of_mixed_day(results: Results) -> dict[str, Bill]:
    """Add up what a million sessions a day cost, by what the run measured of the mixed day."""
    return bills_of(MIXED_DAY, _measured(results, OURS, figures.OURS), _measured(results, TEXTBOOK, figures.TEXTBOOK))


def _measured(results: Results, contender: str, usual: PipelineFigures) -> PipelineFigures:
    mixed = results.workload("mixed day")
    return PipelineFigures(
        _stage(usual.consumer, mixed.consumers[contender]), _stage(usual.projector, mixed.projectors[contender])
    )


def _stage(usual: StageFigures, measured: Figures) -> StageFigures:
    return replace(usual, write_units=measured.write_units, read_units=measured.read_units, cpu_ms=measured.cpu_ms)
