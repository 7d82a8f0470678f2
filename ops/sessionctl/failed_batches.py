"""`sessionctl failed-batches`."""

# ruff: noqa: PLC0415 (the models and boto3 are slow to import; options are parameters)

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.sessionctl.options import AsJson, DryRun, Form, Output, Yes, form_of
from ops.sessionctl.screen import command_line, confirm, interruptible, progress, say, show_json
from ops.sessionctl.stack_options import about_a_stack
from ops.sessionctl.stacks import Stack, Where, open_stack
from ops.sessionctl.waiting import Filters, Most, matcher_of, show_facts, show_groups

if TYPE_CHECKING:
    from ops.recovery.failed_batches import Listing, StoredBatch
    from ops.recovery.replay import Replayer, Result

app = typer.Typer(
    no_args_is_help=True,
    help="Stream batches and life-cycle events that failed every attempt: see why, and replay them.",
)

_FACTS = ("key", "kind", "function", "reason")
_BUCKET = "FailedBatchesBucketName"
_FUNCTIONS = ("StreamProjectorFunctionName", "SessionPublisherFunctionName")
_LONGEST_RUN_SECONDS = 90
"""Longer than the timeout of any function that reads the stream (template.yaml: 60 s)."""
_SHOWN = 20

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The object's key, as the list shows it.")]


@app.command("list")
@about_a_stack
def list_failed_batches(
    *,
    most: Most = 1_000,
    filters: Filters = None,
    output: Output = Form.TABLE,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """List the objects of the failed-batches bucket, grouped by reason and function.

    Filters are key, kind (records, bus, archive, agenda), function and reason (as Lambda names it). The bucket keeps
    objects for 30 days.

    Examples:
      sessionctl failed-batches list
      sessionctl failed-batches list --filter kind=records -o wide
    """
    from ops.recovery.grouping import Entry

    form = form_of(output, as_json)
    with open_stack(where) as stack:
        listing = _list(stack, most)
    is_meant = matcher_of(filters, _FACTS)
    show_groups(
        "failed batches",
        [
            Entry(batch.key, batch.reason, batch.source, batch.stored_at)
            for batch in listing.batches
            if is_meant(batch.facts())
        ],
        listing.total,
        form,
        next_command=lambda example: command_line("failed-batches", "show", example, *where.options()),
        remedy=command_line("failed-batches", "replay", *where.options()),
        is_exact=listing.is_total_exact,
    )


@app.command()
@about_a_stack
def show(
    key: KeyArgument,
    *,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Show what an object holds: the items that its records are about, without their images.

    Exit code 1 where there is no such object.

    Example:
      sessionctl failed-batches show bus/2026/03/01/0123456789abcdef0123456789abcdef.json
    """
    from botocore.exceptions import ClientError

    from ops.recovery.failed_batches import (
        UnreadableBatchError,
        kind_of,
        lines_of,
        read_text,
        record_in_words,
        records_of,
    )

    with open_stack(where) as stack:
        try:
            text = read_text(stack.client("s3"), stack.outputs[_BUCKET], key)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
                raise
            say(f"Nothing has the key {key} in the failed-batches bucket.")
            raise typer.Exit(1) from None
    contents: list[Any] = []
    problem = ""
    try:
        is_records = kind_of(key).value == "records"
        contents = [record_in_words(record) for record in records_of(text)] if is_records else lines_of(text)
    except UnreadableBatchError as error:
        problem = str(error)
    document = {
        "key": key,
        "bytes": len(text.encode()),
        "holds": len(contents),
        "problem": problem,
        "contents": contents,
    }
    if as_json:
        show_json(document)
        return
    show_facts({name: value for name, value in document.items() if name != "contents" and value != ""})
    for content in contents[:_SHOWN]:
        values = content.values() if isinstance(content, Mapping) else content
        show_facts({"": "  ".join(str(value) for value in values if not isinstance(value, dict | list))})
    if len(contents) > _SHOWN:
        say(f"... and {len(contents) - _SHOWN:,} more; --json shows all of them.")


@app.command()
@about_a_stack
def replay(
    *,
    filters: Filters = None,
    dry_run: DryRun = False,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Replay what is in the bucket, and delete what was taken.

    Stream records go to the function that failed, in parts where they are too large for an invocation; life-cycle
    events to the bus or the archive that refused them; entries back to the expiry agenda. Mend the cause first: what
    fails again stays. Running it again is safe.

    Examples:
      sessionctl failed-batches replay --dry-run
      sessionctl failed-batches replay --filter kind=records
    """
    is_meant = matcher_of(filters, _FACTS)
    results: list[Result] = []
    with open_stack(where) as stack:
        listing = _list(stack, 100_000)
        meant = [batch for batch in listing.batches if is_meant(batch.facts())]
        if not dry_run:
            replayer = _replayer(stack)
            with (
                interruptible(
                    lambda: f"{_done(results):,} of {len(meant):,} are replayed. Run it again for the others."
                ),
                progress("Replaying failed batches", len(meant)) as steps,
            ):
                for batch in meant:
                    results.append(replayer.replay(batch))
                    steps.advance()
    _report(meant, results, dry_run=dry_run, as_json=as_json)
    if not dry_run and _done(results) < len(meant):
        raise typer.Exit(1)


@app.command()
@about_a_stack
def delete(
    keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="Keys of objects, as the list shows them.")],
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    where: Where,
) -> None:
    """Delete objects of which nothing can be made: what they say is lost.

    Projections of their customers may be wrong afterwards: verify, and repair.

    Example:
      sessionctl failed-batches delete agenda/2026/03/01/0123456789abcdef0123456789abcdef.json --dry-run
    """
    what = f"{len(keys):,} object{'s' if len(keys) != 1 else ''}"
    if dry_run:
        say(f"{what} would be deleted.")
        return
    confirm(f"Delete {what} of the failed-batches bucket?", yes=yes)
    with open_stack(where) as stack:
        s3, done = stack.client("s3"), 0
        with interruptible(lambda: f"{done:,} of {what} are deleted. Run it again for the others."):
            for key in keys:
                s3.delete_object(Bucket=stack.outputs[_BUCKET], Key=key)
                done += 1
    say(f"{what} deleted.")


