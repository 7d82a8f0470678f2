"""`sessionctl rejected`."""

# ruff: noqa: PLC0415 (the models and boto3 are slow to import; options are parameters)

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.options import AsJson, DryRun, Form, Output, Yes, form_of
from ops.sessionctl.screen import command_line, confirm, interruptible, progress, say, show_json
from ops.sessionctl.stack_options import about_a_stack
from ops.sessionctl.stacks import Stack, Where, open_stack
from ops.sessionctl.waiting import Filters, Mappings, Most, matcher_of, providers_of, show_facts, show_groups

if TYPE_CHECKING:
    from ops.recovery.queue_messages import QueueMessage, Worked
    from ops.recovery.rejected import Rejected
    from ops.recovery.republishing import Republished
    from processors.runtime.settings import Settings
    from providers.envelopes import Providers

app = typer.Typer(
    no_args_is_help=True, help="Events that no retry can fix: see why, and publish again what is valid now."
)

_FACTS = ("reason", "source", "id", "event")
_QUEUE = "RejectedEventsQueueUrl"


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
        found, total = _read(stack, most, matcher_of(filters, _FACTS))
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
        found, total = _read(stack, most, lambda facts: message_id in (facts["id"], facts["event"]))
        judge = _judge(stack, mappings)
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

    if remove_listed and to_publishers is None:
        raise typer.BadParameter("say where with --list FILE", param_hint="--remove-listed")
    result, worked = _nothing_yet(), Worked()
    is_meant = matcher_of(filters, _FACTS)
    with (
        open_stack(where) as stack,
        _appending(None if dry_run else to_publishers) as file,
    ):
        judge = _judge(stack, mappings)
        if dry_run:
            _judge_all(stack, judge, is_meant, result, worked)
        else:
            _replay(stack, judge, is_meant, result, worked, file, remove_listed=remove_listed)
    _report(result, worked, to_publishers, removed=remove_listed, dry_run=dry_run, as_json=as_json)
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
        sqs, url = stack.client("sqs"), stack.outputs[_QUEUE]
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


def _nothing_yet() -> "Republished":
    from ops.recovery.republishing import Republished

    return Republished()


def _read(stack: Stack, most: int, is_meant: Callable[[Mapping[str, str]], bool]) -> "tuple[list[Rejected], int]":
    from ops.recovery.queue_messages import look
    from ops.recovery.rejected import read_rejected

    with progress("Reading rejected events", most) as steps:
        seen = look(
            stack.client("sqs"),
            stack.outputs[_QUEUE],
            most=most,
            on_read=lambda count: steps.advance(count - steps.done),
        )
    found = [read_rejected(message) for message in seen.messages]
    return [each for each in found if is_meant(each.facts())], seen.total


def _judge(stack: Stack, mappings: str | None) -> "Callable[[Rejected], str | None]":
    """Make what says why an event cannot be published again, by the settings of the stack's consumer."""
    from ops.recovery.rejected import why_not_replayed

    providers, settings = _settings(stack, mappings)
    return lambda rejected: why_not_replayed(
        rejected, providers, now=datetime.now(UTC), max_event_age=settings.max_event_age
    )


def _settings(stack: Stack, mappings: str | None) -> "tuple[Providers, Settings]":
    from processors.runtime.settings import Settings

    function = stack.outputs["SqsConsumerFunctionName"]
    configuration = stack.client("lambda").get_function_configuration(FunctionName=function)
    variables = configuration.get("Environment", {}).get("Variables", {})
    return providers_of(mappings, variables), Settings.from_environment(variables, needs=())


def _judge_all(
    stack: Stack,
    judge: "Callable[[Rejected], str | None]",
    is_meant: Callable[[Mapping[str, str]], bool],
    result: "Republished",
    worked: "Worked",
) -> None:
    found, worked.total = _read(stack, 100_000, is_meant)
    for each in found:
        why = judge(each)
        if why is None:
            result.published += 1
        else:
            result.requests.append(each.request(why))


def _replay(
    stack: Stack,
    judge: "Callable[[Rejected], str | None]",
    is_meant: Callable[[Mapping[str, str]], bool],
    result: "Republished",
    worked: "Worked",
    file: IO[str] | None,
    *,
    remove_listed: bool,
) -> None:
    from ops.recovery.queue_messages import work_off
    from ops.recovery.republishing import republisher
    from processors.aws.message_queue import MessageQueue

    sqs = stack.client("sqs")

    def write_down(requests: Sequence[Mapping[str, Any]]) -> bool:
        if file is None:
            return False
        file.writelines(json.dumps(request) + "\n" for request in requests)
        file.flush()
        os.fsync(file.fileno())  # before anything leaves the queue
        return remove_listed

    act = republisher(
        MessageQueue(sqs, stack.outputs["SessionEventsQueueUrl"]),
        judge,
        is_meant=lambda each: is_meant(each.facts()),
        result=result,
        write_down=write_down,
    )
    with (
        interruptible(
            lambda: (
                f"{result.published:,} are published again and {len(result.requests):,} judged, of {worked.total:,}. "
                "Run it again for the others: what was published is not published twice to any effect."
            )
        ),
        progress("Publishing again") as steps,
    ):
        work_off(
            sqs,
            stack.outputs[_QUEUE],
            act,
            worked=worked,
            on_progress=lambda each: steps.advance(each.done + each.kept - steps.done),
        )


def _appending(path: Path | None) -> Any:
    if path is None:
        return nullcontext()
    try:
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise CannotRunError(f"--list {path}: {error.strerror}") from error


def _report(
    result: "Republished", worked: "Worked", path: Path | None, *, removed: bool, dry_run: bool, as_json: bool
) -> None:
    if as_json:
        show_json(
            {
                "dry_run": dry_run,
                "total": worked.total,
                "published": result.published,
                "refused": result.refused,
                "to_ask": result.requests,
                "passed_over": result.passed_over,
            }
        )
    say(f"{result.published:,} of {worked.total:,} rejected events {'would be ' if dry_run else ''}published again.")
    for code, count in sorted(result.refused.items()):
        say(f"SQS refused {count:,}: {code}. They are still in the queue.")
    if not result.requests:
        return
    reasons = sorted({str(request["why_not_replayed"]) for request in result.requests})
    say(f"{len(result.requests):,} have to come from their publishers again:")
    for reason in reasons[:10]:
        count = sum(request["why_not_replayed"] == reason for request in result.requests)
        say(f"  {count:,}: {reason}")
    if path is None or dry_run:
        say("Write them down with --list FILE, and send that to the publishers; --remove-listed takes them off.")
    else:
        where = "and left the queue" if removed else "and are still in the queue (--remove-listed takes them off it)"
        say(f"They are in {path}, {where}. Send that file to the publishers.")
