"""What a session costs at list prices.

On demand, us-east-1. Sources: https://aws.amazon.com/dynamodb/pricing/on-demand/ (since 2024-11-01) and
https://aws.amazon.com/lambda/pricing/ (arm64, first tier). What both pipelines pay alike is left out:
the queue, the bus, stored data, logs. Lambda reads streams for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from ops.benchmark.measuring import Figures

PRICES_AS_OF = "looked up on 2026-11-22"
WRITE_UNITS_MILLION = 0.625
READ_UNITS_MILLION = 0.125
LAMBDA_GB_SECOND = 0.0000133334
LAMBDA_REQUESTS_MILLION = 0.20
MEMORY_GB = 0.5
"""Of the template's functions."""

EVENTS_A_SESSION = 100 / 35
"""Of the mixed day: 35 % of its events begin a session."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Dollars for a million sessions of the mixed day.

    Attributes:
        writes: Write units.
        reads: Read units.
        compute: GB-seconds and invocations.
    """

    writes: float
    reads: float
    compute: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.writes + self.reads + self.compute


def cost_of_a_million_sessions(consumer: Figures, projector: Figures, *, size: int) -> Cost:
    """Add up what a million sessions cost.

    Args:
        consumer: Figures per event of the mixed day.
        projector: Figures per record.
        size: Events in a batch.
    """
    writes = reads = compute = 0.0
    records = projector.samples[0].size / size
    for figures, share in ((consumer, 1.0), (projector, records)):
        number = EVENTS_A_SESSION * share  # millions
        writes += number * figures.write_units * WRITE_UNITS_MILLION
        reads += number * figures.read_units * READ_UNITS_MILLION
        batches = number * 1_000_000 / figures.samples[0].size
        compute += batches * figures.batch_ms / 1000 * MEMORY_GB * LAMBDA_GB_SECOND
        compute += batches / 1_000_000 * LAMBDA_REQUESTS_MILLION
    return Cost(writes, reads, compute)
