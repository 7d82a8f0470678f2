"""Judge what `mutmut run` left in `mutants/`: were enough mutants killed, and has each survivor a reason?

`python -m tests.mutation` prints how each module did. It fails below 90 % killed, for a survivor without a reason in
`tests/mutants.toml`, and for a reason whose mutant does not survive. A reason names the function and the line as the
mutant writes it, not mutmut's number, which changes with every edit of the function.
"""

import sys
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

LEAST_KILLED = 0.9
REASONS = Path(__file__).with_name("mutants.toml")
_SURVIVED = {"survived", "no tests", "suspicious"}


class Survivor(NamedTuple):
    """A mutant that no test kills."""

    function: str
    """With its module."""
    becomes: str
    """The changed line; of lines that were removed `-` and the lines."""


class Mutant(NamedTuple):
    """A mutant and what became of it, in mutmut's words."""

    module: str
    name: str
    status: str


def problems(statuses: Collection[str], survivors: Collection[Survivor], reasons: Collection[Survivor]) -> list[str]:
    """Say what is wrong with a run; nothing where it passes.

    Args:
        statuses: The outcome of each mutant, in mutmut's words.
        survivors: The mutants that no test killed.
        reasons: Those for which a reason is written down.
    """
    unjudged = sum(status == "not checked" for status in statuses)
    killed = 1 - sum(status in _SURVIVED for status in statuses) / max(len(statuses), 1)
    return [
        *(["no mutants: `mutmut run` did not finish"] if not statuses else []),
        *([f"{unjudged} mutants were not checked: `mutmut run` did not finish"] if unjudged else []),
        *(
            [f"{killed:.1%} of {len(statuses)} mutants killed; at least {LEAST_KILLED:.0%}"]
            if killed < LEAST_KILLED
            else []
        ),
        *(f"survivor without a reason: {name}: {line}" for name, line in sorted(set(survivors) - set(reasons))),
        *(f"reason without a survivor: {name}: {line}" for name, line in sorted(set(reasons) - set(survivors))),
    ]


def table(mutants: Collection[Mutant]) -> list[str]:
    """Write how each module did, as rows of a Markdown table."""
    made = Counter(mutant.module for mutant in mutants)
    survived = Counter(mutant.module for mutant in mutants if mutant.status in _SURVIVED)
    return [
        "| module | mutants | killed | survivors |",
        "|---|---|---|---|",
        *(_row(f"`{module}`", number, survived[module]) for module, number in sorted(made.items())),
        _row("all", made.total(), survived.total()),
    ]


def _row(name: str, made: int, survived: int) -> str:
    return f"| {name} | {made} | {1 - survived / max(made, 1):.0%} | {survived} |"


def read_reasons(text: str) -> dict[Survivor, str]:
    """Read the reasons, by survivor.

    Raises:
        ValueError: Two entries name one survivor, or one gives no reason.
    """
    entries: list[Mapping[str, str]] = tomllib.loads(text).get("survivor", [])
    reasons = {Survivor(entry["function"], entry["becomes"]): entry["reason"].strip() for entry in entries}
    if len(reasons) != len(entries) or not all(reasons.values()):
        raise ValueError(f"{REASONS.name}: each survivor stands once, with a reason")
    return reasons


def function_of(name: str) -> str:
    """Return the function or method that a mutant changes, from names like `module.x_f__mutmut_1`."""
    module, _, mangled = name.rpartition("__mutmut_")[0].rpartition(".")
    return f"{module}.{mangled.removeprefix('x_').removeprefix('xǁ').replace('ǁ', '.')}"


def _results() -> Iterator[Mutant]:
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.stats import status_by_exit_code
    from mutmut.utils.file_utils import walk_mutatable_files

    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        for name, exit_code in data.exit_code_by_key.items():
            yield Mutant(str(path), name, status_by_exit_code[exit_code])


def _survivor(mutant: Mutant) -> Survivor:
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    diff = get_diff_for_mutant(mutant.name, path=mutant.module).splitlines()
    changes = [line for line in diff if not line.startswith(("---", "+++"))]
    added = " ".join(line[1:].strip() for line in changes if line.startswith("+"))
    removed = " ".join(f"- {line[1:].strip()}" for line in changes if line.startswith("-"))
    return Survivor(function_of(mutant.name), added or removed)


def main() -> int:
    """Print the figures and the problems."""
    mutants = list(_results())
    survivors = {_survivor(mutant) for mutant in mutants if mutant.status in _SURVIVED}
    found = problems([mutant.status for mutant in mutants], survivors, read_reasons(REASONS.read_text("utf-8")))
    print("\n".join([*table(mutants), "", *found]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
