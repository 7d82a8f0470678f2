"""The shape of a life-cycle event: the JSON Schemas are made of it, and a consumer may parse with it.

`schemas.life_cycle` makes the events without these models: the publisher starts faster without pydantic.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"

Time = Annotated[
    str,
    Field(
        pattern=_TIME,
        description="RFC 3339, UTC, with milliseconds: the texts sort as the times do.",
        json_schema_extra={"format": "date-time"},
    ),
]
Id = Annotated[str, Field(min_length=1, description="Exactly as the login gave it.")]


class LifeCycleSession(BaseModel):
    """The whole state of a session, as of the event."""

    model_config = ConfigDict(hide_input_in_errors=True)

    session_id: Id
    customer_id: Id
    parent_session_id: Id | None = Field(description="The parent's session id; null unless it is a child session.")
    version: int = Field(ge=0, description="Rises with every write of the session.")
    started_at: Time | None = Field(description="The first login.")
    last_login_time: Time | None = Field(description="The latest login.")
    expires_at: Time | None = Field(description="When it runs out, a whole second; null: never.")
    ended_at: Time | None = Field(description="The earliest logout.")
    end_reason: str | None = Field(
        description="The reason of that logout: user, admin, timeout, security, parent, limit, revoked, or as given."
    )
    client_ip: str | None
    user_agent: str | None
    device_id: str | None
    country: str | None
    source: str | None = Field(description="The identity system.")


class LifeCycleDetail(BaseModel):
    """What became of a session: the detail of an EventBridge event, and a line of the archive."""

    model_config = ConfigDict(hide_input_in_errors=True)

    id: str = Field(
        min_length=1,
        description="The same for every delivery of one change: partition key, sort key, version (of an expiry its "
        "second) and kind, joined by slashes. Keys may hold slashes: split it from the right.",
    )
    format: Literal[1] = Field(description="Rises with a change of meaning; members are only added.")
    kind: Literal["started", "refreshed", "ended", "expired"]
    occurred_at: Time = Field(description="When it happened: the latest login, the logout, the expiry or the removal.")
    over_at: Time | None = Field(
        description="When the session's own time ended: the earlier of logout and expiry; null while it is live. A "
        "child session is over at the earliest of this and its parent's."
    )
    over_reason: str | None = Field(description="The logout's reason, expired or deleted; null while it is live.")
    session: LifeCycleSession


class LifeCycleEvent(BaseModel):
    """What became of a session, as EventBridge delivers it."""

    model_config = ConfigDict(hide_input_in_errors=True, populate_by_name=True)

    version: str = Field(description="EventBridge's own: 0.")
    id: str = Field(description="EventBridge's own; another one for each delivery. detail.id stays the same.")
    detail_type: Literal["Session Started", "Session Refreshed", "Session Ended", "Session Expired"] = Field(
        alias="detail-type"
    )
    source: Literal["session-events"]
    account: str = Field(description="The AWS account of the bus.")
    time: str = Field(description="When it was published.", json_schema_extra={"format": "date-time"})
    region: str
    resources: list[str]
    detail: LifeCycleDetail
