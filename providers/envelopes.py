"""What events may come wrapped in, outermost first; each may hold the next.

SNS notification, EventBridge event, several events in one message (an array, JSON Lines, and what CloudTrail, Azure,
Okta, Google and SET polling call it), JWT. A canonical event is told first and costs no look at anything else.
Sources: EventBridge "AWS event structure"; SNS "message formats", `Type: Notification`; RFC 8417, RFC 8936.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from schemas.errors import RejectedEventError
from schemas.events import DETAIL_TYPES, EVENT_MODELS, Event, parse_event
from schemas.strict_json import MAX_BODY_BYTES, load_json
from schemas.times import parse_rfc3339

if TYPE_CHECKING:
    from providers.namespaces import Namespaces
    from providers.provider_mappings import ProviderMappings
    from providers.tokens import TokenVerifier

MAX_EVENTS = 2000
"""Most events in one message; a body of the size that is read holds fewer real ones."""

_MAX_DEPTH = 8
_LOGOUT_TOKEN_FIELD = "logout_token="  # noqa: S105 (the name of a form field, OIDC Back-Channel Logout 2.5)
_CANONICAL_FIELDS = ("occurred_at", "customer_id", "session_id")


@dataclass(frozen=True, slots=True)
class IgnoredEvent:
    """A valid event that is neither a login nor a logout.

    Attributes:
        provider: The identity system or family of events; empty for an event of unknown origin.
        event_type: Its type as that system calls it; empty where it has none.
    """

    provider: str = ""
    event_type: str = ""


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """An event that no retry can fix.

    Attributes:
        error: The reason.
        body: The event, as JSON, where it is one of several in its message; None where it is the whole message.
    """

    error: RejectedEventError
    body: str | None = None


ReadEvent: TypeAlias = Event | IgnoredEvent | RejectedEvent
"""The result of reading one event."""


def _bundled() -> "ProviderMappings":
    from providers.provider_mappings import bundled_mappings  # noqa: PLC0415 (start-up: canonical events need none of it)

    return bundled_mappings()


@dataclass(frozen=True, slots=True)
class Providers:
    """How events of identity systems are read.

    Attributes:
        mappings: Gives their mappings; called at the first event that is not canonical.
        verifier: Verifies signed tokens; None reads them unverified.
        customer_namespace: `provider` or `none`: whether ids that a mapping yields become `<provider>:<tenant>:<id>`.
        customer_namespaces: `provider:tenant` by issuer, for formats that many systems share.
    """

    mappings: "Callable[[], ProviderMappings]" = _bundled
    verifier: "TokenVerifier | None" = None
    customer_namespace: str = "none"
    customer_namespaces: Mapping[str, str] = field(default_factory=dict)

    def namespaces(self) -> "Namespaces":
        """Return how ids of customers and sessions are told apart."""
        from providers.namespaces import Namespaces  # noqa: PLC0415 (start-up: canonical events need none of it)

        return Namespaces(self.customer_namespace == "provider", self.customer_namespaces)


BUNDLED = Providers()
"""The systems that come along, and no keys."""


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
        content = _load(body, "body")
        if _is_canonical(content):
            return [parse_event(content, sent_at=sent_at) or IgnoredEvent()]
        return _of_eventbridge_or_wrapped(content, sent_at, providers)
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
        if not isinstance(event, dict) or not _is_eventbridge_event(event):
            raise RejectedEventError("not an EventBridge event: source, detail-type or the object detail is missing")
        return _of_eventbridge_or_wrapped(event, _earlier(_time_of(event), sent_at), providers)
    except RejectedEventError as error:
        return [RejectedEvent(error)]


def read_body(body: object, *, sent_at: datetime | None, providers: Providers = BUNDLED) -> Event | None:
    """Read the one event in the body of an SQS message, as `read_events` does.

    Returns:
        The event, or None for a valid one of another kind.

    Raises:
        RejectedEventError: No retry can fix it, or there are several.
    """
    return _only(read_events(body, sent_at=sent_at, providers=providers))


def _of_eventbridge_or_wrapped(content: Any, sent_at: datetime | None, providers: Providers) -> list[ReadEvent]:
    """Read a canonical event in an EventBridge event at once, and unwrap everything else step by step."""
    if isinstance(content, dict) and _is_eventbridge_event(content) and _is_canonical(content["detail"], content):
        return [parse_event(content["detail"], sent_at=sent_at, envelope=content) or IgnoredEvent()]
    return _Unwrapping(sent_at, providers).readings(content)


def _only(readings: list[ReadEvent]) -> Event | None:
    if len(readings) > 1:
        raise RejectedEventError(f"the message holds {len(readings):,} events, and one is wanted here")
    [reading] = readings
    if isinstance(reading, RejectedEvent):
        raise reading.error
    return None if isinstance(reading, IgnoredEvent) else reading


def _load(text: str, what: str) -> Any:
    """Read a text: JSON, a JWT, the form field of a logout token, or JSON Lines."""
    first = text[0]
    if first == "e" and _is_token(text.strip()):
        return text.strip()
    if first == "l" and text.startswith(_LOGOUT_TOKEN_FIELD):
        return text.removeprefix(_LOGOUT_TOKEN_FIELD).partition("&")[0]
    try:
        return load_json(text, what=what)
    except RejectedEventError:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(text) > MAX_BODY_BYTES or len(lines) < 2 or not _is_object(lines[0]):
            raise
        return [_Line(line) for line in lines]


class _Line(str):
    """A line of JSON Lines, not read yet: each is an outcome of its own."""

    __slots__ = ()


def _is_object(text: str) -> bool:
    try:
        return isinstance(load_json(text), dict)
    except RejectedEventError:
        return False


def _is_token(text: str) -> bool:
    from providers.tokens import is_token  # noqa: PLC0415 (start-up: canonical events need none of it)

    return is_token(text)


@dataclass(frozen=True, slots=True)
class _Unwrapping:
    """Takes events out of what they are in."""

    sent_at: datetime | None
    providers: Providers
    envelope: Mapping[str, Any] | None = None
    """The EventBridge event around; several events in one share its time, but cannot share its id."""
    depth: int = 0

    def readings(self, content: Any) -> list[ReadEvent]:
        """Read one event, or each of several.

        Raises:
            RejectedEventError: There is no event, or just one and it is wrong.
        """
        if self.depth > _MAX_DEPTH:
            raise RejectedEventError("the event is wrapped too many times")
        inner = replace(self, depth=self.depth + 1)
        if isinstance(content, str):
            return inner._of_text(content)
        if isinstance(content, dict):
            if _is_canonical(content, self.envelope):
                return [self._parsed(content)]
            if _is_notification(content):
                return inner.readings(_load(content["Message"] or " ", "SNS notification's Message"))
            if _is_eventbridge_event(content):
                return replace(inner, envelope=content).readings(content["detail"])
            if isinstance(content.get("logout_token"), str):
                return inner.readings(content["logout_token"])
        members = _members(content)
        return [self._of_one(content)] if members is None else inner._of_several(members)

    def _of_text(self, text: str) -> list[ReadEvent]:
        if isinstance(text, _Line):
            return self.readings(load_json(text, what="line"))
        if not _is_token(text):
            raise RejectedEventError("the event must be a JSON object")
        from providers.tokens import read_claims  # noqa: PLC0415 (start-up: canonical events need none of it)

        return self.readings(read_claims(text, self.providers.verifier))

    def _of_several(self, members: list[Any]) -> list[ReadEvent]:
        if len(members) > MAX_EVENTS:
            raise RejectedEventError(f"the message holds more than {MAX_EVENTS:,} events; send fewer at a time")
        if not members:
            return [IgnoredEvent()]
        inner = self
        if self.envelope is not None and len(members) > 1:
            inner = replace(self, envelope={name: value for name, value in self.envelope.items() if name != "id"})
        return [reading for number, member in enumerate(members, 1) for reading in inner._of_member(member, number)]

    def _of_member(self, member: Any, number: int) -> list[ReadEvent]:
        body = member if isinstance(member, str) else None
        try:
            readings = self.readings(member)
        except RejectedEventError as error:
            located = RejectedEventError(f"event {number} of the message: {error.reason}", event_id=error.event_id)
            return [RejectedEvent(located, body or json.dumps(member))]
        return [
            replace(reading, body=body or json.dumps(member))
            if isinstance(reading, RejectedEvent) and reading.body is None
            else reading
            for reading in readings
        ]

    def _of_one(self, content: Any) -> ReadEvent:
        if isinstance(content, dict):
            reading = self.providers.mappings().read(
                content, envelope=self.envelope, sent_at=self.sent_at, namespaces=self.providers.namespaces()
            )
            if reading is not None:
                return reading
        return self._parsed(content)

    def _parsed(self, content: Any) -> ReadEvent:
        return parse_event(content, sent_at=self.sent_at, envelope=self.envelope) or IgnoredEvent()


def _is_canonical(content: Any, envelope: Mapping[str, Any] | None = None) -> bool:
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


def _is_notification(content: dict[str, Any]) -> bool:
    return content.get("Type") == "Notification" and isinstance(content.get("Message"), str)


def _is_eventbridge_event(content: dict[str, Any]) -> bool:
    return "source" in content and "detail-type" in content and isinstance(content.get("detail"), dict)


def _members(content: Any) -> list[Any] | None:
    """Give the events of a message that holds several; None for a message that is one, or none."""
    if isinstance(content, list):
        if not content:
            raise RejectedEventError("the event must be a JSON object, and the array is empty")
        return content
    if not isinstance(content, dict) or isinstance(content.get("event_type"), str):
        return None
    for name in ("Records", "records"):
        if isinstance(content.get(name), list):
            return list(content[name])
    sets = content.get("sets")
    return list(sets.values()) if isinstance(sets, dict) else _items_or_hooked(content)


def _items_or_hooked(content: dict[str, Any]) -> list[Any] | None:
    """Give what Google lists, or what an event hook of Okta sends: names that others use too."""
    items, data = content.get("items"), content.get("data")
    if isinstance(items, list) and str(content.get("kind", "")).startswith("admin#reports#"):
        return items
    if isinstance(data, dict) and isinstance(data.get("events"), list) and not {"log_id", "object"} & content.keys():
        return list(data["events"])
    return None


def _time_of(event: Mapping[str, Any]) -> datetime | None:
    try:
        return parse_rfc3339(event["time"])
    except (KeyError, TypeError, ValueError):
        return None


def _earlier(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)
