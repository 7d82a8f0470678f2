"""Logout commands: what the projector tells the consumer, as ordinary canonical events. Pure.

A command's `event_id` is deterministic, so repeats fold into one.
"""

import json
from typing import Any

from schemas.items import CLOSING, Session
from schemas.times import format_rfc3339


def late_logout(child: Session, tombstone: Session | None) -> str | None:
    """End a child session whose logout came without its parent's id, before its login was seen.

    Args:
        child: The child session.
        tombstone: The top-level item of the same session id and customer: a logout that found nothing to end.

    Returns:
        The tombstone's logout, addressed to the child; None where it would change nothing.
    """
    if tombstone is None or tombstone.has_login or tombstone.ended_at is None or not child.has_login:
        return None
    if child.session_state == CLOSING and (
        child.ended_at is None
        or (child.ended_at, child.ended_event_id or "") <= (tombstone.ended_at, tombstone.ended_event_id or "")
    ):
        return None
    return _logout(child, ended_at=format_rfc3339(tombstone.ended_at), ended_by=tombstone)


def _logout(child: Session, *, ended_at: str, ended_by: Session) -> str:
    command: dict[str, Any] = {
        "event_id": ended_by.ended_event_id,
        "event_type": "logout",
        "occurred_at": ended_at,
        "customer_id": child.customer_id,
        "session_id": child.session_id,
        "parent_session_id": child.parent_session_id,
        "reason": ended_by.end_reason,
    }
    return json.dumps({name: value for name, value in command.items() if value is not None})
