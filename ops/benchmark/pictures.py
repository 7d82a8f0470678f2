"""The charts of the report."""

from __future__ import annotations

from ops.benchmark.bills import bills_of_mixed_day
from ops.benchmark.charts import bar_chart
from ops.benchmark.measuring import Comparison
from ops.benchmark.pipelines import BARE, OURS, TEXTBOOK
from ops.benchmark.results import USUAL_SIZE, Results
from ops.costs.tables import OURS_BY_BUS, TEXTBOOK_BY_BUS

_COSTS = {
    "write units": ["write units"],
    "read units": ["read units"],
    "functions": ["consumer, time", "consumer, invocations", "projector, time", "projector, invocations"],
    "bus and queue": ["bus, in", "queue requests"],
    "storage": ["storage, tombstones too", "point-in-time recovery"],
}
"""Parts of the bill, by what the chart calls them."""


def all_sizes(results: Results) -> list[Comparison]:
    """Return the comparisons of logins by size of batch, the usual size among them."""
    return sorted([results.workload("logins"), *results.sizes], key=lambda comparison: comparison.size)


def charts_of(results: Results) -> dict[str, str]:
    """Draw the charts: SVG by name."""
    bills = bills_of_mixed_day(results)
    costs = {OURS: bills[OURS_BY_BUS], TEXTBOOK: bills[TEXTBOOK_BY_BUS]}
    return {
        "consumer-cpu": bar_chart(
            f"Consumer: client CPU per event, batches of {USUAL_SIZE}",
            {c.workload: _in_order({n: f.cpu_ms for n, f in c.consumers.items()}) for c in results.workloads},
            unit="ms",
        ),
        "projector-cpu": bar_chart(
            "Projector: client CPU per stream record",
            {
                c.workload: _in_order({n: f.cpu_ms for n, f in c.projectors.items()})
                for c in results.workloads
                if c.projectors
            },
            unit="ms",
        ),
        "batch-size": bar_chart(
            "Consumer: billed time of a batch of logins",
            {f"{c.size:,}": _in_order({n: f.batch_ms for n, f in c.consumers.items()}) for c in all_sizes(results)},
            unit="ms",
            logarithmic=True,
        ),
        "cost": bar_chart(
            "Dollars per million sessions, mixed day, over the bus",
            {
                group: {
                    name: bill.per_million_sessions(
                        sum(line.dollars for line in bill.lines if line.part in parts and not line.is_life_cycle)
                    )
                    for name, bill in costs.items()
                }
                for group, parts in _COSTS.items()
            }
            | {
                "total": {name: bill.per_million_sessions(bill.register_dollars) for name, bill in costs.items()},
            },
            unit="$",
        ),
    }


def _in_order(values: dict[str, float]) -> dict[str, float]:
    return {name: values[name] for name in (OURS, TEXTBOOK, BARE) if name in values}
