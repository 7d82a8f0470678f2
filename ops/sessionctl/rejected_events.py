"""What `sessionctl rejected` does with the queue: read it, judge what is in it, and publish again what is valid now."""

# ruff: noqa: PLC0415 (the models and boto3 are slow to import; options are parameters)

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.screen import interruptible, progress, say, show_json
from ops.sessionctl.stacks import Stack
from ops.sessionctl.waiting import providers_of

if TYPE_CHECKING:
    from ops.recovery.queue_messages import Worked
    from ops.recovery.rejected import Rejected
    from ops.recovery.republishing import Republished
    from processors.runtime.settings import Settings
    from providers.envelopes import Providers

QUEUE = "RejectedEventsQueueUrl"


def read_queue(stack: Stack, most: int, is_meant: Callable[[Mapping[str, str]], bool]) -> "tuple[list[Rejected], int]":
    """Read rejected events that are meant, at most so many; and say how many there are."""
    from ops.recovery.queue_messages import look
    from ops.recovery.rejected import read_rejected

    with progress("Reading rejected events", most) as steps:
        seen = look(
            stack.client("sqs"),
            stack.outputs[QUEUE],
            most=most,
            on_read=lambda count: steps.advance(count - steps.done),
        )
    found = [read_rejected(message) for message in seen.messages]
    return [each for each in found if is_meant(each.facts())], seen.total


def judge_of(stack: Stack, mappings: str | None) -> "Callable[[Rejected], str | None]":
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


def judge_all(
    stack: Stack,
    judge: "Callable[[Rejected], str | None]",
    is_meant: Callable[[Mapping[str, str]], bool],
    result: "Republished",
    worked: "Worked",
) -> None:
    """Judge without publishing: what a replay would do."""
    found, worked.total = read_queue(stack, 100_000, is_meant)
    for each in found:
        why = judge(each)
        if why is None:
            result.published += 1
        else:
            result.requests.append(each.request(why))


def replay_all(
    stack: Stack,
    judge: "Callable[[Rejected], str | None]",
    is_meant: Callable[[Mapping[str, str]], bool],
    result: "Republished",
    worked: "Worked",
    file: IO[str] | None,
    *,
    remove_listed: bool,
) -> None:
    """Publish again what is valid now, and write the others down, until the queue has been read once."""
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
            stack.outputs[QUEUE],
            act,
            worked=worked,
            on_progress=lambda each: steps.advance(each.done + each.kept - steps.done),
        )


def appending(path: Path | None) -> Any:
    """Open the file that is written down to; None: nothing is.

    Raises:
        CannotRunError: It cannot be written.
    """
    if path is None:
        return nullcontext()
    try:
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise CannotRunError(f"--list {path}: {error.strerror}") from error


def report(
    result: "Republished", worked: "Worked", path: Path | None, *, removed: bool, dry_run: bool, as_json: bool
) -> None:
    """Say what was published again, and what has to come from its publishers."""
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
