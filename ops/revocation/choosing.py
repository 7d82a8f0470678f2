"""Choose the sessions that are to end."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from ops.inspection.customers import children_of, find_sessions, view_customer
from ops.revocation.revoking import Target, target_of
from processors.projection_table import ProjectionTable
from processors.session_table import SessionTable
from schemas.items import Session

SHOWN = 20
"""Sessions of a preview."""


@dataclass(slots=True)
class Chosen:
    """The sessions that are to end.

    Attributes:
        targets: What ends each.
        first: The first of them, for a preview.
        customers: How many customers they belong to.
        is_known: Whether there is anything under the id that was asked for, live or not.
    """

    targets: list[Target] = field(default_factory=list)
    first: list[Session] = field(default_factory=list)
    customers: int = 0
    is_known: bool = True

    def in_words(self) -> str:
        """Write how many there are: `12 sessions of 3 customers`."""
        sessions = len(self.targets)
        if not sessions:
            return "no session that is live now"
        plural = "s" if self.customers > 1 else ""
        return f"{sessions:,} session{'s' if sessions > 1 else ''} of {self.customers:,} customer{plural}"


class AmbiguousSessionError(Exception):
    """Several customers have a session of this id; the message says how many."""


def choose(sessions: Iterable[Session]) -> Chosen:
    """Take sessions, keeping of most of them no more than what ends them."""
    chosen = Chosen()
    customers = set()
    for session in sessions:
        target = target_of(session)
        if target is not None:
            chosen.targets.append(target)
            customers.add(target.customer_id)
            if len(chosen.first) < SHOWN:
                chosen.first.append(session)
    chosen.customers = len(customers)
    return chosen


def choose_session(sessions: SessionTable, session_id: str, customer_id: str | None, now: datetime) -> Chosen:
    """Choose a session with its children, or a child session, where they are live.

    Raises:
        AmbiguousSessionError: Several customers have it, and none is named.
        ReadError: The table could not be read.
    """
    found = find_sessions(sessions, session_id, customer_id)
    if len(found) > 1:
        raise AmbiguousSessionError(f"{len(found)} customers have a session {session_id}")
    family = [session for session in found if session.has_login]
    for top in tuple(family):
        family += children_of(sessions, top) if top.parent_session_id is None else []
    chosen = choose(session for session in family if session.is_live(now))
    chosen.is_known = bool(family)
    return chosen


def choose_customer(
    sessions: SessionTable,
    projections: ProjectionTable,
    customer_id: str,
    now: datetime,
    *,
    except_session_id: str | None = None,
) -> Chosen:
    """Choose all live sessions of a customer, but for one and its children.

    Raises:
        ReadError: A table could not be read.
    """
    view = view_customer(sessions, projections, customer_id, every=False, now=now)
    kept = {except_session_id} if except_session_id is not None else set()
    return choose(each for each in view.sessions if not kept & {each.session_id, each.parent_session_id})
