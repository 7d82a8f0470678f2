"""Limits that no total traffic meets, but one customer, one session, one event or one outage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ops.benchmark import quotas
from ops.costs import bill, figures
from ops.costs.limits import COMMANDS_CONCURRENCY, CONSUMER_CONCURRENCY, MAX_RECEIVE_COUNT, VISIBILITY_SECONDS
from ops.costs.traffic import QUEUE_READERS
from processors.life_cycle.agenda import MOST_ENTRIES
from processors.projections.state import CAPACITY, MAX_ID_BYTES
from schemas.keys import MAX_ENCODED_ID_BYTES

PROJECTION_STATE_KB = MAX_ID_BYTES // 1024
"""Ids that a projection holds at most."""


@dataclass(frozen=True, slots=True)
class HotSpot:
    """A hot spot.

    Attributes:
        name: What gets hot.
        arithmetic: When, in words.
        metric: What shows it.
        way_out: What to do.
    """

    name: str
    arithmetic: str
    metric: str
    way_out: str


def hot_spots() -> list[HotSpot]:
    """Return the hot spots, those that traffic of usual kinds meets first."""
    return [*_of_one_customer(), *_of_readers(), *_of_load(), *_of_sizes()]


def _of_one_customer() -> Iterator[HotSpot]:
    """Yield what one customer or session meets."""
    units = quotas.PARTITION_WRITE_UNITS_PER_SECOND.value
    reads = quotas.PARTITION_READ_UNITS_PER_SECOND.value
    state_units = PROJECTION_STATE_KB
    sessions_a_page = 1024 * 1024 // figures.session_bytes()
    yield HotSpot(
        "the index partition of one customer",
        f"a partition takes {units:,.0f} write and {reads:,.0f} read units a second; each login and logout of a "
        f"customer is a unit of one partition of the inverted index, so {units:,.0f} events a second of one "
        "customer; beyond, DynamoDB holds back the table's writes of that customer, which are retried",
        "`OnlineIndexThrottleEvents`, `retry`",
        "`InverseIndexProjection=KEYS_ONLY`: first logins alone write the index; a robot that logs in so often "
        "should keep its session",
    )
    yield HotSpot(
        "the projection of one customer",
        "a batch of stream records writes it once, under its version; who loses a race reads and decides again. An "
        f"item of {CAPACITY} sessions with long ids has at most {state_units} KB: {units / state_units:.0f} writes "
        f"a second; of a few sessions 1 KB: {units:,.0f}. Before that the races end it: see the measurement below",
        "`IteratorAge` of the projector, `optimistic-lock retries exhausted` in its log",
        "nothing is lost: batches grow while the stream waits; what is 6 h old is set aside in the failed-batches "
        "bucket",
    )
    yield HotSpot(
        "live sessions of one customer",
        f"a projection keeps {CAPACITY}, fewer where ids are long; beyond, its count is the least there are, until "
        "those left out have run out. The register keeps all of them",
        "`is_exact: false` of the projection",
        f"`MaxSessionsPerCustomer`, at most {CAPACITY}",
    )
    yield HotSpot(
        "a logout of all sessions of one customer",
        f"a command for each live session, ten a request: a page of the index holds some {sessions_a_page:,.0f} "
        "sessions; for tens of thousands it takes several invocations of the projector, and its shard waits",
        "`IteratorAge` of the projector, `ApproximateAgeOfOldestMessage` of the commands' queue",
        "nothing is lost, logins do not wait for it: commands have a queue of their own",
    )
    yield HotSpot(
        "the partition of one session's children",
        f"parent and children share a partition: {units:,.0f} writes a second, and a Query of 1 MB reads some "
        f"{sessions_a_page:,.0f} of them",
        "`WriteThrottleEvents`",
        "fewer children of one parent",
    )


def _of_readers() -> Iterator[HotSpot]:
    """Yield what meets those that read the stream and the bus."""
    yield HotSpot(
        "readers of the stream",
        "a shard bears two readers, and projector and publisher are these two; a third makes all of them wait",
        "`ReadThrottleEvents` of the stream, `IteratorAge`",
        "read the bus of life-cycle events instead: it has any number of rules",
    )
    yield HotSpot(
        "the function straight from the bus",
        f"an event an invocation, and {quotas.CONCURRENT_INVOCATIONS.value:,.0f} invocations at a time an account, "
        "of which it may have `DirectMaxConcurrency`: the others wait for up to six hours; two retries within "
        "three minutes, then its dead-letter queue: a longer outage of the table makes dead letters",
        "`Throttles`, `AsyncEventAge`, `DirectDeadLetterAlarm`",
        "the queue; the direct path is for low volume",
    )
    yield HotSpot(
        "other functions of the account",
        f"{quotas.CONCURRENT_INVOCATIONS.value:,.0f} invocations at a time are all that an account has, in a new one "
        f"fewer; these take at most {CONSUMER_CONCURRENCY} for events, {COMMANDS_CONCURRENCY} for commands, two for "
        "each shard of the stream and each of its two readers, two sweepers, and `DirectMaxConcurrency`. Where "
        "others take the rest, messages and records wait",
        "`ConcurrentExecutions` of the account, `Throttles`, `ApproximateAgeOfOldestMessage`",
        "reserved concurrency for the others; Service Quotas; an account of its own",
    )


def _of_load() -> Iterator[HotSpot]:
    """Yield what a storm, an outage and what comes after it meet."""
    batch = bill.BATCH_SIZES["consumer"]
    events_a_second = batch / bill.batch_seconds(figures.OURS.consumer, batch)
    backlog_rate = quotas.NEW_TABLE_WRITE_UNITS_PER_SECOND.value
    yield HotSpot(
        "the first seconds of a storm of logins",
        f"Lambda begins with {QUEUE_READERS} batches at a time and adds 300 a minute, up to {CONSUMER_CONCURRENCY}: "
        f"{QUEUE_READERS * events_a_second:,.0f} events a second at once, "
        f"{CONSUMER_CONCURRENCY * events_a_second:,.0f} ten seconds later. The table is the limit then",
        "`ApproximateAgeOfOldestMessage`",
        "`WarmWriteUnits` before a launch; otherwise the queue holds them for seconds",
    )
    yield HotSpot(
        "an outage of the table",
        f"a message whose batch failed is in flight for {VISIBILITY_SECONDS} s: "
        f"{quotas.IN_FLIGHT_MESSAGES.value / VISIBILITY_SECONDS:.0f} events a second fill the "
        f"{quotas.IN_FLIGHT_MESSAGES.value:,.0f} that may be; the rest waits for up to 4 days; dead letters "
        f"after {MAX_RECEIVE_COUNT} attempts, {MAX_RECEIVE_COUNT * VISIBILITY_SECONDS / 3600:.1f} hours",
        "`ApproximateAgeOfOldestMessage`, metric `retry`, depth of the dead-letter queue",
        "`MaxReceiveCount`; redrive the dead letters when it is over: docs/operations.md",
    )
    yield HotSpot(
        "the backlog after an outage",
        f"{CONSUMER_CONCURRENCY} consumers take {CONSUMER_CONCURRENCY * events_a_second:,.0f} events a second, and "
        "the table what it has grown to: the rest is throttled, and tried again after "
        f"{VISIBILITY_SECONDS} s, each time an attempt of {MAX_RECEIVE_COUNT}. At {backlog_rate:,.0f} writes a "
        f"second an hour of {backlog_rate / 4:,.0f} events a second is worked off in 20 minutes, while as many come "
        "in",
        "`WriteThrottleEvents`, metric `retry`, `ApproximateAgeOfOldestMessage`",
        "a lower `MaximumConcurrency` until it is done; `WarmWriteUnits`",
    )


def _of_sizes() -> Iterator[HotSpot]:
    """Yield what is bounded, or costs rather than fails."""
    agenda_kb = 2 * MAX_ENCODED_ID_BYTES * MOST_ENTRIES / 1024
    yield HotSpot(
        "an invocation's payload",
        "6 MB: Lambda makes a batch smaller; a batch of 100 events of the usual 1 KB has 0.1 MB, and the largest "
        "event (256 KB) leaves room for 23",
        "none is needed",
        "none is needed",
    )
    yield HotSpot(
        "items of 400 KB",
        f"a session has some {figures.session_bytes()} bytes and, with every attribute at its bound, below 8 KB; a "
        f"projection at most {PROJECTION_STATE_KB} KB of ids; an agenda item of {MOST_ENTRIES} of the longest keys "
        f"{agenda_kb:.0f} KB",
        "none is needed",
        "none is needed: each is bounded",
    )
    yield HotSpot(
        "TTL",
        "DynamoDB deletes expired items within days, when it has capacity to spare; nothing here waits for it, but "
        "storage is paid until then",
        "`TimeToLiveDeletedItemCount`",
        "none is needed",
    )
    yield HotSpot(
        "many rules on the bus of life-cycle events",
        f"a delivery a rule and event: {quotas.BUS_DELIVERIES_PER_SECOND.value:,.0f} a second in us-east-1, 1,100 "
        "or less in most regions, and five targets a rule; beyond it they are delayed",
        "`ThrottledRules`",
        "rules that match less; Service Quotas",
    )
    yield HotSpot(
        "the sweeper's sixteen queries",
        f"every {bill.SWEEPER_INTERVAL_SECONDS} s by each of two sweepers: 8.3 million read units a month, "
        "whatever is due",
        "`ConsumedReadCapacityUnits` of the agenda",
        "`ExpiryIntervalSeconds=60`: expiries up to a minute later, and next to no idle price",
    )
