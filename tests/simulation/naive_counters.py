"""Counters in place of the merge: `ADD`, and `ADD` in one transaction with a mark of the batch."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from unittest import mock

from processors import projection_table
from processors.projections import merge as projection_merge
from processors.projections import projector
from processors.projections.activity import CustomerActivity
from processors.projections.facts import CustomerFacts, add_record
from processors.projections.merge import Merged
from schemas.item_mapping import read_item
from schemas.items import ACTIVE, Session
from schemas.projection_items import NEVER, Entry, Projection
from schemas.stream import StreamRecord
from schemas.times import to_epoch_seconds
from tests.simulation import claims, final_claims

Patches = list[Any]


# --- ADD counters: every change of an image is added to the count, by the second it is to be taken off again


@dataclass
class _Change(CustomerFacts):
    """By how much a batch changes the counters: by expiry, as `ADD` would."""

    deltas: Counter[int] = field(default_factory=Counter)


def _expiry_if_counted(value: object) -> int | None:
    if not isinstance(value, Session) or value.parent_session_id is not None or value.session_state != ACTIVE:
        return None
    if not value.has_login:
        return None
    return NEVER if value.expires_at is None else to_epoch_seconds(value.expires_at)


def _add_change(facts: dict[str, CustomerFacts], record: StreamRecord) -> None:
    """What was counted before is taken off, what is to be counted now is added: right, if it happens once."""
    add_record(facts, record)
    before = None if record.old_image is None else read_item(record.old_image)
    customer_id = getattr(record.after or before, "customer_id", None)
    if customer_id is None:
        return
    known = facts.setdefault(customer_id, CustomerFacts())
    if not isinstance(known, _Change):
        known = facts[customer_id] = _Change(known.images, known.removals, known.revocations, known.sequence_numbers)
    for value, delta in ((before, -1), (record.after, 1)):
        expires_at = _expiry_if_counted(value)
        if expires_at is not None:
            known.deltas[expires_at] += delta


def add(projection: Projection | None, facts: CustomerFacts, *, customer_id: str, now: datetime, **_: Any) -> Merged:
    before = projection or Projection(customer_id=customer_id)
    counters = Counter({int(name): entry.started_at for name, entry in before.sessions.items() if name.isdigit()})
    counters.update(facts.deltas if isinstance(facts, _Change) else {})
    last_login_time, session_id = projection_merge.latest_login(before, facts.logins())
    seconds = to_epoch_seconds(now)
    merged = replace(
        before,
        sessions={str(at): Entry(count, at) for at, count in counters.items() if count},
        session_count=sum(count for at, count in counters.items() if at > seconds),
        last_login_time=last_login_time,
        last_login_session_id=session_id,
        revocation=projection_merge.merge_all_revocations(before.revocation, facts.revocations),
    )
    return Merged(merged, merged != before, {})


def _stored_count(projection: Projection | None, customer_id: str, now: datetime) -> CustomerActivity:
    """Read the counters as they stand."""
    known = projection or Projection(customer_id=customer_id)
    seconds = now.timestamp()
    count = sum(e.started_at for name, e in known.sessions.items() if name.isdigit() and seconds < e.expires_at)
    return CustomerActivity(
        customer_id, known.last_login_time, known.last_login_session_id, count, True, ["unnamed"] * count
    )


def _merge_without_register(add: Callable[..., Merged]) -> Callable[..., Merged]:
    def merge(self: Any, customer_id: str, projection: Projection | None, facts: CustomerFacts, _: Any) -> Merged:
        return add(projection, facts, customer_id=customer_id, now=self._clock())

    return merge


def counters(add: Callable[..., Merged]) -> Patches:
    return [
        mock.patch.object(projector, "add_record", _add_change),
        mock.patch.object(projection_table, "needs_register", return_value=False),
        mock.patch.object(projection_table.ProjectionTable, "_merge", _merge_without_register(add)),
        mock.patch.object(final_claims, "activity_at", _stored_count),
        mock.patch.object(claims.StepClaims, "has_names", False),  # it is judged by the number alone
    ]


# --- Batch-marker transaction: the counters and the mark of the batch in one write, so that no batch counts twice


def add_once(projection: Projection | None, facts: CustomerFacts, **arguments: Any) -> Merged:
    marker = "batch " + " ".join(facts.sequence_numbers)
    if projection is not None and marker in projection.sessions:
        return Merged(projection, False, {})
    merged = add(projection, facts, **arguments).projection
    marks = {name: entry for name, entry in (projection.sessions if projection else {}).items() if name[0] == "b"}
    return Merged(replace(merged, sessions={**merged.sessions, **marks, marker: Entry(0, NEVER)}), True, {})
