"""The whole bill of a month: units, requests, bus, functions, storage, logs and alarms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

from ops.benchmark import prices
from ops.costs import figures
from ops.costs.database import stored_lines, textbook_stored_lines, unit_lines, used_to_break_even
from ops.costs.figures import OURS, TEXTBOOK, PipelineFigures, StageFigures
from ops.costs.lines import GB, MILLION, Line, priced
from ops.costs.traffic import (
    DAYS_A_MONTH,
    QUEUE_READERS,
    SECONDS_A_DAY,
    STREAM_READERS,
    BillingMode,
    IndexProjection,
    Traffic,
    Way,
    batch_of,
)
from processors.life_cycle.agenda import MOST_ENTRIES, PARTITIONS

BATCH_SIZES = {"consumer": 100, "projector": 200, "publisher": 500}
"""Of the template's event source mappings."""

MEMORY_GB = 0.5
SWEEPER_MEMORY_GB = 0.25
SWEEPER_INTERVAL_SECONDS = 5
OVERLAPPING_SWEEPERS = 2
EVENTS_AT_A_TIME = 80
"""The publisher sends eight PutEvents at a time, of ten events."""
VCPU_GB = 1769 / 1024
"""Memory at which a function has one vCPU. Source: Lambda Developer Guide, "Configure Lambda function memory"."""

ALARMS = 60
"""At most: a test counts those of the template, of which some come with what is switched on."""
METRICS = 40
"""Custom metrics, about: each name of each function."""
IDLE_POLLS_A_MONTH = QUEUE_READERS * 3 * 60 * 24 * DAYS_A_MONTH
"""Receives of an empty queue: each poller waits 20 s. There are two queues."""
LOG_BYTES_AN_INVOCATION = 1_100
"""Lambda's own three lines and one of metrics."""
KEY_REUSE_SECONDS = 300
"""For how long SQS and DynamoDB use a data key before they ask KMS again."""
COMPRESSION = 8
"""Of the archive's lines by gzip."""
FIREHOSE_ROUNDING_BYTES = 5 * 1024


@dataclass(frozen=True, slots=True)
class Bill:
    """A month's bill.

    Attributes:
        traffic: For what.
        lines: What is paid for.
    """

    traffic: Traffic
    lines: tuple[Line, ...]

    @property
    def dollars(self) -> float:
        """All of it, a month."""
        return sum(line.dollars for line in self.lines)

    @property
    def register_dollars(self) -> float:
        """What register and projections cost a month, without life-cycle events and archive."""
        return sum(line.dollars for line in self.lines if not line.is_life_cycle)

    def per_million_sessions(self, dollars: float) -> float:
        """Return what a month's dollars are for a million sessions begun."""
        return dollars / self.traffic.sessions_a_month * MILLION


def our_bill(traffic: Traffic, measured: PipelineFigures = OURS) -> Bill:
    """Add up what this system costs.

    Args:
        traffic: A month's.
        measured: What an event costs.
    """
    lines = [*unit_lines(traffic, measured), *_intake(traffic), *_functions(traffic, measured), *stored_lines(traffic)]
    if traffic.is_publishing or traffic.is_archiving:
        lines += [replace(line, is_life_cycle=True) for line in _life_cycle(traffic)]
    return Bill(traffic, (*lines, *_watching(traffic)))


def textbook_bill(traffic: Traffic, measured: PipelineFigures = TEXTBOOK) -> Bill:
    """Add up what the textbook pipeline costs, which publishes and archives nothing and keeps no tombstones.

    Args:
        traffic: A month's; what it cannot do is left out.
        measured: What an event costs.
    """
    plain = replace(traffic, projection=IndexProjection.ALL, is_publishing=False, is_archiving=False)
    lines = [*unit_lines(plain, measured), *_intake(plain), *_functions(plain, measured), *textbook_stored_lines(plain)]
    return Bill(plain, (*lines, *_watching(plain)))


