"""Logout commands, sent by the projector to the consumer as ordinary canonical events: pure.

A command's `event_id` is derived from its content, so repeats fold into one. Commands only end live sessions, so they
cannot loop.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from processors.policies.ending import REVOKED
from schemas.items import ACTIVE, Session
from schemas.projection_items import Entry
from schemas.times import format_rfc3339, from_epoch_milliseconds

PARENT = "parent"


class Command(NamedTuple):
    """A logout event to send, for a record of the stream."""

    sequence_number: str
    """The record that caused it, which fails if it cannot be sent."""
    body: str
    """A canonical event, as JSON."""


def logouts_for_ending(customer_id: str, ending: Mapping[str, Entry]) -> list[str]:
    """Return the logouts of the sessions that a policy ends."""
    return [
        _logout(
            session_id=session_id,
            customer_id=customer_id,
            reason=entry.end_reason,
            occurred_at=from_epoch_milliseconds(entry.end_as_of),
        )
        for session_id, entry in ending.items()
        if entry.end_as_of is not None
    ]


def logout_of_revoked(session: Session, revoked_at: datetime) -> str:
    """Return the logout of a session that was revoked at a time, aware UTC."""
    return _logout(
        session_id=session.session_id, customer_id=session.customer_id, reason=REVOKED, occurred_at=revoked_at
    )


def logout_with_parent(child: Session, parent: Session | None) -> str | None:
    """Return the logout of a child session whose parent was ended; None where nothing would change.

    An end that was caused by the parent's moves with it, to the earliest.
    """
    if parent is None or parent.session_state == ACTIVE or parent.ended_at is None or not child.has_login:
        return None
    is_later = child.end_reason == PARENT and child.ended_at is not None and child.ended_at > parent.ended_at
    if child.session_state != ACTIVE and not is_later:
        return None
    return _logout(
        session_id=child.session_id,
        customer_id=child.customer_id,
        parent_session_id=child.parent_session_id,
        reason=PARENT,
        occurred_at=parent.ended_at,
    )


def logout_by_tombstone(child: Session, tombstone: Session | None) -> str | None:
    """Return the logout of a child session that arrived without its parent's id, before the child's login.

    Args:
        child: The child session.
        tombstone: The top-level item of the same session id and customer, left by a logout that found no session.

    Returns:
        The tombstone's logout, addressed to the child; None where nothing would change.
    """
    if tombstone is None or tombstone.has_login or tombstone.ended_at is None or not child.has_login:
        return None
    if not child.ends_after(tombstone.ended_at, tombstone.ended_event_id):
        return None
    return _logout(
        event_id=tombstone.ended_event_id,
        session_id=child.session_id,
        customer_id=child.customer_id,
        parent_session_id=child.parent_session_id,
        reason=tombstone.end_reason,
        occurred_at=tombstone.ended_at,
    )


def _logout(*, occurred_at: datetime, event_id: str | None = None, **fields: str | None) -> str:
    command = {
        "event_type": "logout",
        "occurred_at": format_rfc3339(occurred_at),
        **{name: value for name, value in fields.items() if value is not None},
    }
    content = json.dumps(command, sort_keys=True)
    identity = event_id or f"{fields['reason']}:{sha256(content.encode()).hexdigest()}"
    return json.dumps({"event_id": identity, **command})
