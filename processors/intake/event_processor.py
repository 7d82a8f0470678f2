"""From a message to its outcome: what both consumers do."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from processors.aws.deadline import NEVER, Deadline
from processors.aws.message_queue import MessageQueue
from processors.intake.rejections import rejection
from processors.register.sessions import Lifetimes
from processors.runtime.clock import utc_now
from processors.session_table import CHILD_OF_ANOTHER, SessionTable
from providers.envelopes import IgnoredEvent, ReadEvent, RejectedEvent
from schemas.errors import RejectedEventError
from schemas.events import LoginEvent
from schemas.outcomes import Outcome

logger = logging.getLogger(__name__)

SLICE = 1000
"""Messages handled between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class Message:
    """One event on its way in, or several.

    Args:
        message_id: The SQS message's or the EventBridge event's id.
        body: The original, for the rejected-events queue.
        read: Reads the events; at least one reading.
    """

    message_id: str
    body: Callable[[], str]
    read: Callable[[], Sequence[ReadEvent]]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of messages.

    Attributes:
        outcomes: One per message, in order.
        counts: How many events had each outcome, and how many logins had their expiry clipped.
        ignored: How many events of identity systems were ignored, by system and type.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    ignored: Counter[IgnoredEvent] = field(default_factory=Counter)


@dataclass(slots=True)
class _Part:
    """An event of a message, and what becomes of it."""

    message: int
    reading: ReadEvent
    outcome: Outcome = Outcome.IGNORED


@dataclass(frozen=True, slots=True)
class Intake:
    """Reads events, applies them, and sets aside those that no retry can fix.

    A message that holds several events is one of SQS's all the same: it is delivered again as long as one of its events
    is a retry. The others are then duplicates, and those that no retry can fix are set aside with its last delivery,
    once: until then they are retries as well.

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

    def take(self, messages: Sequence[Message], *, deadline: Deadline = NEVER) -> Taken:
        """Bring every message to its outcome. One bad message changes nothing for the others.

        Args:
            messages: In any order, with repetitions.
            deadline: When the caller must have answered; what is not begun by then is a retry.
        """
        taken = Taken()
        for start in range(0, len(messages), SLICE):
            if deadline.expired:
                left = len(messages) - start
                logger.warning("out of time", extra={"unprocessed": left})
                taken.outcomes.extend([Outcome.RETRY] * left)
                taken.counts[Outcome.RETRY] += left
                break
            self._take(messages[start : start + SLICE], taken, deadline)
        return taken

    def _take(self, messages: Sequence[Message], taken: Taken, deadline: Deadline) -> None:
        parts = [_Part(number, reading) for number, message in enumerate(messages) for reading in message.read()]
        refused = [(part, part.reading) for part in parts if isinstance(part.reading, RejectedEvent)]
        applied = self._apply(parts, taken, deadline)
        refused += applied
        retried = {part.message for part in parts if part.outcome is Outcome.RETRY}
        for part, _ in refused:
            part.outcome = Outcome.RETRY if part.message in retried else Outcome.REJECTED
        self._set_aside(messages, [pair for pair in refused if pair[0].outcome is Outcome.REJECTED], deadline)
        self._count(parts, taken)
        taken.outcomes.extend(_outcomes(len(messages), parts))

    def _apply(self, parts: Sequence[_Part], taken: Taken, deadline: Deadline) -> list[tuple[_Part, RejectedEvent]]:
        """Apply what are events, and answer those that the register refused."""
        events = [(part, part.reading) for part in parts if not isinstance(part.reading, IgnoredEvent | RejectedEvent)]
        outcomes = self.sessions.apply([event for _, event in events], deadline=deadline)
        refused = []
        for (part, event), outcome in zip(events, outcomes, strict=True):
            part.outcome = outcome
            if outcome is Outcome.REJECTED:
                error = RejectedEventError(CHILD_OF_ANOTHER, event_id=event.event_id)
                refused.append((part, RejectedEvent(error)))
            elif outcome is Outcome.APPLIED and isinstance(event, LoginEvent) and self.lifetimes.clips(event):
                taken.counts["expiry_clipped"] = taken.counts.get("expiry_clipped", 0) + 1
        return refused

    def _set_aside(
        self,
        messages: Sequence[Message],
        refused: Sequence[tuple[_Part, RejectedEvent]],
        deadline: Deadline,
    ) -> None:
        """Send to the rejected-events queue; where that fails the event is a retry, never lost."""
        now = self.clock()
        bodies = [
            rejection(
                reading.error,
                message_id=messages[part.message].message_id,
                body=messages[part.message].body() if reading.body is None else reading.body,
                now=now,
            )
            for part, reading in refused
        ]
        failures = self.rejected.send(bodies, deadline=deadline)
        for index, (part, reading) in enumerate(refused):
            details = {
                "message_id": messages[part.message].message_id,
                "event_id": reading.error.event_id,
                "reason": reading.error.reason,
            }
            if index in failures:
                part.outcome = Outcome.RETRY
                logger.error("rejected-events queue failed", extra=details | {"error_code": failures[index]})
            else:
                logger.warning("event rejected", extra=details)

    def _count(self, parts: Sequence[_Part], taken: Taken) -> None:
        for part in parts:
            taken.counts[part.outcome] += 1
            if isinstance(part.reading, IgnoredEvent) and part.reading.provider:
                taken.ignored[part.reading] += 1


_GRAVEST_FIRST = (
    *(Outcome.RETRY, Outcome.REJECTED, Outcome.APPLIED),
    *(Outcome.STALE, Outcome.DUPLICATE, Outcome.IGNORED),
)


def _outcomes(count: int, parts: Sequence[_Part]) -> list[Outcome]:
    """Give the outcome of each message: that of its event, and of several the one that asks most of a reader."""
    rank = [len(_GRAVEST_FIRST) - 1] * count
    for part in parts:
        rank[part.message] = min(rank[part.message], _GRAVEST_FIRST.index(part.outcome))
    return [_GRAVEST_FIRST[position] for position in rank]
