"""What the tables cost: units by request or capacity by the hour, storage, and throughput made warm, once."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from ops.benchmark import prices
from ops.costs import figures
from ops.costs.figures import PipelineFigures
from ops.costs.lines import GB, MILLION, Line, priced
from ops.costs.traffic import (
    DAYS_A_MONTH,
    WARM_READ_UNITS,
    WARM_WRITE_UNITS,
    BillingMode,
    IndexProjection,
    Traffic,
)

SCALED = 3
"""Tables and indexes that `BillingMode`, and warm throughput, are for: sessions, their index, projections."""
SCALING_ALARMS = 4 * 2 * SCALED
"""Alarms that auto scaling makes and CloudWatch charges: four for the writes, and four for the reads, of each."""
HOURS_A_MONTH = 24 * DAYS_A_MONTH


def unit_lines(traffic: Traffic, measured: PipelineFigures) -> Iterator[Line]:
    """Price the units that register and projections write and read.

    Provisioned, at least one unit is bought of each table and index.

    Args:
        traffic: A month's.
        measured: What an event costs.
    """
    events = traffic.sessions_a_month * traffic.events_a_session
    units = events * measured.consumer.write_units
    if traffic.projection is IndexProjection.KEYS_ONLY:  # the index is written by the first login alone
        units = events + traffic.sessions_a_month
    writes = units + events * measured.projector.write_units
    reads = events * (measured.consumer.read_units + measured.projector.read_units) + list_reads(traffic)
    if traffic.billing is BillingMode.PROVISIONED:
        yield priced("write capacity", _bought(writes, traffic), prices.WRITE_CAPACITY)
        yield priced("read capacity", _bought(reads, traffic), prices.READ_CAPACITY)
        yield priced("auto scaling's alarms", SCALING_ALARMS, prices.ALARMS)
    else:
        yield priced("write units", writes / MILLION, prices.WRITE_UNITS)
        yield priced("read units", reads / MILLION, prices.READ_UNITS)


def _bought(units: float, traffic: Traffic) -> float:
    """Return the unit-hours a month that are bought to use so many units."""
    return max(units / 3600 / traffic.capacity_used, SCALED * HOURS_A_MONTH)


def used_to_break_even() -> float:
    """Return the share of provisioned units above which they cost less than units by request; the same of reads."""
    return prices.WRITE_CAPACITY.dollars / (3600 / MILLION * prices.WRITE_UNITS.dollars)


def warm_dollars(traffic: Traffic) -> float:
    """Return what it costs once to make tables and index as warm as that, from what new ones have."""
    writes = max(0.0, traffic.warm_write_units - WARM_WRITE_UNITS) * prices.WARM_WRITE_UNITS.dollars
    reads = max(0.0, traffic.warm_read_units - WARM_READ_UNITS) * prices.WARM_READ_UNITS.dollars
    return SCALED * (writes + reads)


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


def stored_lines(traffic: Traffic) -> Iterator[Line]:
    """Price what is kept: sessions with their tombstones, their index, projections."""
    item = figures.session_bytes() + figures.ITEM_OVERHEAD_BYTES
    indexed = figures.session_bytes() if traffic.projection is IndexProjection.ALL else figures.session_key_bytes()
    table = traffic.sessions_kept * item
    projections = traffic.customers * (figures.PROJECTION_BYTES + figures.ITEM_OVERHEAD_BYTES)
    index = traffic.sessions_kept * (indexed + figures.ITEM_OVERHEAD_BYTES)
    yield priced("storage, tombstones too", (table + projections + index) / GB, prices.TABLE_STORAGE)
    yield priced("point-in-time recovery", (table + projections) / GB, prices.POINT_IN_TIME_RECOVERY)


def textbook_stored_lines(traffic: Traffic) -> Iterator[Line]:
    """Price what the textbook pipeline keeps: sessions until TTL deletes them, and an idempotency item an event.

    It has 300 bytes, and stays for a day and TTL's delay.
    """
    item = figures.session_bytes() + figures.ITEM_OVERHEAD_BYTES
    kept = traffic.sessions_a_day * (2 + traffic.session_hours / 24)
    idempotency = traffic.sessions_a_day * traffic.events_a_session * 3 * (300 + figures.ITEM_OVERHEAD_BYTES)
    projections = traffic.customers * (100 + figures.ITEM_OVERHEAD_BYTES)
    yield priced("storage, tombstones too", (2 * kept * item + idempotency + projections) / GB, prices.TABLE_STORAGE)
    yield priced("point-in-time recovery", (kept * item + projections) / GB, prices.POINT_IN_TIME_RECOVERY)
