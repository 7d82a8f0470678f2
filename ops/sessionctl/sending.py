"""Publish what was read: in requests of ten, what is refused again, with a progress bar where there is much of it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from ops.publishing.publisher import Channel
from ops.sessionctl.event_files import Entry, NotEventsError, PlacedMessage, Problem, read_entries, to_message
from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.options import Via
from ops.sessionctl.screen import Steps, interruptible, progress, say
from ops.sessionctl.stacks import Stack
from schemas.errors import RejectedEventError

_SHOWN_PROBLEMS = 20
_CHANNELS = {Via.EVENTBRIDGE: Channel.EVENTBRIDGE, Via.SQS: Channel.QUEUE}


@dataclass(slots=True)
class PublishReport:
    """What became of the events of a file.

    Attributes:
        published: How many were taken.
        ignored: How many were left out because they mean nothing here: they are neither logins nor logouts.
        invalid: Those left out because a consumer would reject them.
        refused: Those that EventBridge or SQS refused every time.
        withheld: How many valid ones were left out because others were not (`strict`).
    """

    published: int = 0
    ignored: int = 0
    invalid: list[Problem] = field(default_factory=list)
    refused: list[Problem] = field(default_factory=list)
    withheld: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether all events that mean something were published."""
        return not self.invalid and not self.refused

    def document(self) -> dict[str, Any]:
        """Write it for --json."""
        return asdict(self)


Before = Callable[[Sequence[PlacedMessage]], None]
"""Called with the messages before they are sent."""


def publish_event(
    stack: Stack, event: str, *, via: Via, source: str, validate: bool, before: Before = lambda messages: None
) -> None:
    """Publish one event.

    Raises:
        CannotRunError: A consumer would reject or ignore it, or it was refused every time.
    """
    try:
        message = to_message(Entry("event", event), _CHANNELS[via], now=datetime.now(UTC), validate=validate)
    except RejectedEventError as error:
        raise CannotRunError(f"the event is not valid, and was not sent: {error.reason}") from error
    if message is None:
        raise CannotRunError("the event is neither a login nor a logout, and was not sent")
    before([message])
    refused: list[str] = []
    stack.publisher(source).publish([message], on_refused=lambda _, reason: refused.append(reason))
    if refused:
        raise CannotRunError(f"{via.label} refused the event: {refused[0]}")


def publish_entries(
    stack: Stack,
    text: str,
    *,
    name: str,
    via: Via,
    source: str,
    validate: bool,
    strict: bool,
    before: Before = lambda messages: None,
) -> PublishReport:
    """Publish the events of a file, and say on standard error what happens.

    Args:
        stack: Where to.
        text: The file's text.
        name: What messages call the file.
        via: Over which channel.
        source: What the publisher calls itself on the bus.
        validate: Leave out what a consumer would reject.
        strict: Send nothing where one is left out.
        before: Called with the messages before they are sent.

    Raises:
        CannotRunError: The file holds no event, or is something else.
        ClientError: A whole request was refused; what was taken until then is said.
        BotoCoreError: The same, where nobody answered.
    """
    report = PublishReport()
    try:
        messages = list(_messages(text, report, via=via, validate=validate))
    except NotEventsError as error:
        raise CannotRunError(f"{name} is not a list of events, nothing was published: {error}") from error
    if not messages and not report.invalid and not report.ignored:
        raise CannotRunError(f"{name} holds no event")
    _say_problems(name, "not valid", report.invalid)
    if strict and report.invalid:
        report.withheld = len(messages)
        total = _events(len(report.invalid) + len(messages))
        say(f"Published nothing: {len(report.invalid):,} of {total} are not valid.")
        return report
    before(messages)
    again = "publishing the file again repeats the others: events with an event_id are folded"
    with interruptible(lambda: again), _counted(stack, report, len(messages), via) as steps:
        _send(stack, messages, report, steps, source)
    _say_problems(name, f"refused by {via.label}", report.refused)
    return report


def _messages(text: str, report: PublishReport, *, via: Via, validate: bool) -> Iterator[PlacedMessage]:
    now = datetime.now(UTC)
    for entry in read_entries(text):
        try:
            message = to_message(entry, _CHANNELS[via], now=now, validate=validate)
        except RejectedEventError as error:
            report.invalid.append(Problem(entry.place, error.reason))
        else:
            if message is None:
                report.ignored += 1
            else:
                yield message


def _send(stack: Stack, messages: list[PlacedMessage], report: PublishReport, steps: Steps, source: str) -> None:
    def count(published: int) -> None:
        report.published += published
        steps.advance(published)

    stack.publisher(source).publish(
        messages,
        on_published=count,
        on_refused=lambda message, reason: report.refused.append(Problem(message.place, reason)),
    )


@contextmanager
def _counted(stack: Stack, report: PublishReport, total: int, via: Via) -> Iterator[Steps]:
    """Show progress, and say at the end how many were taken, also where an error or Ctrl-C is the end."""
    try:
        with progress("Publishing", total) as steps:
            yield steps
    finally:
        every = _events(total + len(report.invalid) + report.ignored)
        ignored = f"; {report.ignored:,} ignored, neither login nor logout" if report.ignored else ""
        say(f"Published {report.published:,} of {every} to {stack.name} over {via.label}{ignored}.")


def _events(count: int) -> str:
    return f"{count:,} event{'' if count == 1 else 's'}"


def _say_problems(name: str, what: str, problems: list[Problem]) -> None:
    for problem in problems[:_SHOWN_PROBLEMS]:
        say(f"{name}, {problem.place}: {what}: {problem.reason}")
    if len(problems) > _SHOWN_PROBLEMS:
        say(f"... and {len(problems) - _SHOWN_PROBLEMS:,} more; --json lists all of them.")
