"""The whole bill of a month: units, requests, bus, functions, storage, logs and alarms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

from ops.benchmark import prices
from ops.costs import figures
from ops.costs.figures import OURS, TEXTBOOK, PipelineFigures, StageFigures
from ops.costs.traffic import (
    DAYS_A_MONTH,
    QUEUE_READERS,
    SECONDS_A_DAY,
    STREAM_READERS,
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
COMPRESSION = 8
"""Of the archive's lines by gzip."""
FIREHOSE_ROUNDING_BYTES = 5 * 1024

_MILLION = 1_000_000
_GB = 1024**3


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the bill.

    Attributes:
        part: What is paid for.
        amount: How much of it a month, in `unit`.
        unit: As the price has it.
        dollars: A month.
        is_life_cycle: Whether it is for life-cycle events or their archive, which the textbook pipeline has not.
    """

    part: str
    amount: float
    unit: str
    dollars: float
    is_life_cycle: bool = False


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
        return dollars / self.traffic.sessions_a_month * _MILLION


def our_bill(traffic: Traffic, measured: PipelineFigures = OURS) -> Bill:
    """Add up what this system costs.

    Args:
        traffic: A month's.
        measured: What an event costs.
    """
    lines = [*_database(traffic, measured), *_intake(traffic), *_functions(traffic, measured), *_ours_stored(traffic)]
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
    lines = [*_database(plain, measured), *_intake(plain), *_functions(plain, measured), *_textbook_stored(plain)]
    return Bill(plain, (*lines, *_watching(plain)))


def _priced(part: str, amount: float, price: prices.Price) -> Line:
    return Line(part, amount, price.unit, amount * price.dollars)


def _database(traffic: Traffic, measured: PipelineFigures) -> Iterator[Line]:
    events = traffic.sessions_a_month * traffic.events_a_session
    units = events * measured.consumer.write_units
    if traffic.projection is IndexProjection.KEYS_ONLY:  # the index is written by the first login alone
        units = events + traffic.sessions_a_month
    writes = units + events * measured.projector.write_units
    reads = events * (measured.consumer.read_units + measured.projector.read_units)
    yield _priced("write units", writes / _MILLION, prices.WRITE_UNITS)
    yield _priced("read units", (reads + list_reads(traffic)) / _MILLION, prices.READ_UNITS)


def list_reads(traffic: Traffic) -> float:
    """Return the read units a month of lists of a customer's sessions, half a unit for each 4 KB of the index.

    An index of keys alone takes a strongly consistent read of each session beside.
    """
    items = traffic.sessions_of_a_customer
    if traffic.projection is IndexProjection.ALL:
        units = _pages(items * figures.session_bytes()) / 2
    else:
        units = _pages(items * figures.session_key_bytes()) / 2 + items
    return traffic.sessions_a_month * traffic.lists * units


def _pages(size: float) -> int:
    return max(1, ceil(size / 4096))


def _intake(traffic: Traffic) -> Iterator[Line]:
    """Bus and queue. The bus sends each event by itself; publishers send, and Lambda takes and deletes, up to ten."""
    events = traffic.sessions_a_month * traffic.events_a_session
    if traffic.way is Way.BUS:
        yield _priced("bus, in", events / _MILLION, prices.BUS_EVENTS)
    taken = batch_of(traffic.per_second(traffic.events_a_session), most=10, readers=QUEUE_READERS)
    sent = events if traffic.way is Way.BUS else events / 10
    requests = sent + 2 * events / taken + 2 * IDLE_POLLS_A_MONTH
    yield _priced("queue requests", requests / _MILLION, prices.QUEUE_REQUESTS)


def _functions(traffic: Traffic, measured: PipelineFigures) -> Iterator[Line]:
    rate = traffic.per_second(traffic.events_a_session)
    consumer = batch_of(rate, most=BATCH_SIZES["consumer"], readers=QUEUE_READERS)
    projector = batch_of(rate, most=BATCH_SIZES["projector"], readers=STREAM_READERS)
    yield from _invocations("consumer", traffic, consumer, _batch_seconds(measured.consumer, consumer))
    yield from _invocations("projector", traffic, projector, _batch_seconds(measured.projector, projector))
    yield _priced("streams, read by Lambda", 0.0, prices.STREAM_READS)


def _batch_seconds(stage: StageFigures, batch: float) -> float:
    """Return what Lambda bills for a batch: its CPU at the memory's share of a vCPU, and what it waits for."""
    waits = stage.waits * (batch if stage.is_record_by_record else 1)
    return (stage.cpu_ms * batch / (MEMORY_GB / VCPU_GB) + waits * figures.REQUEST_MS) / 1000


def _invocations(name: str, traffic: Traffic, batch: float, seconds: float) -> Iterator[Line]:
    invocations = traffic.sessions_a_month * traffic.events_a_session / batch
    yield _priced(f"{name}, time", invocations * seconds * MEMORY_GB, prices.LAMBDA_TIME)
    yield _priced(f"{name}, invocations", invocations / _MILLION, prices.LAMBDA_REQUESTS)


