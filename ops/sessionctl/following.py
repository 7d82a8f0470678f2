"""Follow published events until they have had their effect: `publish --wait`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ops.publishing.publisher import Channel, Message
from ops.sessionctl.screen import interruptible, progress, say
from ops.sessionctl.stacks import Stack
from ops.tracing.awaiting import Awaited, Waiting
from ops.tracing.evidence import Verdict
from processors.runtime.intake import providers_of
from providers.envelopes import BUNDLED, IgnoredEvent, Providers, RejectedEvent, read_events
from schemas.errors import RejectedEventError
from schemas.events import Event, parse_event
from schemas.strict_json import load_json

_SHOWN = 20


class Follower:
    """Follows the events of one command.

    Args:
        stack: Where they are published.
        timeout_seconds: How long to wait while nothing changes.
    """

    def __init__(self, stack: Stack, timeout_seconds: float) -> None:
        self._stack = stack
        self._timeout_seconds = timeout_seconds
        self._waiting: Waiting | None = None

    def look_before(self, messages: Sequence[Message]) -> None:
        """Look at the register before the messages are sent: it tells copies from news."""
        providers = BUNDLED
        if any(message.channel is Channel.QUEUE for message in messages):
            # As the stack's consumer reads them: with its namespaces ids are other ones. Its files are not here.
            providers = providers_of(replace(self._stack.settings(), provider_mappings_directory=""))
        events = [(event, message.body) for message in messages for event in _events_of(message, providers)]
        self._waiting = Waiting(self._stack.sessions, self._stack.client("sqs"), self._stack.outputs, events)

    def wait(self) -> list[Awaited]:
        """Wait for the events, and say what became of them."""
        if self._waiting is None or not self._waiting.events:
            say("Nothing that was published can be followed: no event with an event_id of its own.")
            return []
        events = self._waiting.events
        with (
            interruptible(lambda: f"all are published; {steps.done:,} of {len(events):,} are settled so far."),
            progress("Waiting for their effect", len(events)) as steps,
        ):
            self._waiting.wait(
                timeout_seconds=self._timeout_seconds, now=lambda: datetime.now(UTC), on_settled=steps.advance
            )
        _say(events)
        return events


def is_settled(events: Sequence[Awaited]) -> bool:
    """Say whether every event has had its effect, or needs none."""
    return bool(events) and all(awaited.verdict is not None and awaited.verdict.is_settled for awaited in events)


def documents(events: Sequence[Awaited]) -> list[dict[str, Any]]:
    """Write what became of events, for programs."""
    return [
        {"event_id": each.event.event_id, "verdict": str(each.verdict or Verdict.UNKNOWN), "reason": each.reason}
        for each in events
    ]


def _say(events: Sequence[Awaited]) -> None:
    if len(events) > 1:
        counts = Counter(str(awaited.verdict).replace("_", " ") for awaited in events)
        say(f"Outcome: {', '.join(f'{count:,} {verdict}' for verdict, count in counts.most_common())}.")
    shown = events if len(events) == 1 else [each for each in events if each.verdict is not Verdict.APPLIED]
    for awaited in shown[:_SHOWN]:
        say(f"{awaited.event.event_id}: {str(awaited.verdict).replace('_', ' ')}: {awaited.reason}.")
    if len(shown) > _SHOWN:
        say(f"... and {len(shown) - _SHOWN:,} more; --json lists all of them.")


def _events_of(message: Message, providers: Providers) -> Iterator[Event]:
    """Read the events of a message that can be followed: those that are valid, with an id of their own."""
    if message.channel is Channel.EVENTBRIDGE:
        try:
            event = parse_event(load_json(message.body), envelope={"detail-type": message.detail_type})
        except RejectedEventError:  # no event_id, or sent with --no-validate
            return
        if event is not None:
            yield event
        return
    for reading in read_events(message.body, sent_at=None, providers=providers):
        if not isinstance(reading, IgnoredEvent | RejectedEvent):
            yield reading
