"""The page of the report: pictures, their numbers, and the SQL that made them, in one file that needs no network."""

from datetime import UTC, datetime
from pathlib import Path

from ops.analytics.page.figures import read_figures
from ops.analytics.page.render import render
from ops.analytics.page.sums import sums_of
from ops.analytics.page.verdict import verdict_of
from ops.analytics.proof import Proof, Sum
from ops.analytics.reading import Archive


def write_page(archive: Archive, proof: Proof, path: Path) -> tuple[Sum, ...]:
    """Write the page of a report.

    Args:
        archive: What it shows. It gets the tables `period`, `customers` and `labelled`.
        proof: The comparison with the projections.
        path: The file.

    Returns:
        The sums of its pictures: facts that several of them show.

    Raises:
        OSError: The file cannot be written.
    """
    figures = read_figures(archive.connection)
    sums = sums_of(figures)
    text = render(figures, verdict_of(proof.with_sums(sums)), archive.problems, made_at=datetime.now(UTC))
    path.write_text(text, encoding="utf-8")
    return sums
