"""What the box at the top of the page says: whether the report is right."""

from collections.abc import Sequence
from dataclasses import dataclass

from ops.analytics.page import wording
from ops.analytics.page.sections import Table
from ops.analytics.proof import Comparison, Difference, Proof, Sum

SHOWN = 100
"""Rows at most of what differs, and of what is in flight; report.json has all."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the box says.

    Attributes:
        kind: `right`, `wrong` or `unknown`.
        title: The verdict.
        text: What it rests on.
        tables: What differs, and what is in flight.
        sums: The sums of the pictures.
        sums_text: Whether they are equal.
    """

    kind: str
    title: str
    text: str
    tables: Sequence[Table]
    sums: Table
    sums_text: str

    @property
    def mark(self) -> str:
        """A sign beside the title."""
        return {"right": "✓", "wrong": "✗"}.get(self.kind, "○")


def verdict_of(proof: Proof) -> Verdict:
    """Say what a proof shows."""
    unequal = [found for found in proof.sums if not found.is_equal]
    sums_text = (
        f"differ: {', '.join(found.name for found in unequal)}" if unequal else f"all {len(proof.sums)} are equal"
    )
    sums = _sums(proof.sums)
    if proof.comparison is None:
        text = "A folder alone: there are no projections to compare the archive with."
        title = "Nothing to compare with"
        return Verdict(
            "wrong" if unequal else "unknown", "The pictures differ" if unequal else title, text, [], sums, sums_text
        )
    text, tables = _compared(proof.comparison)
    if proof.is_right:
        return Verdict("right", "The archive agrees with the projections", text, tables, sums, sums_text)
    title = "The archive differs from the projections" if proof.comparison.differences else "The pictures differ"
    return Verdict("wrong", title, text, tables, sums, sums_text)


def _compared(comparison: Comparison) -> tuple[str, list[Table]]:
    text = (
        f"Compared at {wording.moment(comparison.at)} UTC, customer by customer: "
        f"{wording.plural(comparison.customers, 'customer')} with live sessions, "
        f"{wording.plural(comparison.live_sessions, 'session')} live for both (children go with their parents); "
        f"{wording.plural(len(comparison.differences), 'difference')}, {len(comparison.in_flight)} in flight."
    )
    tables = [
        _differences(caption, found)
        for caption, found in (("Differs", comparison.differences), ("In flight", comparison.in_flight))
        if found
    ]
    return text, tables


def _differences(caption: str, found: Sequence[Difference]) -> Table:
    more = f": the first {SHOWN} of {len(found):,}; report.json has all" if len(found) > SHOWN else ""
    rows = [[one.customer_id, one.session_id, one.archive, one.projection, one.why] for one in found[:SHOWN]]
    return Table(f"{caption}{more}", ["Customer", "Session", "Archive", "Projection", "Why"], rows, texts=5)


def _sums(sums: Sequence[Sum]) -> Table:
    return Table(
        "What several pictures show, as each counts it",
        ["Fact", "By", "Value"],
        [[found.name, by, wording.count(value)] for found in sums for by, value in found.values.items()],
        texts=2,
    )
