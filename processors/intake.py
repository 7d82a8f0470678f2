"""From a message to its outcome: what both consumers do."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from processors.clock import utc_now
from processors.item_store import forever
from processors.message_queue import MessageQueue
from processors.rejections import rejection
from processors.session_table import CHILD_OF_ANOTHER, SessionTable
from processors.sessions import Lifetimes
from schemas.errors import RejectedEventError
from schemas.events import Event, LoginEvent
from schemas.outcomes import Outcome

logger = logging.getLogger(__name__)

SLICE = 1000
"""Messages handled between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class Message:
    """An event on its way in.

    Args:
        message_id: The SQS message's or the EventBridge event's id.
        body: The original, for the rejected-events queue.
        read: Reads the event: None for one of another kind; raises `RejectedEventError`.
    """

    message_id: str
    body: Callable[[], str]
    read: Callable[[], Event | None]


@dataclass(frozen=True, slots=True)
class Intake:
    """Reads events, applies them, and sets aside those that no retry can fix.

    Args:
        sessions: The register.
        rejected: The rejected-events queue.
        lifetimes: To count the logins that ask for more than they get.
        clock: Aware UTC.
    """

    sessions: SessionTable
    rejected: MessageQueue
    lifetimes: Lifetimes
    clock: Callable[[], datetime] = utc_now

    def take(
        self, messages: Sequence[Message], *, time_left: Callable[[], float] = forever
    ) -> tuple[list[Outcome], dict[str, int]]:
        """Bring every message to its outcome. One bad message changes nothing for the others.

        Args:
            messages: In any order, with repetitions.
            time_left: Seconds until the caller must have answered; what is not begun by then is a retry.

        Returns:
            One outcome per message, in order, and what to count: each outcome, and logins whose expiry was clipped.
        """
        outcomes: list[Outcome] = []
        counts: dict[str, int] = dict.fromkeys(Outcome, 0)
        for start in range(0, len(messages), SLICE):
            part = messages[start : start + SLICE]
            if time_left() <= 0:
                logger.warning("out of time", extra={"unprocessed": len(messages) - start})
                outcomes += [Outcome.RETRY] * (len(messages) - start)
                break
            outcomes += self._take(part, counts, time_left)
        for outcome in outcomes:
            counts[outcome] += 1
        return outcomes, counts

    def _take(
        self, messages: Sequence[Message], counts: dict[str, int], time_left: Callable[[], float]
    ) -> list[Outcome]:
        outcomes = [Outcome.IGNORED] * len(messages)
        events: dict[int, Event] = {}
        rejected: dict[int, RejectedEventError] = {}
        for position, message in enumerate(messages):
            try:
                event = message.read()
            except RejectedEventError as error:
                rejected[position] = error
                continue
            if event is not None:
                events[position] = event
        results = self.sessions.apply(list(events.values()), time_left=time_left)
        for (position, event), outcome in zip(events.items(), results, strict=True):
            outcomes[position] = outcome
            if outcome is Outcome.REJECTED:
                rejected[position] = RejectedEventError(CHILD_OF_ANOTHER, event_id=event.event_id)
            elif outcome is Outcome.APPLIED and isinstance(event, LoginEvent) and self.lifetimes.clips(event):
                counts["expiry_clipped"] = counts.get("expiry_clipped", 0) + 1
        for position, outcome in self._set_aside(messages, rejected).items():
            outcomes[position] = outcome
        return outcomes

    def _set_aside(self, messages: Sequence[Message], rejected: dict[int, RejectedEventError]) -> dict[int, Outcome]:
        """Send to the rejected-events queue; where that fails the message is a retry, never lost."""
        now = self.clock()
        positions = list(rejected)
        bodies = [
            rejection(
                rejected[position], message_id=messages[position].message_id, body=messages[position].body(), now=now
            )
            for position in positions
        ]
        failures = self.rejected.send(bodies)
        for index, position in enumerate(positions):
            details = {
                "message_id": messages[position].message_id,
                "event_id": rejected[position].event_id,
                "reason": rejected[position].reason,
            }
            if index in failures:
                logger.error("rejected-events queue failed", extra=details | {"error_code": failures[index]})
            else:
                logger.warning("event rejected", extra=details)
        return {
            position: Outcome.RETRY if index in failures else Outcome.REJECTED
            for index, position in enumerate(positions)
        }
