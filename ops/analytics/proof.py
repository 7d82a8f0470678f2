"""Whether a report is right: its pictures' sums equal one another, its live sessions are those of the projections."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Sum:
    """A number that several pictures show.

    Attributes:
        name: What was counted.
        values: By the picture that counted it; all have to be equal.
    """

    name: str
    values: Mapping[str, int]

    @property
    def is_equal(self) -> bool:
        """Whether all pictures agree."""
        return len(set(self.values.values())) <= 1


@dataclass(frozen=True, slots=True)
class Difference:
    """A session that is live for one side alone.

    Attributes:
        customer_id: The customer, as the report shows customers.
        session_id: The session.
        archive: What the archive says of it, in words.
        projection: What the customer's projection says of it, in words.
        why: Why it differs, in words.
    """

    customer_id: str
    session_id: str
    archive: str
    projection: str
    why: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The archive beside the projections, customer by customer, top-level sessions alone.

    Attributes:
        at: The moment that both were asked about, aware UTC.
        customers: How many customers either of them knows live sessions of.
        live_sessions: How many sessions are live for both.
        differences: Sessions that differ without a reason: one of the two is wrong.
        in_flight: Sessions that differ because a change is still on its way.
    """

    at: datetime
    customers: int
    live_sessions: int
    differences: tuple[Difference, ...]
    in_flight: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """What shows that a report is right.

    Attributes:
        comparison: With the projections; None: of a folder alone there is nothing to compare.
        sums: What several pictures count.
    """

    comparison: Comparison | None = None
    sums: tuple[Sum, ...] = ()

    @property
    def is_right(self) -> bool:
        """Whether nothing differs that should not."""
        is_same = self.comparison is None or not self.comparison.differences
        return is_same and all(found.is_equal for found in self.sums)

    def with_sums(self, sums: tuple[Sum, ...]) -> "Proof":
        """Add sums."""
        return replace(self, sums=(*self.sums, *sums))
