"""A customer's activity at a time, read from its projection: pure."""

from dataclasses import dataclass
from datetime import datetime

from schemas.projection_items import Projection


@dataclass(frozen=True, slots=True)
class CustomerActivity:
    """What analysts ask about a customer.

    Args:
        customer_id: The customer.
        last_login_time: Aware UTC; None for a customer never seen.
        last_login_session_id: The session of the last login, possibly a child session.
        session_count: Live top-level sessions, right at the time asked for.
        is_exact: False where the customer has more sessions than are kept: the count is "at least".
        session_ids: The sessions counted, sorted by id.
    """

    customer_id: str
    last_login_time: datetime | None
    last_login_session_id: str | None
    session_count: int
    is_exact: bool
    session_ids: list[str]


def activity_at(projection: Projection | None, customer_id: str, now: datetime) -> CustomerActivity:
    """Return a customer's activity at `now` (aware UTC): expiry needs no write, it is in the state."""
    projection = projection or Projection(customer_id=customer_id)
    now_s = now.timestamp()
    live = sorted(name for name, entry in projection.sessions.items() if entry.counts(now_s))
    return CustomerActivity(
        customer_id=customer_id,
        last_login_time=projection.last_login_time,
        last_login_session_id=projection.last_login_session_id,
        session_count=len(live),
        is_exact=projection.dropped_until is None or now_s >= projection.dropped_until,
        session_ids=live,
    )
