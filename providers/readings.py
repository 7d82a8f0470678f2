"""What a message holds: events, and what stands in the place of those that are none."""

from dataclasses import dataclass
from typing import TypeAlias

from schemas.errors import RejectedEventError
from schemas.events import Event


@dataclass(frozen=True, slots=True)
class Ignored:
    """A valid event that is neither a login nor a logout.

    Attributes:
        provider: The identity system whose shape it has; empty for what has ours, or nobody's.
        event_type: Its type as that system calls it; empty where it has none.
    """

    provider: str = ""
    event_type: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that no retry can fix.

    Attributes:
        error: Why.
        body: The event, as JSON, where it is one of several in its message; None where it is the message.
    """

    error: RejectedEventError
    body: str | None = None


Reading: TypeAlias = Event | Ignored | Refused
