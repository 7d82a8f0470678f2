"""Canonical events in the shape of identity systems, as their mappings read them back: for the day's customers there.

Pure. A system's shape holds less than a canonical event: no access token, no child session, no end of the session.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

PROVIDERS = ("auth0", "okta", "keycloak")
"""The systems that the day speaks, besides its own."""

_CUSTOMERS = {11: "auth0", 22: "okta", 33: "keycloak"}
"""Of every 40 customers, those who log in there."""
_NUMBER = re.compile(r"\d+")


def provider_of(detail: Mapping[str, Any]) -> str:
    """Say which system a canonical event comes from; empty where its shape cannot hold it, or its customer is ours."""
    number = _NUMBER.search(detail.get("customer_id", ""))
    if number is None or detail["event_type"] not in ("login", "logout", "logout_all"):
        return ""
    if "parent_session_id" in detail or "except_session_id" in detail:
        return ""
    return _CUSTOMERS.get(int(number[0]) % 40, "")


def message_from(provider: str, detail: Mapping[str, Any], *, sent_at: datetime) -> str:
    """Write the message that a system would send: over EventBridge where it has a partner bus there.

    Args:
        provider: One of `PROVIDERS`.
        detail: The canonical event.
        sent_at: When its EventBridge event was made, aware UTC.
    """
    event = {"auth0": _auth0, "okta": _okta, "keycloak": _keycloak}[provider](detail)
    if provider == "keycloak":
        return json.dumps(event)
    source, detail_type = {
        "auth0": ("aws.partner/auth0.com/example-tenant/auth0.logs", "Auth0 log"),
        "okta": ("aws.partner/okta.com/example-org/sessions", "SystemLog"),
    }[provider]
    envelope = {"version": "0", "id": f"envelope-{detail['event_id']}", "source": source, "detail-type": detail_type}
    return json.dumps(envelope | {"time": sent_at.isoformat(timespec="seconds"), "detail": event})


def _auth0(detail: Mapping[str, Any]) -> dict[str, Any]:
    types = {"login": "s", "logout": "slo", "logout_all": "universal_logout_succeeded"}
    client = detail.get("client", {})
    data = {
        "log_id": detail["event_id"],
        "type": types[detail["event_type"]],
        "date": detail["occurred_at"],
        "user_id": detail["customer_id"],
        "ip": client.get("ip"),
        "user_agent": client.get("user_agent"),
        "details": {"session_id": detail.get("session_id")},
    }
    return {"log_id": detail["event_id"], "data": data}


def _okta(detail: Mapping[str, Any]) -> dict[str, Any]:
    types = {"login": "user.session.start", "logout": "user.session.end", "logout_all": "user.session.clear"}
    client = detail.get("client", {})
    is_clear = detail["event_type"] == "logout_all"
    return {
        "eventType": types[detail["event_type"]],
        "uuid": detail["event_id"],
        "published": detail["occurred_at"],
        "outcome": {"result": "SUCCESS"},
        "actor": {"type": "User", "id": "administrator" if is_clear else detail["customer_id"]},
        "target": [{"type": "User", "id": detail["customer_id"]}],
        "client": {
            "ipAddress": client.get("ip"),
            "userAgent": {"rawUserAgent": client.get("user_agent")},
            "geographicalContext": {"country": client.get("country")},
        },
        "authenticationContext": {"externalSessionId": detail.get("session_id")},
    }


def _keycloak(detail: Mapping[str, Any]) -> dict[str, Any]:
    moment = datetime.fromisoformat(detail["occurred_at"])
    event: dict[str, Any] = {
        "id": detail["event_id"],
        "time": int(moment.timestamp() * 1000 + 0.5),
        "realmId": "customers",
    }
    if detail["event_type"] == "logout_all":
        path = f"users/{detail['customer_id']}/logout"
        return event | {"operationType": "ACTION", "resourceType": "USER", "resourcePath": path}
    return event | {
        "type": detail["event_type"].upper(),
        "userId": detail["customer_id"],
        "sessionId": detail["session_id"],
        "ipAddress": detail.get("client", {}).get("ip"),
    }
