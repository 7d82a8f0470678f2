"""The page of limits and prices, `docs/limits.md`: written from the same tables that `sessionctl cost` shows."""

from __future__ import annotations

from dataclasses import replace

from ops.benchmark import prices, quotas
from ops.benchmark.markdown import section, table
from ops.benchmark.quotas import Quota
from ops.costs import figures
from ops.costs.bill import lists_to_break_even, our_bill, sessions_to_break_even
from ops.costs.database import SCALING_ALARMS, used_to_break_even, warm_dollars
from ops.costs.hot_spots import hot_spots
from ops.costs.limits import limits_of
from ops.costs.tables import BILL_HEADINGS, LIMIT_HEADINGS, bill_rows, bills_of, conclusions, dollars, limit_rows
from ops.costs.traffic import WARM_READ_UNITS, WARM_WRITE_UNITS, BillingMode, IndexProjection, Traffic, Way

SESSIONS_A_DAY = 1_000_000
PAGE_TRAFFIC = Traffic(sessions_a_day=SESSIONS_A_DAY, customers=SESSIONS_A_DAY, is_publishing=True, is_archiving=True)
COMMAND = f"sessionctl cost --logins-per-day {SESSIONS_A_DAY} --publish --archive"

_INTRODUCTION = f"""\
# Limits and prices

Which limit of AWS a growing deployment meets first, and what it costs. Written by `python -m ops.costs`, by arithmetic
from what the [benchmark](benchmarks.md) measures; a test holds the page to it. For your own traffic:

```bash
{COMMAND}
```

A session here is a login, {PAGE_TRAFFIC.refreshes} silent re-logins and a logout. The busiest seconds have
{PAGE_TRAFFIC.peak:g} times the day's mean. Quotas are AWS's defaults of us-east-1; most can be raised, and most other
regions begin with less.
"""


def render() -> str:
    """Write the page."""
    by_bus = replace(PAGE_TRAFFIC, way=Way.BUS)
    parts = [
        _INTRODUCTION,
        section(
            "Limits of the whole, in the order in which they are met",
            "Events sent by tens straight to the queue, life-cycle events and archive switched on:",
            table(LIMIT_HEADINGS, limit_rows(limits_of(PAGE_TRAFFIC), peak=PAGE_TRAFFIC.peak), texts=1),
            "The same with events over the bus, where it differs:",
            table(LIMIT_HEADINGS, _other_limits(by_bus), texts=1),
        ),
        section(
            "Hot spots",
            "What one customer, one session or one outage meets, whatever the whole is:",
            table(
                ["where", "when", "shown by", "way out"],
                [[spot.name, spot.arithmetic, spot.metric, spot.way_out] for spot in hot_spots()],
                texts=4,
            ),
            "One customer, measured: so many projectors work on the records of this customer alone, ten a batch, in "
            "virtual time on the in-memory engine (`python -m ops.benchmark.hot_customer`). A request takes 5 ms, the "
            "projection is full (256 sessions, 15 write units), and its partition takes 1,000 units a second: that is "
            "the limit that is met. With more projectors more races are lost, and more batches find nothing left to "
            "write, because later sessions have taken the places of theirs. A batch whose retries are exhausted is "
            "delivered again. While the stream waits, batches grow up to 200 records, so that a customer's records "
            "catch up with fewer writes.",
            table(
                ["projectors", "batches/s", "attempts a batch", "delivered again", "delay, median", "delay, p99"],
                [_hot_row(*row) for row in figures.HOT_CUSTOMER],
                texts=0,
            ),
        ),
        section(
            "What it costs",
            f"{SESSIONS_A_DAY:,} sessions a day by as many customers. Dollars a month of 30 days, {prices.REGION}, "
            f"list prices of {prices.AS_OF}, without free tiers. The textbook pipeline is the one of the benchmark: it "
            "ends with wrong counts where a batch is delivered twice, and publishes nothing.",
            table(BILL_HEADINGS, bill_rows(list(bills_of(PAGE_TRAFFIC).values()))),
            *conclusions(PAGE_TRAFFIC),
        ),
        _small_deployment(),
        _index(),
        _capacity(),
        _sources(),
    ]
    return "\n".join(parts)


def _hot_row(projectors: int, rate: float, attempts: float, again: float, delay: float, p99: float) -> list[str]:
    return [f"{projectors}", f"{rate:.0f}", f"{attempts:.1f}", f"{again:.0%}", f"{delay:.0f} ms", f"{p99:.0f} ms"]


def _other_limits(traffic: Traffic) -> list[list[str]]:
    usual = [row[0:3] for row in limit_rows(limits_of(PAGE_TRAFFIC), peak=traffic.peak)]
    return [row for row in limit_rows(limits_of(traffic), peak=traffic.peak) if row[0:3] not in usual]


