"""The report's section on an index of keys alone."""

from __future__ import annotations

from dataclasses import replace

from ops.benchmark.bills import MIXED_DAY
from ops.benchmark.markdown import section, table
from ops.benchmark.pipelines import OURS
from ops.benchmark.results import Results
from ops.costs.bill import lists_to_break_even, our_bill
from ops.costs.tables import dollars
from ops.costs.traffic import IndexProjection


def render_keys_only(results: Results) -> str:
    """Compare `InverseIndexProjection=KEYS_ONLY` with `ALL`; empty where it was not measured."""
    if not results.keys_only:
        return ""
    rows = []
    for small in results.keys_only:
        usual = results.workload(small.workload)
        pairs = (("consumer", usual.consumers, small.consumers), ("projector", usual.projectors, small.projectors))
        for role, of_all, of_keys in pairs:
            one, other = of_all[OURS], of_keys[OURS]
            units = [one.write_units, other.write_units, one.read_units, other.read_units]
            rows.append([small.workload, role, *(f"{value:.2f}" for value in units)])
    bills = [our_bill(replace(MIXED_DAY, projection=projection)) for projection in IndexProjection]
    sums = [dollars(bill.per_million_sessions(bill.register_dollars)) for bill in bills]
    return section(
        "An index of keys alone",
        "`InverseIndexProjection=KEYS_ONLY`, per event and stream record. Refreshes and logouts do not write the "
        "index; a list of a customer's sessions reads each of them from the table instead.",
        table(["events", "", "write units, ALL", "KEYS_ONLY", "read units, ALL", "KEYS_ONLY"], rows),
        f"A million sessions of the mixed day: {sums[0]} with `ALL`, {sums[1]} with `KEYS_ONLY`. They cost the same at "
        f"{lists_to_break_even(MIXED_DAY):.2f} lists of a customer's sessions per session begun, at "
        f"{MIXED_DAY.sessions_of_a_customer:.0f} items a customer ([limits.md](limits.md)).",
    )
