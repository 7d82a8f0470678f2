"""`sessionctl verify`, and `sessionctl repair`, which mends what it finds."""

# ruff: noqa: PLC0415 (what compares and boto3 take a second to import)

import re
import shlex
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.sessionctl.durations import parse_duration
from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.options import AsJson, DryRun
from ops.sessionctl.progress import stages
from ops.sessionctl.screen import answers, command_line, counted, say, show_json
from ops.sessionctl.stack_options import about_a_stack
from ops.sessionctl.stacks import Stack, Where, open_stack

if TYPE_CHECKING:
    from ops.sessionctl.progress import Stages
    from ops.verification.comparing import Mismatch
    from ops.verification.repairing import Repair
    from ops.verification.verifying import Verification, Verifier

_SHOWN = 20
"""Most projections that are named on the screen."""

CustomerChoice = Annotated[str | None, typer.Option("--customer", metavar="ID", help="This customer's alone.")]
Sample = Annotated[
    str | None, typer.Option(metavar="1%", help="A part of the customers, at random: it reads, and costs, that part.")
]
Wait = Annotated[str, typer.Option(metavar="10s", help="How long a change may be under way before it counts: 10s, 5m.")]


@about_a_stack
def verify(
    *,
    customer: CustomerChoice = None,
    sample: Sample = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what was compared, and the result, to a JSON file.")
    ] = None,
    wait: Wait = "10s",
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Compare every projection with a recount of the sessions.

    It reads both tables whole, strongly consistent, which costs read units. What differs is looked at again, so that
    events that come in meanwhile are told from errors. Exit code 1 where a projection is wrong.

    Examples:
      sessionctl verify
      sessionctl verify --stack-name session-events --sample 1% --certificate verified.json
      sessionctl verify --customer customer-1001
    """
    share, patience = _share(customer, sample), _duration(wait)
    with open_stack(where) as stack, stages(lambda _shown: "nothing was changed.") as shown:
        result = _verify(_verifier(stack, patience, shown), customer, share)
        if certificate is not None:
            _certify(result, stack, certificate)
    _show(result, stack, where, as_json=as_json)
    if certificate is not None:
        say(f"The certificate is in {certificate}.")
    if not result.is_clean:
        raise typer.Exit(1)


@about_a_stack
def repair(
    *,
    customer: CustomerChoice = None,
    sample: Sample = None,
    dry_run: DryRun = False,
    wait: Wait = "10s",
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Verify, mend each projection that is wrong, and verify those again.

    A projection is made anew from the register while the system runs; logouts that policies decide are sent. Exit code
    1 where something is still wrong.

    Examples:
      sessionctl repair --customer customer-1001
      sessionctl repair --dry-run
    """
    share, patience = _share(customer, sample), _duration(wait)
    with open_stack(where) as stack, stages(_interrupted) as shown:
        verifier = _verifier(stack, patience, shown)
        result = _verify(verifier, customer, share)
        report = None
        if not dry_run:
            report, result = _repair(result, stack, verifier, shown)
    if as_json:
        show_json(_repair_document(result, report))
    else:
        _say_repaired(result, report, stack, where)
    if report is not None and (report.failed or not result.is_clean):
        raise typer.Exit(1)


def _interrupted(shown: "Stages") -> str:
    mended = shown.counts.get("customers mended", 0)
    return f"{mended:,} projections were mended; run it again for the others, which is safe."


def _share(customer: str | None, sample: str | None) -> float | None:
    """Read a share like 1%.

    Raises:
        BadParameter: It is not one, or a customer is named as well.
    """
    if sample is None:
        return None
    if customer is not None:
        raise typer.BadParameter("leave one of --customer and --sample out", param_hint="--sample")
    found = re.fullmatch(r"(\d{1,2}(?:\.\d{1,4})?)%", sample, re.ASCII)
    if found is None or not 0 < float(found[1]) < 100:
        raise typer.BadParameter(f"{sample!r} is not a share like 1% or 0.1%", param_hint="--sample")
    return float(found[1]) / 100


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}", param_hint="--wait") from error


def _verifier(stack: Stack, wait: timedelta, shown: "Stages") -> "Verifier":
    from ops.verification.verifying import Verifier

    settings = stack.settings()
    sessions, projections = stack.tables(settings)
    return Verifier(
        sessions,
        projections,
        wait=wait,
        concurrency=8 if settings.batch_statements else 1,
        on_progress=shown,
    )


def _verify(verifier: "Verifier", customer: str | None, share: float | None) -> "Verification":
    if customer is not None:
        return verifier.verify_customers([customer])
    return verifier.verify_all() if share is None else verifier.verify_sample(share)


