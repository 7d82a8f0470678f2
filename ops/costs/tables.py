"""Bills and limits as rows of text: the page of limits and `sessionctl cost` show the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ops.costs.bill import Bill, lists_to_break_even, our_bill, sessions_to_break_even, textbook_bill
from ops.costs.database import used_to_break_even, warm_dollars
from ops.costs.figures import OURS, TEXTBOOK, PipelineFigures
from ops.costs.limits import Limit, limits_of
from ops.costs.traffic import BillingMode, Traffic, Way

OURS_BY_QUEUE, OURS_BY_BUS, TEXTBOOK_BY_BUS = "queue, tens", "bus", "textbook, bus"
"""Bills: ours, with events sent to the queue ten a request; ours and the textbook pipeline, both behind the bus."""

BILL_HEADINGS = ("part", "amount", OURS_BY_QUEUE, OURS_BY_BUS, TEXTBOOK_BY_BUS)
LIMIT_HEADINGS = ("limit", "quota", "sessions/s", "sessions a day", "arithmetic", "shown by", "way out")


def bills_of(traffic: Traffic, ours: PipelineFigures = OURS, textbook: PipelineFigures = TEXTBOOK) -> dict[str, Bill]:
    """Return the bills to compare, by name: the cheapest way in, the bus, and the textbook pipeline behind the bus.

    Args:
        traffic: A month's.
        ours: What an event costs here.
        textbook: What it costs there.
    """
    by_bus = replace(traffic, way=Way.BUS)
    return {
        OURS_BY_QUEUE: our_bill(replace(traffic, way=Way.QUEUE), ours),
        OURS_BY_BUS: our_bill(by_bus, ours),
        TEXTBOOK_BY_BUS: textbook_bill(by_bus, textbook),
    }


def bill_rows(bills: Sequence[Bill]) -> list[list[str]]:
    """Write bills beside each other: a row a part, and sums of a month and of a million sessions.

    First what register and projections cost, which all of them do; then life-cycle events and archive.
    """
    rows = _part_rows(bills, is_life_cycle=False)
    rows += _sums(bills, "register and projections", [bill.register_dollars for bill in bills])
    more = _part_rows(bills, is_life_cycle=True)
    if more:
        rows += more + _sums(bills, "all of it", [bill.dollars for bill in bills])
    return rows


def _part_rows(bills: Sequence[Bill], *, is_life_cycle: bool) -> list[list[str]]:
    by_part = [{line.part: line for line in bill.lines if line.is_life_cycle is is_life_cycle} for bill in bills]
    rows = []
    for part in dict.fromkeys(part for lines in reversed(by_part) for part in lines):
        line = next(lines[part] for lines in by_part if part in lines)
        cells = [dollars(lines[part].dollars) if part in lines else "" for lines in by_part]
        rows.append([part, f"{amount(line.amount)} {line.unit}", *cells])
    return rows


def _sums(bills: Sequence[Bill], what: str, sums: Sequence[float]) -> list[list[str]]:
    each = [bill.per_million_sessions(value) for bill, value in zip(bills, sums, strict=True)]
    return [
        [f"{what}, a month", "", *map(dollars, sums)],
        [f"{what}, a million sessions", "", *map(dollars, each)],
    ]


def limit_rows(limits: Sequence[Limit], *, peak: float) -> list[list[str]]:
    """Write limits, the first to be met first: name, quota, sessions a second and a day, and the arithmetic."""
    return [
        [
            limit.name,
            amount(limit.quota.value),
            amount(limit.sessions_per_second),
            f"{limit.sessions_a_day(peak) / 1_000_000:,.1f} million",
            limit.arithmetic,
            limit.metric,
            limit.way_out,
        ]
        for limit in limits
    ]


def conclusions(traffic: Traffic) -> list[str]:
    """Sum the tables up: the first limit, the cheapest way in, and when the smaller index is cheaper."""
    first = limits_of(traffic)[0]
    is_met = traffic.sessions_a_day > first.sessions_a_day(traffic.peak)
    bills = bills_of(traffic)
    queue, bus = bills[OURS_BY_QUEUE], bills[OURS_BY_BUS]
    limit = (
        f"{'Met at this traffic' if is_met else 'The first limit to be met'}: {first.name}. {first.arithmetic}. "
        f"Shown by {first.metric}. Way out: {first.way_out}."
    )
    way = (
        f"The cheapest way in: ten events a request to the queue, {dollars(queue.dollars)} a month; over the bus "
        f"{dollars(bus.dollars)}."
    )
    index = (
        f"InverseIndexProjection=KEYS_ONLY is cheaper below {lists_to_break_even(traffic):.2f} lists of a customer's "
        f"sessions per session begun, at {traffic.sessions_of_a_customer:.0f} items a customer."
    )
    return [limit, way, index, *_capacity(traffic), *unverified(traffic)]


def _capacity(traffic: Traffic) -> Iterator[str]:
    """Say what provisioned capacity costs beside units by request, and from when on it costs less."""
    by_request, by_hour = (dollars(our_bill(replace(traffic, billing=mode)).register_dollars) for mode in BillingMode)
    least = sessions_to_break_even(traffic)
    when = "it never costs less" if least is None else f"it costs less above {least:,.0f} sessions a day"
    yield (
        f"BillingMode=PROVISIONED: register and projections {by_hour} a month where {traffic.capacity_used:.0%} of the "
        f"capacity is used, by request {by_request}. Used so, {when}; used below {used_to_break_even():.0%}, never."
    )
    if once := warm_dollars(traffic):
        yield (
            f"WarmWriteUnits={traffic.warm_write_units:.0f} and WarmReadUnits={traffic.warm_read_units:.0f}: "
            f"{dollars(once)} once, for new tables."
        )


def unverified(traffic: Traffic) -> Iterator[str]:
    """Name the prices of this traffic's bill that nothing confirms, if there are any."""
    if warm_dollars(traffic):
        yield "Not verified: the price of warm throughput. AWS says that it follows that of provisioned units."


def dollars(value: float) -> str:
    """Write dollars: cents below a hundred."""
    return f"${value:,.2f}" if value < 100 else f"${value:,.0f}"


def amount(value: float) -> str:
    """Write a number with three figures or so."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"
