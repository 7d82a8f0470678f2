"""What became of an event."""

from collections.abc import Iterable
from enum import StrEnum


class Outcome(StrEnum):
    """One per event, never two. Only `RETRY` asks for another delivery."""

    APPLIED = "applied"
    """The register changed."""
    DUPLICATE = "duplicate"
    """The register already knew this fact."""
    STALE = "stale"
    """A login older than the one stored, or a logout too old for its session to be still on its way."""
    IGNORED = "ignored"
    """A valid event of a kind that is neither login nor logout, or of a customer who was erased."""
    REJECTED = "rejected"
    """No retry can fix it; it is in the rejected-events queue."""
    RETRY = "retry"
    """Not processed (throttle, outage, lost races, a logout whose session is not here yet)."""

    @staticmethod
    def most_severe(outcomes: "Iterable[Outcome]") -> "Outcome":
        """Return the outcome of a whole from those of its parts; `IGNORED` where there are none."""
        return min(outcomes, key=_MOST_SEVERE_FIRST.index, default=Outcome.IGNORED)


_MOST_SEVERE_FIRST = (
    Outcome.RETRY,
    Outcome.REJECTED,
    Outcome.APPLIED,
    Outcome.STALE,
    Outcome.DUPLICATE,
    Outcome.IGNORED,
)
