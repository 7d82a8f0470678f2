"""The benchmark runs, and what it counts, which is the same on every machine, is what was promised."""

import re
from datetime import date
from pathlib import Path

import pytest

from ops.benchmark.document import write_report
from ops.benchmark.pipelines import OURS, TEXTBOOK
from ops.benchmark.results import QUICK, Results, measure
from ops.benchmark.steady_state import PROCESS_STATUS, measure_steady_state
from ops.benchmark.targets import judge


@pytest.fixture(scope="module")
def results() -> Results:
    return measure(QUICK, day=date(2026, 3, 2), tell=lambda line: None)


def test_every_counted_target_is_met(results: Results) -> None:
    missed = [target for target in judge(results) if target.kind == "counted" and not target.is_met]

    assert missed == []


def test_a_login_and_a_logout_cost_two_write_units_each_and_a_projection_one(results: Results) -> None:
    logins, logouts = results.workload("logins"), results.workload("logouts")

    assert logins.consumers[OURS].write_units == logouts.consumers[OURS].write_units == 2
    assert logins.projectors[OURS].write_units <= 1
    assert logouts.projectors[OURS].write_units <= 1


def test_duplicates_change_nothing_so_the_stream_has_no_record_of_them(results: Results) -> None:
    assert results.workload("duplicates").projectors == {}


def test_the_textbook_pipeline_costs_what_is_said_of_it(results: Results) -> None:
    logins, logouts = results.workload("logins"), results.workload("logouts")

    life = [logins.consumers, logouts.consumers, logins.projectors, logouts.projectors]

    assert logins.consumers[TEXTBOOK].requests == 3
    assert logins.projectors[TEXTBOOK].requests == 1
    assert sum(contenders[TEXTBOOK].write_units for contenders in life) == 10


def test_the_report_has_every_chart_it_shows(results: Results, tmp_path: Path) -> None:
    document = write_report(results, tmp_path)

    charts = re.findall(r"!\[.+\]\((.+\.svg)\)", document.read_text(encoding="utf-8"))
    assert len(charts) == 4
    assert all((tmp_path / chart).read_text(encoding="utf-8").startswith("<svg ") for chart in charts)


@pytest.mark.skipif(not PROCESS_STATUS.exists(), reason="only Linux tells the peak of memory")
def test_memory_does_not_grow_with_the_events() -> None:
    state = measure_steady_state(20_000)

    assert 20 < state.early_peak_mb <= state.peak_mb <= 1.05 * state.early_peak_mb