def _certify(result: "Verification", stack: Stack, path: Path) -> None:
    from ops.verification.certificate import certificate, write_document

    document = certificate(
        result,
        sessions_table=stack.outputs["SessionsTableName"],
        projections_table=stack.outputs["ProjectionsTableName"],
        stack=stack.name,
    )
    try:
        write_document(path, document)
    except OSError as error:
        raise CannotRunError(f"the certificate cannot be written to {path}: {error.strerror}") from error


def _repair(
    result: "Verification", stack: Stack, verifier: "Verifier", shown: "Stages"
) -> "tuple[Repair, Verification]":
    from ops.verification.repairing import repair as mend

    sessions, projections = stack.tables(stack.settings())
    report = mend(result.mismatches, sessions, projections, stack.command_sender(), on_progress=shown)
    return report, verifier.verify_customers(report.customers) if report.customers else result


def _show(result: "Verification", stack: Stack, where: Where, *, as_json: bool) -> None:
    from ops.verification.certificate import verification_document

    if as_json:
        show_json(verification_document(result))
        return
    _say_summary(result, stack)
    for problem in result.unreadable[:_SHOWN]:
        _print(f"cannot be read: {problem}", style="red")
    by_customer = {mismatch.customer_id: mismatch for mismatch in result.mismatches}
    for mismatch in result.mismatches[:_SHOWN]:
        _print_mismatch(mismatch, where)
    if result.is_clean:
        _print("Every projection agrees with the session items.", style="green")
        return
    if len(result.mismatches) > _SHOWN:
        _print(f"... and {len(result.mismatches) - _SHOWN:,} more; --json lists all of them.")
    if len(by_customer) > 1:
        _print(f"Mend all {len(by_customer):,}: {_command(where, 'repair')}")
    if result.not_named:
        _print(f"{result.not_named:,} more customers differ. Make the table anew: {_command(where, 'rebuild', 'all')}")


def _say_summary(result: "Verification", stack: Stack) -> None:
    what = {"all": "", "customer": ""}.get(result.scope, f" ({result.scope})")
    _print(
        f"Verified {counted(result.customers, 'customer')} of {stack.name}{what}: "
        f"{counted(result.session_items, 'session item')}, {counted(result.live_sessions, 'live session')}."
    )
    if result.settled:
        _print(f"{result.settled:,} differed at first and agreed seconds later: their events were in flight.")
    if result.inexact:
        _print(f'{result.inexact:,} projections say "at least": their customers have more sessions than are kept.')


def _print_mismatch(mismatch: "Mismatch", where: Where) -> None:
    from ops.verification.comparing import Kind

    _print(f"{mismatch.customer_id}  {mismatch.kind.value}: {mismatch.problem}", style="red")
    _print(f"    session items: {mismatch.items}")
    _print(f"    projection: {mismatch.projection}")
    if mismatch.kind is Kind.IN_FLIGHT:
        _print(
            f"    changed a moment ago. Verify again: {_command(where, 'verify', '--customer', mismatch.customer_id)}"
        )
    else:
        _print(f"    mend it: {_command(where, 'repair', '--customer', mismatch.customer_id)}")


def _say_repaired(result: "Verification", report: "Repair | None", stack: Stack, where: Where) -> None:
    if report is None:
        _show(result, stack, where, as_json=False)
        _print("Nothing was changed.")
        return
    for customer_id, problem in report.failed.items():
        _print(f"{customer_id} could not be mended: {problem}", style="red")
    if not report.customers:
        _show(result, stack, where, as_json=False)
        return
    _print(f"Mended the projections of {counted(len(report.rebuilt), 'customer')}, and verified again.")
    _show(result, stack, where, as_json=False)


def _repair_document(result: "Verification", report: "Repair | None") -> dict[str, Any]:
    from ops.verification.certificate import verification_document
    from ops.verification.repairing import to_mend

    verified = verification_document(result)
    if report is None:
        return {"dry_run": True, "would_mend": sorted(to_mend(result.mismatches)), "verification": verified}
    return {
        "dry_run": False,
        "rebuilt": report.rebuilt,
        "touched": report.touched,
        "failed": report.failed,
        "verification": verified,
    }


def _command(where: Where, *arguments: str) -> str:
    return command_line(*map(shlex.quote, arguments), *where.options())


def _print(line: str, style: str = "") -> None:
    """Write a line that is never wrapped: a terminal folds it, and what it is piped into gets it whole."""
    answers().print(line, style=style or None, markup=False, soft_wrap=True)
