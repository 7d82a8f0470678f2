"""The archive's part of `sessionctl erase`, and what both parts share: what was asked for, and the receipt's file."""

# ruff: noqa: PLC0415 (what erases and boto3 take a second to import)

import shlex
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.progress import stages
from ops.sessionctl.screen import answers, command_line, confirm, counted, say, show_json
from ops.sessionctl.stacks import Stack, Where

if TYPE_CHECKING:
    from ops.erasure.archive import Archive, Rewriting
    from processors.session_table import SessionTable


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked for."""

    customer_id: str
    where: Where
    dry_run: bool
    yes: bool
    as_json: bool
    receipt: Path | None

    def command(self, *options: str) -> str:
        """Write the command again, with other options."""
        return command_line("erase", shlex.quote(self.customer_id), *options, *self.where.options())


def erase_in_archive(asked: Asked, stack: Stack) -> None:
    """Rewrite the archive without a customer who was erased an hour ago or earlier.

    Raises:
        CannotRunError: It is too early, the customer was not erased, or the stack has no archive.
        Exit: Objects could not be read or replaced: exit code 1.
    """
    from processors.runtime import clock

    store = archive_of(stack)
    erased_at = _erased_at(asked, stack.tables(stack.settings())[0], clock.utc_now())
    if asked.dry_run:
        problems: dict[str, str] = {}
        lines = sum(1 for _ in store.details_of(asked.customer_id, problems))
        document: dict[str, Any] = {"dry_run": True, "lines": lines, "problems": problems}
        _show_archive(asked, document, f"The archive holds {counted(lines, 'line')} of customer {asked.customer_id}.")
        return
    confirm(f"Rewrite the archive without customer {asked.customer_id}?", yes=asked.yes)
    with stages(lambda shown: f"{shown}; each object is whole. Run it again for the others, which is safe.") as shown:
        done = store.erase(asked.customer_id, erased_at, on_object=lambda count: shown("objects read", count))
    document = _archive_document(done, asked.customer_id, erased_at)
    keep(asked, document)
    text = (
        f"Removed {counted(done.lines, 'line')} of customer {asked.customer_id} from the archive: "
        f"{counted(done.objects, 'object')} read, {done.rewritten:,} rewritten, {done.deleted:,} deleted."
    )
    _show_archive(asked, document, text)
    if done.problems:
        raise typer.Exit(1)


def archive_of(stack: Stack) -> "Archive":
    """Open the archive of a stack.

    Raises:
        CannotRunError: It has none.
    """
    from ops.erasure.archive import Archive

    if "ArchiveBucketName" not in stack.outputs:
        raise CannotRunError(f"{stack.name} has no archive: ArchiveSessionEvents is false")
    return Archive(stack.client("s3"), stack.outputs["ArchiveBucketName"])


def _erased_at(asked: Asked, sessions: "SessionTable", now: datetime) -> datetime:
    from ops.erasure.receipts import ARCHIVE_AFTER
    from schemas.times import format_rfc3339

    erased_at = sessions.erased.current().erased_at_of(asked.customer_id)
    if erased_at is None:
        raise CannotRunError(
            f"customer {asked.customer_id} is not on the list of erased customers: run {asked.command()} first, "
            "and the archive an hour later"
        )
    if now < erased_at + ARCHIVE_AFTER:
        raise CannotRunError(
            f"events may still be on their way to the archive: run it at {format_rfc3339(erased_at + ARCHIVE_AFTER)} "
            "or later"
        )
    return erased_at


def _archive_document(done: "Rewriting", customer_id: str, erased_at: datetime) -> dict[str, Any]:
    from ops.erasure.receipts import FORMAT
    from processors.register.erased_list import hash_of
    from schemas.times import format_rfc3339

    return {
        "receipt": "archive",
        "format": FORMAT,
        "customer_sha256": hash_of(customer_id),
        "erased_at": format_rfc3339(erased_at),
        **asdict(done),
    }


def _show_archive(asked: Asked, document: dict[str, Any], text: str) -> None:
    if asked.as_json:
        show_json(document)
        return
    print_line(text)
    for key, problem in document["problems"].items():
        print_line(f"    {key}: {problem}", style="red")
    if document.get("keeps_versions"):
        print_line("The bucket keeps older versions of what was replaced: delete them (NoncurrentVersionExpiration).")


def keep(asked: Asked, document: dict[str, Any]) -> None:
    """Write the receipt to its file; where that fails it is shown, as it cannot be made again."""
    from ops.verification.certificate import write_document

    if asked.receipt is None:
        return
    try:
        write_document(asked.receipt, document)
    except OSError as error:
        show_json(document)
        raise CannotRunError(
            f"the receipt cannot be written to {asked.receipt} ({error.strerror}): it is on standard output"
        ) from error
    say(f"The receipt is in {asked.receipt}.")


def print_line(line: str, style: str | None = None) -> None:
    """Write a line of the answer, which is never wrapped."""
    answers().print(line, style=style, markup=False, soft_wrap=True)
