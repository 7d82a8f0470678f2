"""The canonical event, version 1: a login, a logout, or a logout of everything.

Models are frozen and compare by value. Times are aware UTC with milliseconds; ids are kept exactly as given. The JSON
Schema for publishers is made of them (`ops.schema_export`).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)

from schemas.errors import RejectedEventError
from schemas.ids import NO_CONTROLS, Id, NamespacedId
from schemas.secrets import without_secrets
from schemas.times import format_rfc3339, parse_rfc3339, to_milliseconds

MAX_CLOCK_AHEAD = timedelta(minutes=5)
"""How far `occurred_at` may lie after the moment the message was sent."""

MAX_USER_AGENT = 256
"""A user agent is cut to this many characters, so that a session item stays below one write unit (1 KB)."""

_LONE_SURROGATE = "contains a lone surrogate"
_LATEST_OCCURRENCE = datetime(9000, 1, 1, tzinfo=UTC)
"""Leaves room for the longest lifetime that can be configured, ten digits of seconds."""


def _time(value: object) -> datetime:
    if isinstance(value, str):
        return parse_rfc3339(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a datetime needs a time zone")
        return to_milliseconds(value.astimezone(UTC))
    raise ValueError("must be a string with an RFC 3339 date-time, like 2026-03-01T10:20:30.123Z")


def _validate_year(moment: datetime) -> datetime:
    if moment > _LATEST_OCCURRENCE:
        raise ValueError("lies beyond the year 9000")
    return moment


def _encodable(token: SecretStr) -> SecretStr:
    try:
        token.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError(_LONE_SURROGATE) from None
    return token


def _empty_as_absent(value: object) -> object:
    return None if value == "" else value


def _cut_user_agent(value: object) -> object:
    if not isinstance(value, str):
        return value
    cut = without_secrets(value)[:MAX_USER_AGENT]
    if cut.isprintable():
        return cut or None
    return "".join(c if c.isprintable() else " " for c in cut)


TIME_SCHEMA = {
    "type": "string",
    "format": "date-time",
    "pattern": "^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]+)?"
    "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$",
}
Time = Annotated[datetime, BeforeValidator(_time), WithJsonSchema(TIME_SCHEMA, mode="validation")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=NO_CONTROLS)]


_EmptyAsAbsent = BeforeValidator(_empty_as_absent)
_Detail64 = Annotated[Annotated[str, StringConstraints(max_length=64, pattern=NO_CONTROLS)] | None, _EmptyAsAbsent]
_Detail256 = Annotated[Annotated[str, StringConstraints(max_length=256, pattern=NO_CONTROLS)] | None, _EmptyAsAbsent]


class Client(BaseModel):
    """From where a login came. An empty string is an absent one; a user agent is cut, everything else refused."""

    model_config = ConfigDict(frozen=True, strict=True, hide_input_in_errors=True)

    ip: _Detail64 = Field(None, description="IPv4 or IPv6 address.")
    user_agent: Annotated[str | None, BeforeValidator(_cut_user_agent)] = Field(
        None, description=f"Cut to {MAX_USER_AGENT} characters."
    )
    device_id: _Detail256 = Field(None, description="The device, as the identity system names it.")
    country: _Detail64 = Field(None, description="Country, code or name.")


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, hide_input_in_errors=True)

    event_id: Id = Field(
        description="Unique per fact. In an EventBridge `detail` it may be left out: the event's `id` stands in."
    )
    occurred_at: Annotated[Time, AfterValidator(_validate_year)] = Field(
        description="When it happened, with offset. Kept as UTC with milliseconds."
    )
    source: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=NO_CONTROLS)] | None = Field(
        None, description="The identity system."
    )


class LoginEvent(_Event):
    """A customer logged in, or silently logged in again, on a session."""

    event_type: Literal["login"] = Field(
        "login", description="In an EventBridge `detail` it may be left out: the detail-type stands in."
    )
    customer_id: NamespacedId = Field(description="Whose session.")
    session_id: NamespacedId = Field(description="Which session; the id is never used again after a logout.")
    parent_session_id: NamespacedId | None = Field(None, description="Makes it a child session.")
    expires_at: Time | None = Field(
        None,
        description="When the session runs out. Default: a configured time after `occurred_at`; clipped to a maximum.",
    )
    access_token: Annotated[SecretStr, Field(min_length=1), AfterValidator(_encodable)] | None = Field(
        None, description="Only its SHA-256 is stored."
    )
    client: Client = Field(default=Client(), description="From where.")


class LogoutEvent(_Event):
    """A session ended."""

    event_type: Literal["logout"] = Field(
        "logout", description="In an EventBridge `detail` it may be left out: the detail-type stands in."
    )
    customer_id: NamespacedId | None = Field(
        None, description="Without it the session is looked up, and must have logged in."
    )
    session_id: NamespacedId = Field(description="Which session, or child session.")
    parent_session_id: NamespacedId | None = Field(None, description="Names a child session directly.")
    reason: Label = Field("user", description="user, admin, timeout, security, parent, limit, revoked, or your own.")


class LogoutAllEvent(_Event):
    """Every session of a customer that began at or before `occurred_at` ends."""

    event_type: Literal["logout_all"] = Field(
        "logout_all", description="In an EventBridge `detail` it may be left out: the detail-type stands in."
    )
    customer_id: NamespacedId = Field(description="Whose sessions.")
    except_session_id: NamespacedId | None = Field(None, description="Log out everywhere else.")


Event: TypeAlias = LoginEvent | LogoutEvent | LogoutAllEvent

EVENT_MODELS: Mapping[str, type[LoginEvent] | type[LogoutEvent] | type[LogoutAllEvent]] = {
    "login": LoginEvent,
    "logout": LogoutEvent,
    "logout_all": LogoutAllEvent,
}

DETAIL_TYPES: Mapping[str, str] = {"Login": "login", "Logout": "logout", "LogoutAll": "logout_all"}
"""EventBridge detail-type of each event type."""


def parse_event(
    body: object, *, sent_at: datetime | None = None, envelope: Mapping[str, Any] | None = None
) -> Event | None:
    """Read a canonical event.

    Args:
        body: The JSON value of the event; `null` members are absent ones, unknown members are ignored.
        sent_at: When the message was sent (SQS `SentTimestamp`, EventBridge `time`), aware UTC; None skips the check.
        envelope: The EventBridge event around it, for `id` and `detail-type`.

    Returns:
        The event, or None where it is valid but of a kind that is neither login nor logout.

    Raises:
        RejectedEventError: No retry can fix it; the reason names the field and shows no value.
    """
    if not isinstance(body, dict):
        raise RejectedEventError("the event must be a JSON object")
    fields = {name: value for name, value in body.items() if value is not None}
    if envelope is not None and envelope.get("id") is not None:
        fields.setdefault("event_id", envelope["id"])
    event_id = _readable_id(fields.get("event_id"))
    try:
        model = _model_for(fields, envelope)
        if model is None:
            return None
        event = model.model_validate(fields)
        if sent_at is not None and event.occurred_at - sent_at > MAX_CLOCK_AHEAD:
            raise RejectedEventError(
                f"occurred_at lies more than {MAX_CLOCK_AHEAD.seconds // 60} minutes after the message was sent; "
                "check the publisher's clock and time zone"
            )
    except ValidationError as error:
        raise RejectedEventError(_explain(error), event_id=event_id) from None
    except RejectedEventError as error:
        raise RejectedEventError(error.reason, event_id=event_id) from None
    return event


def _readable_id(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 256 and value.isprintable() else None


def _model_for(
    fields: dict[str, Any], envelope: Mapping[str, Any] | None
) -> type[LoginEvent] | type[LogoutEvent] | type[LogoutAllEvent] | None:
    detail_type = envelope.get("detail-type") if envelope is not None else None
    announced = DETAIL_TYPES.get(detail_type) if isinstance(detail_type, str) else None
    event_type = fields.setdefault("event_type", announced)
    if event_type is None:
        if envelope is None:
            raise RejectedEventError("event_type is missing; send login, logout or logout_all")
        if _is_misspelt(detail_type):
            raise RejectedEventError("the detail-type is misspelt; write Login, Logout or LogoutAll")
        return None
    if not isinstance(event_type, str) or not event_type:
        raise RejectedEventError("event_type must be a string: login, logout or logout_all")
    if announced is not None and event_type != announced:
        raise RejectedEventError(
            "event_type contradicts the detail-type of the EventBridge event; leave one of them out"
        )
    model = EVENT_MODELS.get(event_type)
    if model is None and _is_misspelt(event_type):
        raise RejectedEventError("event_type is misspelt; write login, logout or logout_all, in lower case")
    return model


def _is_misspelt(event_type: object) -> bool:
    """Whether somebody meant one of ours; to ignore such an event would be to lose it."""
    return isinstance(event_type, str) and re.sub(r"[\W_]", "", event_type).lower() in ("login", "logout", "logoutall")


def _explain(error: ValidationError) -> str:
    problems = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        where = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "missing":
            problems.append(f"{where} is missing")
        elif problem["type"] == "string_pattern_mismatch":
            problems.append(f"{where} contains a control character")
        elif problem["type"] in ("string_too_short", "too_short"):
            problems.append(f"{where} is empty")
        elif problem["type"] == "string_unicode":
            problems.append(f"{where} {_LONE_SURROGATE}")
        elif problem["type"] == "model_type":
            problems.append(f"{where} must be a JSON object")
        else:
            problems.append(f"{where}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(problems)


def to_json(event: Event) -> dict[str, Any]:
    """Write an event as the canonical JSON object; a token is left out."""
    fields = event.model_dump(exclude_none=True, exclude={"access_token"})
    return {
        name: format_rfc3339(value) if isinstance(value, datetime) else value
        for name, value in fields.items()
        if value != {}
    }
