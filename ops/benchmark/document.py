"""The report of a run: Markdown with tables and charts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ops.benchmark import prices
from ops.benchmark.bills import MIXED_DAY, bills_of_mixed_day
from ops.benchmark.index_section import render_keys_only
from ops.benchmark.life_cycle.section import render_life_cycle
from ops.benchmark.markdown import section, table
from ops.benchmark.measuring import OURS_PER_ROUND, Figures
from ops.benchmark.pictures import all_sizes, charts_of
from ops.benchmark.pipelines import OURS, TEXTBOOK
from ops.benchmark.results import USUAL_SIZE, Results
from ops.benchmark.targets import judge, judge_life_cycle
from ops.costs.tables import BILL_HEADINGS, bill_rows
from ops.packaging.start_up import BASELINE, RUNS

_INTRODUCTION = """\
# Benchmarks

Made by `make bench` on {day}: {machine}.
Client and engine share the machine, so milliseconds are its own; ratios are what travels. All contenders take turns in
one run, figures are medians.

- **ours**: the handlers as deployed, through `lambda_handler`.
- **textbook**: what the documentation of its parts has users write
  ([ops/benchmark/textbook.py](../ops/benchmark/textbook.py)): Powertools' BatchProcessor, its idempotency layer on a
  DynamoDB table, one boto3 call per record, ADD counters on the stream.
- **bare loop**: 25-statement requests made beforehand and sent one after the other by a client with boto3's defaults;
  it reads, parses and decides nothing. (A quarter of its CPU is the check of parameters, which ours goes without.)

The stub DynamoDB answers every request {service:g} ms after it arrived, requests overlap, and read and write units are
worked out from item sizes. Billed time is the duration of the invocation; CPU is the client's, all threads.
"""


def write_report(results: Results, folder: Path) -> Path:
    """Write `benchmarks.md` and its charts into a folder; returns the document's path."""
    charts = folder / "benchmarks"
    charts.mkdir(parents=True, exist_ok=True)
    for name, chart in charts_of(results).items():
        (charts / f"{name}.svg").write_text(chart, encoding="utf-8")
    document = folder / "benchmarks.md"
    document.write_text(render(results), encoding="utf-8")
    return document


def render(results: Results) -> str:
    """Write the document."""
    sections = [
        _INTRODUCTION.format(day=results.day, machine=results.machine, service=results.plan.service_ms),
        _targets(results),
        _consumers(results),
        _projectors(results),
        _sizes(results),
        _growth(results),
        _cost(results),
        render_keys_only(results),
        _start_up(results),
        _local(results),
        _steady_state(results),
        _life_cycle(results),
    ]
    return "\n".join(text for text in sections if text)


def _targets(results: Results) -> str:
    targets = judge(results)
    rows = [[t.name, t.limit, t.measured, "met" if t.is_met else "**missed**"] for t in targets]
    reasons = dict.fromkeys(target.why for target in targets if target.why and not target.is_met)
    return section("Targets", table(["ratio in this run", "target", "measured", ""], rows), *reasons)


def _consumers(results: Results) -> str:
    return section(
        f"Consumer, batches of {USUAL_SIZE}",
        "Per event, and the whole batch's duration: median and 99th percentile, which of so few samples "
        f"({results.plan.rounds} of the textbook's, {OURS_PER_ROUND * results.plan.rounds} of ours) is the longest.",
        _contenders("events", {comparison.workload: comparison.consumers for comparison in results.workloads}),
        "![CPU per event](benchmarks/consumer-cpu.svg)",
    )


def _projectors(results: Results) -> str:
    return section(
        "Projector",
        "Per stream record, of what the consumer's batch wrote. Duplicates write nothing, so no record tells of them.",
        _contenders("records of", {comparison.workload: comparison.projectors for comparison in results.workloads}),
        "![CPU per record](benchmarks/projector-cpu.svg)",
    )


def _contenders(heading: str, workloads: Mapping[str, dict[str, Figures]]) -> str:
    rows = [row for workload, contenders in workloads.items() for row in _rows(workload, contenders)]
    return table([heading, "", "requests", "CPU ms", "write units", "read units", "batch ms", "p99"], rows)


def _sizes(results: Results) -> str:
    rows = []
    for comparison in all_sizes(results):
        for name in (OURS, TEXTBOOK):
            figures = comparison.consumers.get(name)
            if figures is None:
                rows.append([f"{comparison.size:,}", name, "not run: three minutes, the timeout is 30 s", "", "", ""])
            else:
                cells = [f"{figures.requests:.3f}", f"{figures.cpu_ms:.3f}", f"{figures.batch_ms:,.0f}"]
                rows.append([f"{comparison.size:,}", name, *cells, f"{figures.batch_ms_p99:,.0f}"])
    sizes = table(["logins in a batch", "", "requests", "CPU ms", "batch ms", "p99"], rows)
    return section("Batch size", sizes, "![Duration of a batch](benchmarks/batch-size.svg)")


