"""`sessionctl erase`."""

# ruff: noqa: PLC0415 (what erases and boto3 take a second to import)

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.sessionctl.erase_archive import Asked, erase_in_archive, keep, print_line
from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.options import AsJson, DryRun, Yes
from ops.sessionctl.progress import Stages, stages
from ops.sessionctl.screen import confirm, counted, say, show_json
from ops.sessionctl.stack_options import about_a_stack
from ops.sessionctl.stacks import Stack, Where, open_stack

if TYPE_CHECKING:
    from ops.erasure.receipts import Preview, Receipt

_NOUNS = {
    "session_deleted": "session",
    "child_session_deleted": "child session",
    "revocation_deleted": "revocation",
    "start_raised": "session",
    "revocation_cut": "revocation",
}
_EFFECTS = {
    "start_raised": "{} from the erasure on",
    "revocation_cut": "the older half of {}",
}
"""What has another effect than to be deleted."""

_PLACES_OF = {"archive": "ArchiveBucketName", "expiry agenda": "ExpiryAgendaTableName"}
"""Places that only some stacks have, by the output that names them."""


@about_a_stack
def erase(
    customer_id: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id.")],
    *,
    scan: Annotated[
        bool,
        typer.Option("--scan", help="Also scan the whole register, for child sessions whose parent is not there."),
    ] = False,
    archive: Annotated[
        bool,
        typer.Option(
            "--archive", help="An hour after the erasure: rewrite the archive's objects without the customer."
        ),
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    receipt: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the receipt to a file: it names the customer by a hash.")
    ] = None,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Erase a customer: what is stored up to now is deleted, and no late event brings it back.

    It takes four minutes. The receipt says what was deleted, and what goes later and when. The archive is rewritten an
    hour later, by the same command with --archive.

    Examples:
      sessionctl erase customer-1001 --dry-run
      sessionctl erase customer-1001 --receipt receipt.json
      sessionctl erase customer-1001 --archive
    """
    asked = Asked(customer_id, where, dry_run, yes, as_json, receipt)
    _check_receipt(receipt)
    with open_stack(where) as stack:
        if archive:
            erase_in_archive(asked, stack)
        else:
            _erase_in_tables(asked, stack, with_scan=scan)


def _check_receipt(path: Path | None) -> None:
    """Refuse a receipt that could not be written, before anything is erased.

    Raises:
        CannotRunError: Its folder is not there.
    """
    if path is not None and not path.absolute().parent.is_dir():
        raise CannotRunError(f"the receipt cannot be written to {path}: there is no folder {path.absolute().parent}")


def _erase_in_tables(asked: Asked, stack: Stack, *, with_scan: bool) -> None:
    from ops.erasure.erasing import Erasure
    from processors.runtime import clock

    sessions, projections = stack.tables(stack.settings())
    started: list[str] = []

    def interrupted(_shown: Stages) -> str:
        if not started:
            return "nothing was changed."
        return (
            "the customer is on the list of erased customers, so nothing comes back, but not everything is deleted. "
            f"Run it again: {asked.command('--yes', *(['--scan'] if with_scan else []))}"
        )

    with stages(interrupted) as shown:
        erasure = Erasure(
            sessions, projections, clock=clock.utc_now, sleep=_counting(shown, time.sleep), with_scan=with_scan
        )
        preview = erasure.preview(asked.customer_id)
        if asked.dry_run:
            _show_preview(asked, preview)
            return
        _say_preview(asked.customer_id, preview, stack)
        confirm(f"Erase customer {asked.customer_id}?", yes=asked.yes)
        started.append(asked.customer_id)
        done = erasure.erase(asked.customer_id)
    document = _receipt_document(done, stack)
    keep(asked, document)
    if asked.as_json:
        show_json(document)
        return
    print_line(f"Erased customer {asked.customer_id} up to {document['erased_at']}: {_in_words(document['items'])}.")
    print_line("The projection is deleted." if done.is_projection_deleted else "The projection is made anew.")
    print_line("What goes later:")
    for remainder in document["later"]:
        until = f"gone by {remainder['until']}" if remainder["until"] else "not of itself"
        print_line(f"    {remainder['place']}: {until}; {remainder['note']}")
    if "ArchiveBucketName" in stack.outputs:
        print_line(f"For the archive, an hour from now: {asked.command('--archive')}")


def _counting(shown: Stages, sleep: Callable[[float], object]) -> Callable[[float], None]:
    """Return what waits second by second, and shows how many have passed."""
    from ops.erasure.erasing import INDEX_LAG, OLD_LISTS_GONE

    total = int((OLD_LISTS_GONE + INDEX_LAG).total_seconds())
    waited = 0

    def wait(seconds: float) -> None:
        nonlocal waited
        for _ in range(int(seconds)):
            sleep(1)
            waited += 1
            shown("seconds waited", waited, total)

    return wait


def _say_preview(customer_id: str, preview: "Preview", stack: Stack) -> None:
    items = {effect.value: count for effect, count in preview.items.items()}
    say(f"Customer {customer_id} of {stack.name}: {_in_words(items)}{', and the projection' * preview.has_projection}.")
    if not items and not preview.has_projection:
        say("Nothing is stored, as far as projection and index name it: late events will be ignored all the same.")


def _show_preview(asked: Asked, preview: "Preview") -> None:
    from schemas.times import format_rfc3339

    items = {effect.value: count for effect, count in preview.items.items()}
    document = {
        "dry_run": True,
        "erased_at": format_rfc3339(preview.erased_at),
        "items": items,
        "has_projection": preview.has_projection,
    }
    if asked.as_json:
        show_json(document)
        return
    print_line(
        f"Would erase customer {asked.customer_id} up to {document['erased_at']}: {_in_words(items)}"
        f"{', and the projection' * preview.has_projection}. Nothing was changed."
    )


def _in_words(items: dict[str, int]) -> str:
    words = [_EFFECTS.get(effect, "{}").format(counted(count, _NOUNS[effect])) for effect, count in items.items()]
    return ", ".join(words) or "nothing"


def _receipt_document(receipt: "Receipt", stack: Stack) -> dict[str, Any]:
    from ops.erasure.receipts import receipt_document

    absent = {place for place, output in _PLACES_OF.items() if output not in stack.outputs}
    return receipt_document(receipt, stack=stack.name, without=absent)
