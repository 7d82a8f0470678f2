"""How much traffic a deployment has, and what follows from it: rates, batches, and how many sessions are kept."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

DAYS_A_MONTH = 30
SECONDS_A_DAY = 86_400

TOMBSTONE_DAYS = 15.0 + 10 / 1440
"""From a session's end until its item may go (`schemas.items`)."""
TTL_DELAY_DAYS = 2.0
"""DynamoDB deletes "within a few days" of it. Source: Developer Guide, "Using time to live (TTL)"."""

BATCHING_WINDOW_SECONDS = 1.0
"""Of every event source mapping of the template."""
QUEUE_READERS = 5
"""Pollers that Lambda begins with. Source: Lambda Developer Guide, "Configuring scaling behavior for SQS"."""
STREAM_READERS = 8
"""Concurrent batches of a stream: a table begins with four partitions, and `ParallelizationFactor` is 2."""

WARM_WRITE_UNITS, WARM_READ_UNITS = 4_000.0, 12_000.0
"""A second: with these a new on-demand table and its index begin. Source: Developer Guide, "Warm throughput"."""


class Way(StrEnum):
    """How events come in."""

    QUEUE = "queue"
    BUS = "bus"


class IndexProjection(StrEnum):
    """What the inverted index holds."""

    ALL = "ALL"
    KEYS_ONLY = "KEYS_ONLY"


class BillingMode(StrEnum):
    """How tables and index are paid for: `BillingMode` of the template."""

    PAY_PER_REQUEST = "PAY_PER_REQUEST"
    PROVISIONED = "PROVISIONED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What comes in, and what is switched on.

    Attributes:
        sessions_a_day: Sessions that begin, which is first logins.
        refreshes: Further logins of a session.
        logged_out: Share of the sessions that a logout ends; the others run out.
        session_hours: How long a session lasts that nobody ends.
        customers: How many customers these sessions belong to.
        lists: Lists of a customer's sessions that are read, per session begun.
        way: How events come in. To the queue they are sent ten a request.
        projection: What the inverted index holds.
        is_publishing: Life-cycle events to a bus, expiries among them.
        is_archiving: Life-cycle events to S3.
        peak: Rate of the busiest seconds, of the day's mean.
        billing: How tables and index are paid for.
        capacity_used: Share of provisioned units that is used, on the month's mean.
        has_key: Whether a customer-managed key encrypts tables, queues and buses.
        warm_write_units: Of each table and the index, a second; what they have anyway is the least.
        warm_read_units: Likewise.
    """

    sessions_a_day: float
    refreshes: float = 0.86
    logged_out: float = 1.0
    session_hours: float = 12.0
    customers: float
    lists: float = 0.0
    way: Way = Way.QUEUE
    projection: IndexProjection = IndexProjection.ALL
    is_publishing: bool = False
    is_archiving: bool = False
    peak: float = 5.0
    billing: BillingMode = BillingMode.PAY_PER_REQUEST
    capacity_used: float = 0.5
    has_key: bool = False
    warm_write_units: float = WARM_WRITE_UNITS
    warm_read_units: float = WARM_READ_UNITS

    @property
    def events_a_session(self) -> float:
        """Logins and logouts."""
        return 1 + self.refreshes + self.logged_out

    @property
    def sessions_a_month(self) -> float:
        """Sessions that begin in 30 days."""
        return self.sessions_a_day * DAYS_A_MONTH

    @property
    def sessions_kept(self) -> float:
        """Items in the register at a time, tombstones included."""
        return self.sessions_a_day * (TOMBSTONE_DAYS + TTL_DELAY_DAYS + self.session_hours / 24)

    @property
    def sessions_of_a_customer(self) -> float:
        """Items that a list of a customer's sessions looks at."""
        return self.sessions_kept / self.customers

    def per_second(self, a_session: float) -> float:
        """Return a mean rate over the day, of what happens so often a session."""
        return self.sessions_a_day * a_session / SECONDS_A_DAY


def batch_of(rate: float, *, most: int, readers: int) -> float:
    """Return how many records a batch holds at a mean rate: what one reader gathers in the batching window.

    Args:
        rate: Records a second.
        most: The batch size that is set.
        readers: Readers that share the records.
    """
    return min(float(most), max(1.0, rate * BATCHING_WINDOW_SECONDS / readers))
