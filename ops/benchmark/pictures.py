"""The charts of the report."""

from __future__ import annotations

from ops.benchmark.charts import bar_chart
from ops.benchmark.measuring import Comparison
from ops.benchmark.pipelines import BARE, OURS, TEXTBOOK
from ops.benchmark.prices import cost_of_a_million_sessions
from ops.benchmark.results import USUAL_SIZE, Results


def all_sizes(results: Results) -> list[Comparison]:
    """Return the comparisons of logins by size of batch, the usual size among them."""
    return sorted([results.workload("logins"), *results.sizes], key=lambda comparison: comparison.size)


def charts_of(results: Results) -> dict[str, str]:
    """Draw the charts: SVG by name."""
    mixed = results.workload("mixed day")
    costs = {
        name: cost_of_a_million_sessions(mixed.consumers[name], mixed.projectors[name], size=mixed.size)
        for name in (OURS, TEXTBOOK)
    }
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
            "Dollars per million sessions, mixed day",
            {
                "write units": {name: cost.writes for name, cost in costs.items()},
                "read units": {name: cost.reads for name, cost in costs.items()},
                "Lambda": {name: cost.compute for name, cost in costs.items()},
                "total": {name: cost.total for name, cost in costs.items()},
            },
            unit="$",
        ),
    }


def _in_order(values: dict[str, float]) -> dict[str, float]:
    return {name: values[name] for name in (OURS, TEXTBOOK, BARE) if name in values}
