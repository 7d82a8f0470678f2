"""The AsyncAPI document of the bus of life-cycle events: what is sent there, with an example of each.

Source: AsyncAPI Specification 3.0.0. There is no binding for EventBridge in it.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from ops.schema_export.life_cycle import components, of_kind
from schemas.items import ACTIVE, CLOSING, Session
from schemas.life_cycle import (
    DETAIL_TYPES,
    ENDED,
    EXPIRED,
    FORMAT,
    REFRESHED,
    SOURCE,
    STARTED,
    detail_of,
    expired_detail,
    over_as_of,
)

_SUMMARIES = {
    STARTED: "A session's first login has come.",
    REFRESHED: "A live session was refreshed by a further login, or its state is published again.",
    ENDED: "A session was logged out, or removed; again, where an earlier logout came later.",
    EXPIRED: "A session ran out: seconds after it happened, and never before.",
}
_CHANNEL = "sessions"
_NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def asyncapi_document() -> dict[str, Any]:
    """Make the document."""
    names = {kind: detail_type.replace(" ", "") for kind, detail_type in DETAIL_TYPES.items()}
    messages = {name: _message(kind, name) for kind, name in names.items()}
    return {
        "asyncapi": "3.0.0",
        "id": "urn:session-event-processor:life-cycle-events",
        "info": {
            "title": "Life-cycle events of sessions",
            "version": f"{FORMAT}.0.0",
            "description": "What became of each session. Delivery is at least once and in any order: per session keep "
            "the event with the greatest session.version; of one version an expiry counts last. Each event carries "
            "the whole state, so nothing else is needed.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": {
            _CHANNEL: {
                "address": "{stack}-sessions",
                "title": "The EventBridge bus of life-cycle events",
                "description": "There where the stack is deployed with PublishSessionEvents=true.",
                "parameters": {"stack": {"description": "The CloudFormation stack's name."}},
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {
            "publishWhatBecameOfASession": {
                "action": "send",
                "title": "Publish what became of a session",
                "channel": {"$ref": f"#/channels/{_CHANNEL}"},
                "messages": [{"$ref": f"#/channels/{_CHANNEL}/messages/{name}"} for name in messages],
            }
        },
        "components": {"messages": messages, "schemas": components()},
    }


def example_event(kind: str) -> dict[str, Any]:
    """Make an event of one kind, as EventBridge delivers it."""
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": DETAIL_TYPES[kind],
        "source": SOURCE,
        "account": "123456789012",
        "time": "2026-11-27T12:00:03Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": _example_detail(kind),
    }


def _example_detail(kind: str) -> dict[str, Any]:
    started_at = _NOON - timedelta(hours=2)
    session = Session(
        session_id="session-a1",
        customer_id="customer-1001",
        session_state=CLOSING if kind == ENDED else ACTIVE,
        started_at=_NOON if kind == STARTED else started_at,
        last_login_time=_NOON if kind in (STARTED, REFRESHED) else started_at,
        expires_at=_NOON if kind == EXPIRED else _NOON + timedelta(hours=8),
        ended_at=_NOON if kind == ENDED else None,
        end_reason="user" if kind == ENDED else None,
        client_ip="192.0.2.10",
        country="GB",
        source="example-idp",
        version=1795780800123,
    )
    if kind == EXPIRED:
        return expired_detail(session)
    return detail_of(kind, session, occurred_at=_NOON, over=over_as_of(session, _NOON))


def _message(kind: str, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": DETAIL_TYPES[kind],
        "summary": _SUMMARIES[kind],
        "contentType": "application/json",
        "payload": {"allOf": [{"$ref": "#/components/schemas/LifeCycleEvent"}, of_kind(kind)]},
        "examples": [{"name": kind, "payload": example_event(kind)}],
    }
