"""The report of the demo's day: what an analyst sees of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from ops.analytics.comparing import Projections, compare
from ops.analytics.fetching import Copy
from ops.analytics.page import write_page
from ops.analytics.reading import Range
from ops.analytics.report import PAGE, Plan, make_report
from ops.local_aws.stack import LocalStack

DAY = timedelta(hours=25)
"""The samples happened in the hour before the day's end, the day began 24 hours before it."""


def report_day(console: Console, stack: LocalStack, folder: Path) -> bool:
    """Write the report of the last day, and say where it is and whether it is right.

    Customers are shown as they are: they are invented.

    Args:
        console: Where it is said.
        stack: The stack, settled.
        folder: What the report is written into.

    Returns:
        Whether the archive agrees with the projections, and the pictures with one another.

    Raises:
        ClientError: S3 or DynamoDB refused.
        OSError: The folder cannot be written.
    """
    document = _make(stack, folder, now=datetime.now(UTC))
    comparison = document["comparison"]
    for one in comparison["differences"]:
        console.print(f"[red]differs:[/] {one}", soft_wrap=True)
    for one in document["sums"]:
        if not one["is_equal"]:
            console.print(f"[red]the pictures differ:[/] {one}", soft_wrap=True)
    console.print(
        f"The report of the day, made of the archive of {document['counts']['events']:,} life-cycle events: "
        f"{comparison['live_sessions']:,} live sessions of {comparison['customers']:,} customers agree with the "
        f"projections, {len(comparison['differences'])} differ."
    )
    console.print(f"  {(folder / PAGE).resolve()}\n", soft_wrap=True)
    return bool(document["is_right"])


def _make(stack: LocalStack, folder: Path, *, now: datetime) -> dict[str, Any]:
    outputs = stack.outputs
    projections = Projections(stack.client("dynamodb"), outputs["SessionsTableName"], outputs["ProjectionsTableName"])
    with TemporaryDirectory() as fetched:
        copy = Copy(stack.client("s3"), outputs["ArchiveBucketName"], Path(fetched))
        objects, missing = copy.missing()
        copy.fetch(missing, lambda _: None)
        plan = Plan(
            copy.files(objects),
            Range(now - DAY, now),
            folder,
            None,
            now,
            compare=lambda reading: compare(reading, projections, str),
            write_page=write_page,
        )
        return make_report(plan)