def _list(stack: Stack, most: int) -> "Listing":
    from ops.recovery.failed_batches import list_batches

    with progress("Reading failed batches") as steps:
        return list_batches(
            stack.client("s3"),
            stack.outputs[_BUCKET],
            most=most,
            on_read=lambda count: steps.advance(count - steps.done),
        )


def _replayer(stack: Stack) -> "Replayer":
    from ops.recovery.replay import Replayer, invoker
    from processors.aws.archive_stream import ArchiveStream
    from processors.aws.event_bus import EventBus
    from processors.life_cycle.agenda_table import AgendaTable

    outputs = stack.outputs

    def where_there_is(output: str, make: Callable[[str], Any]) -> Any:
        return make(outputs[output]) if output in outputs else None

    return Replayer(
        s3=stack.client("s3"),
        bucket=outputs[_BUCKET],
        invoke=invoker(stack.client("lambda", patience_seconds=_LONGEST_RUN_SECONDS, attempts=1)),
        functions=frozenset(outputs[output] for output in _FUNCTIONS if output in outputs),
        bus=where_there_is("SessionsEventBusName", lambda name: EventBus(stack.client("events"), name)),
        archive=where_there_is("ArchiveStreamName", lambda name: ArchiveStream(stack.client("firehose"), name)),
        agenda=where_there_is("ExpiryAgendaTableName", lambda name: AgendaTable(stack.client("dynamodb"), name)),
    )


def _done(results: "list[Result]") -> int:
    return sum(result.is_done for result in results)


def _report(meant: "list[StoredBatch]", results: "list[Result]", *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        failed = [{"key": result.key, "problem": result.problem} for result in results if not result.is_done]
        keys = [batch.key for batch in meant] if dry_run else [result.key for result in results if result.is_done]
        show_json({"dry_run": dry_run, "replayed": keys, "failed": failed})
    if dry_run:
        say(f"{len(meant):,} objects would be replayed, {sum(batch.size for batch in meant):,} bytes.")
        return
    say(f"{_done(results):,} of {len(meant):,} failed batches are replayed, and deleted.")
    for problem, count in Counter(result.problem for result in results if not result.is_done).most_common(_SHOWN):
        example = next(result.key for result in results if result.problem == problem)
        say(f"  {count:,} stay: {problem} ({example})")
