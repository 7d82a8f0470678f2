"""Find sessions and customers in the tables, as people ask for them: with their families, whatever the state."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from ops.inspection.session_states import is_used_up
from processors.projection_table import ProjectionTable
from processors.projections.activity import CustomerActivity
from processors.session_table import SessionTable
from schemas.items import Session, with_parent


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerView:
    """A customer, for people.

    Attributes:
        activity: The projection.
        sessions: The sessions to show, the oldest first, each top-level one before its children.
        surprising: Sessions that are over though a login came after their end; shown or not.
        left_out: How many more top-level sessions are stored, ended or expired.
        last_login: The session of the last login; None where it is not in the table any more.
    """

    activity: CustomerActivity
    sessions: list[Session]
    surprising: list[Session]
    left_out: int
    last_login: Session | None


def view_customer(
    sessions: SessionTable,
    projections: ProjectionTable,
    customer_id: str,
    *,
    every: bool,
    now: datetime,
    on_read: Callable[[], object] = lambda: None,
) -> CustomerView:
    """Read a customer's projection, sessions and child sessions; what the index serves is eventually consistent.

    One Query of the index, and one of the table for each session that is shown.

    Args:
        sessions: The sessions table.
        projections: The projections table.
        customer_id: The customer.
        every: Show ended and expired sessions as well.
        now: The moment that counts, aware UTC.
        on_read: Called after each session whose children were read.

    Raises:
        ReadError: A table could not be read.
        MalformedItemError: An item breaks the schema.
    """
    activity = projections.get_customer_activity(customer_id, now=now)
    stored = sessions.get_sessions_by_customer_id(customer_id, live_only=False)
    tops = [session for session in stored if every or session.is_live(now)]
    shown = []
    for top in sorted(tops, key=lambda session: (session.started_at or now, session.session_id)):
        children = sessions.get_child_sessions_by_session_id(top.session_id)
        shown += [top, *_shown_children(children, customer_id, every=every, now=now)]
        on_read()
    last = _last_login(sessions, activity, [*shown, *stored])
    if last is not None and last not in shown and last.parent_session_id is not None and (every or last.is_live(now)):
        shown.append(last)  # a child whose parent is not listed
    return CustomerView(
        activity=activity,
        sessions=shown,
        surprising=[session for session in stored if is_used_up(session)],
        left_out=len(stored) - len(tops),
        last_login=last,
    )


def _shown_children(children: Iterable[Session], customer_id: str, *, every: bool, now: datetime) -> list[Session]:
    own = (child for child in children if child.customer_id in (None, customer_id))
    kept = (child for child in own if every or child.is_live(now))
    return sorted(kept, key=lambda child: (child.started_at or now, child.session_id))


def _last_login(sessions: SessionTable, activity: CustomerActivity, known: Iterable[Session]) -> Session | None:
    session_id = activity.last_login_session_id
    if session_id is None:
        return None
    for session in known:
        if session.session_id == session_id:
            return session
    child = sessions.get_session_by_child_session_id(session_id)
    return child if child is not None and child.customer_id == activity.customer_id else None


def find_sessions(sessions: SessionTable, session_id: str, customer_id: str | None = None) -> list[Session]:
    """Find whatever is stored under a session id: one session per customer, or a child session; tombstones too.

    Top-level sessions are read strongly consistent, a child through the index.

    Args:
        sessions: The sessions table.
        session_id: The id of a session or of a child session.
        customer_id: Only this customer's; None for whoever has it.

    Raises:
        ReadError: The table could not be read.
        MalformedItemError: An item breaks the schema.
    """
    found = list(sessions.reader.find_parents(session_id).values())
    child = sessions.get_session_by_child_session_id(session_id)
    if child is not None:
        # a logout that named the child without its parent left a tombstone under the child's own id
        found = [top for top in found if top.has_login or top.customer_id != child.customer_id]
        found.append(child)
    return [session for session in found if customer_id in (None, session.customer_id)]


def children_of(sessions: SessionTable, session: Session) -> list[Session]:
    """Read the child sessions of one customer's session, the oldest first."""
    children = sessions.get_child_sessions_by_session_id(session.session_id)
    parents = {session.customer_id: session} if session.customer_id is not None else {}
    own = (with_parent(child, parents) for child in children if child.customer_id in (None, session.customer_id))
    return sorted(own, key=lambda child: (str(child.started_at), child.session_id))
