"""The report of an archive: Parquet, a page, and a document that says whether the numbers are right."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ops.analytics.loading import ArchiveFile
from ops.analytics.problems import Found
from ops.analytics.proof import Comparison, Proof, Sum
from ops.analytics.reading import SESSIONS, TRANSITIONS, Archive, Range, Reading, reading, tables
from ops.analytics.sql import query
from schemas.times import format_rfc3339

PAGE, DOCUMENT = "report.html", "report.json"

FILES = (PAGE, SESSIONS, TRANSITIONS, DOCUMENT)
"""What a report consists of."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a report is to be.

    Attributes:
        files: The archive.
        shown: The range of time.
        out: The folder to write it to.
        key: What pseudonyms are made with; None: customers, addresses and devices are shown.
        now: The time, aware UTC.
        found: What was found wrong with the files already.
        compare: Compares the archive with the projections; None: there are none.
        write_page: Writes the page, and returns the sums of its pictures.
    """

    files: Sequence[ArchiveFile]
    shown: Range
    out: Path
    key: bytes | None
    now: datetime
    found: Sequence[Found] = ()
    compare: Callable[[Reading], Comparison] | None = None
    write_page: Callable[[Archive, Proof, Path], tuple[Sum, ...]] | None = None


def make_report(plan: Plan, advance: Callable[[int], object] = lambda _: None) -> dict[str, Any]:
    """Write a report.

    Args:
        plan: What it is to be.
        advance: Told how many bytes of the archive were read just now.

    Returns:
        What `report.json` holds.

    Raises:
        OSError: The folder cannot be written.
    """
    plan.out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=plan.out, prefix=".report-") as folder:
        document = _write(plan, Path(folder), advance)
        for name in FILES:
            if (Path(folder) / name).exists():
                (Path(folder) / name).replace(plan.out / name)
    return document


def _write(plan: Plan, folder: Path, advance: Callable[[int], object]) -> dict[str, Any]:
    """Write the files of a report where nobody reads them yet, so that none is ever half of two reports."""
    with reading(plan.files, folder, found=plan.found, advance=advance) as archive:
        problems = archive.write(plan.shown, folder, key=plan.key, now=plan.now)
        proof = Proof(plan.compare(archive) if plan.compare else None)
    with tables(folder, plan.shown, problems, archive.counts, work=folder) as opened:
        proof = proof.with_sums(sums_of(opened))
        if plan.write_page is not None:
            proof = proof.with_sums(plan.write_page(opened, proof, folder / PAGE))
        document = document_of(opened, proof, plan)
    (folder / DOCUMENT).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return document


def sums_of(archive: Archive) -> tuple[Sum, ...]:
    """Count the same things in several ways."""
    sums: dict[str, dict[str, int]] = {}
    for name, picture, number in archive.connection.execute(query("sums")).fetchall():
        sums.setdefault(name, {})[picture] = int(number)
    sums["events"]["distinct ids of the lines"] = archive.counts["ids"]
    return tuple(Sum(name, values) for name, values in sums.items())


def document_of(archive: Archive, proof: Proof, plan: Plan) -> dict[str, Any]:
    """Write a report for programs."""
    shown, comparison = archive.range, proof.comparison
    return {
        "made_at": format_rfc3339(plan.now),
        "since": None if shown.since is None else format_rfc3339(shown.since),
        "until": format_rfc3339(shown.until),
        "is_identified": plan.key is None,
        "is_right": proof.is_right,
        "counts": dict(archive.counts),
        "problems": [
            {
                "kind": problem.kind.value,
                "count": problem.count,
                "examples": list(problem.examples),
                "advice": problem.advice,
            }
            for problem in archive.problems
        ],
        "comparison": comparison and (asdict(comparison) | {"at": format_rfc3339(comparison.at)}),
        "sums": [{"name": one.name, "is_equal": one.is_equal, "values": dict(one.values)} for one in proof.sums],
    }
