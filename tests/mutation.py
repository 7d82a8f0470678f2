"""Judge what `mutmut run` left in `mutants/`: were enough mutants killed, and has each survivor a reason?

`python -m tests.mutation` fails below 90 % killed, for a survivor without a reason in `tests/mutants.toml`, and for a
reason whose mutant does not survive. A reason names the function and the line as the mutant writes it, not mutmut's
number, which changes with every edit of the function.
"""

import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

LEAST_KILLED = 0.9
REASONS = Path(__file__).with_name("mutants.toml")
_SURVIVED = {"survived", "no tests", "suspicious"}

Survivor = tuple[str, str]
"""The function, and the changed line."""


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


def _mutmut(*arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("mutmut")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 # a fixed program


def _results() -> Iterator[tuple[str, str]]:
    for line in _mutmut("results", "--all", "true").splitlines():
        name, _, status = line.strip().partition(": ")
        if status:
            yield name, status


def _survivor(name: str) -> Survivor:
    """Name a mutant by what it changed; a removed line by `-` and the line."""
    diff = [line for line in _mutmut("show", name).splitlines() if not line.startswith(("---", "+++"))]
    changed = [line[1:].strip() for line in diff if line.startswith("+")]
    function = name.rpartition("__mutmut_")[0].replace("x_", "", 1)
    return function, " ".join(changed) or " ".join(f"- {line[1:].strip()}" for line in diff if line.startswith("-"))


def main() -> int:
    """Print the figures and the problems."""
    results = dict(_results())
    survivors = {_survivor(name) for name, status in results.items() if status in _SURVIVED}
    reasons = {
        (entry["function"], entry["becomes"]) for entry in tomllib.loads(REASONS.read_text("utf-8")).get("survivor", ())
    }
    print(", ".join(f"{number} {status}" for status, number in Counter(results.values()).most_common()))
    found = problems(results.values(), survivors, reasons)
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
