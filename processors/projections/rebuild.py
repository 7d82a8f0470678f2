"""A customer's projection made from the register, at birth and for a rebuild: pure.

No pause, no lock and no position in the stream is needed: the state is written under the version read, and its
watermark makes the projector read again whatever older record is still to come.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from processors.projections.facts import CustomerFacts
from processors.projections.merge import Merged, end_times, latest_login, logins_of, merge_all_revocations
from processors.projections.state import Rules, apply_policies, bound, later, pruned_and_counted, replace_with
from schemas.items import Revocation, Session
from schemas.projection_items import NEVER, Entry, Projection
from schemas.times import to_epoch_seconds


@dataclass(frozen=True, slots=True)
class CustomerRegister:
    """What the register holds of one customer, read strongly consistent after its projection was.

    Args:
        read_at: The clock between the two reads, aware UTC.
        sessions: The sessions that the index, the projection or the batch names; ended ones too.
        revocation: The customer's revocation item, or None.
        is_complete: False where the index names sessions that were not read, or could not be.
    """

    read_at: datetime
    sessions: Collection[Session] = ()
    revocation: Revocation | None = None
    is_complete: bool = True


def rebuild(
    projection: Projection | None,
    register: CustomerRegister,
    facts: CustomerFacts,
    *,
    customer_id: str,
    now: datetime,
    rules: Rules,
    with_policies: bool = True,
) -> Merged:
    """Make a customer's state from the register.

    Entries that are ending stay so while their session is live. Last login and revocations never go back: sessions of
    customers long inactive are gone from the table.

    Args:
        projection: The stored projection; None at birth.
        register: What the register holds of the customer.
        facts: What the batch says about the customer; only its logins and revocations are new.
        customer_id: The customer.
        now: Aware UTC; sessions that have run out are left out.
        rules: Bounds and limits.
        with_policies: Mark and return the sessions that a policy ends.
    """
    before = projection or Projection(customer_id=customer_id)
    now_s = to_epoch_seconds(now)
    found = {session.session_id: session for session in register.sessions if session.parent_session_id is None}
    entries = {name: replace_with(before.sessions.get(name), session, now_s) for name, session in found.items()}
    last_login_time, last_login_session_id = latest_login(before, [*facts.logins(), *logins_of(register.sessions)])
    revocations = [*facts.revocations, *([] if register.revocation is None else [register.revocation])]
    # "never" says that a birth read only a part of the sessions; this reads all of them
    known_dropped = None if before.dropped_until == NEVER else before.dropped_until
    after = replace(
        before,
        sessions={name: entry for name, entry in entries.items() if entry is not None},
        revocation=merge_all_revocations(before.revocation, revocations),
        last_login_time=last_login_time,
        last_login_session_id=last_login_session_id,
        end_watermark=later(before.end_watermark, max([math.ceil(register.read_at.timestamp()), *end_times(facts)])),
        dropped_until=known_dropped if register.is_complete else NEVER,
    )
    ending: dict[str, Entry] = {}
    if with_policies:
        after, ending = apply_policies(after, rules, now_s)
    return Merged(pruned_and_counted(bound(after, rules.capacity), now_s), True, ending)