def _growth(results: Results) -> str:
    rows = []
    for growth in results.growth:
        comparison = growth.comparison
        for name in (OURS, TEXTBOOK):
            consumer, projector = comparison.consumers[name], comparison.projectors[name]
            rows.append(
                [
                    f"{growth.sessions:,}",
                    name,
                    f"{consumer.cpu_ms:.3f}",
                    f"{consumer.write_units:.1f}",
                    f"{projector.cpu_ms:.3f}",
                    f"{projector.write_units:.1f}",
                    f"{projector.read_units:.1f}",
                    f"{projector.batch_ms:.0f}",
                ]
            )
    header = [
        "live sessions of the customer",
        "",
        "consumer CPU ms",
        "its write units",
        "projector CPU ms",
        "its write units",
        "its read units",
        "its batch ms",
    ]
    return section(
        "Growth with the sessions of a customer",
        "Ten logins more in one batch, per event; the sessions before them are in the projection. The register has no "
        "item that grows with them. A projection holds at most 256 sessions, so its item, and with it the price of "
        "reading and writing it, stops growing there. The textbook's counter is one number, and wrong after the first "
        "stream batch that is delivered twice.",
        table(header, rows),
    )


def _cost(results: Results) -> str:
    return section(
        "Dollars per million sessions",
        f"The whole bill of the mixed day, a login, a logout and {MIXED_DAY.refreshes:.2f} silent re-logins a session, "
        f"at {MIXED_DAY.sessions_a_day:,.0f} sessions a day by as many customers: list prices of {prices.REGION}, on "
        f"demand, looked up on {prices.AS_OF}, without free tiers ([their pages](limits.md)); functions at this "
        "machine's speed, and at 512 MB with a third of a core. Events come in by tens straight to the queue, or over "
        "the bus; the textbook pipeline does not publish life-cycle events. Storage holds tombstones for 15 days, and "
        "an idempotency item per event for a day. `sessionctl cost` says it of other traffic.",
        table(BILL_HEADINGS, bill_rows(list(bills_of_mixed_day(results).values()))),
        "![Dollars per million sessions](benchmarks/cost.svg)",
    )


def _start_up(results: Results) -> str:
    if not results.start_up:
        return ""
    reference = results.start_up[BASELINE]
    rows = [
        [
            name,
            f"{one.next_ms / reference.next_ms:.2f} x",
            f"{one.next_ms:.0f}",
            f"{one.answer_ms / reference.answer_ms:.2f} x",
            f"{one.answer_ms:.0f}",
        ]
        for name, one in results.start_up.items()
    ]
    return section(
        "Start-up",
        "From the start of the process to the first request for an event (`next`), and on to the answer to one with "
        f"nothing to do; under awslambdaric, on what `make build` packs. Medians of {RUNS}, taken in turn. What is "
        "compared with makes its client before it asks for an event, the handlers make theirs with the first one: "
        "the way to the answer holds the same work.",
        table(["function", "to `next`", "ms", "to the answer", "ms"], rows),
    )


def _local(results: Results) -> str:
    if not results.local:
        return ""
    rows = []
    for comparison in results.local:
        for role, figures in (("consumer", comparison.consumers), ("projector", comparison.projectors)):
            for name, one in figures.items():
                ratio = _ratio(one.batch_ms, figures[TEXTBOOK].batch_ms)
                rows.append([comparison.workload, role, name, f"{one.cpu_ms:.3f}", f"{one.batch_ms:,.0f}", ratio])
    return section(
        "On DynamoDB Local",
        f"The same handlers against a real engine on the same cores, batches of {USUAL_SIZE}. Its own work is most of "
        "the time: it does one write after the other, so requests in parallel gain little, and it looks through the "
        "whole table for the SELECT that reads the children of ended sessions, which the service does not.",
        table(["events", "", "", "CPU ms", "batch ms", "of the textbook's"], rows),
    )


def _steady_state(results: Results) -> str:
    state = results.steady_state
    if state is None:
        return ""
    return section(
        "Steady state",
        f"{state.events:,} logins through the consumer in one process, against the stub without service time: "
        f"{state.seconds:,.0f} s. Peak of resident memory after a tenth of them {state.early_peak_mb:.1f} MB, "
        f"after all {state.peak_mb:.1f} MB.",
    )


def _life_cycle(results: Results) -> str:
    measured = results.life_cycle
    return "" if measured is None else render_life_cycle(measured, judge_life_cycle(measured))


def _rows(workload: str, contenders: dict[str, Figures]) -> Iterable[list[str]]:
    for name, figures in contenders.items():
        units = [f"{figures.write_units:.2f}", f"{figures.read_units:.2f}"]
        times = [f"{figures.batch_ms:,.0f}", f"{figures.batch_ms_p99:,.0f}"]
        yield [workload, name, f"{figures.requests:.3f}", f"{figures.cpu_ms:.3f}", *units, *times]
    if OURS in contenders and TEXTBOOK in contenders:
        ours, textbook = contenders[OURS], contenders[TEXTBOOK]
        yield [
            "",
            "*ours : textbook*",
            _ratio(ours.requests, textbook.requests),
            _ratio(ours.cpu_ms, textbook.cpu_ms),
            _ratio(ours.write_units, textbook.write_units),
            _ratio(ours.read_units, textbook.read_units),
            _ratio(ours.batch_ms, textbook.batch_ms),
            _ratio(ours.batch_ms_p99, textbook.batch_ms_p99),
        ]


def _ratio(ours: float, theirs: float) -> str:
    if ours == 0 or theirs == 0:
        return "" if ours != theirs else "="
    return f"1/{theirs / ours:.1f}" if ours < theirs else f"{ours / theirs:.2f}"
