"""`python -m ops.benchmark`: measure, print the targets, write `docs/benchmarks.md`.

`python -m ops.benchmark life-cycle` measures life-cycle events alone, and writes that section anew.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ops.benchmark.document import write_report
from ops.benchmark.life_cycle.results import measure_life_cycle
from ops.benchmark.life_cycle.section import TITLE, render_life_cycle
from ops.benchmark.markdown import with_section
from ops.benchmark.results import QUICK, Plan, describe_machine, measure
from ops.benchmark.target import Target
from ops.benchmark.targets import judge, judge_life_cycle
from ops.checkout import CHECKOUT
from ops.engines.child_process import EngineError
from ops.inspection.tables import plain_table
from ops.local_aws.stack import LocalStackError
from ops.packaging.package import BuildError

_DOCS = CHECKOUT / "docs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; answers 1 where a counted target is missed: those do not depend on the machine."""
    parser = argparse.ArgumentParser(prog="python -m ops.benchmark", description=__doc__)
    parser.add_argument("part", nargs="?", choices=["life-cycle"], help="measure this alone (default: everything)")
    parser.add_argument(
        "--quick", action="store_true", help="a few batches on the stub, in seconds: to see that it works"
    )
    parser.add_argument("--service-ms", type=float, help="what the stub takes for a request (default: 5)")
    parser.add_argument("--no-local", action="store_true", help="leave out DynamoDB Local, which needs Java and npm")
    parser.add_argument("--no-start-up", action="store_true", help="leave out the start-up, which needs python3.13")
    parser.add_argument(
        "--steady-events", type=int, metavar="N", help="events of the steady state (default: 1,000,000; 0: none)"
    )
    parser.add_argument(
        "--output", type=Path, default=_DOCS, metavar="FOLDER", help="where to write benchmarks.md and charts"
    )
    options = parser.parse_args(arguments)
    plan = QUICK if options.quick else Plan()
    if options.service_ms is not None:
        plan = replace(plan, service_ms=options.service_ms)
    if options.steady_events is not None:
        plan = replace(plan, steady_events=options.steady_events)
    if options.no_local:
        plan = replace(plan, is_local=False)
    if options.no_start_up:
        plan = replace(plan, is_start_up=False)
    try:
        document, targets = (
            _measure_life_cycle(plan, options.output) if options.part else _measure(plan, options.output)
        )
    except (EngineError, BuildError, LocalStackError) as error:
        sys.exit(f"benchmark: {error}")
    _print_targets(targets)
    print(f"Written: {document}, with every figure")
    return int(any(not target.is_met and target.kind == "counted" for target in targets))


def _measure(plan: Plan, folder: Path) -> tuple[Path, list[Target]]:
    results = measure(plan, day=datetime.now(UTC).date(), tell=_tell)
    more = [] if results.life_cycle is None else judge_life_cycle(results.life_cycle)
    return write_report(results, folder), judge(results) + more


def _measure_life_cycle(plan: Plan, folder: Path) -> tuple[Path, list[Target]]:
    measured = measure_life_cycle(
        plan.life_cycle,
        service_ms=plan.service_ms,
        day=datetime.now(UTC).date(),
        machine=describe_machine(),
        tell=_tell,
    )
    targets = judge_life_cycle(measured)
    document = folder / "benchmarks.md"
    text = document.read_text(encoding="utf-8") if document.exists() else "# Benchmarks\n"
    document.write_text(with_section(text, TITLE, render_life_cycle(measured, targets)), encoding="utf-8")
    return document, targets


def _print_targets(targets: Sequence[Target]) -> None:
    table = plain_table("Ratios in this run")
    for heading in ("", "Target", "Measured", ""):
        table.add_column(heading)
    for target in targets:
        verdict = Text("met", style="green") if target.is_met else Text("missed", style="red")
        table.add_row(target.name, target.limit, target.measured, verdict)
    Console(highlight=False).print(table)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
