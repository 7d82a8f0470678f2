"""Publish-ready copies of the sample events in `tests/events/`, moved in time so that they happened just now."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ops.checkout import CHECKOUT
from ops.publishing.publisher import Channel, Message
from schemas.events import DETAIL_TYPES
from schemas.times import format_rfc3339, parse_rfc3339

SAMPLES = CHECKOUT / "tests" / "events"

SAMPLES_SENT_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""When the samples say that they were sent; all of them occurred in the hour before."""

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", re.ASCII)
_DETAIL_TYPE_OF = {event_type: detail_type for detail_type, event_type in DETAIL_TYPES.items()}


class SampleError(ValueError):
    """The directory has no sample events, or a file of an unknown shape; says which."""


def load_samples(*, now: datetime, directory: Path = SAMPLES) -> list[Message]:
    """Read every sample that can be published, in the order of the file names.

    Queue records go to the queue with their body as it is; EventBridge events and bare events go to the bus. Stream
    records are left out: they are what the sessions table itself sends.

    Args:
        now: Takes the place of the time at which the samples were sent; aware.
        directory: Where the samples are.

    Raises:
        SampleError: The directory has no sample, or one of an unknown shape.
    """
    messages = [
        message
        for path in sorted(directory.glob("*.json"))
        for message in _messages_of(path.name, json.loads(moved(path.read_text(encoding="utf-8"), now)))
    ]
    if not messages:
        raise SampleError(f"no sample events in {directory}; run this from a checkout of the project")
    return messages


def _messages_of(name: str, sample: dict[str, Any]) -> Iterator[Message]:
    match sample:
        case {"Records": records}:
            for record in records:
                if record["eventSource"] == "aws:sqs":
                    yield Message(Channel.QUEUE, "", record["body"])
        case {"detail-type": detail_type, "detail": detail}:
            yield Message(Channel.EVENTBRIDGE, detail_type, json.dumps(detail))
        case {"event_type": event_type}:
            yield Message(Channel.EVENTBRIDGE, _DETAIL_TYPE_OF[event_type], json.dumps(sample))
        case _:
            raise SampleError(f"{name} is neither a Lambda event nor a canonical event")


def moved(text: str, now: datetime) -> str:
    """Move every time in a sample, so that it was sent now, however deep the JSON around it is nested in strings."""
    shift = now - SAMPLES_SENT_AT
    return _RFC3339.sub(lambda found: format_rfc3339(parse_rfc3339(found[0]) + shift), text)
