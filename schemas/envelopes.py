"""What an event may come wrapped in: nothing, an EventBridge event, an SNS notification, or the last in the second.

Sources: EventBridge "AWS event structure"; SNS "message formats", `Type: Notification`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from schemas.errors import RejectedEventError
from schemas.events import Event, parse_event
from schemas.strict_json import load_json
from schemas.times import parse_rfc3339


def read_body(body: object, *, sent_at: datetime | None) -> Event | None:
    """Read the event in the body of an SQS message.

    Args:
        body: The message's text.
        sent_at: The message's `SentTimestamp`, aware UTC.

    Returns:
        The event, or None for a valid one of another kind.

    Raises:
        RejectedEventError: No retry can fix it.
    """
    if not isinstance(body, str) or not body:
        raise RejectedEventError("the message has no body")
    content = load_json(body)
    if _is_notification(content):
        content = load_json(content["Message"], what="SNS notification's Message")
    if _is_eventbridge_event(content):
        return parse_event(content["detail"], sent_at=sent_at, envelope=content)
    return parse_event(content, sent_at=sent_at)


def read_eventbridge_event(event: object, *, sent_at: datetime | None = None) -> Event | None:
    """Read the event in an EventBridge event.

    Args:
        event: The EventBridge event as Lambda hands it over.
        sent_at: What to take for an event without `time`, aware UTC.

    Returns:
        The event, or None for a valid one of another kind.

    Raises:
        RejectedEventError: No retry can fix it.
    """
    if not _is_eventbridge_event(event):
        raise RejectedEventError("not an EventBridge event: source, detail-type or the object detail is missing")
    fields: Any = event
    return parse_event(fields["detail"], sent_at=_time_of(fields) or sent_at, envelope=fields)


def _is_notification(content: Any) -> bool:
    return (
        isinstance(content, dict) and content.get("Type") == "Notification" and isinstance(content.get("Message"), str)
    )


def _is_eventbridge_event(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and "source" in content
        and "detail-type" in content
        and isinstance(content.get("detail"), dict)
    )


def _time_of(event: Mapping[str, Any]) -> datetime | None:
    try:
        return parse_rfc3339(event["time"])
    except (KeyError, TypeError, ValueError):
        return None
