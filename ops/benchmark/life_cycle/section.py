"""The report's section on life-cycle events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ops.benchmark import quotas
from ops.benchmark.due import MINUTE_SECONDS
from ops.benchmark.life_cycle.costs import DUE, LIFETIME, LOGINS, LOGOUTS, beside_events
from ops.benchmark.life_cycle.delays import Delays
from ops.benchmark.life_cycle.million import DueAtOnce
from ops.benchmark.life_cycle.results import WINDOW_SECONDS, LifeCycle
from ops.benchmark.markdown import section, table
from ops.benchmark.measuring import Figures
from ops.benchmark.target import Target

TITLE = "Life-cycle events"
SWEEPER_MEMORY_MB = 256
"""Of the template."""

_VCPU_MB = 1769
"""Memory at which a function has one vCPU: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html."""


def render_life_cycle(life_cycle: LifeCycle, targets: Sequence[Target]) -> str:
    """Write the section, with its targets."""
    rows = [[t.name, t.limit, t.measured, "met" if t.is_met else "**missed**"] for t in targets]
    parts = [
        f"Measured on {life_cycle.day}: {life_cycle.machine}.",
        table(["", "target", "measured", ""], rows),
        *_costs(life_cycle),
    ]
    if life_cycle.delays is not None:
        parts += _delays(life_cycle.delays)
    if life_cycle.due_at_once is not None:
        parts += _due_at_once(life_cycle.due_at_once, life_cycle.line_bytes)
    return section(TITLE, *parts)


def _costs(life_cycle: LifeCycle) -> Iterable[str]:
    costs = life_cycle.costs
    rows = []
    for size, published in costs.publisher.items():
        for workload, figures in ((LOGINS, published[LOGINS]), (LOGOUTS, published[LOGOUTS])):
            rows.append([f"{size:,}", f"publisher, {workload}", *_cells(figures)])
        rows.append([f"{size:,}", "sweeper, expiries", *_cells(costs.sweeper[size])])
    [idle] = [sum(sample.counts.operations.values()) for sample in costs.idle.samples[:1]]
    yield (
        "Per session, medians, bus and archive both on: a login is published as started and put on the agenda of "
        "expiries, a logout is published as ended, and an expiry is read from the agenda, checked against the session "
        "and published. Beside the events are the requests that carry none: those of the agenda, and the reading of "
        "sessions again. Write "
        f"units are the agenda's. All logins have one lifetime ({LIFETIME.seconds // 3600} h); a sweep finds {DUE:,} "
        f"expiries, and makes {idle} requests where it finds none."
    )
    header = ["records in a batch", "", "requests", "beside the events", "CPU ms", "write units", "read units"]
    yield table(header, rows)


def _cells(figures: Figures) -> list[str]:
    return [
        f"{figures.requests:.3f}",
        f"{beside_events(figures):.3f}",
        f"{figures.cpu_ms:.3f}",
        f"{figures.write_units:.3f}",
        f"{figures.read_units:.2f}",
    ]


def _delays(delays: Delays) -> Iterable[str]:
    yield "### From expiry to event"
    yield (
        f"On the local stack at the default `ExpiryIntervalSeconds` of 5: {len(delays.seconds):,} sessions that run "
        f"out over {WINDOW_SECONDS} s, from `expires_at` to the message in a queue behind the bus. A slot of five "
        "seconds "
        "is worked on two seconds after its end, by the next sweep of either of two sweepers: 2 to 12 s, and the "
        "sweep's own time."
    )
    header = ["", "earliest", "p50", "p99", "latest"]
    seconds = [delays.seconds[0], delays.percentile(50), delays.percentile(99), delays.seconds[-1]]
    yield table(header, [["seconds", *(f"{value:.1f}" for value in seconds)]], texts=1)


def _due_at_once(due: DueAtOnce, line_bytes: int) -> Iterable[str]:
    cpu_per_second = due.sessions / due.cpu_seconds
    yield f"### {due.sessions:,} sessions that run out in one minute"
    yield (
        f"One sweep, against the stub: {due.cpu_seconds:,.0f} s of CPU, {due.wall_seconds:,.0f} s in all, "
        f"{sum(due.requests.values()):,} requests ({due.requests['PutEvents']:,} of them PutEvents), "
        f"{due.write_units:,.0f} write and {due.read_units:,.0f} read units. Peak of resident memory "
        f"{due.peak_mb:.0f} MB, {due.early_peak_mb:.0f} MB before it; the function has {SWEEPER_MEMORY_MB} MB."
    )
    share = SWEEPER_MEMORY_MB / _VCPU_MB
    yield (
        f"That is {cpu_per_second:,.0f} expiries a second of CPU. At {SWEEPER_MEMORY_MB} MB a function has "
        f"{share:.2f} of a vCPU, and two sweepers overlap: {2 * share * cpu_per_second:,.0f} a second, so that a "
        f"million takes {1_000_000 / (2 * share * cpu_per_second) / 60:,.0f} minutes; with `MemorySize: {_VCPU_MB}` "
        f"it takes {1_000_000 / (2 * cpu_per_second) / 60:,.0f}. No expiry is lost meanwhile; "
        "`expiry_lag_seconds` shows it."
    )
    yield from _quotas(line_bytes)


def _quotas(line_bytes: int) -> Iterable[str]:
    events = 1_000_000 / MINUTE_SECONDS
    stored = events * line_bytes
    too_low = [name for name, value in quotas.PUT_EVENTS_PER_SECOND_BY_REGION.items() if value < events / 10]
    rows = [
        _quota_row("PutEvents, requests/s", events / 10, quotas.PUT_EVENTS_PER_SECOND),
        _quota_row("deliveries of the bus/s, one rule", events, quotas.BUS_DELIVERIES_PER_SECOND),
        _quota_row("deliveries of the bus/s, two rules", 2 * events, quotas.BUS_DELIVERIES_PER_SECOND),
        _quota_row("Firehose, MiB/s (ends or logins)", stored, quotas.FIREHOSE_BYTES_PER_SECOND, unit=1024 * 1024),
    ]
    yield (
        "A million events in a minute, and AWS's default quotas of us-east-1 "
        f"([EventBridge]({quotas.PUT_EVENTS_PER_SECOND.source}), "
        f"[Firehose]({quotas.FIREHOSE_BYTES_PER_SECOND.source})). "
        f"Expiries are not archived, so Firehose is met by a million ends or logins, of {line_bytes} bytes each. "
        f"PutEvents is met in {' and '.join(too_low)}. What PutEvents refuses stays on the agenda; what is more "
        "than the bus delivers a second is delivered later; what Firehose refuses after its retries is set aside under "
        "`archive/` of the failed-batches bucket. All three can be raised."
    )
    yield table(["quota", "needed", "default", ""], rows, texts=1)


def _quota_row(name: str, needed: float, quota: quotas.Quota, *, unit: int = 1) -> list[str]:
    digits = 0 if unit == 1 else 1
    verdict = f"**met, {needed / quota.value:.1f} x**" if needed > quota.value else f"{needed / quota.value:.0%}"
    return [name, f"{needed / unit:,.{digits}f}", f"{quota.value / unit:,.{digits}f}", verdict]
