"""End children with their parent, whichever record comes first.

It needs no state. The stream shows an ended parent: its children are read. It shows a live child: its parent is read.
Each side was written before and is read after, strongly consistent, so one of the two sees the other.

A logout that names a child without its parent, and came before the child's login, is a tombstone under the child's id,
as if it were a top-level session's. There, too, whichever of the two items was written last finds the other.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from processors.aws.deadline import NEVER, Deadline
from processors.aws.errors import ReadError
from processors.aws.parallel import chunks
from processors.policies.commands import Command, logout_by_tombstone, logout_with_parent
from processors.register.reader import RegisterReader
from schemas.items import ACTIVE, Session, with_parent
from schemas.keys import Key, session_key
from schemas.stream import StreamRecord

logger = logging.getLogger(__name__)

PARENTS_A_STEP = 200
"""Ended sessions whose children are read between two looks at the clock."""

LARGEST_FAMILY_A_STEP = 50
"""Children of one parent that are read together with other families; a larger family is read page by page."""

Parents = Mapping[str, Session]
"""Ended sessions, by the sequence number of the record that shows each."""


@dataclass(slots=True)
class Step:
    """A part of a cascade, to be sent before the next part is read.

    Args:
        commands: The logouts to send.
        failed: Sequence numbers of records to deliver again.
    """

    commands: list[Command] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)


def cascade(records: Sequence[StreamRecord], register: RegisterReader, *, deadline: Deadline = NEVER) -> Iterator[Step]:
    """Find the sessions that end because of what a batch's records show, step by step.

    Args:
        records: A batch of the stream.
        register: Read, strongly consistent but for the search of a child by its own id.
        deadline: When the caller must have answered; nothing is read after it.

    Yields:
        The commands of a step. A record fails where a read failed, which is logged, or there was no time for it. The
        commands sent before that end their sessions, so the next delivery has less left to do.
    """
    images = {record.sequence_number: record.after for record in records if isinstance(record.after, Session)}
    children = {number: image for number, image in images.items() if _is_child(image)}
    # of several images of one session the last counts: ends only move to the earliest
    ended = {image.key: (number, image) for number, image in images.items() if _is_ended_parent(image)}
    if children:
        yield _upwards(children, register) if not deadline.expired else Step(failed=set(children))
    for part in chunks(list(ended.values()), PARENTS_A_STEP):
        if not deadline.expired:
            yield from _downwards(dict(part), register, deadline)
        else:
            yield Step(failed={number for number, _ in part})


def _is_child(image: Session) -> bool:
    """Whether it is a child session with a login; ended ones too: of several ends the earliest is kept."""
    return image.parent_session_id is not None and image.customer_id is not None and image.has_login


def _is_ended_parent(image: Session) -> bool:
    return image.parent_session_id is None and image.session_state != ACTIVE


def _upwards(children: Mapping[str, Session], register: RegisterReader) -> Step:
    """Read children again, their parents, and the tombstones under the children's own ids."""
    keys = {number: (image.key, _parent_key(image), _own_key(image)) for number, image in children.items()}
    try:
        found = register.read_items({key for several in keys.values() for key in several}).sessions
    except ReadError as error:
        logger.warning("parents could not be read", extra={"error_code": error.code})
        return Step(failed=set(children))
    step = Step()
    for number, image in children.items():
        child, parent, tombstone = (found.get(key) for key in keys[number])
        bodies = logouts_of_child(image, child=child, parent=parent, tombstone=tombstone)
        step.commands += [Command(number, body) for body in bodies]
    return step


def logouts_of_child(
    image: Session, *, child: Session | None, parent: Session | None, tombstone: Session | None
) -> list[str]:
    """Return the logouts of a child session that a stream record shows.

    Args:
        image: The child in the record. It is not enough: one delivered again shows as live a child that another cause
            has ended since, and the command would move its end.
        child: The child's item as read again.
        parent: The parent's item.
        tombstone: The top-level item of the child's own id.
    """
    if child is None or child.customer_id != image.customer_id:
        return []  # removed, or another customer's by now
    bodies = (logout_with_parent(child, parent), logout_by_tombstone(child, tombstone))
    return [body for body in bodies if body is not None]


def _downwards(parents: Parents, register: RegisterReader, deadline: Deadline) -> Iterator[Step]:
    """Read the children of ended sessions, and the children that tombstones without a login may belong to."""
    tombstones = {number: parent for number, parent in parents.items() if not parent.has_login}
    try:
        families = register.find_children(
            {parent.session_id for parent in parents.values()}, most=LARGEST_FAMILY_A_STEP
        )
        step = Step(_logouts_by_tombstones(tombstones, register) if tombstones else [])
        for number, parent in parents.items():
            children = families.get(parent.session_id, [])
            if children is not None:
                step.commands += _logouts_of_family(number, parent, children, register)
    except ReadError as error:
        logger.warning("children could not be read", extra={"error_code": error.code})
        yield Step(failed=set(parents))
        return
    yield step
    for number, parent in parents.items():
        if families.get(parent.session_id, []) is None:
            yield from _page_family(number, parent, register, deadline)


def _page_family(number: str, parent: Session, register: RegisterReader, deadline: Deadline) -> Iterator[Step]:
    """Read a large family page by page; those that have ended meanwhile are passed over."""
    try:
        for children in register.page_children(parent.session_id):
            yield Step(_logouts_of_family(number, parent, children, register))
            if deadline.expired:
                yield Step(failed={number})
                return
    except ReadError as error:
        facts = {"sequence_number": number, "error_code": error.code}
        logger.warning("children of a large family could not be read", extra=facts)
        yield Step(failed={number})


def _logouts_of_family(
    number: str, parent: Session, children: Sequence[Session], register: RegisterReader
) -> list[Command]:
    if any(child.customer_id is None for child in children):  # of the original schema: their parent knows the customer
        parents = register.find_parents(parent.session_id)
        children = [with_parent(child, parents) for child in children]
    bodies = (logout_with_parent(child, parent) for child in children if child.customer_id == parent.customer_id)
    return [Command(number, body) for body in bodies if body is not None]


def _logouts_by_tombstones(tombstones: Parents, register: RegisterReader) -> list[Command]:
    found = register.find_children_by_id({tombstone.session_id for tombstone in tombstones.values()})
    return [
        Command(number, body)
        for number, tombstone in tombstones.items()
        for child in found.get(tombstone.session_id, ())
        if child.customer_id == tombstone.customer_id and (body := logout_by_tombstone(child, tombstone)) is not None
    ]


def _parent_key(child: Session) -> Key:
    return session_key(child.parent_session_id or "", child.customer_id or "")


def _own_key(child: Session) -> Key:
    return session_key(child.session_id, child.customer_id or "")
