"""Ending child sessions whose logout did not name their parent, and came before their login was seen.

Such a logout is stored as a tombstone under the child's id, as if it were a top-level session's. Whichever of the two
items is written last, its stream record finds the other: the child is looked up for a tombstone, the tombstone for a
child. The child is then ended by an ordinary logout event.
"""

import logging
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from processors.commands import late_logout
from processors.item_store import ThroughputError, error_code
from processors.message_queue import MessageQueue
from processors.session_table import SessionTable
from schemas.errors import MalformedItemError
from schemas.items import Session
from schemas.keys import session_key
from schemas.stream import StreamRecord

logger = logging.getLogger(__name__)


def end_missed_children(records: Sequence[StreamRecord], sessions: SessionTable, commands: MessageQueue) -> set[str]:
    """Send a logout for each child session that a record shows to have missed its own.

    Args:
        records: A batch of the stream.
        sessions: Read, strongly consistent where it is by key.
        commands: The session-events queue.

    Returns:
        Sequence numbers of the records to deliver again: a read or a send failed, which is logged.
    """
    concerned = {record.sequence_number: record.after for record in records if isinstance(record.after, Session)}
    children = {number: session for number, session in concerned.items() if _is_child(session)}
    tombstones = {number: session for number, session in concerned.items() if _is_loginless_tombstone(session)}
    if not children and not tombstones:
        return set()
    try:
        pairs = _with_tombstones(children, sessions) + _with_children(tombstones, sessions)
    except (ClientError, BotoCoreError, ThroughputError, MalformedItemError) as error:
        logger.warning("sessions could not be read", extra={"error_code": error_code(error)})
        return {*children, *tombstones}
    numbers, bodies = [], []
    for number, child, tombstone in pairs:
        body = late_logout(child, tombstone)
        if body is not None:
            numbers.append(number)
            bodies.append(body)
    failures = commands.send(bodies)
    for code in set(failures.values()):
        logger.warning("logout commands could not be sent", extra={"error_code": code})
    return {numbers[position] for position in failures}


def _is_child(session: Session) -> bool:
    """Ended ones count: of several logouts the earliest names the end, in whatever order they come."""
    return session.parent_session_id is not None and session.has_login and session.customer_id is not None


def _is_loginless_tombstone(session: Session) -> bool:
    return session.parent_session_id is None and not session.has_login


def _with_tombstones(children: dict[str, Session], sessions: SessionTable) -> list[tuple[str, Session, Session | None]]:
    keys = {number: session_key(child.session_id, child.customer_id or "") for number, child in children.items()}
    found = sessions.read_sessions(set(keys.values()))
    return [(number, child, found.get(keys[number])) for number, child in children.items()]


def _with_children(tombstones: dict[str, Session], sessions: SessionTable) -> list[tuple[str, Session, Session | None]]:
    pairs: list[tuple[str, Session, Session | None]] = []
    for number, tombstone in tombstones.items():
        child = sessions.find_child(tombstone.session_id, tombstone.customer_id)
        if child is not None:
            pairs.append((number, child, tombstone))
    return pairs
