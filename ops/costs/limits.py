"""The limits of AWS that a deployment meets, each with the rate at which it does: the first is the lowest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ops.benchmark import quotas
from ops.benchmark.quotas import Quota
from ops.costs import bill, figures
from ops.costs.traffic import SECONDS_A_DAY, IndexProjection, Traffic, Way

CONSUMER_CONCURRENCY = 50
"""`MaximumConcurrency` of the session-events queue's mapping."""

VISIBILITY_SECONDS = 190
"""Of the session-events queue: for so long a message is in flight whose batch failed."""

MAX_RECEIVE_COUNT = 120
"""Attempts of a message, before it is a dead letter; the default of the parameter `MaxReceiveCount`."""

_SIZED_SECONDS = 1.1
"""For which a message is in flight: the batching window, and the batch's own time."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit.

    Attributes:
        name: What is limited.
        quota: AWS's, or the template's.
        a_session: How much of it one session takes, all its events together.
        arithmetic: Why, in words.
        metric: What shows that it is near.
        way_out: What to do.
    """

    name: str
    quota: Quota
    a_session: float
    arithmetic: str
    metric: str
    way_out: str

    @property
    def sessions_per_second(self) -> float:
        """Return the sessions begun a second at which it is met."""
        return self.quota.value / self.a_session

    def sessions_a_day(self, peak: float) -> float:
        """Return the sessions a day at which the busiest seconds meet it.

        Args:
            peak: Rate of the busiest seconds, of the day's mean.
        """
        return self.sessions_per_second * SECONDS_A_DAY / peak


def limits_of(traffic: Traffic) -> list[Limit]:
    """Return the limits that this traffic can meet, in the order in which a growing one meets them."""
    found = [*_database(traffic), *_intake(traffic)]
    if traffic.is_publishing:
        found += _publishing(traffic)
    if traffic.is_archiving:
        found.append(_archive(traffic))
    return sorted(found, key=lambda limit: limit.sessions_per_second)


def _database(traffic: Traffic) -> Iterator[Limit]:
    events = traffic.events_a_session
    yield Limit(
        "write units of a new on-demand table",
        quotas.NEW_TABLE_WRITE_UNITS_PER_SECOND,
        events,
        f"{events:.2f} events a session, a unit each in table and index, which have 4,000 each",
        "`WriteThrottleEvents`, `OnlineIndexThrottleEvents`; metric `retry`",
        "grows by itself, to twice the last peak within half an hour; before a launch set warm throughput",
    )
    indexed = events if traffic.projection is IndexProjection.ALL else 1.0
    yield Limit(
        "write units of an on-demand table",
        quotas.TABLE_WRITE_UNITS_PER_SECOND,
        events + indexed,
        f"{events:.2f} in the table, {indexed:.2f} in the index",
        "`ConsumedWriteCapacityUnits`, `WriteThrottleEvents`",
        "Service Quotas: table-level write throughput",
    )


def _intake(traffic: Traffic) -> Iterator[Limit]:
    events = traffic.events_a_session
    share = bill.MEMORY_GB / bill.VCPU_GB
    size = bill.BATCH_SIZES["consumer"]
    seconds = (figures.OURS.consumer.cpu_ms * size / share + figures.OURS.consumer.waits * figures.REQUEST_MS) / 1000
    yield Limit(
        "consumers at a time",
        Quota(CONSUMER_CONCURRENCY, "template.yaml: MaximumConcurrency of the queue's mapping"),
        events / size * seconds,
        f"batches of {size} take {seconds * 1000:.0f} ms at 512 MB",
        "`ApproximateAgeOfOldestMessage` of the session-events queue; `ConcurrentExecutions`",
        "raise `MaximumConcurrency` (the account's quota is 1,000), or the function's memory",
    )
    yield Limit(
        "messages in flight",
        quotas.IN_FLIGHT_MESSAGES,
        events * _SIZED_SECONDS,
        f"{_SIZED_SECONDS} s each; where every batch fails {VISIBILITY_SECONDS} s, "
        f"so that {quotas.IN_FLIGHT_MESSAGES.value / VISIBILITY_SECONDS:.0f} events a second fill it: nothing is lost, "
        "the rest waits in the queue",
        "`ApproximateNumberOfMessagesNotVisible`",
        "mend the cause of the failures; Service Quotas",
    )
    if traffic.way is Way.BUS:
        yield Limit(
            "PutEvents, requests",
            quotas.PUT_EVENTS_PER_SECOND,
            events / 10 + (0.2 if traffic.is_publishing else 0.0),
            "ten events a request; a publisher that sends one by one meets it at a tenth of this",
            "`PutEventsRequestsCount`, throttled requests at the publisher",
            "send ten a request, or straight to the queue",
        )
        yield Limit(
            "deliveries of the bus",
            quotas.BUS_DELIVERIES_PER_SECOND,
            events + (2.0 if traffic.is_publishing else 0.0),
            "each event to the one rule's queue, and each life-cycle event to one rule of yours; 1,100 a second or "
            "less in most regions; they are delayed, not lost",
            "`ThrottledRules`, `IngestionToInvocationStartLatency`",
            "send straight to the queue; Service Quotas",
        )


def _publishing(traffic: Traffic) -> Iterator[Limit]:
    share = bill.SWEEPER_MEMORY_GB / bill.VCPU_GB
    entries = 1 + traffic.refreshes
    yield Limit(
        "sweeper's CPU",
        Quota(bill.OVERLAPPING_SWEEPERS * share, "template.yaml: MemorySize of the sweeper, two at a time"),
        entries * figures.SWEEPER_CPU_MS / 1000,
        f"{entries:.2f} agenda entries a session, {figures.SWEEPER_CPU_MS} ms each at {share:.2f} of a vCPU; expiries "
        "come late, none is lost",
        "`expiry_lag_seconds`",
        "raise the sweeper's `MemorySize`",
    )
    if traffic.way is Way.QUEUE:
        yield Limit(
            "deliveries of the bus",
            quotas.BUS_DELIVERIES_PER_SECOND,
            2.0,
            "each life-cycle event to one rule of yours; two rules, twice as many; 1,100 a second or less in most "
            "regions; they are delayed, not lost",
            "`ThrottledRules`, `IngestionToInvocationStartLatency`",
            "fewer rules that match; Service Quotas",
        )


def _archive(traffic: Traffic) -> Limit:
    size = figures.event_line_bytes()
    return Limit(
        "bytes into Firehose",
        quotas.FIREHOSE_BYTES_PER_SECOND,
        traffic.events_a_session * size,
        f"{traffic.events_a_session:.2f} lines of {size} bytes a session; 1 MiB/s in most regions; what is refused is "
        "set aside under `archive/` of the failed-batches bucket",
        "`archive_events_set_aside`; `ThrottledRecords` of the stream",
        "Service Quotas",
    )
