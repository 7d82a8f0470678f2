"""From messages to outcomes: what both consumers do."""

import json
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import nlargest
from typing import TypeAlias

from processors.aws.deadline import NEVER, Deadline
from processors.aws.message_queue import MessageQueue
from processors.intake.masking import mask_id
from processors.intake.messages import Message
from processors.intake.rejections import rejection
from processors.intake.vocabulary import Vocabulary
from processors.register.searches import Delivery
from processors.register.sessions import Lifetimes
from processors.runtime.clock import utc_now
from processors.session_table import CHILD_OF_ANOTHER, SessionTable
from providers.envelopes import BUNDLED, IgnoredEvent, Providers, ReadEvent, RejectedEvent
from schemas.errors import RejectedEventError
from schemas.events import Event, LoginEvent, to_json
from schemas.outcomes import Outcome

logger = logging.getLogger(__name__)

SLICE = 1000
"""Events handled between two looks at the clock; a message is never divided."""

_MOST_RETRIES_NAMED = 20
"""Lines about single retries an invocation: in an outage every event of every batch is retried, for hours."""

_TOO_OLD = (
    "occurred_at lies more than {seconds:,} seconds back (MAX_EVENT_AGE_SECONDS): a logout of the session may be "
    "forgotten by now, so a login this old is not taken; if the session is in use, publish a new login"
)


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of a batch of messages.

    Attributes:
        outcomes: One per message, in order.
        counts: How many events had each outcome; `logins` among them, and those whose expiry was clipped.
        ignored: How many events of identity systems were ignored, by system and type.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(Outcome, 0)))
    ignored: Counter[IgnoredEvent] = field(default_factory=Counter)


@dataclass(slots=True)
class _Part:
    """An event of a message, and what becomes of it."""

    position: int
    message: Message
    event: ReadEvent
    is_alone: bool
    outcome: Outcome | None = None
    refusal: RejectedEvent | None = None

    def refuse(self, event: Event, reason: str) -> None:
        body = None if self.is_alone else json.dumps(to_json(event))
        self.refusal = RejectedEvent(RejectedEventError(reason, event_id=event.event_id), body)


_Retry: TypeAlias = tuple[Message, str | None]
"""A message that is delivered again, and the id of the event because of which, where it could be read."""


