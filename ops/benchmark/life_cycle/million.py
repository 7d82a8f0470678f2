"""A million sessions that run out in one minute: how long the sweeper works on them, and in how much memory.

The sweeper runs in a process of its own that imports what its function imports, because a peak of memory is a
process's. Sessions and agenda are served by the stub.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass

from ops.benchmark.due import MINUTE_SECONDS
from ops.benchmark.engines import StubEngine
from ops.benchmark.pipelines import SESSIONS_TABLE


@dataclass(frozen=True, slots=True)
class DueAtOnce:
    """What it took to publish the expiries of one minute.

    Attributes:
        sessions: How many ran out.
        cpu_seconds: Of the sweeper's process, all threads.
        wall_seconds: From the first request to the last answer.
        early_peak_mb: Peak of resident memory before it, with clients made.
        peak_mb: And after all.
        requests: By operation.
        write_units: Of the agenda.
        read_units: Of agenda and sessions.
    """

    sessions: int
    cpu_seconds: float
    wall_seconds: float
    early_peak_mb: float
    peak_mb: float
    requests: dict[str, int]
    write_units: float
    read_units: float


def measure_due_at_once(engine: StubEngine, sessions: int) -> DueAtOnce:
    """Let sessions run out, and sweep once.

    Args:
        engine: The stub, at its service time.
        sessions: How many.

    Raises:
        RuntimeError: The sweeper's process failed, with what it printed; or it did not publish them all.
    """
    engine.stub.fill_due(SESSIONS_TABLE, sessions, int(time.time()) - 2 * MINUTE_SECONDS)
    engine.stub.clear_counts()
    command = [sys.executable, "-m", "ops.benchmark.life_cycle.sweep_worker"]
    result = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 (the command is ours)
    if result.returncode != 0:
        raise RuntimeError(f"the sweeper failed: {result.stderr[-2000:]}")
    answer = json.loads(result.stderr.splitlines()[-1])
    if answer["published"] != sessions:
        raise RuntimeError(f"the sweeper published {answer['published']:,} of {sessions:,} expiries")
    counts = engine.counts()
    return DueAtOnce(
        sessions,
        answer["cpu_seconds"],
        answer["wall_seconds"],
        answer["early_peak_mb"],
        answer["peak_mb"],
        counts.operations,
        counts.write_units,
        counts.read_units,
    )
