"""A long life of one Lambda environment: does its memory grow?

Runs in a process of its own, because a peak of resident memory is a process's. The stub keeps nothing, so that every
login is a new item; the events are made as they are needed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

BATCH = 1000
PROCESS_STATUS = Path("/proc/self/status")
"""Linux tells there what memory a process has."""


@dataclass(frozen=True, slots=True)
class SteadyState:
    """What a long life came to.

    Attributes:
        events: How many.
        seconds: How long they took.
        early_peak_mb: Peak of resident memory after a tenth of them.
        peak_mb: And after all.
    """

    events: int
    seconds: float
    early_peak_mb: float
    peak_mb: float


def measure_steady_state(events: int) -> SteadyState:
    """Send so many events through the consumer, in another process.

    Raises:
        RuntimeError: That process failed; with what it printed.
    """
    command = [sys.executable, "-m", "ops.benchmark.steady_state", str(events)]
    result = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 (the command is ours)
    if result.returncode != 0:
        raise RuntimeError(f"the steady state could not be measured: {result.stderr[-2000:]}")
    seconds, early, late = (float(word) for word in result.stderr.split()[-3:])
    return SteadyState(events, seconds, early, late)


def _live(events: int) -> tuple[float, float, float]:
    # imported here: a parent that only starts this pays for none of it
    from ops.benchmark.engines import stub_engine  # noqa: PLC0415
    from ops.benchmark.measuring import apply  # noqa: PLC0415
    from ops.benchmark.pipelines import OURS, make_pipelines  # noqa: PLC0415
    from ops.benchmark.workloads import Workloads  # noqa: PLC0415

    workloads = Workloads()
    batches = max(10, events // BATCH)
    peaks = []
    with stub_engine(service_ms=0) as engine:
        engine.stub.keep_writes(keep=False)
        [ours] = [pipeline for pipeline in make_pipelines() if pipeline.name == OURS]
        began = time.perf_counter()
        for number in range(1, batches + 1):
            apply(ours, workloads.logins(events // batches).batch)
            if number in (batches // 10, batches):
                peaks.append(peak_mb())
        seconds = time.perf_counter() - began
    return seconds, peaks[0], peaks[-1]


def peak_mb() -> float:
    """Return the peak of resident memory of this program so far: `getrusage` counts that of whoever started it, too."""
    for line in PROCESS_STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1_000_000
    raise RuntimeError("the kernel does not tell the peak of resident memory")


if __name__ == "__main__":
    print(*_live(int(sys.argv[1])), file=sys.stderr)
