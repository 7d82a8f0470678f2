"""The limits of AWS that a deployment meets, each with the rate at which it does: the first is the lowest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ops.benchmark import quotas
from ops.benchmark.quotas import Quota
from ops.costs import bill, figures
from ops.costs.traffic import SECONDS_A_DAY, STREAM_READERS, BillingMode, IndexProjection, Traffic, Way

CONSUMER_CONCURRENCY = 50
"""`MaximumConcurrency` of the session-events queue's mapping."""

COMMANDS_CONCURRENCY = 10
"""`MaximumConcurrency` of the commands' queue's mapping."""

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
    found = [*_database(traffic), *_intake(traffic), *_stream(traffic)]
    if traffic.is_publishing:
        found += _publishing(traffic)
    if traffic.is_archiving:
        found.append(_archive(traffic))
    return sorted(found, key=lambda limit: limit.sessions_per_second)


def _database(traffic: Traffic) -> Iterator[Limit]:
    events = traffic.events_a_session
    if traffic.billing is BillingMode.PAY_PER_REQUEST:
        yield from _new_tables(traffic)
    indexed = events if traffic.projection is IndexProjection.ALL else 1.0
    yield Limit(
        "write units of an on-demand table",
        quotas.TABLE_WRITE_UNITS_PER_SECOND,
        events + indexed,
        f"{events:.2f} in the table, {indexed:.2f} in the index",
        "`ConsumedWriteCapacityUnits`, `WriteThrottleEvents`",
        "Service Quotas: table-level write throughput",
    )


def _new_tables(traffic: Traffic) -> Iterator[Limit]:
    """Yield what a table bears that has not grown yet. Provisioned, it bears the capacity that is bought."""
    events = traffic.events_a_session
    reads = figures.OURS.consumer.read_units + figures.OURS.projector.read_units
    writes_quota, reads_quota = quotas.NEW_TABLE_WRITE_UNITS_PER_SECOND, quotas.NEW_TABLE_READ_UNITS_PER_SECOND
    yield Limit(
        "write units of a new on-demand table",
        replace(writes_quota, value=max(writes_quota.value, traffic.warm_write_units)),
        events,
        f"{events:.2f} events a session, a unit each in the sessions table, its index and the projections table, which "
        f"have {max(writes_quota.value, traffic.warm_write_units):,.0f} each",
        "`WriteThrottleEvents`, `OnlineIndexThrottleEvents`; metric `retry`",
        "grows by itself, to twice the last peak within half an hour; before a launch `WarmWriteUnits`",
    )
    yield Limit(
        "read units of a new on-demand table",
        replace(reads_quota, value=max(reads_quota.value, traffic.warm_read_units)),
        events * reads,
        f"{events:.2f} events a session, {reads:.2f} units each, as if all were of one table; yours come on top",
        "`ReadThrottleEvents`; metric `retry`",
        "grows by itself likewise; before a launch `WarmReadUnits`",
    )


def _stream(traffic: Traffic) -> Iterator[Limit]:
    """Yield what the stream's readers do at a time: two batches of each shard, and a shard is a partition's."""
    stages = {"projector": figures.OURS.projector}
    if traffic.is_publishing or traffic.is_archiving:
        waits = 1 + bill.BATCH_SIZES["publisher"] / bill.EVENTS_AT_A_TIME
        stages["publisher"] = figures.StageFigures(0.0, 0.0, figures.PUBLISHER_CPU_MS, waits)
    for name, stage in stages.items():
        size = bill.BATCH_SIZES[name]
        seconds = bill.batch_seconds(stage, size)
        yield Limit(
            f"{name}s at a time",
            Quota(STREAM_READERS, "template.yaml: ParallelizationFactor, for the four partitions of a new table"),
            traffic.events_a_session / size * seconds,
            f"batches of {size} take {seconds * 1000:.0f} ms at 512 MB; two at a time for each of four shards",
            f"`IteratorAge` of the {name}",
            "grows with the table's partitions; then `ParallelizationFactor`, up to 10, or the function's memory",
        )


def _intake(traffic: Traffic) -> Iterator[Limit]:
    events = traffic.events_a_session
    size = bill.BATCH_SIZES["consumer"]
    seconds = bill.batch_seconds(figures.OURS.consumer, size)
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
    put = (events if traffic.way is Way.BUS else 0.0) + (2.0 if traffic.is_publishing else 0.0)
    if put:
        yield Limit(
            "PutEvents, requests",
            quotas.PUT_EVENTS_PER_SECOND,
            put / 10,
            f"{put:.2f} events a session, ten a request; who sends one by one meets it at a tenth of this; "
            "600 requests a second in most regions",
            "`PutEventsRequestsCount`, throttled requests at the publisher",
            "send ten a request, or straight to the queue; Service Quotas",
        )
    if traffic.way is Way.BUS:
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