def _small_deployment() -> str:
    small = replace(PAGE_TRAFFIC, sessions_a_day=1_000, customers=1_000)
    plain = replace(small, is_publishing=False, is_archiving=False)
    sweeper = next(line for line in our_bill(small).lines if line.part == "sweeper, time")
    return section(
        "What a small deployment costs",
        f"A thousand sessions a day: {dollars(our_bill(plain).dollars)} a month, of which metrics, alarms and "
        f"dashboard are {dollars(_watching(plain))}; with life-cycle events and archive "
        f"{dollars(our_bill(small).dollars)}, of which "
        f"{dollars(sweeper.dollars)} are two sweepers that wait (`ExpiryIntervalSeconds=60`: cents).",
    )


def _watching(traffic: Traffic) -> float:
    return sum(line.dollars for line in our_bill(traffic).lines if line.part in ("metrics", "alarms", "dashboard"))


def _index() -> str:
    """Compare both projections of the inverted index."""
    rows = []
    for lists in (0.0, 0.5, 1.0, 5.0):
        bills = [
            our_bill(replace(PAGE_TRAFFIC, lists=lists, projection=projection)).register_dollars
            for projection in IndexProjection
        ]
        rows.append([f"{lists:g}", *map(dollars, bills)])
    return section(
        "An index of keys alone",
        "`InverseIndexProjection` is chosen when the stack is made, for good: DynamoDB cannot change an index's "
        "projection. With `ALL` each event writes the index, a unit; with `KEYS_ONLY` the first login alone: a "
        "session's life (login, logout, projections) takes 5 write units instead of 6. A list of a customer's sessions "
        "then reads each session from the table, tombstones too. Dollars a month, register and projections:",
        table(["lists per session begun", *IndexProjection], rows, texts=0),
        f"They cost the same at {lists_to_break_even(PAGE_TRAFFIC):.2f} lists per session begun, where a customer has "
        f"{PAGE_TRAFFIC.sessions_of_a_customer:.0f} items; at twice as many items at about half of that.",
    )


def _capacity() -> str:
    """Compare capacity bought by the hour with units by request, and price throughput made warm."""
    by_request = our_bill(PAGE_TRAFFIC).register_dollars
    least = used_to_break_even()
    rows = []
    for used in (0.15, least, 0.5, 0.7):
        provisioned = replace(PAGE_TRAFFIC, billing=BillingMode.PROVISIONED, capacity_used=used)
        sessions = sessions_to_break_even(provisioned)
        cost = our_bill(provisioned).register_dollars
        rows.append([f"{used:.0%}", dollars(by_request), dollars(cost), f"{sessions:,.0f}" if sessions else "never"])
    warm = replace(PAGE_TRAFFIC, warm_write_units=20_000, warm_read_units=60_000)
    return section(
        "Capacity bought by the hour",
        "`BillingMode=PROVISIONED` buys units a second by the hour, used or not; auto scaling aims at 70% use. "
        f"Above {least:.0%} on the month's mean they cost less than units by request. Bought for the busiest hour and "
        f"kept, that is where this hour has less than {0.7 / least:.1f} times the mean; auto scaling, which buys less "
        "at night, brings a day with quiet nights to about half. Dollars a month, register and projections:",
        table(["used", "by request", "provisioned", "costs less above, sessions a day"], rows, texts=0),
        f"Below these numbers the {SCALING_ALARMS} alarms that auto scaling makes cost more than it saves. What "
        "`MaxWriteCapacity` and `MaxReadCapacity` do not bear is throttled, and tried again: they are the first limit "
        f"then. A session takes {PAGE_TRAFFIC.events_a_session:.2f} write units of each: the sessions table, its index "
        "and the projections table. Which to choose, and how: [deploying.md](deploying.md#capacity-of-the-tables).",
        f"Warm throughput is paid for once, for what exceeds the {WARM_WRITE_UNITS:,.0f} writes and "
        f"{WARM_READ_UNITS:,.0f} reads a second that a new table has: `WarmWriteUnits={warm.warm_write_units:.0f}` and "
        f"`WarmReadUnits={warm.warm_read_units:.0f}`, for two tables and the index, {dollars(warm_dollars(warm))}. It "
        "costs nothing to let the traffic grow to twice its last peak every half an hour. This price could not be "
        "verified.",
    )


def _sources() -> str:
    limits = {name.lower().replace("_", " "): quota for name, quota in vars(quotas).items() if isinstance(quota, Quota)}
    return section(
        "Where the numbers stand",
        f"Prices, looked up on {prices.AS_OF}. AWS's pages fill in their numbers by script: each price was compared "
        "with what the last column says.",
        table(
            ["price", "of", "page", "compared with"],
            [
                [f"${price.dollars:.10f}".rstrip("0").rstrip("."), price.unit, price.source, price.evidence]
                for price in prices.ALL.values()
            ],
            texts=4,
        ),
        "Quotas, looked up on the same day:",
        table(
            ["quota", "default", "can be raised", "page"],
            [
                [name, f"{quota.value:,.0f}", "yes" if quota.adjustable else "no", quota.source]
                for name, quota in limits.items()
            ],
            texts=4,
        ),
    )
