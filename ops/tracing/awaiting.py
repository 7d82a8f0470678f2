"""Wait until published events have had their effect, and say which one: by the items, and by the queues of failures.

An item shows that it holds an event (`ops.tracing.evidence`); nothing shows that a copy, or a login older than the
stored one, was processed. Of those is said, before they are sent, that the item needs nothing of them.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ops.inspection.customers import find_sessions
from ops.recovery.queue_messages import depth
from ops.tracing.evidence import Stored, Verdict, after, before, is_contained, keys_of
from ops.tracing.places import in_dead_letters, in_rejected, waiting
from processors.session_table import SessionTable
from schemas.events import Event, LogoutEvent

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_POLL_SECONDS = 1.0
_POLLS_PER_LOOK = 3
"""A look hides the messages of a queue for seconds, so there are fewer of them."""
_MOST = 1_000

_BEFORE = {
    Verdict.DUPLICATE: "the register held it before it was sent: a copy changes nothing, and leaves no trace",
    Verdict.STALE: "the register held a newer login or an earlier end before it was sent: it changes nothing, and "
    "leaves no trace",
}


@dataclass(slots=True)
class Awaited:
    """A published event.

    Attributes:
        event: The event.
        text: What was sent.
        verdict: What became of it; None while nothing tells.
        reason: Why, in a sentence.
    """

    event: Event
    text: str
    verdict: Verdict | None = None
    reason: str = ""


class Waiting:
    """Waits for events: made before they are sent, because the items as they are then tell copies from news.

    Args:
        sessions: The sessions table.
        sqs: A boto3 SQS client.
        outputs: The stack's outputs.
        events: The events that are going to be sent, each with its text.
        pause: Waits the given number of seconds; None: it really does.
    """

    def __init__(
        self,
        sessions: SessionTable,
        sqs: "SQSClient",
        outputs: Mapping[str, str],
        events: Sequence[tuple[Event, str]],
        *,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self._sessions = sessions
        self._sqs = sqs
        self._outputs = outputs
        self._pause = pause or time.sleep
        self.events = [Awaited(event, text) for event, text in events]
        """The events, in the order given."""
        for awaited, stored in zip(self.events, self._stored(self.events), strict=True):
            awaited.verdict = before(awaited.event, stored)
            awaited.reason = _BEFORE[awaited.verdict] if awaited.verdict is not None else ""

    def wait(self, *, timeout_seconds: float, now: Callable[[], datetime], on_settled: Callable[[int], object]) -> None:
        """Look again and again until each event has a verdict, or nothing has changed for so long.

        Args:
            timeout_seconds: How long to wait while nothing changes.
            now: Returns the time, aware UTC.
            on_settled: Called with the number of events that have a verdict, as they get it.

        Raises:
            ReadError: The table could not be read.
            ClientError: A queue could not be read.
        """
        moved_at, polls, left = now(), 0, len(self.events)
        while True:
            open_events = [awaited for awaited in self.events if awaited.verdict is None]
            if len(open_events) < left:
                on_settled(left - len(open_events))
                left, moved_at = len(open_events), now()
            if not open_events:
                return
            if (now() - moved_at).total_seconds() >= timeout_seconds:
                self._leave(open_events)
                on_settled(left)
                return
            self._pause(_POLL_SECONDS if polls else 0)
            polls += 1
            self._look_at_items(open_events)
            if polls % _POLLS_PER_LOOK == 0:
                self._look_at_failures([awaited for awaited in open_events if awaited.verdict is None])

    def _look_at_items(self, events: Sequence[Awaited]) -> None:
        for awaited, stored in zip(events, self._stored(events), strict=True):
            awaited.verdict = after(awaited.event, stored)
            if awaited.verdict is Verdict.APPLIED:
                awaited.reason = "the register holds it"
            elif awaited.verdict is Verdict.STALE:
                awaited.reason = "a newer login or an earlier end stands in the register by now"

    def _look_at_failures(self, events: Sequence[Awaited]) -> None:
        texts = {awaited.event.event_id: awaited.text for awaited in events}
        found = in_dead_letters(self._sqs, self._outputs, texts, most=_MOST)
        url = self._outputs.get("RejectedEventsQueueUrl")
        if url is not None and depth(self._sqs, url):
            found |= in_rejected(self._sqs, url, texts, most=_MOST)
        for awaited in events:
            finding = found.get(awaited.event.event_id)
            if finding is not None:
                awaited.verdict, awaited.reason = finding.verdict, f"{finding.place}: {finding.text}"

    def _leave(self, events: Sequence[Awaited]) -> None:
        """Say what is known of events after nothing has changed for long."""
        depths = waiting(self._sqs, self._outputs)
        for awaited in events:
            waiting_in = [f"{count:,} in the queue of {name}" for name, count in depths.items() if count]
            if waiting_in:
                awaited.verdict = Verdict.QUEUED
                awaited.reason = f"messages wait: {', '.join(waiting_in)}"
            else:
                awaited.verdict = Verdict.UNKNOWN
                awaited.reason = (
                    "nothing waits in the queues, and the register does not hold it: it may be of an erased customer, "
                    "or wait to be retried"
                )

    def _stored(self, events: Sequence[Awaited]) -> list[list[Stored]]:
        """Read the items that each event is about: strongly consistent, but for a child that a logout names alone."""
        keys = [keys_of(awaited.event) for awaited in events]
        items = self._sessions.reader.read_items({key for several in keys for key in several}).found if keys else {}
        stored: list[list[Stored]] = [[items[key] for key in several if key in items] for several in keys]
        for awaited, found in zip(events, stored, strict=True):
            event = awaited.event
            if isinstance(event, LogoutEvent) and event.parent_session_id is None and not is_contained(event, found):
                found[:] = find_sessions(self._sessions, event.session_id, event.customer_id)
        return stored
