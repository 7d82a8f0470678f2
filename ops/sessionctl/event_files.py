"""Read files of events, JSON or JSON Lines, into messages; what is wrong is said with its place."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ops.publishing.publisher import Channel, Message
from providers.envelopes import IgnoredEvent, RejectedEvent, read_events
from schemas.errors import RejectedEventError
from schemas.events import DETAIL_TYPES, parse_event
from schemas.strict_json import load_json

_DETAIL_TYPE_OF = {event_type: detail_type for detail_type, event_type in DETAIL_TYPES.items()}
_NO_ID_YET = "assigned-by-eventbridge"


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as it stands in a file.

    Attributes:
        place: Where, as `line 3` or `event 3`.
        text: Its JSON, or what should be JSON.
    """

    place: str
    text: str


@dataclass(frozen=True, slots=True)
class PlacedMessage(Message):
    """A message that remembers where it stands in a file."""

    place: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with an entry, or why it was refused."""

    place: str
    reason: str


class NotEventsError(Exception):
    """A file is not a list of events, though some of its lines are."""


def read_entries(text: str) -> Iterator[Entry]:
    """Split a file into its events: a JSON array, a single JSON object on any number of lines, or JSON Lines.

    Text that is not valid JSON is returned unchanged, line by line where one of the lines is a JSON object.

    Raises:
        NotEventsError: Most lines do not even begin as an object: a few of them may be events, but as examples.
    """
    text = text.removeprefix("\ufeff")
    lines = [Entry(f"line {number}", line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    whole = _value(text)
    if isinstance(whole, list):
        yield from (Entry(f"event {number}", json.dumps(member)) for number, member in enumerate(whole, 1))
    elif whole is None and any(isinstance(_value(entry.text), dict) for entry in lines) and not _is_array(text):
        others = sum(not entry.text.lstrip().startswith("{") for entry in lines)
        if others > len(lines) / 2:
            raise NotEventsError(f"{others:,} of {len(lines):,} lines are not JSON objects")
        yield from lines
    elif lines:
        yield Entry(lines[0].place, text.strip())


def to_message(entry: Entry, channel: Channel, *, now: datetime, validate: bool = True) -> PlacedMessage | None:
    """Make what is to be published of an event, in any form that consumers take.

    Args:
        entry: The event, bare or in an EventBridge event.
        channel: What is to carry it.
        now: When it is sent, aware UTC; `occurred_at` may not lie after it.
        validate: Read it as a consumer would.

    Returns:
        The message; None where a consumer would ignore it: it is neither a login nor a logout.

    Raises:
        RejectedEventError: A consumer would reject it, or the channel cannot carry it.
    """
    if validate and not _means_something(entry.text, channel, now):
        return None
    if channel is Channel.QUEUE:
        return PlacedMessage(channel, "", entry.text, entry.place)
    detail, detail_type, is_wrapped = _unwrapped(load_json(entry.text))
    if not isinstance(detail, dict) or not isinstance(detail_type, str):
        raise RejectedEventError(
            "nothing says its detail-type (Login, Logout, LogoutAll), which EventBridge needs: send an event of an "
            "identity system with --via sqs"
        )
    return PlacedMessage(channel, detail_type, json.dumps(detail) if is_wrapped else entry.text, entry.place)


def _means_something(text: str, channel: Channel, now: datetime) -> bool:
    """Say whether a consumer would act on a message; of several events in it on one.

    Raises:
        RejectedEventError: It would reject the message, or a part of it.
    """
    if channel is Channel.EVENTBRIDGE:
        detail, detail_type, _ = _unwrapped(load_json(text))
        if isinstance(detail_type, str) and detail_type in DETAIL_TYPES:
            envelope = {"id": _NO_ID_YET, "detail-type": detail_type}
            return parse_event(detail, sent_at=now, envelope=envelope) is not None
    readings = read_events(text, sent_at=now)
    for reading in readings:
        if isinstance(reading, RejectedEvent):
            raise reading.error
    return any(not isinstance(reading, IgnoredEvent) for reading in readings)


def _unwrapped(content: Any) -> tuple[Any, Any, bool]:
    """Take an event out of its EventBridge event, if it is in one; answer it, its detail-type, and whether it was."""
    if not isinstance(content, dict):
        return content, None, False
    if isinstance(content.get("detail"), dict) and "detail-type" in content:
        return content["detail"], content["detail-type"], True
    event_type = content.get("event_type")
    return content, _DETAIL_TYPE_OF.get(event_type) if isinstance(event_type, str) else None, False


def _is_array(text: str) -> bool:
    return text.lstrip().startswith("[")


def _value(text: str) -> Any:
    """Read JSON leniently, only to see its shape; None if it is not valid JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
