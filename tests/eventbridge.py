"""EventBridge events with one event in them."""

from typing import Any

from providers.envelopes import IgnoredEvent, RejectedEvent, read_eventbridge_events
from schemas.events import Event


def read_eventbridge_event(event: object, **settings: Any) -> Event | None:
    """What the handler makes of the one event; None where it is none of ours, and its rejection is raised."""
    [reading] = read_eventbridge_events(event, **{"sent_at": None} | settings)
    if isinstance(reading, RejectedEvent):
        raise reading.error
    return None if isinstance(reading, IgnoredEvent) else reading
