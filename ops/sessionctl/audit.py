"""`sessionctl audit`."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from ops.sessionctl.options import AsJson, Local, Name, Profile, Region, StackName
from ops.sessionctl.screen import answers, say, show_json
from ops.sessionctl.stacks import Where, open_stack
from schemas.times import format_rfc3339

if TYPE_CHECKING:
    from ops.inspection.audit import Audit


def audit_projections(
    *,
    local: Local = False,
    name: Name = None,
    stack_name: StackName = None,
    profile: Profile = None,
    region: Region = None,
    as_json: AsJson = False,
) -> None:
    """Compare every projection with a recount of the sessions.

    Exit code 1 where one is wrong. It reads both tables whole, which costs read units. While events are coming in, a
    mismatch may be a change that is still under way: audit again before you act on it.

    Examples:
      sessionctl audit
      sessionctl audit --stack-name session-events --json
    """
    with open_stack(Where(local, name, stack_name, profile, region)) as stack:
        result = stack.audit()
    if as_json:
        show_json(_document(result))
    else:
        _show(result)
    if not result.is_clean:
        say("Projections and session items differ. If events were coming in, audit again before you act on it.")
        raise typer.Exit(1)


def _document(result: "Audit") -> dict[str, object]:
    return asdict(result) | {"at": format_rfc3339(result.at), "is_clean": result.is_clean}


def _show(result: "Audit") -> None:
    from ops.inspection import tables  # noqa: PLC0415 (slow to import)

    console = answers()
    console.print(tables.audit_table(result))
    if result.mismatches:
        console.print(tables.mismatches_table(result))
    for problem in result.unreadable:
        console.print(f"unreadable: {problem}", style="red", markup=False)
    if result.is_clean:
        console.print("Every projection agrees with the session items.", style="green")