def _intake(traffic: Traffic) -> Iterator[Line]:
    """Bus and queue. The bus sends each event by itself; publishers send, and Lambda takes and deletes, up to ten."""
    events = traffic.sessions_a_month * traffic.events_a_session
    if traffic.way is Way.BUS:
        yield priced("bus, in", events / MILLION, prices.BUS_EVENTS)
    taken = batch_of(traffic.per_second(traffic.events_a_session), most=10, readers=QUEUE_READERS)
    sent = events if traffic.way is Way.BUS else events / 10
    requests = sent + 2 * events / taken + 2 * IDLE_POLLS_A_MONTH
    yield priced("queue requests", requests / MILLION, prices.QUEUE_REQUESTS)


def _functions(traffic: Traffic, measured: PipelineFigures) -> Iterator[Line]:
    rate = traffic.per_second(traffic.events_a_session)
    consumer = batch_of(rate, most=BATCH_SIZES["consumer"], readers=QUEUE_READERS)
    projector = batch_of(rate, most=BATCH_SIZES["projector"], readers=STREAM_READERS)
    yield from _invocations("consumer", traffic, consumer, batch_seconds(measured.consumer, consumer))
    yield from _invocations("projector", traffic, projector, batch_seconds(measured.projector, projector))
    yield priced("streams, read by Lambda", 0.0, prices.STREAM_READS)


def batch_seconds(stage: StageFigures, batch: float) -> float:
    """Return what Lambda bills for a batch: its CPU at the memory's share of a vCPU, and what it waits for.

    Args:
        stage: What a record costs the function.
        batch: Records.
    """
    waits = stage.waits * (batch if stage.is_record_by_record else 1)
    return (stage.cpu_ms * batch / (MEMORY_GB / VCPU_GB) + waits * figures.REQUEST_MS) / 1000


def _invocations(name: str, traffic: Traffic, batch: float, seconds: float) -> Iterator[Line]:
    invocations = traffic.sessions_a_month * traffic.events_a_session / batch
    yield priced(f"{name}, time", invocations * seconds * MEMORY_GB, prices.LAMBDA_TIME)
    yield priced(f"{name}, invocations", invocations / MILLION, prices.LAMBDA_REQUESTS)


def _life_cycle(traffic: Traffic) -> Iterator[Line]:
    """What became of sessions: events out, the agenda, the functions, the archive."""
    sessions, rate = traffic.sessions_a_month, traffic.per_second(traffic.events_a_session)
    batch = batch_of(rate, most=BATCH_SIZES["publisher"], readers=STREAM_READERS)
    stage = StageFigures(0.0, 0.0, figures.PUBLISHER_CPU_MS, 1 + batch / EVENTS_AT_A_TIME)
    yield from _invocations("publisher", traffic, batch, batch_seconds(stage, batch))
    if traffic.is_publishing:
        yield priced("bus, life-cycle events", 2 * sessions / MILLION, prices.BUS_EVENTS)
        noted = sessions * (1 + traffic.refreshes)
        entries = batch * (1 + traffic.refreshes) / traffic.events_a_session
        units = 2 * noted * agenda_units(max(1.0, entries))
        yield priced("agenda, write units", units / MILLION, prices.WRITE_UNITS)
        sweeps = OVERLAPPING_SWEEPERS * DAYS_A_MONTH * SECONDS_A_DAY / SWEEPER_INTERVAL_SECONDS
        yield priced("agenda, read units", (sweeps * len(PARTITIONS) / 2 + noted) / MILLION, prices.READ_UNITS)
        seconds = OVERLAPPING_SWEEPERS * DAYS_A_MONTH * SECONDS_A_DAY
        yield priced("sweeper, time", seconds * SWEEPER_MEMORY_GB, prices.LAMBDA_TIME)
    if traffic.is_archiving:
        events = sessions * traffic.events_a_session
        size = ceil(batch * figures.event_line_bytes() / FIREHOSE_ROUNDING_BYTES) * FIREHOSE_ROUNDING_BYTES / batch
        yield priced("archive, Firehose", events * size / GB, prices.ARCHIVE_BYTES)
        stored = events * figures.event_line_bytes() / COMPRESSION / GB
        yield priced("archive, each month that is kept", stored, prices.OBJECT_STORAGE)


