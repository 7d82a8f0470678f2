"""A promise of costs, and what a run says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Target:
    """A target and its measurement.

    Attributes:
        name: What is compared.
        limit: What was promised, in words.
        measured: What came out, in words.
        is_met: Whether the promise holds.
        kind: `counted` figures are the same in every run; `timed` ones are not.
        why: What stands in the way, for where it is missed.
    """

    name: str
    limit: str
    measured: str
    is_met: bool
    kind: Literal["counted", "timed"]
    why: str = ""
