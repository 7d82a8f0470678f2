"""Rejected events: what the intake wrote of each, and which of them may be published again."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ops.recovery.grouping import UNKNOWN, source_of
from ops.recovery.queue_messages import QueueMessage
from processors.session_table import CHILD_OF_ANOTHER
from providers.envelopes import IgnoredEvent, Providers, ReadEvent, RejectedEvent, read_events
from providers.provider_mappings import ProviderMapping, ProviderMappings
from schemas.events import EVENT_MODELS, Client, LoginEvent
from schemas.times import format_rfc3339, parse_rfc3339

_MASKED = re.compile(r"<(?:text|number|list|object), \d+(?:, [0-9a-f]{12})?>")
_MASKED_NAME = re.compile(r"<name \d+, (\d+)>")
_CANONICAL = frozenset(name for model in (*EVENT_MODELS.values(), Client) for name in model.model_fields)
_TEXTS = ("Message", "detail", "body", "message")
"""Members that may hold JSON as text."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message of the rejected-events queue.

    Attributes:
        message: The message.
        reason: Why the intake rejected the event.
        event_id: The event's id; None where it could not be read.
        rejected_at: When, aware UTC; None where nothing says it.
        original_message_id: The id of the message that held the event.
        body: The event, with everything masked that may not be shown.
        is_cut: Whether the body was cut to fit.
        body_sha256: SHA-256 of the original body: a publisher who has it finds it by that.
        source: Which system it is of.
    """

    message: QueueMessage
    reason: str
    event_id: str | None
    rejected_at: datetime | None
    original_message_id: str
    body: str
    is_cut: bool
    body_sha256: str
    source: str

    def facts(self) -> dict[str, str]:
        """Name what a filter may ask for."""
        return {
            "reason": self.reason,
            "source": self.source,
            "id": self.message.message_id,
            "event": self.event_id or "",
        }

    def request(self, why: str) -> dict[str, Any]:
        """Write what a publisher needs to find the event and send it again, mended.

        Args:
            why: Why it cannot be published again as it stands here.
        """
        return {
            "event_id": self.event_id,
            "reason": self.reason,
            "rejected_at": format_rfc3339(self.rejected_at or self.message.sent_at),
            "source": self.source,
            "message_id": self.original_message_id,
            "body_sha256": self.body_sha256,
            "why_not_replayed": why,
            "body": self.body,
        }


def read_rejected(message: QueueMessage) -> Rejected:
    """Read a message of the rejected-events queue; one that the intake did not write is shown without its text."""
    try:
        record = json.loads(message.body)
        reason, body = str(record["reason"]), str(record["body"])
    except (ValueError, RecursionError, KeyError, TypeError):
        reason = "not a message of the intake: somebody else sent it to this queue"
        return Rejected(message, reason, None, None, "", "", is_cut=True, body_sha256="", source=UNKNOWN)
    return Rejected(
        message,
        reason,
        event_id=record.get("event_id") or None,
        rejected_at=_time(record.get("rejected_at")),
        original_message_id=str(record.get("message_id") or ""),
        body=body,
        is_cut=bool(record.get("body_cut")),
        body_sha256=str(record.get("body_sha256") or ""),
        source=source_of(body),
    )


def why_not_replayed(
    rejected: Rejected, providers: Providers, *, now: datetime, max_event_age: timedelta
) -> str | None:
    """Say why an event cannot be published again as it stands in the queue; None where it can.

    It can where it is valid by the mappings of today, and where nothing was masked that its mapping reads: neither the
    value of a member that the mapping names, nor a name that may be one of those.

    Args:
        rejected: The event.
        providers: How events are read today.
        now: When it would be published, aware UTC.
        max_event_age: Logins older than this are rejected.
    """
    if rejected.is_cut:
        return "only a part of it is kept"
    if rejected.reason.endswith(CHILD_OF_ANOTHER):
        return "it is valid, but the register rejects it"
    observed = _Observed(providers.mappings())
    reader = Providers(
        lambda: observed, providers.token_keys, providers.customer_namespace, providers.customer_namespaces
    )
    found = read_events(rejected.body, sent_at=now, providers=reader)
    for event in found:
        if (why := _still_wrong(event, now - max_event_age)) is not None:
            return why
    names = observed.names or _CANONICAL
    masked = sorted(set(_masked_members(_decoded(rejected.body), names)))
    return f"masked here, and read by its mapping: {', '.join(masked)}" if masked else None


def _still_wrong(event: ReadEvent, oldest: datetime) -> str | None:
    if isinstance(event, RejectedEvent):
        return f"still not valid: {event.error.reason}"
    if isinstance(event, IgnoredEvent):
        return None  # a mended mapping may say that it means nothing: published, it is ignored
    if isinstance(event, LoginEvent) and event.occurred_at < oldest:
        return "a login too old by now: ask for a new one where the session is in use"
    return None


class _Observed(ProviderMappings):
    """Mappings that remember the names which those read that recognised an event."""

    def __init__(self, mappings: ProviderMappings) -> None:
        super().__init__(mappings.mappings)
        self.names: frozenset[str] = frozenset()

    def recognise(self, event: dict[str, Any], source: object = None) -> list[ProviderMapping]:
        found = super().recognise(event, source)
        self.names = self.names.union(*(mapping.file.member_names for mapping in found))
        return found


def _masked_members(content: Any, names: frozenset[str], name: str = "") -> Iterator[str]:
    """Name the masked members that a mapping may read; a masked name by the names of that length that it may be."""
    if isinstance(content, str):
        if _MASKED.fullmatch(content):
            if name in names:
                yield name
        elif name in _TEXTS:
            yield from _masked_members(_decoded(content), names)
    elif isinstance(content, list):
        for member in content:
            yield from _masked_members(member, names, name)
    elif isinstance(content, Mapping):
        for member_name, member in content.items():
            hidden = _MASKED_NAME.fullmatch(member_name)
            if hidden is not None:
                yield from (each for each in names - content.keys() if len(each) == int(hidden[1]))
            yield from _masked_members(member, names, member_name)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _time(value: object) -> datetime | None:
    try:
        return parse_rfc3339(value)  # type: ignore[arg-type] # what is not a text is refused
    except (ValueError, TypeError, AttributeError):
        return None