@dataclass(frozen=True, slots=True)
class EventProcessor:
    """Reads events, applies them, and sets aside those that no retry can fix.

    SQS redelivers whole messages. If any event in a message needs a retry, the message is retried and its permanent
    rejections are held back until the last delivery, so each is sent to the rejected-events queue once.

    Attributes:
        sessions: The register.
        rejected: The rejected-events queue.
        vocabulary: Returns what rejected events may show; called at the first one.
        providers: How events of identity systems are read.
        lifetimes: To count the logins that ask for more than they get.
        max_event_age: Logins older than this are rejected.
        clock: Aware UTC.
    """

    sessions: SessionTable
    rejected: MessageQueue
    vocabulary: Callable[[], Vocabulary]
    providers: Providers = BUNDLED
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    max_event_age: timedelta = timedelta(days=15)
    clock: Callable[[], datetime] = utc_now

    def process(self, messages: Sequence[Message], *, deadline: Deadline = NEVER) -> BatchResult:
        """Bring every message to its outcome. One bad message changes nothing for the others.

        Large messages come last, because a flood is in large ones: what it costs delays no other message of the batch.

        Args:
            messages: In any order, with repetitions.
            deadline: When the caller must have answered; what is not begun by then is a retry.
        """
        result = BatchResult()
        waiting = deque(sorted(enumerate(messages), key=lambda numbered: numbered[1].is_large))
        outcomes: dict[int, Outcome] = {}
        retried: list[_Retry] = []
        while waiting:
            if deadline.expired:
                logger.warning("deadline reached", extra={"unprocessed": len(waiting)})
                result.counts[Outcome.RETRY] += len(waiting)
                retried += [(message, None) for _, message in waiting]
                break
            parts = self._read_slice(waiting)
            self._process(parts, result, deadline)
            outcomes |= _outcomes(parts)
            retried += [(part.message, _event_id_of(part)) for part in parts if part.outcome is Outcome.RETRY]
        _log_retries(retried)
        result.outcomes.extend(outcomes.get(position, Outcome.RETRY) for position in range(len(messages)))
        return result

    def _read_slice(self, waiting: deque[tuple[int, Message]]) -> list[_Part]:
        """Take and read whole messages until there are enough events, or only large messages are left."""
        parts: list[_Part] = []
        while waiting:
            position, message = waiting.popleft()
            events = message.read(self.providers)
            parts.extend(_Part(position, message, event, is_alone=len(events) == 1) for event in events)
            if len(parts) >= SLICE or (waiting and waiting[0][1].is_large and not message.is_large):
                break
        return parts

    def _process(self, parts: Sequence[_Part], result: BatchResult, deadline: Deadline) -> None:
        self._judge(parts)
        self._apply(parts, result, deadline)
        _hold_back(parts)
        self._set_aside([part for part in parts if part.outcome is Outcome.REJECTED], deadline)
        for part in parts:
            result.counts[_outcome_of(part)] += 1
            if isinstance(part.event, IgnoredEvent) and part.event.provider:
                result.ignored[part.event] += 1

    def _judge(self, parts: Sequence[_Part]) -> None:
        """Decide what needs no table: what is ignored, what cannot be read, and logins that are too old."""
        oldest = self.clock() - self.max_event_age
        for part in parts:
            match part.event:
                case IgnoredEvent():
                    part.outcome = Outcome.IGNORED
                case RejectedEvent():
                    part.refusal = part.event
                case LoginEvent() as login if login.occurred_at < oldest:
                    part.refuse(login, _TOO_OLD.format(seconds=int(self.max_event_age.total_seconds())))

    def _apply(self, parts: Sequence[_Part], result: BatchResult, deadline: Deadline) -> None:
        """Apply the events; those that the register rejects get their reason."""
        pending = list(_pending(parts))
        deliveries = {part.position: Delivery(part.message.receive_count) for part, _ in pending}
        outcomes = self.sessions.apply(
            [event for _, event in pending],
            deadline=deadline,
            deliveries=[deliveries[part.position] for part, _ in pending],
        )
        for (part, event), outcome in zip(pending, outcomes, strict=True):
            part.outcome = outcome
            if outcome is Outcome.REJECTED:
                part.refuse(event, CHILD_OF_ANOTHER)
            elif isinstance(event, LoginEvent) and outcome is not Outcome.RETRY:
                result.counts["logins"] += 1
                result.counts["expiry_clipped"] += outcome is Outcome.APPLIED and self.lifetimes.clips(event)

    def _set_aside(self, parts: Sequence[_Part], deadline: Deadline) -> None:
        """Send to the rejected-events queue; where that fails the event is a retry, never lost."""
        refused = [(part, part.refusal) for part in parts if part.refusal is not None]
        if not refused:
            return
        now, vocabulary = self.clock(), self.vocabulary()
        bodies = [
            rejection(
                refusal.error,
                message_id=part.message.message_id,
                body=part.message.body if refusal.body is None else refusal.body,
                now=now,
                vocabulary=vocabulary,
            )
            for part, refusal in refused
        ]
        failures = self.rejected.send(bodies, deadline=deadline)
        for index, (part, refusal) in enumerate(refused):
            event_id = refusal.error.event_id
            facts = {
                "message_id": mask_id(part.message.message_id),
                "event_id": event_id and mask_id(event_id),
                "reason": refusal.error.reason,
            }
            if index in failures:
                part.outcome = Outcome.RETRY
                logger.error("rejected-events queue failed", extra=facts | {"error_code": failures[index]})
            else:
                logger.warning("event rejected", extra=facts)


def _log_retries(retried: "Sequence[_Retry]") -> None:
    """Name the events that are retried, those received most often first: they may never succeed."""
    for message, event_id in nlargest(_MOST_RETRIES_NAMED, retried, key=lambda retry: retry[0].receive_count):
        facts = {
            "message_id": mask_id(message.message_id),
            "event_id": event_id and mask_id(event_id),
            "receive_count": message.receive_count,
        }
        logger.warning("event will be retried", extra=facts)
    if len(retried) > _MOST_RETRIES_NAMED:
        logger.warning("more events will be retried", extra={"count": len(retried) - _MOST_RETRIES_NAMED})


def _event_id_of(part: _Part) -> str | None:
    match part.event:
        case IgnoredEvent():
            return None
        case RejectedEvent(error=error):
            return error.event_id
        case event:
            return event.event_id


def _pending(parts: Sequence[_Part]) -> Iterator[tuple[_Part, Event]]:
    for part in parts:
        if part.refusal is None and not isinstance(part.event, IgnoredEvent | RejectedEvent):
            yield part, part.event


def _hold_back(parts: Sequence[_Part]) -> None:
    """Make refused events retries where their message is retried, else rejected."""
    retried = {part.position for part in parts if part.outcome is Outcome.RETRY}
    for part in parts:
        if part.refusal is not None:
            part.outcome = Outcome.RETRY if part.position in retried else Outcome.REJECTED


def _outcome_of(part: _Part) -> Outcome:
    if part.outcome is None:
        raise AssertionError("an event was left without an outcome")
    return part.outcome


def _outcomes(parts: Sequence[_Part]) -> dict[int, Outcome]:
    """Return the outcome of each message, by position: the most severe of its events."""
    by_message: dict[int, list[Outcome]] = {}
    for part in parts:
        by_message.setdefault(part.position, []).append(_outcome_of(part))
    return {position: Outcome.most_severe(outcomes) for position, outcomes in by_message.items()}
