"""The sweeper's process of `million`: one sweep, and on stderr what it took. It imports what the function imports."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from ops.benchmark.steady_state import peak_mb
from processors import expiry_sweeper
from processors.runtime import wiring


class Context:
    """A Lambda context with all the time in the world."""

    function_name = "benchmark"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:benchmark"
    aws_request_id = "benchmark"

    def get_remaining_time_in_millis(self) -> int:
        """Say how long the invocation may still take."""
        return 10_000_000


def sweep_all() -> dict[str, Any]:
    """Sweep once: all that is due is found by one reading of the clock."""
    wiring.client("events")  # made once a container, so not counted here
    wiring.client("dynamodb")
    early_peak_mb = peak_mb()
    cpu, wall = time.process_time(), time.perf_counter()
    summary = expiry_sweeper.lambda_handler({}, Context())
    return {
        "published": summary["published"],
        "cpu_seconds": time.process_time() - cpu,
        "wall_seconds": time.perf_counter() - wall,
        "early_peak_mb": early_peak_mb,
        "peak_mb": peak_mb(),
    }


if __name__ == "__main__":
    sys.stderr.write(json.dumps(sweep_all()) + "\n")
