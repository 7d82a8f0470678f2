"""What happened in the simulated world: few customers and few sessions, so that everything collides."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

START = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
TOKEN = "t0ken"
"""Part of every access token: it must be found nowhere afterwards."""


class Route(StrEnum):
    """How an event comes to a function."""

    QUEUE = "queue"
    SNS = "sns"
    BUS_TO_QUEUE = "bus-to-queue"
    BUS_TO_FUNCTION = "bus-to-function"


@dataclass(frozen=True, slots=True)
class Fact:
    """A login, logout or logout_all. Times are epoch milliseconds.

    Args:
        kind: The event type.
        event_id: Empty: the publisher gives none, and EventBridge's envelope id stands in.
        is_original: Not an event but an item of the original schema, which never expires by itself.
    """

    kind: str
    event_id: str
    occurred_at: int
    customer: str | None = None
    session: str | None = None
    parent: str | None = None
    expires_at: int | None = None
    exception: str | None = None
    country: str | None = None
    reason: str | None = None
    is_original: bool = False

    def body(self, offset_hours: int = 0) -> dict[str, Any]:
        """Write the canonical event."""
        fields: dict[str, Any] = {
            "event_id": self.event_id or None,
            "event_type": self.kind,
            "occurred_at": _rfc3339(self.occurred_at, offset_hours),
            "customer_id": self.customer,
            "session_id": self.session,
            "parent_session_id": self.parent,
            "except_session_id": self.exception,
            "reason": self.reason,
            "expires_at": None if self.expires_at is None else _rfc3339(self.expires_at, 0),
        }
        if self.kind == "login":
            fields["access_token"] = f"{TOKEN}-{self.event_id}"
            fields["client"] = {"country": self.country}
        return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Sending:
    """A publisher sends an event.

    Args:
        at: Epoch seconds.
        fact: What it says.
        route: Which way.
        has_type: Whether the body repeats what the detail-type says.
    """

    at: float
    fact: Fact
    route: Route
    has_type: bool = True


@dataclass
class History:
    """What happens in a run.

    Args:
        default_seconds: `SESSION_TTL_SECONDS`.
        maximum_seconds: `SESSION_MAX_LIFETIME_SECONDS`.
        limit: `MAX_SESSIONS_PER_CUSTOMER`.
        span: Seconds within which it all happens.
        sendings: In order of time.
        old_items: Facts that are already in the table as items, and whether each was ended.
        poison: Bodies that no retry can fix, and when they are sent.
    """

    default_seconds: int
    maximum_seconds: int
    limit: int
    span: float
    sendings: list[Sending] = field(default_factory=list)
    old_items: list[tuple[Fact, bool]] = field(default_factory=list)
    poison: list[tuple[float, str]] = field(default_factory=list)

    @property
    def facts(self) -> list[Fact]:
        """Every fact once."""
        return list(dict.fromkeys(sending.fact for sending in self.sendings))


def _rfc3339(milliseconds: int, offset_hours: int) -> str:
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000)
    zone = timezone(timedelta(hours=offset_hours))
    return moment.astimezone(zone).isoformat(timespec="milliseconds")
