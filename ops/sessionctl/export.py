"""`sessionctl export`."""

# ruff: noqa: PLC0415 (what exports and boto3 take a second to import)

from pathlib import Path
from typing import Annotated

import typer

from ops.sessionctl.erase_archive import archive_of
from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.screen import say, show_json
from ops.sessionctl.stack_options import about_a_stack
from ops.sessionctl.stacks import Where, open_stack

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")


@app.callback()
def export() -> None:
    """Give a person what is stored about them."""


@app.command()
@about_a_stack
def customer(
    customer_id: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id.")],
    *,
    archive: Annotated[
        bool, typer.Option("--archive", help="The archived life-cycle events as well: reads the whole archive.")
    ] = False,
    scan: Annotated[
        bool,
        typer.Option("--scan", help="Also scan the whole register, for child sessions whose parent is not there."),
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it to a file, for this user alone.")] = None,
    where: Where,
) -> None:
    """Export everything that is stored of a customer, as one JSON document.

    Sessions, child sessions, revocation and projection are shown as they are stored, with what other writers keep in
    them. Exit code 1 where nothing is stored.

    Examples:
      sessionctl export customer customer-1001
      sessionctl export customer customer-1001 --archive --out customer-1001.json
    """
    from ops.erasure.exporting import export as read_all
    from ops.erasure.exporting import is_empty
    from ops.verification.certificate import write_document
    from processors.runtime import clock

    with open_stack(where) as stack:
        sessions, projections = stack.tables(stack.settings())
        store = archive_of(stack) if archive else None
        document = read_all(customer_id, sessions, projections, now=clock.utc_now(), archive=store, with_scan=scan)
    if out is None:
        show_json(document)
    else:
        try:
            write_document(out, document)
        except OSError as error:
            raise CannotRunError(f"the export cannot be written to {out}: {error.strerror}") from error
        say(f"Everything that is stored of customer {customer_id} is in {out}.")
    for key, problem in document.get("unreadable_objects", {}).items():
        say(f"{key} of the archive could not be read: {problem}")
    if is_empty(document):
        say(f"Nothing is stored of customer {customer_id}.")
        raise typer.Exit(1)
