"""The benchmark runs, and what it counts, which is the same on every machine, is what was promised."""

import re
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from ops.benchmark.document import write_report
from ops.benchmark.due import due_session
from ops.benchmark.engines import stub_engine
from ops.benchmark.hot_customer import measure_hot_customer
from ops.benchmark.life_cycle.million import measure_due_at_once
from ops.benchmark.life_cycle.results import LifeCycle
from ops.benchmark.life_cycle.section import TITLE, render_life_cycle
from ops.benchmark.markdown import section, with_section
from ops.benchmark.pipelines import OURS, TEXTBOOK
from ops.benchmark.results import QUICK, Results, measure
from ops.benchmark.steady_state import PROCESS_STATUS, measure_steady_state
from ops.benchmark.targets import judge, judge_life_cycle
from ops.costs import figures


@pytest.fixture(autouse=True)
def clock_of_the_tests() -> None:
    """The handlers have the real clock here, as where the benchmark is run."""


@cache  # no fixture: what is made ready for a test is measured for coverage, and takes twice the time
def results() -> Results:
    return measure(QUICK, day=date(2026, 3, 2), tell=lambda line: None)


def life_cycle() -> LifeCycle:
    measured = results().life_cycle
    assert measured is not None
    return measured


def test_every_counted_target_is_met() -> None:
    targets = judge(results()) + judge_life_cycle(life_cycle())

    assert [target for target in targets if target.kind == "counted" and not target.is_met] == []


def test_a_login_and_a_logout_cost_two_write_units_each_and_a_projection_one() -> None:
    logins, logouts = results().workload("logins"), results().workload("logouts")

    assert logins.consumers[OURS].write_units == logouts.consumers[OURS].write_units == 2
    assert logins.projectors[OURS].write_units <= 1
    assert logouts.projectors[OURS].write_units <= 1


def test_duplicates_change_nothing_so_the_stream_has_no_record_of_them() -> None:
    assert results().workload("duplicates").projectors == {}


def test_the_textbook_pipeline_costs_what_is_said_of_it() -> None:
    logins, logouts = results().workload("logins"), results().workload("logouts")

    life = [logins.consumers, logouts.consumers, logins.projectors, logouts.projectors]

    assert logins.consumers[TEXTBOOK].requests == 3
    assert logins.projectors[TEXTBOOK].requests == 1
    assert sum(contenders[TEXTBOOK].write_units for contenders in life) == 10


def test_the_report_has_every_chart_it_shows(tmp_path: Path) -> None:
    document = write_report(results(), tmp_path)

    charts = re.findall(r"!\[.+\]\((.+\.svg)\)", document.read_text(encoding="utf-8"))
    assert len(charts) == 4
    assert all((tmp_path / chart).read_text(encoding="utf-8").startswith("<svg ") for chart in charts)


@pytest.mark.skipif(not PROCESS_STATUS.exists(), reason="only Linux tells the peak of memory")
def test_memory_does_not_grow_with_the_events() -> None:
    state = measure_steady_state(20_000)

    assert 20 < state.early_peak_mb <= state.peak_mb <= 1.05 * state.early_peak_mb


def test_an_agenda_entry_costs_a_tenth_of_a_write_unit_in_and_as_much_out() -> None:
    costs = life_cycle().costs

    for size in (100, 1_000):
        noted, swept = costs.publisher[size]["logins"], costs.sweeper[size]
        assert 0.05 < noted.write_units < 0.12
        assert noted.write_units == pytest.approx(swept.write_units, rel=0.05)
        assert costs.publisher[size]["logouts"].write_units == 0
        assert swept.read_units == pytest.approx(1, rel=0.1), "each session is read again, strongly consistent"


def test_a_sweep_that_finds_nothing_asks_each_partition_once() -> None:
    [operations, *_] = [sample.counts.operations for sample in life_cycle().costs.idle.samples]

    assert operations == {"Query": 16}


@pytest.mark.skipif(not PROCESS_STATUS.exists(), reason="only Linux tells the peak of memory")
def test_every_session_that_is_due_at_once_is_published_by_one_sweep() -> None:
    with stub_engine(service_ms=0) as engine:
        due = measure_due_at_once(engine, 2_000)

    assert due.requests["PutEvents"] >= 200
    assert due.write_units < 0.12 * 2_000
    assert 20 < due.early_peak_mb <= due.peak_mb < 256


def test_sessions_due_at_once_run_out_evenly_over_a_minute() -> None:
    expiries = [due_session(number, 1_000, 600).expires_at for number in range(600)]

    assert [sum(at is not None and at.timestamp() == 1_000 + second for at in expiries) for second in (0, 59)] == [
        10,
        10,
    ]


def test_a_section_is_written_in_the_place_of_the_one_before(tmp_path: Path) -> None:
    document = write_report(results(), tmp_path).read_text(encoding="utf-8")
    measured = life_cycle()
    again = render_life_cycle(measured, judge_life_cycle(measured))

    assert with_section(document, TITLE, again) == document
    assert with_section(document, TITLE, section(TITLE, "new")).endswith(f"## {TITLE}\n\nnew\n")
    assert (
        with_section("# A\n\n## B\n\nold\n\n## C\n\nc\n", "B", "## B\n\nnew\n") == "# A\n\n## B\n\nnew\n\n## C\n\nc\n"
    )
    assert with_section("# A\n", "B", "## B\n\nnew\n") == "# A\n\n## B\n\nnew\n"


def test_an_index_of_keys_alone_saves_a_write_unit_of_a_refresh_and_a_logout() -> None:
    units = {comparison.workload: comparison.consumers[OURS].write_units for comparison in results().keys_only}

    assert units["logins"] == 2
    assert units["logouts"] == 1
    assert units["mixed day"] == pytest.approx(1.35, abs=0.01), "35 of 100 are first logins"


def test_the_bill_counts_with_what_the_benchmark_counts() -> None:
    mixed = results().workload("mixed day")

    for contender, said in ((OURS, figures.OURS), (TEXTBOOK, figures.TEXTBOOK)):
        for stage, measured in ((said.consumer, mixed.consumers), (said.projector, mixed.projectors)):
            assert stage.write_units == pytest.approx(measured[contender].write_units, abs=0.05)
            assert stage.read_units == pytest.approx(measured[contender].read_units, abs=0.1)


@pytest.mark.slow
def test_one_hot_customer_costs_what_the_page_of_limits_says() -> None:
    said = {row[0]: row for row in figures.HOT_CUSTOMER}

    for projectors, batches in ((1, 10), (10, 20)):
        measured = measure_hot_customer(projectors, batches=batches)

        assert measured.batches_per_second == pytest.approx(said[projectors][1], rel=0.15)
        assert measured.writes == pytest.approx(said[projectors][2], rel=0.15)
