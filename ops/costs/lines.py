"""A line of the bill, and how it comes of an amount and a price."""

from __future__ import annotations

from dataclasses import dataclass

from ops.benchmark.prices import Price

MILLION = 1_000_000
GB = 1024**3


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the bill.

    Attributes:
        part: What is paid for.
        amount: How much of it a month, in `unit`.
        unit: As the price has it.
        dollars: A month.
        is_life_cycle: Whether it is for life-cycle events or their archive, which the textbook pipeline has not.
    """

    part: str
    amount: float
    unit: str
    dollars: float
    is_life_cycle: bool = False


def priced(part: str, amount: float, price: Price) -> Line:
    """Multiply.

    Args:
        part: What is paid for.
        amount: How much of it a month, in the price's unit.
        price: Of one unit.
    """
    return Line(part, amount, price.unit, amount * price.dollars)
