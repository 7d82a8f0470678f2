"""`sessionctl dead-letters`."""

# ruff: noqa: PLC0415 (the models and boto3 are slow to import; options are parameters)

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from ops.sessionctl.options import AsJson, DryRun, Form, Output, Yes, form_of
from ops.sessionctl.screen import command_line, confirm, interruptible, progress, say, show_json
from ops.sessionctl.stack_options import about_a_stack
from ops.sessionctl.stacks import Stack, Where, open_stack
from ops.sessionctl.waiting import (
    Filters,
    Mappings,
    Most,
    matcher_of,
    providers_of,
    show_facts,
    show_groups,
    vocabulary_of,
)

if TYPE_CHECKING:
    from ops.recovery.dead_letters import DeadLetter, DeadLetterQueue
    from ops.recovery.queue_messages import QueueMessage, Worked
    from providers.envelopes import Providers

app = typer.Typer(no_args_is_help=True, help="Events that failed every attempt: see why, and send them again.")

_FACTS = ("queue", "reason", "source", "id", "event", "type", "customer", "session")
_AGAIN = "Repeating it is harmless: an event that is known changes nothing."

MessageId = Annotated[str, typer.Argument(metavar="ID", help="The message's id, or the event's.")]


@app.command("list")
@about_a_stack
def list_dead_letters(
    *,
    most: Most = 1_000,
    filters: Filters = None,
    mappings: Mappings = None,
    output: Output = Form.TABLE,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """List the dead letters of all queues, grouped by reason and source.

    They stay where they are: a message that is read is out of sight for seconds. Filters are queue, reason, source, id,
    event, type, customer and session.

    Examples:
      sessionctl dead-letters list
      sessionctl dead-letters list --filter queue=commands
    """
    from ops.recovery.grouping import Entry

    form = form_of(output, as_json)
    with open_stack(where) as stack:
        found, total = _read(stack, providers_of(mappings), most, matcher_of(filters, _FACTS))
    show_groups(
        "dead letters",
        [
            Entry(letter.message.message_id, f"{letter.queue}: {letter.reason}", letter.source, letter.message.sent_at)
            for letter in found
        ],
        total,
        form,
        next_command=lambda example: command_line("dead-letters", "show", example, *where.options()),
        remedy=command_line("dead-letters", "redrive", *where.options()),
    )


@app.command()
@about_a_stack
def show(
    message_id: MessageId,
    *,
    most: Most = 1_000,
    mappings: Mappings = None,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Show a dead letter, without its token.

    Exit code 1 where it was not found.

    Example:
      sessionctl dead-letters show 3f0c8d2e-5d1c-4b7e-9c55-000000000000
    """
    from ops.recovery.dead_letters import shown_body
    from schemas.times import format_rfc3339

    providers = providers_of(mappings)
    with open_stack(where) as stack:
        found, total = _read(stack, providers, most, lambda facts: message_id in (facts["id"], facts["event"]))
    if not found:
        say(f"There is no dead letter {message_id} among the {min(most, total):,} read of {total:,}.")
        raise typer.Exit(1)
    letter = found[0]
    facts = letter.facts() | {
        "sent_at": format_rfc3339(letter.message.sent_at),
        "received": letter.message.receive_count,
        **letter.message.attributes,
        "body": shown_body(letter.message, vocabulary_of(providers)),
    }
    if as_json:
        show_json(facts)
    else:
        show_facts(facts)


@app.command()
@about_a_stack
def redrive(
    *,
    filters: Filters = None,
    mappings: Mappings = None,
    dry_run: DryRun = False,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Send dead letters to be processed again, of all queues or of those that the filters name.

    Each is sent, and deleted when SQS has acknowledged that. After a crash run it again: events that are known change
    nothing. Mend the cause first, or they come back.

    Examples:
      sessionctl dead-letters redrive --dry-run
      sessionctl dead-letters redrive --filter queue=events --filter source=auth0*
    """
    from ops.recovery.dead_letters import sender

    is_meant = matcher_of(filters, _FACTS)
    failures: dict[str, str] = {}
    with open_stack(where) as stack:
        sqs = stack.client("sqs")

        def send(queue: "DeadLetterQueue", is_chosen: "Callable[[QueueMessage], bool]") -> "Callable[..., list[str]]":
            return sender(sqs, queue.destination, is_chosen, failures)

        worked = _work(stack, providers_of(mappings), is_meant, send, what="Sending dead letters", dry_run=dry_run)
    _report("sent again", worked, failures, dry_run=dry_run, as_json=as_json)


@app.command()
@about_a_stack
def delete(
    *,
    filters: Filters = None,
    mappings: Mappings = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters that are of no use: what they say is lost.

    For a logout whose login will never come, or a message that is not an event. Needs a filter.

    Examples:
      sessionctl dead-letters delete --filter "reason=a logout without customer_id*" --dry-run
      sessionctl dead-letters delete --filter session=session-a1 --yes
    """
    if not filters:
        raise typer.BadParameter("say which with NAME=PATTERN; queue=* is all of them", param_hint="--filter")
    is_meant = matcher_of(filters, _FACTS)
    if not dry_run:
        confirm(f"Delete the dead letters with {' and '.join(filters)}?", yes=yes)

    def drop(_: "DeadLetterQueue", is_chosen: "Callable[[QueueMessage], bool]") -> "Callable[..., list[str]]":
        return lambda messages: [message.message_id for message in messages if is_chosen(message)]

    with open_stack(where) as stack:
        worked = _work(stack, providers_of(mappings), is_meant, drop, what="Deleting dead letters", dry_run=dry_run)
    _report("deleted", worked, {}, dry_run=dry_run, as_json=as_json)


def _read(
    stack: Stack, providers: "Providers", most: int, is_meant: "Callable[[Mapping[str, str]], bool]"
) -> "tuple[list[DeadLetter], int]":
    """Read the dead letters that are meant, of up to so many, and how many there are."""
    from ops.recovery.dead_letters import dead_letter_queues, read_dead_letter
    from ops.recovery.queue_messages import look

    found: list[DeadLetter] = []
    total = 0
    with progress("Reading dead letters", most) as steps:
        for queue in dead_letter_queues(stack.outputs):
            before = steps.done
            seen = look(
                stack.client("sqs"),
                queue.url,
                most=max(1, most - before),
                on_read=lambda count, before=before: steps.advance(before + count - steps.done),  # type: ignore[misc] # a default
            )
            total += seen.total
            letters = (read_dead_letter(queue.name, message, providers) for message in seen.messages)
            found += [letter for letter in letters if is_meant(letter.facts())]
    return found, total


def _work(
    stack: Stack,
    providers: "Providers",
    is_meant: "Callable[[Mapping[str, str]], bool]",
    act_on: "Callable[[DeadLetterQueue, Callable[[QueueMessage], bool]], Callable[..., list[str]]]",
    *,
    what: str,
    dry_run: bool,
) -> "dict[str, Worked]":
    """Work through every queue; says what is done where it is interrupted."""
    from ops.recovery.dead_letters import dead_letter_queues, read_dead_letter
    from ops.recovery.queue_messages import Worked, depth, work_off

    sqs, queues = stack.client("sqs"), dead_letter_queues(stack.outputs)
    worked = {queue.name: Worked(total=depth(sqs, queue.url)) for queue in queues}

    def so_far() -> str:
        done, of = sum(each.done for each in worked.values()), sum(each.total for each in worked.values())
        return f"{done:,} of {of:,} are done. Run it again for the others. {_AGAIN}"

    if dry_run:
        found, _ = _read(stack, providers, 100_000, is_meant)
        for letter in found:
            worked[letter.queue].done += 1
        for each in worked.values():
            each.kept = max(0, each.total - each.done)
        return worked
    total = sum(each.total for each in worked.values())
    with interruptible(so_far), progress(what, total) as steps:
        for queue in queues:
            work_off(
                sqs,
                queue.url,
                act_on(
                    queue,
                    lambda message, queue=queue: is_meant(  # type: ignore[misc] # a default
                        read_dead_letter(queue.name, message, providers).facts()
                    ),
                ),
                worked=worked[queue.name],
                on_progress=lambda _: steps.advance(
                    sum(each.done + each.kept for each in worked.values()) - steps.done
                ),
            )
    return worked


def _report(
    what: str, worked: "Mapping[str, Worked]", failures: Mapping[str, str], *, dry_run: bool, as_json: bool
) -> None:
    done = sum(each.done for each in worked.values())
    kept = sum(each.kept for each in worked.values())
    if as_json:
        show_json(
            {
                "dry_run": dry_run,
                "queues": {queue: {"done": each.done, "left": each.kept} for queue, each in worked.items()},
                "refused": dict(failures),
            }
        )
    would = "would be " if dry_run else ""
    say(f"{done:,} dead letter{'s' if done != 1 else ''} {would}{what}, {kept:,} left.")
    for queue, each in worked.items():
        if each.done and len(worked) > 1 and not as_json:
            say(f"  {queue}: {each.done:,} of {each.total:,}")
    for code in sorted(set(failures.values())):
        say(f"SQS refused {list(failures.values()).count(code):,} of them: {code}. They are still there.")
    if failures:
        raise typer.Exit(1)
