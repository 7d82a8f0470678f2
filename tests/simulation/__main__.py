"""Play seeds: `python -m tests.simulation --seeds 1-20000 --jobs 2`, or `--seed 7 --trace` for one of them."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table as RichTable

from tests.simulation.faults import Fault
from tests.simulation.naive import NAIVE_DESIGNS, with_naive
from tests.simulation.naive_life_cycle import NAIVE_LIFE_CYCLES
from tests.simulation.old_rules import OLD_RULES
from tests.simulation.simulation import Report, Simulation

_CHUNK = 25


@dataclass
class Options:
    """What to play, apart from the seed.

    Args:
        transport: `statements`, `items`, or None for either by the seed's parity.
        faults: Those allowed; None: drawn by seed.
        without: Those not allowed.
        naive: A naive design to put in.
    """

    transport: str | None = None
    faults: list[Fault] | None = None
    without: list[Fault] = field(default_factory=list)
    naive: str | None = None

    def play(self, seed: int, *, has_trace: bool = False) -> Report:
        """Play one seed."""
        with with_naive(self.naive):
            simulation = Simulation(
                seed, transport=self.transport, faults=self.faults, without=self.without, has_trace=has_trace
            )
            try:
                return simulation.play()
            except Exception as error:
                error.add_note(f"in seed {seed}")
                raise

    def as_arguments(self) -> str:
        """Write them as they are given on the command line."""
        named = (
            ("--transport", self.transport),
            ("--faults", None if self.faults is None else ",".join(self.faults)),
            ("--without", ",".join(self.without) or None),
            ("--naive", self.naive),
        )
        return "".join(f" {name} {value}" for name, value in named if value is not None)


@dataclass
class Figures:
    """The results of many runs, added up."""

    seeds: int = 0
    steps: int = 0
    events: int = 0
    invocations: int = 0
    injected: Counter[Fault] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    violations: list[Report] = field(default_factory=list)

    def add(self, report: Report) -> None:
        """Count a run."""
        self.seeds += 1
        self.steps += report.steps
        self.events += report.events
        self.invocations += report.invocations
        self.injected.update(report.injected)
        self.commands.update(report.commands)
        self.told.update(report.told)
        if report.violation is not None:
            self.violations.append(report)


def main() -> int:
    """Play what the command line asks for; answers 1 where a claim was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this one, as often as it takes to understand it")
    parser.add_argument("--trace", action="store_true", help="with --seed: print everything that happens")
    parser.add_argument("--seeds", type=_seed_range, default=range(1, 1001), metavar="FROM-TO", help="default 1-1000")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    parser.add_argument(
        "--transport", choices=("statements", "items"), help="default: odd seeds statements, even items"
    )
    parser.add_argument("--faults", type=_faults, help=f"only these, comma-separated: {', '.join(Fault)}")
    parser.add_argument("--without", type=_faults, default=[], help="never these")
    parser.add_argument(
        "--naive",
        choices=(*NAIVE_DESIGNS, *NAIVE_LIFE_CYCLES, *OLD_RULES),
        help="put a naive design in, to see it fail",
    )
    arguments = parser.parse_args()
    options = Options(arguments.transport, arguments.faults, arguments.without, arguments.naive)
    if arguments.seed is not None:
        return _play_one(arguments.seed, options, has_trace=arguments.trace)
    return _play_many(arguments.seeds, options, jobs=arguments.jobs)


def _seed_range(text: str) -> range:
    first, _, last = text.partition("-")
    try:
        return range(int(first), int(last or first) + 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no range of seeds, like 1-20000") from None


def _faults(text: str) -> list[Fault]:
    try:
        return [Fault(name) for name in text.split(",") if name]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; there are {', '.join(Fault)}") from None


def _play_one(seed: int, options: Options, *, has_trace: bool) -> int:
    report = options.play(seed, has_trace=has_trace)
    for line in report.trace:
        print(line)
    print(describe(report, options) if report.violation else f"seed {seed}: every claim holds, {report.steps} steps")
    return int(report.violation is not None)


def _play_many(seeds: range, options: Options, *, jobs: int) -> int:
    figures = Figures()
    console = Console()
    began = time.monotonic()
    with (
        Progress(
            TextColumn("[bold]seeds"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[violations]} violations"),
            console=console,
        ) as progress,
        ProcessPoolExecutor(max_workers=jobs) as pool,
    ):
        bar = progress.add_task("seeds", total=len(seeds), violations=0)
        chunks = [seeds[start : start + _CHUNK] for start in range(0, len(seeds), _CHUNK)]
        try:
            for reports in _in_any_order([pool.submit(play_chunk, chunk, options) for chunk in chunks]):
                for report in reports:
                    figures.add(report)
                    if report.violation is not None:
                        console.print(describe(report, options), markup=False, highlight=False, soft_wrap=True)
                progress.update(bar, advance=len(reports), violations=len(figures.violations))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    console.print(_table(figures, time.monotonic() - began))
    return int(bool(figures.violations))


def _in_any_order(futures: "list[Future[list[Report]]]") -> Iterator[list[Report]]:
    for future in as_completed(futures):
        yield future.result()


def play_chunk(seeds: range, options: Options) -> list[Report]:
    """Play some seeds in a process of the pool."""
    return [options.play(seed) for seed in seeds]


def describe(report: Report, options: Options) -> str:
    """Say in one line what failed and how to see it alone."""
    faults = ",".join(report.faults)
    return (
        f"VIOLATED seed {report.seed} ({report.transport}) {report.violation} | faults: {faults} | "
        f"python -m tests.simulation --seed {report.seed}{options.as_arguments()} --trace"
    )


def _table(figures: Figures, seconds: float) -> RichTable:
    table = RichTable(title="Simulation", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("seeds", f"{figures.seeds:,}")
    table.add_row("seeds per second", f"{figures.seeds / seconds:.1f}")
    table.add_row("scheduler steps", f"{figures.steps:,}")
    table.add_row("events published", f"{figures.events:,}")
    table.add_row("invocations", f"{figures.invocations:,}", end_section=True)
    for fault in Fault:
        table.add_row(fault.value, f"{figures.injected[fault]:,}")
    table.add_section()
    for reason, count in sorted(figures.commands.items()):
        table.add_row(f"commands: {reason}", f"{count:,}")
    table.add_section()
    for kind, count in sorted(figures.told.items()):
        table.add_row(f"told: {kind}", f"{count:,}")
    table.add_section()
    table.add_row(
        "violations", f"{len(figures.violations):,}", style="bold red" if figures.violations else "bold green"
    )
    return table


if __name__ == "__main__":
    sys.exit(main())
