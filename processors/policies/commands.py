"""Logout commands: what the projector tells the consumer, as ordinary canonical events. Pure.

A command's `event_id` is made of what it says, so repeats fold into one. Commands end sessions and never begin one, and
each is sent only to a session that is live: no chain of them can go on for ever.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from processors.policies.ending import REVOKED
from schemas.items import ACTIVE, CLOSING, Session
from schemas.projection_items import Entry
from schemas.times import format_rfc3339, from_epoch_milliseconds

PARENT = "parent"


class Command(NamedTuple):
    """A logout event to send, for a record of the stream."""

    sequence_number: str
    """The record that calls for it, which fails if it cannot be sent."""
    body: str
    """A canonical event, as JSON."""


def end_told(customer_id: str, told: Mapping[str, Entry]) -> list[str]:
    """End the sessions that a policy told to end."""
    return [
        _logout(
            session_id=session_id,
            customer_id=customer_id,
            reason=entry.end_reason,
            occurred_at=from_epoch_milliseconds(entry.ended_at),
        )
        for session_id, entry in told.items()
    ]


def end_revoked(session: Session, moment: datetime) -> str:
    """End a session that was revoked at a moment, aware UTC."""
    return _logout(session_id=session.session_id, customer_id=session.customer_id, reason=REVOKED, occurred_at=moment)


def end_with_parent(child: Session, parent: Session | None) -> str | None:
    """End a child session because its parent was ended; None where there is nothing to do.

    An end that followed from the parent's moves with it, to the earliest.
    """
    if parent is None or parent.session_state != CLOSING or parent.ended_at is None or not child.has_login:
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


def end_as_logged_out(child: Session, tombstone: Session | None) -> str | None:
    """End a child session whose logout came without its parent's id, before its login was seen.

    Args:
        child: The child session.
        tombstone: The top-level item of the same session id and customer: a logout that found nothing to end.

    Returns:
        The tombstone's logout, addressed to the child; None where it would change nothing.
    """
    if tombstone is None or tombstone.has_login or tombstone.ended_at is None or not child.has_login:
        return None
    if child.session_state != ACTIVE and (
        child.ended_at is None
        or (child.ended_at, child.ended_event_id or "") <= (tombstone.ended_at, tombstone.ended_event_id or "")
    ):
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
