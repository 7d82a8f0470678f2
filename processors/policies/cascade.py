"""What the end of one session means for others: children end with their parent, whichever record comes first.

It needs no state. The stream shows an ended parent: its children are read. It shows a live child: its parent is read.
Each side was written before and is read after, strongly consistent, so one of the two sees the other.

A logout that names a child without its parent, and came before the child's login, is a tombstone under the child's id,
as if it were a top-level session's. There, too, whichever of the two items was written last finds the other.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from processors.aws.item_store import ThroughputError, chunks, error_code, forever
from processors.policies.commands import Command, end_as_logged_out, end_with_parent
from processors.session_table import SessionTable
from schemas.errors import MalformedItemError
from schemas.items import CLOSING, Session
from schemas.keys import Key, session_key
from schemas.stream import StreamRecord

logger = logging.getLogger(__name__)

PARENTS_AT_A_TIME = 200
"""Ended sessions whose children are read between two looks at the clock."""


def cascade(
    records: Sequence[StreamRecord], sessions: SessionTable, *, time_left: Callable[[], float] = forever
) -> tuple[list[Command], set[str]]:
    """Find the sessions that end because of what a batch's records show.

    Args:
        records: A batch of the stream.
        sessions: Read, strongly consistent but for the search of a child by its own id.
        time_left: Seconds until the caller must have answered; nothing is read once it is zero.

    Returns:
        The commands, and the sequence numbers of records to deliver again because a read failed, which is logged, or
        there was no time for it.
    """
    images = {record.sequence_number: record.after for record in records if isinstance(record.after, Session)}
    children = {number: image for number, image in images.items() if _is_child(image)}
    # of several images of one session the last counts: ends only move to the earliest
    ended = {image.key: (number, image) for number, image in images.items() if _is_ended_parent(image)}
    commands: list[Command] = []
    failed: set[str] = set()
    try:
        if time_left() > 0:
            commands += _upwards(children, sessions)
        else:
            failed.update(children)
    except (ClientError, BotoCoreError, ThroughputError, MalformedItemError) as error:
        logger.warning("parents could not be read", extra={"error_code": error_code(error)})
        failed.update(children)
    for part in chunks(list(ended.values()), PARENTS_AT_A_TIME):
        if time_left() <= 0:
            failed.update(number for number, _ in part)
            continue
        try:
            commands += _downwards(part, sessions)
        except (ClientError, BotoCoreError, MalformedItemError) as error:
            logger.warning("children could not be read", extra={"error_code": error_code(error)})
            failed.update(number for number, _ in part)
    return commands, failed


def _is_child(image: Session) -> bool:
    """Ended ones count: of several ends the earliest is kept, in whatever order they come."""
    return image.parent_session_id is not None and image.customer_id is not None and image.has_login


def _is_ended_parent(image: Session) -> bool:
    return image.parent_session_id is None and image.session_state == CLOSING


def _upwards(children: Mapping[str, Session], sessions: SessionTable) -> Iterator[Command]:
    """Read children again, their parents, and the tombstones under the children's own ids.

    The images are not enough: one delivered again shows as live a child that another cause has ended since, and the
    command would move its end.
    """
    if not children:
        return
    keys = {number: (image.key, _parent_key(image), _own_key(image)) for number, image in children.items()}
    found = sessions.read_sessions({key for several in keys.values() for key in several})
    for number, image in children.items():
        child, parent, tombstone = (found.get(key) for key in keys[number])
        if child is None or child.customer_id != image.customer_id:
            continue  # gone, or another customer's by now
        for body in (end_with_parent(child, parent), end_as_logged_out(child, tombstone)):
            if body is not None:
                yield Command(number, body)


def _downwards(ended: Sequence[tuple[str, Session]], sessions: SessionTable) -> Iterator[Command]:
    """Read the children of ended sessions, and the children that some of them may turn out to be."""
    families = sessions.find_children({parent.session_id for _, parent in ended})
    for number, parent in ended:
        children = families.get(parent.session_id, [])
        if any(child.customer_id is None for child in children):  # of the original schema: their parent knows whose
            children = sessions.get_child_sessions_by_session_id(parent.session_id)
        bodies = [end_with_parent(child, parent) for child in children if child.customer_id == parent.customer_id]
        if not parent.has_login:
            child_meant = sessions.find_child(parent.session_id, parent.customer_id)
            bodies.append(None if child_meant is None else end_as_logged_out(child_meant, parent))
        yield from (Command(number, body) for body in bodies if body is not None)


def _parent_key(child: Session) -> Key:
    return session_key(child.parent_session_id or "", child.customer_id or "")


def _own_key(child: Session) -> Key:
    return session_key(child.session_id, child.customer_id or "")
