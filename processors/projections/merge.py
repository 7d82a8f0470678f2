"""Pure merge of stream records into a customer's projection (state merge, not counters).

The stream delivers at least once, and records of different sessions in any order. The projection stays exact because
active images extend their entry, ended images remove it, and a record that may be older than an end already merged is
suspect: its session item is read again, and what is read replaces the entry.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from processors.projections.facts import CustomerFacts, Image
from processors.projections.state import (
    Rules,
    apply_policies,
    bound,
    extend,
    later,
    pruned_and_counted,
    replace_with,
)
from processors.register.sessions import merge_revocations
from schemas.items import Revocation, Session
from schemas.keys import Key
from schemas.projection_items import Entry, Projection
from schemas.times import to_epoch_seconds

CLOCK_SLACK_SECONDS = 5
"""Above the rounding of `ApproximateCreationDateTime` and the skew between DynamoDB's partitions."""


class Merged(NamedTuple):
    """Result of merging a batch into one customer's projection."""

    projection: Projection
    """The customer's projection."""
    is_changed: bool
    """Whether it has to be written."""
    ending: Mapping[str, Entry]
    """The sessions that a policy ends: their logouts are to be sent, again if need be."""
    unreadable: frozenset[str] = frozenset()
    """Sequence numbers of records that depend on an item that nobody here can read: to be set aside."""


def find_suspects(projection: Projection | None, facts: CustomerFacts) -> dict[Key, str]:
    """Find the sessions whose records may be older than what is already merged.

    Returns:
        Their ids by the key of their item, which has to be read again.
    """
    watermark = None if projection is None else projection.end_watermark
    suspects = {removal.key: removal.session_id for removal in facts.removals}
    for image in facts.images:
        if image.is_top_level and _is_suspect(image, watermark):
            suspects[image.session.key] = image.session.session_id
    return suspects


def _is_suspect(image: Image, watermark: int | None) -> bool:
    # an item of the original schema has no expiry: a login may have given it one since
    if image.goes_backwards or (image.is_active and image.session.expires_at is None):
        return True
    return watermark is not None and image.created_at <= watermark + CLOCK_SLACK_SECONDS


def merge(
    projection: Projection | None,
    facts: CustomerFacts,
    *,
    customer_id: str,
    reread: Mapping[Key, Session],
    now: datetime,
    rules: Rules,
) -> Merged:
    """Merge a batch's facts into a customer's projection.

    Args:
        projection: The stored projection; None where there is none.
        facts: What the batch says about the customer.
        customer_id: The customer.
        reread: The items of `find_suspects(projection, facts)`, read after the projection was; a session without item
            is over.
        now: Aware UTC; sessions that have run out are pruned.
        rules: Bounds and limits.

    Returns:
        The projection, whether it has to be written, and the sessions that a policy ends. An end always changes it:
        its write raises `version`, so that whoever holds an older view of that session loses the race.
    """
    before = projection or Projection(customer_id=customer_id)
    now_s = to_epoch_seconds(now)
    suspects = find_suspects(projection, facts)
    last_login_time, last_login_session_id = latest_login(
        before, [*facts.logins(), *logins_of(reread[key] for key in suspects if key in reread)]
    )
    ends = end_times(facts)
    after = replace(
        before,
        sessions=_merge_sessions(before.sessions, facts, suspects, reread, now_s),
        revocation=merge_all_revocations(before.revocation, facts.revocations),
        last_login_time=last_login_time,
        last_login_session_id=last_login_session_id,
        end_watermark=later(before.end_watermark, max(ends, default=None)),
    )
    ending: Mapping[str, Entry] = {}
    if facts.calls_for_policies:
        after, ending = apply_policies(after, rules, now_s)
    after = bound(after, rules.capacity)
    if not ends and after == before:
        return Merged(before, False, ending)
    return Merged(pruned_and_counted(after, now_s), True, ending)


def _merge_sessions(
    sessions: Mapping[str, Entry],
    facts: CustomerFacts,
    suspects: Mapping[Key, str],
    reread: Mapping[Key, Session],
    now_s: int,
) -> dict[str, Entry]:
    """Merge the batch's sessions: what was read again is newer than every record of its session in the batch."""
    entries: dict[str, Entry | None] = dict(sessions)
    trusted = [image for image in facts.images if image.is_top_level and not (suspects and image.key in suspects)]
    ended = {image.session.session_id for image in trusted if not image.is_active}
    for session_id in ended:
        entries[session_id] = None
    for image in trusted:
        session_id = image.session.session_id
        if session_id not in ended:
            entries[session_id] = extend(entries.get(session_id), image.session, now_s)
    for key, session_id in suspects.items():
        entries[session_id] = replace_with(entries.get(session_id), reread.get(key), now_s)
    return {session_id: entry for session_id, entry in entries.items() if entry is not None}


def end_times(facts: CustomerFacts) -> list[int]:
    """List when the ends, removals and restored items were recorded, in epoch seconds, rounded up."""
    ends = [
        image.created_at
        for image in facts.images
        if image.is_top_level and (image.goes_backwards or not image.is_active)
    ]
    return [math.ceil(created_at) for created_at in (*ends, *(removal.created_at for removal in facts.removals))]


def latest_login(before: Projection, logins: Iterable[tuple[datetime, str]]) -> tuple[datetime | None, str | None]:
    """Return the latest login and its session, the one already known included; of two at one time the greater id."""
    known = [] if before.last_login_time is None else [(before.last_login_time, before.last_login_session_id or "")]
    return max([*logins, *known], default=(None, None))


def logins_of(sessions: Iterable[Session]) -> list[tuple[datetime, str]]:
    """List the last login of each session that has one."""
    return [
        (session.last_login_time, session.session_id) for session in sessions if session.last_login_time is not None
    ]


def merge_all_revocations(known: Revocation | None, revocations: Iterable[Revocation]) -> Revocation | None:
    """Merge revocations, without the attributes of their items that a projection does not keep."""
    for revocation in revocations:
        known = merge_revocations(known, replace(revocation, ttl=None, version=None))
    return known
