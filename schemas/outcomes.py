"""What became of an event."""

from enum import StrEnum


class Outcome(StrEnum):
    """One per event, never two. Only `RETRY` asks for another delivery."""

    APPLIED = "applied"
    """The register changed."""
    DUPLICATE = "duplicate"
    """The register already knew this fact."""
    STALE = "stale"
    """A login older than the one stored: nothing in it is news."""
    IGNORED = "ignored"
    """A valid event of a kind that is neither login nor logout."""
    REJECTED = "rejected"
    """No retry can fix it; it is in the rejected-events queue."""
    RETRY = "retry"
    """Not processed (throttle, outage, lost races, a logout whose session is not here yet)."""
