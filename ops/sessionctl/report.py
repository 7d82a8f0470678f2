"""`sessionctl report`."""

# ruff: noqa: PLC0415 (DuckDB is slow to import; options are parameters)

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.sessionctl.archives import (
    From,
    Identify,
    KeyFile,
    Since,
    Source,
    Until,
    key_of,
    need_duckdb,
    open_archive,
    range_of,
    utc_now,
)
from ops.sessionctl.options import AsJson
from ops.sessionctl.screen import progress, say, show_json
from ops.sessionctl.stack_options import about_a_stack
from ops.sessionctl.stacks import Where

if TYPE_CHECKING:
    from ops.analytics.proof import Comparison
    from ops.analytics.reading import Reading

DEFAULT_OUT = Path("session-report")
_NAMED = 20


@about_a_stack
def report(
    *,
    since: Since = None,
    until: Until = None,
    source: From = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to write.")] = DEFAULT_OUT,
    identify: Identify = False,
    key_file: KeyFile = None,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Turn the archive of session events into a page, Parquet and JSON, and prove the numbers.

    Writes report.html, sessions.parquet, transitions.parquet and report.json. Live sessions are compared with the
    projections, customer by customer: exit code 1 where they differ, and no change on its way explains it. Customers,
    addresses and devices are pseudonyms, made with the key in DIR.key.

    Examples:
      sessionctl report
      sessionctl report --since 30d --stack-name session-events
      sessionctl report --from archive --out june --since 2026-06-01 --until 2026-07-01
    """
    need_duckdb()
    from ops.analytics.page import write_page
    from ops.analytics.report import Plan, make_report

    now = utc_now()
    shown = range_of(since, until, now)
    key = key_of(identify, key_file, out.with_name(f"{out.name}.key"), make=True)
    with open_archive(where, source) as archive:
        plan = Plan(
            archive.files,
            shown,
            out,
            key,
            now,
            found=archive.found,
            compare=partial(_compare, archive, key) if archive.stack else None,
            write_page=write_page,
        )
        with progress("Reading (bytes)", sum(file.size for file in archive.files)) as steps:
            document = make_report(plan, steps.advance)
    if as_json:
        show_json(document)
    else:
        _show(document, archive.name, out)
    _warn(document)
    if not document["is_right"]:
        raise typer.Exit(1)


def _compare(archive: Source, key: bytes | None, reading: "Reading") -> "Comparison":
    from ops.analytics.comparing import Projections, compare
    from ops.analytics.pseudonyms import pseudonym

    stack = archive.stack
    if stack is None:
        raise TypeError("without a stack there is nothing to compare")
    outputs = stack.outputs
    projections = Projections(stack.client("dynamodb"), outputs["SessionsTableName"], outputs["ProjectionsTableName"])
    return compare(reading, projections, (lambda customer_id: customer_id) if key is None else partial(pseudonym, key))


def _show(document: dict[str, Any], name: str, out: Path) -> None:
    counts, comparison = document["counts"], document["comparison"]
    since = document["since"] or "the beginning"
    typer.echo(
        f"Sessions live from {since} to {document['until']}: {counts['sessions']:,}, of {counts['events']:,} events "
        f"in {name}"
    )
    if comparison is None:
        typer.echo("Of a folder alone there is nothing to compare with; the sums of the pictures are compared.")
    elif not comparison["differences"]:
        typer.echo(
            f"Compared with the projections of {comparison['customers']:,} customers: "
            f"{comparison['live_sessions']:,} live sessions agree, {len(comparison['in_flight']):,} are in flight, "
            "none differs."
        )
    for file in sorted(path for path in out.iterdir() if path.suffix in (".html", ".parquet", ".json")):
        typer.echo(f"  {file}")


def _warn(document: dict[str, Any]) -> None:
    for problem in document["problems"]:
        kind, examples = problem["kind"].capitalize(), "; ".join(problem["examples"][:3])
        say(f"{kind} ({problem['count']:,}): {examples}. {problem['advice']}")
    for one in document["sums"]:
        if not one["is_equal"]:
            values = ", ".join(f"{picture} {number:,}" for picture, number in one["values"].items())
            say(f"The number of {one['name']} differs: {values}. This is a defect of the report.")
    differences = (document["comparison"] or {}).get("differences", [])
    for one in differences[:_NAMED]:
        say(
            f"customer {one['customer_id']}, session {one['session_id']}: {one['archive']} for the archive, "
            f"{one['projection']} for the projection; {one['why']}"
        )
    if differences:
        say(
            f"Sessions that differ: {len(differences):,}, all in report.json. Where the projection is wrong, see "
            "`sessionctl verify`; where the archive lacks events, for example because it is younger than the sessions, "
            "run `sessionctl rebuild register`."
        )
