"""Read the events in one message: each envelope opened, each event recognised, each with its own outcome.

A canonical event is recognised first and costs no look at anything else. Sources: `providers.unwrapping`; RFC 8417 and
RFC 7519 for tokens.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from providers.families import family_of
from providers.results import IgnoredEvent, Providers, ReadEvent, RejectedEvent
from providers.texts import Budget, Text, read_text
from providers.unwrapping import Member, Opened, cloud_event, is_eventbridge_event, opened
from schemas.errors import RejectedEventError
from schemas.events import DETAIL_TYPES, EVENT_MODELS, parse_event

MAX_EVENTS = 2000
"""Most events in one message; a body of the size that is read holds fewer real ones."""

_MAX_DEPTH = 8
_CANONICAL_FIELDS = ("occurred_at", "customer_id", "session_id")


@dataclass(frozen=True, slots=True)
class Reading:
    """The reading of a message at one place in it: the envelopes opened so far, and what they say.

    Attributes:
        sent_at: When the message was sent, aware UTC.
        received_at: The same by a clock that no sender can set, for the expiry of tokens.
        providers: How events of identity systems are read.
        budget: What the message may still take.
        envelope: The innermost envelope with an `id` and `time`; several events in one share its time, not its id.
        family: The envelope's kind, by which a foreign text in it is counted.
        depth: How many envelopes are around it.
    """

    sent_at: datetime | None
    received_at: datetime | None
    providers: Providers
    budget: Budget
    envelope: Mapping[str, Any] | None = None
    family: str = ""
    depth: int = 0

    def read(self, content: Any) -> list[ReadEvent]:
        """Read one event, or each of several.

        Raises:
            RejectedEventError: There is no event, or just one and it is wrong.
        """
        if (event := read_canonical(content, self.envelope, self.sent_at)) is not None:
            return [event]
        if self.depth > _MAX_DEPTH:
            raise RejectedEventError("the event is wrapped too many times")
        if isinstance(content, Text):
            return self.read(read_text(content, self.budget))
        if isinstance(content, str):
            return self._inside().read(self._claims(content))
        if isinstance(content, list):
            return self._inside().read_several([Member(member) for member in content])
        if not isinstance(content, dict):
            raise RejectedEventError("the event must be a JSON object")
        found = opened(content, self.budget)
        return self._of_system(content) if found is None else self._opened(found)

    def read_several(self, members: Sequence[Member], family: str = "") -> list[ReadEvent]:
        """Read each member of a list; one that is wrong is its own rejection."""
        if len(members) > self.budget.events:
            raise RejectedEventError(f"the message holds more than {MAX_EVENTS:,} events; send fewer at a time")
        self.budget.events -= len(members)
        if not members:
            return [IgnoredEvent(family, "empty list" if family else "")]
        inner = self
        if self.envelope is not None and len(members) > 1:
            inner = replace(self, envelope={name: value for name, value in self.envelope.items() if name != "id"})
        return [result for number, member in enumerate(members, 1) for result in inner._member(member, number)]

    def _member(self, member: Member, number: int) -> list[ReadEvent]:
        context = self if member.envelope is None else replace(self, envelope=member.envelope)
        body = _as_text(member.content)
        try:
            results = context.read(member.content)
        except RejectedEventError as error:
            located = RejectedEventError(f"event {number} of the message: {error.reason}", event_id=error.event_id)
            return [RejectedEvent(located, body)]
        return [
            replace(result, body=body) if isinstance(result, RejectedEvent) and result.body is None else result
            for result in results
        ]

    def _opened(self, found: Opened) -> list[ReadEvent]:
        if found.is_list:
            return self._inside(found.family).read_several(found.members, found.family)
        [member] = found.members
        return self._inside(found.family, member.envelope).read(member.content)

    def _inside(self, family: str | None = None, envelope: Mapping[str, Any] | None = None) -> "Reading":
        """Return the reading one envelope further in; `dataclasses.replace` takes half as long as reading an event."""
        return Reading(
            self.sent_at,
            self.received_at,
            self.providers,
            self.budget,
            self.envelope if envelope is None else envelope,
            self.family if family is None else family,
            self.depth + 1,
        )

    def _claims(self, text: str) -> Any:
        from providers.tokens import is_token, read_claims  # noqa: PLC0415 (start-up: canonical events need none of it)

        if is_token(text):
            return read_claims(text, self.providers.token_keys, self.received_at)
        if text.lstrip()[:1] in ("{", "["):
            raise RejectedEventError("the event is encoded twice: a JSON string with JSON in it; send the object")
        raise RejectedEventError("the event must be a JSON object")

    def _of_system(self, content: dict[str, Any]) -> list[ReadEvent]:
        """Read an event or a page of an identity system, or a CloudEvent; else say what the object is."""
        mappings = self.providers.mappings()
        result = mappings.read(
            content, envelope=self.envelope, sent_at=self.sent_at, namespaces=self.providers.namespaces()
        )
        if result is not None:
            return [result]
        if (page := mappings.page_members(content)) is not None:
            return self._inside().read_several([Member(member) for member in page[1]], page[0])
        if (found := cloud_event(content, self.budget)) is not None:
            return self._opened(found)
        return [self._of_no_system(content)]

    def _of_no_system(self, content: dict[str, Any]) -> ReadEvent:
        if (family := family_of(content)) is not None:
            return IgnoredEvent(*family)
        if self.family and content.keys() == {"message"}:
            return IgnoredEvent(self.family, "line of text")
        if (self.envelope is not None and "detail-type" in self.envelope) or content.get("event_type") is not None:
            return self._parsed(content)
        if any(content.get(name) is not None for name in _CANONICAL_FIELDS):
            return self._parsed(content)
        mappings = self.providers.mappings()
        reason = (
            "event_type is missing; send login, logout or logout_all. It is no known envelope and no event of "
            f"{len(mappings.mappings)} identity systems"
        )
        nearest = mappings.nearest(content)
        raise RejectedEventError(f"{reason}; {nearest}" if nearest else reason)

    def _parsed(self, content: Any) -> ReadEvent:
        return parse_event(content, sent_at=self.sent_at, envelope=self.envelope) or IgnoredEvent()


def read_canonical(content: Any, envelope: Mapping[str, Any] | None, sent_at: datetime | None) -> ReadEvent | None:
    """Read an event in our own format, bare or in an EventBridge event; None for all else, which costs a closer look.

    Args:
        content: A JSON value.
        envelope: The EventBridge event around it.
        sent_at: When the message was sent, aware UTC.

    Raises:
        RejectedEventError: It is one, and wrong.
    """
    if not is_canonical(content, envelope):
        if not (isinstance(content, dict) and is_eventbridge_event(content)):
            return None
        content, envelope = content["detail"], content
        if not is_canonical(content, envelope):
            return None
    return parse_event(content, sent_at=sent_at, envelope=envelope) or IgnoredEvent()


def is_canonical(content: Any, envelope: Mapping[str, Any] | None) -> bool:
    """Return True for an event in our own format, valid or not.

    Args:
        content: A JSON value.
        envelope: The EventBridge event around it, whose `detail-type` may say what it is.
    """
    if not isinstance(content, dict):
        return False
    event_type = content.get("event_type")
    if isinstance(event_type, str) and event_type in EVENT_MODELS:
        return True
    detail_type = None if envelope is None else envelope.get("detail-type")
    return (
        isinstance(detail_type, str)
        and detail_type in DETAIL_TYPES
        and any(content.get(name) is not None for name in _CANONICAL_FIELDS)
    )


def _as_text(content: Any) -> str:
    if isinstance(content, Text):
        return content.text
    return content if isinstance(content, str) else json.dumps(content)
