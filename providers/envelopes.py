"""Read the events in a message: unwrap envelopes, in any nesting, and translate those of identity systems."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from providers.reading import MAX_EVENTS, Reading, read_canonical
from providers.results import BUNDLED, IgnoredEvent, Providers, ReadEvent, RejectedEvent
from providers.texts import Budget, Text, read_text
from providers.unwrapping import is_eventbridge_event
from schemas.errors import RejectedEventError
from schemas.events import Event
from schemas.times import parse_rfc3339

__all__ = [
    "BUNDLED",
    "MAX_EVENTS",
    "IgnoredEvent",
    "Providers",
    "ReadEvent",
    "RejectedEvent",
    "read_body",
    "read_eventbridge_events",
    "read_events",
]


def read_events(body: object, *, sent_at: datetime | None, providers: Providers = BUNDLED) -> list[ReadEvent]:
    """Read what is in the body of an SQS message. Nothing is raised because of it.

    Args:
        body: The message's text.
        sent_at: The message's `SentTimestamp`, aware UTC.
        providers: How events of identity systems are read.

    Returns:
        At least one reading; several where the message holds several events.
    """
    try:
        if not isinstance(body, str) or not body:
            raise RejectedEventError("the message has no body")
        budget = Budget(MAX_EVENTS)
        content = read_text(Text(body, "body"), budget)
        if (event := read_canonical(content, None, sent_at)) is not None:
            return [event]
        return Reading(sent_at, sent_at, providers, budget).read(content)
    except RejectedEventError as error:
        return [RejectedEvent(error)]


def read_eventbridge_events(
    event: object, *, sent_at: datetime | None = None, providers: Providers = BUNDLED
) -> list[ReadEvent]:
    """Read what is in an EventBridge event. Nothing is raised because of it.

    Args:
        event: The EventBridge event as Lambda hands it over.
        sent_at: The handler's clock, aware UTC. `time` is the publisher's own word, so the earlier of the two counts;
            None takes the event's `time` alone.
        providers: How events of identity systems are read.

    Returns:
        At least one reading.
    """
    try:
        if not isinstance(event, dict) or not is_eventbridge_event(event):
            raise RejectedEventError("not an EventBridge event: source, detail-type or detail is missing")
        occurred = _earlier(_time_of(event), sent_at)
        return Reading(occurred, sent_at, providers, Budget(MAX_EVENTS)).read(event)
    except RejectedEventError as error:
        return [RejectedEvent(error)]


def read_body(body: object, *, sent_at: datetime | None, providers: Providers = BUNDLED) -> Event | None:
    """Read the one event in the body of an SQS message, as `read_events` does.

    Returns:
        The event, or None for a valid one of another kind.

    Raises:
        RejectedEventError: No retry can fix it, or there are several.
    """
    results = read_events(body, sent_at=sent_at, providers=providers)
    if len(results) > 1:
        raise RejectedEventError(f"the message holds {len(results):,} events, but exactly one is expected here")
    [result] = results
    if isinstance(result, RejectedEvent):
        raise result.error
    return None if isinstance(result, IgnoredEvent) else result


def _time_of(event: Mapping[str, Any]) -> datetime | None:
    try:
        return parse_rfc3339(event["time"])
    except (KeyError, TypeError, ValueError):
        return None


def _earlier(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)
