"""`sessionctl rejected`."""

# ruff: noqa: PLC0415 (the models and boto3 are slow to import; options are parameters)

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.sessionctl.options import AsJson, DryRun, Form, Output, Yes, form_of
from ops.sessionctl.rejected_events import QUEUE, appending, judge_all, judge_of, read_queue, replay_all, report
from ops.sessionctl.screen import command_line, confirm, interruptible, progress, say, show_json
from ops.sessionctl.stack_options import about_a_stack
from ops.sessionctl.stacks import Where, open_stack
from ops.sessionctl.waiting import Filters, Mappings, Most, matcher_of, show_facts, show_groups

if TYPE_CHECKING:
    from ops.recovery.queue_messages import QueueMessage

app = typer.Typer(
    no_args_is_help=True, help="Events that no retry can fix: see why, and publish again what is valid now."
)

_FACTS = ("reason", "source", "id", "event")


@app.command("list")
@about_a_stack
def list_rejected(
    *,
    most: Most = 1_000,
    filters: Filters = None,
    output: Output = Form.TABLE,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """List rejected events, grouped by reason and source.

    They stay where they are: a message that is read is out of sight for seconds. Filters are reason, source, id and
    event.

    Examples:
      sessionctl rejected list
      sessionctl rejected list --filter source=okta --most 10000
    """
    from ops.recovery.grouping import Entry

    form = form_of(output, as_json)
    with open_stack(where) as stack:
        found, total = read_queue(stack, most, matcher_of(filters, _FACTS))
    show_groups(
        "rejected events",
        [
            Entry(each.message.message_id, each.reason, each.source, each.rejected_at or each.message.sent_at)
            for each in found
        ],
        total,
        form,
        next_command=lambda example: command_line("rejected", "show", example, *where.options()),
        remedy=command_line("rejected", "replay", *where.options()),
    )


@app.command()
@about_a_stack
def show(
    message_id: Annotated[str, typer.Argument(metavar="ID", help="The message's id, or the event's.")],
    *,
    most: Most = 1_000,
    mappings: Mappings = None,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Show a rejected event, and whether it can be published again.

    Exit code 1 where it was not found.

    Example:
      sessionctl rejected show 3f0c8d2e-5d1c-4b7e-9c55-000000000000
    """
    with open_stack(where) as stack:
        found, total = read_queue(stack, most, lambda facts: message_id in (facts["id"], facts["event"]))
        judge = judge_of(stack, mappings)
    if not found:
        say(f"There is no rejected event {message_id} among the {min(most, total):,} read of {total:,}.")
        raise typer.Exit(1)
    why = judge(found[0])
    request = found[0].request(why or "")
    del request["why_not_replayed"]
    facts = {"id": found[0].message.message_id} | request
    facts["replay"] = why or "valid now: sessionctl rejected replay publishes it again"
    if as_json:
        show_json(facts)
    else:
        show_facts({name: value for name, value in facts.items() if value is not None})


@app.command()
@about_a_stack
def replay(
    *,
    to_publishers: Annotated[
        Path | None,
        typer.Option(
            "--list",
            metavar="FILE",
            help="Append the events that only their publisher can send again to this file, as lines of JSON.",
        ),
    ] = None,
    remove_listed: Annotated[
        bool, typer.Option("--remove-listed", help="Take those off the queue once they are in the file.")
    ] = False,
    mappings: Mappings = None,
    filters: Filters = None,
    dry_run: DryRun = False,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Publish again what has become valid, for example with a mended mapping; write the rest down for publishers.

    An event is published again only if nothing that its mapping reads was masked. Deploy the mended mapping first:
    here it is read with the bundled mappings of this release, and those of --mappings. Each event is published, and
    taken off the queue when SQS has acknowledged that. Running it again is safe.

    Examples:
      sessionctl rejected replay --dry-run
      sessionctl rejected replay --mappings my-mappings --list ask.jsonl --remove-listed
    """
    from ops.recovery.queue_messages import Worked
    from ops.recovery.republishing import Republished

    if remove_listed and to_publishers is None:
        raise typer.BadParameter("say where with --list FILE", param_hint="--remove-listed")
    result, worked = Republished(), Worked()
    is_meant = matcher_of(filters, _FACTS)
    with (
        open_stack(where) as stack,
        appending(None if dry_run else to_publishers) as file,
    ):
        judge = judge_of(stack, mappings)
        if dry_run:
            judge_all(stack, judge, is_meant, result, worked)
        else:
            replay_all(stack, judge, is_meant, result, worked, file, remove_listed=remove_listed)
    report(result, worked, to_publishers, removed=remove_listed, dry_run=dry_run, as_json=as_json)
    if result.refused or (result.requests and not (to_publishers and remove_listed)):
        raise typer.Exit(1)


@app.command()
@about_a_stack
def delete(
    *,
    filters: Filters = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Delete rejected events that nobody needs: what they say is lost. Needs a filter.

    To keep what they say, use `rejected replay --list FILE --remove-listed`.

    Example:
      sessionctl rejected delete --filter "reason=event_type is missing*" --dry-run
    """
    from ops.recovery.queue_messages import Worked, look, work_off
    from ops.recovery.rejected import read_rejected

    if not filters:
        raise typer.BadParameter("say which with NAME=PATTERN; id=* is all of them", param_hint="--filter")
    is_meant = matcher_of(filters, _FACTS)
    if not dry_run:
        confirm(f"Delete the rejected events with {' and '.join(filters)}?", yes=yes)

    def chosen(messages: "Sequence[QueueMessage]") -> list[str]:
        return [message.message_id for message in messages if is_meant(read_rejected(message).facts())]

    worked = Worked()
    with open_stack(where) as stack:
        sqs, url = stack.client("sqs"), stack.outputs[QUEUE]
        if dry_run:
            seen = look(sqs, url, most=100_000)
            worked.total, worked.done = seen.total, len(chosen(seen.messages))
            worked.kept = seen.total - worked.done
        else:
            with (
                interruptible(lambda: f"{worked.done:,} are deleted. Run it again for the others."),
                progress("Deleting rejected events") as steps,
            ):
                work_off(
                    sqs,
                    url,
                    chosen,
                    worked=worked,
                    on_progress=lambda each: steps.advance(each.done + each.kept - steps.done),
                )
    if as_json:
        show_json({"dry_run": dry_run, "deleted": worked.done, "left": worked.kept})
    say(f"{worked.done:,} rejected events {'would be ' if dry_run else ''}deleted, {worked.kept:,} left.")
