"""What it costs to take other systems' events: reading them, and canonical ones, in one run.

`python -m ops.benchmark.recognition` prints a table; `--against COMMIT` puts the same events through an older commit as
well, in turns, and prints the ratios. Nothing else than reading is measured, and CPU time alone.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ops.checkout import CHECKOUT

_WORKER = Path(__file__).with_name("recognition_worker.py")
_ROUNDS = 30
_CALLS = 50

PARSED = "canonical login, parsed and nothing else"
CANONICAL = {"canonical login": "login.json", "canonical login in an EventBridge event": "eventbridge-login.json"}


def main() -> None:
    """Measure, interleaved, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--against", metavar="COMMIT", help="Read the same events with this commit's code as well.")
    commit = arguments.parse_args().against
    with tempfile.TemporaryDirectory() as folder:
        checkouts = {"now": CHECKOUT} | ({} if commit is None else {commit: _checked_out(commit, Path(folder))})
        texts = _texts(checkouts[commit] if commit else CHECKOUT)
        medians = _measured(checkouts, texts)
    Console().print(
        _summary(medians["now"]) if commit is None else _comparison(medians["now"], medians[commit], commit)
    )


def _checked_out(commit: str, folder: Path) -> Path:
    archive = subprocess.run(  # noqa: S603 # a commit of ours
        ["git", "archive", commit],  # noqa: S607 # the developer's git
        cwd=CHECKOUT,
        capture_output=True,
        check=True,
    )
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def _texts(checkout: Path) -> dict[str, str]:
    """Return the messages: canonical ones, and each sample of an identity system that the checkout has."""
    events = checkout / "tests" / "events"
    texts = {name: (events / file).read_text(encoding="utf-8") for name, file in CANONICAL.items()}
    for path in sorted((events / "providers").glob("*/*.json")):
        if not path.name.endswith(".expected.json"):
            content = json.loads(path.read_text(encoding="utf-8"))
            texts[f"{path.parent.name}/{path.stem}"] = content if isinstance(content, str) else json.dumps(content)
    return texts


def _measured(checkouts: Mapping[str, Path], texts: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Return the median of each event in microseconds, by checkout; those measure in turns, a round at a time."""
    workers = {name: _worker(checkout) for name, checkout in checkouts.items()}
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in checkouts}
    for worker in workers.values():
        _asked(worker, {"texts": texts, "parsed": CANONICAL["canonical login"], "calls": _CALLS})
    for _ in range(_ROUNDS):
        for name, worker in workers.items():
            rounds[name].append(_asked(worker, {}))
    for worker in workers.values():
        worker.communicate()
    return {
        name: {event: statistics.median(one[event] for one in found) * 1e6 for event in found[0]}
        for name, found in rounds.items()
    }


def _worker(checkout: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603 # a script of ours
        [sys.executable, str(_WORKER)],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _asked(worker: "subprocess.Popen[str]", request: Mapping[str, object]) -> dict[str, float]:
    if worker.stdin is None or worker.stdout is None:
        raise RuntimeError("the worker was started without pipes")
    worker.stdin.write(json.dumps(request) + "\n")
    worker.stdin.flush()
    answer: dict[str, float] = json.loads(worker.stdout.readline())
    return answer


def _summary(now: Mapping[str, float]) -> Table:
    table = Table("Read", "Microseconds", "Ratio", title="Reading an event (CPU, medians)")
    provider = [value for name, value in now.items() if "/" in name]
    rows = {name: now[name] for name in (PARSED, *CANONICAL)}
    rows |= {"event of an identity system, the median": statistics.median(provider), "the dearest": max(provider)}
    for name, value in rows.items():
        table.add_row(name, f"{value:.1f}", f"{value / now[PARSED]:.2f}")
    return table


def _comparison(now: Mapping[str, float], then: Mapping[str, float], commit: str) -> Table:
    table = Table("Read", commit, "now", "Ratio", title="Reading an event (microseconds of CPU, medians, in turns)")
    ratios = {name: now[name] / then[name] for name in now}
    providers = sorted((name for name in now if "/" in name), key=lambda name: ratios[name])
    for name in (PARSED, *CANONICAL, *providers[-3:]):
        table.add_row(name, f"{then[name]:.1f}", f"{now[name]:.1f}", f"{ratios[name]:.2f}")
    middle = statistics.median(ratios[name] for name in providers)
    table.add_row(f"{len(providers)} events of identity systems, the median", "", "", f"{middle:.2f}")
    return table


if __name__ == "__main__":
    main()