def agenda_units(entries: float) -> float:
    """Return the write units of an agenda entry, in or out, where so many of one lifetime come in one batch."""
    entries = min(entries, float(MOST_ENTRIES))
    return ceil((figures.AGENDA_ITEM_BYTES + entries * figures.AGENDA_ENTRY_BYTES) / 1024) / entries


def _watching(traffic: Traffic) -> Iterator[Line]:
    rate = traffic.per_second(traffic.events_a_session)
    events = traffic.sessions_a_month * traffic.events_a_session
    invocations = events / batch_of(rate, most=BATCH_SIZES["consumer"], readers=QUEUE_READERS)
    invocations += events / batch_of(rate, most=BATCH_SIZES["projector"], readers=STREAM_READERS)
    yield priced("logs", invocations * LOG_BYTES_AN_INVOCATION / GB, prices.LOGS)
    yield priced("metrics", METRICS, prices.METRICS)
    yield priced("alarms", ALARMS, prices.ALARMS)
    yield priced("dashboard", 1, prices.DASHBOARDS)
    if traffic.has_key:
        yield priced("key", 1, prices.KEYS)
        yield priced("key, requests", key_requests(traffic) / MILLION, prices.KEY_REQUESTS)


def key_requests(traffic: Traffic) -> float:
    """Return the requests to KMS a month: a data key serves five minutes, whatever happens in them.

    A lower bound: what is spread over many hosts asks on several of them. Buckets have a bucket key.

    Sources: SQS Developer Guide, "Key management": twice a producer and once a consumer, of each queue. DynamoDB
    Developer Guide, "DynamoDB encryption at rest": once a caller, of each table.
    """
    queues = 2 * (2 * 1 + 1)  # events: publisher or rule, consumer; commands: projector, consumer
    tables = 4  # the consumer's one, the projector's two and the stream
    buses = 2 if traffic.way is Way.BUS else 0
    if traffic.is_publishing:
        tables += 4  # the stream and the agenda of the publisher; agenda and sessions of the sweeper
        buses += 2
    archive = 2 if traffic.is_archiving else 0
    return (queues + tables + buses + archive) * DAYS_A_MONTH * SECONDS_A_DAY / KEY_REUSE_SECONDS


def lists_to_break_even(traffic: Traffic) -> float:
    """Return the lists per session at which an index of keys alone costs as much as one of all attributes."""

    def dollars(projection: IndexProjection, lists: float) -> float:
        return our_bill(replace(traffic, projection=projection, lists=lists)).dollars

    saved = dollars(IndexProjection.ALL, 0) - dollars(IndexProjection.KEYS_ONLY, 0)
    lost = dollars(IndexProjection.KEYS_ONLY, 1) - dollars(IndexProjection.ALL, 1) + saved
    return saved / lost


def sessions_to_break_even(traffic: Traffic) -> float | None:
    """Return the sessions a day above which provisioned capacity costs less; None where it never does.

    By a straight line through two loads that are far above the least that is bought.
    """
    if traffic.capacity_used <= used_to_break_even():
        return None

    def saved(sessions: float) -> float:
        load = replace(
            traffic, sessions_a_day=sessions, customers=traffic.customers * sessions / traffic.sessions_a_day
        )
        by_request, by_hour = (our_bill(replace(load, billing=mode)).dollars for mode in BillingMode)
        return by_request - by_hour

    one, two = (saved(sessions) for sessions in (10_000_000.0, 20_000_000.0))
    return 10_000_000 - one / (two - one) * 10_000_000