def _ours_stored(traffic: Traffic) -> Iterator[Line]:
    item = figures.session_bytes() + figures.ITEM_OVERHEAD_BYTES
    indexed = figures.session_bytes() if traffic.projection is IndexProjection.ALL else figures.session_key_bytes()
    table = traffic.sessions_kept * item
    projections = traffic.customers * (figures.PROJECTION_BYTES + figures.ITEM_OVERHEAD_BYTES)
    index = traffic.sessions_kept * (indexed + figures.ITEM_OVERHEAD_BYTES)
    yield _priced("storage, tombstones too", (table + projections + index) / _GB, prices.TABLE_STORAGE)
    yield _priced("point-in-time recovery", (table + projections) / _GB, prices.POINT_IN_TIME_RECOVERY)


def _textbook_stored(traffic: Traffic) -> Iterator[Line]:
    """Sessions until TTL deletes them, and an idempotency item of 300 bytes an event for a day and TTL's delay."""
    item = figures.session_bytes() + figures.ITEM_OVERHEAD_BYTES
    kept = traffic.sessions_a_day * (2 + traffic.session_hours / 24)
    idempotency = traffic.sessions_a_day * traffic.events_a_session * 3 * (300 + figures.ITEM_OVERHEAD_BYTES)
    projections = traffic.customers * (100 + figures.ITEM_OVERHEAD_BYTES)
    yield _priced("storage, tombstones too", (2 * kept * item + idempotency + projections) / _GB, prices.TABLE_STORAGE)
    yield _priced("point-in-time recovery", (kept * item + projections) / _GB, prices.POINT_IN_TIME_RECOVERY)


def _life_cycle(traffic: Traffic) -> Iterator[Line]:
    """What became of sessions: events out, the agenda, the functions, the archive."""
    sessions, rate = traffic.sessions_a_month, traffic.per_second(traffic.events_a_session)
    batch = batch_of(rate, most=BATCH_SIZES["publisher"], readers=STREAM_READERS)
    stage = StageFigures(0.0, 0.0, figures.PUBLISHER_CPU_MS, 1 + batch / 80)  # eight PutEvents at a time
    yield from _invocations("publisher", traffic, batch, _batch_seconds(stage, batch))
    if traffic.is_publishing:
        yield _priced("bus, life-cycle events", 2 * sessions / _MILLION, prices.BUS_EVENTS)
        noted = sessions * (1 + traffic.refreshes)
        entries = batch * (1 + traffic.refreshes) / traffic.events_a_session
        units = 2 * noted * agenda_units(max(1.0, entries))
        yield _priced("agenda, write units", units / _MILLION, prices.WRITE_UNITS)
        sweeps = OVERLAPPING_SWEEPERS * DAYS_A_MONTH * SECONDS_A_DAY / SWEEPER_INTERVAL_SECONDS
        yield _priced("agenda, read units", (sweeps * len(PARTITIONS) / 2 + noted) / _MILLION, prices.READ_UNITS)
        seconds = OVERLAPPING_SWEEPERS * DAYS_A_MONTH * SECONDS_A_DAY
        yield _priced("sweeper, time", seconds * SWEEPER_MEMORY_GB, prices.LAMBDA_TIME)
    if traffic.is_archiving:
        events = sessions * traffic.events_a_session
        size = ceil(batch * figures.event_line_bytes() / FIREHOSE_ROUNDING_BYTES) * FIREHOSE_ROUNDING_BYTES / batch
        yield _priced("archive, Firehose", events * size / _GB, prices.ARCHIVE_BYTES)
        stored = events * figures.event_line_bytes() / COMPRESSION / _GB
        yield _priced("archive, each month that is kept", stored, prices.OBJECT_STORAGE)


def agenda_units(entries: float) -> float:
    """Return the write units of an agenda entry, in or out, where so many of one lifetime come in one batch."""
    entries = min(entries, float(MOST_ENTRIES))
    return ceil((figures.AGENDA_ITEM_BYTES + entries * figures.AGENDA_ENTRY_BYTES) / 1024) / entries


def _watching(traffic: Traffic) -> Iterator[Line]:
    rate = traffic.per_second(traffic.events_a_session)
    events = traffic.sessions_a_month * traffic.events_a_session
    invocations = events / batch_of(rate, most=BATCH_SIZES["consumer"], readers=QUEUE_READERS)
    invocations += events / batch_of(rate, most=BATCH_SIZES["projector"], readers=STREAM_READERS)
    yield _priced("logs", invocations * LOG_BYTES_AN_INVOCATION / _GB, prices.LOGS)
    yield _priced("metrics", METRICS, prices.METRICS)
    yield _priced("alarms", ALARMS, prices.ALARMS)
    yield _priced("dashboard", 1, prices.DASHBOARDS)


def lists_to_break_even(traffic: Traffic) -> float:
    """Return the lists per session at which an index of keys alone costs as much as one of all attributes."""

    def dollars(projection: IndexProjection, lists: float) -> float:
        return our_bill(replace(traffic, projection=projection, lists=lists)).dollars

    saved = dollars(IndexProjection.ALL, 0) - dollars(IndexProjection.KEYS_ONLY, 0)
    lost = dollars(IndexProjection.KEYS_ONLY, 1) - dollars(IndexProjection.ALL, 1) + saved
    return saved / lost
