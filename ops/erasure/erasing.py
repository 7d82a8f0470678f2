"""The erasure of a customer: what is stored up to a moment is deleted, and no late copy of an event brings it back.

The list of erased customers comes first. Once nobody writes by an older list, what is erased is deleted, and the
projection made anew. Every step may be repeated: after a crash, run it again.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from ops.erasure.customer_keys import CustomerKeys, find_keys, scan_for
from ops.erasure.projections import make_projection_anew
from ops.erasure.receipts import Effect, Preview, Receipt, remainders
from processors.aws.conditional_writes import Item
from processors.aws.item_store import Decision
from processors.projection_table import NotWrittenError, ProjectionTable
from processors.register.erased_list import ErasedList, hash_of
from processors.runtime.clock import utc_now
from processors.session_table import SessionTable
from schemas import attributes as read
from schemas.item_mapping import read_item, write_item
from schemas.items import Revocation, Session
from schemas.keys import CHILD_PREFIX, Key

logger = logging.getLogger(__name__)

OLD_LISTS_GONE = timedelta(minutes=3)
"""From the entry on the list until nobody can be writing by an older one: a minute, and a function's longest run."""

INDEX_LAG = timedelta(minutes=1)
"""How late the index may show a session."""


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What becomes of one item.

    Args:
        effect: Its effect.
        expires_at: When the session was to run out, aware UTC.
    """

    effect: Effect
    expires_at: datetime | None = None


@dataclass(slots=True)
class _Work:
    """An erasure on its way.

    Args:
        customer_id: The customer.
        erased_at: Up to when, aware UTC.
        named: Ids of the customer's sessions, as far as the projection has named them.
        scanned: Keys that a scan found.
        counts: How many items had each effect.
        latest_expiry: The latest expiry of a session deleted, aware UTC.
    """

    customer_id: str
    erased_at: datetime
    named: set[str]
    scanned: Collection[Key] = ()
    counts: Counter[Effect] = field(default_factory=Counter)
    latest_expiry: datetime | None = None

    def add(self, results: Collection[ItemResult]) -> None:
        for result in results:
            self.counts[result.effect] += 1
            if result.expires_at is not None:
                self.latest_expiry = max(result.expires_at, self.latest_expiry or result.expires_at)

    def changed(self) -> dict[Effect, int]:
        return {effect: count for effect, count in self.counts.items() if effect is not Effect.KEPT}


class Erasure:
    """Erases customers.

    Args:
        sessions: The register.
        projections: The projections, made with `sessions`.
        clock: Aware UTC.
        sleep: Waits for so many seconds.
        with_scan: Also scan the register for what neither index nor projection names: child sessions whose parent is
            not there.
    """

    def __init__(
        self,
        sessions: SessionTable,
        projections: ProjectionTable,
        *,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], object] = time.sleep,
        with_scan: bool = False,
    ) -> None:
        self._with_scan = with_scan
        self._sessions = sessions
        self._projections = projections
        self._clock = clock
        self._sleep = sleep

    def preview(self, customer_id: str) -> Preview:
        """Say what an erasure would do now. Nothing is written.

        Raises:
            ReadError: A table could not be read.
            MalformedItemError: An item of the customer's breaks the schema, or is of a later release.
        """
        work = self._begin(customer_id)
        self._scan(work)
        keys = self._keys(work)
        stored = self._sessions.store.read([key for group in keys for key in group])
        decisions = [self._decide(work, group, {key: stored.get(key) for key in group}) for group in keys]
        work.add([decision.result for group in decisions for decision in group.values()])
        return Preview(work.erased_at, work.changed(), self._projections.find(customer_id) is not None)

    def erase(self, customer_id: str) -> Receipt:
        """Erase a customer. It takes four minutes; running it again, after a crash or not, is safe.

        Raises:
            ReadError: A table could not be read.
            MalformedItemError: An item of the customer's breaks the schema, or is of a later release: repair or delete
                it, and run again.
            NotWrittenError: Races were lost, or a table was throttled, again and again.
            ClientError: The list of erased customers could not be written.
            BotoCoreError: Likewise.
        """
        work = self._begin(customer_id)
        self._sessions.erased.add(customer_id, work.erased_at)
        logger.info("customer is on the list of erased customers", extra={"customer_sha256": hash_of(customer_id)})
        self._sleep(OLD_LISTS_GONE.total_seconds())
        self._scan(work)  # nobody writes by an older list any more: what there is of the customer is there now
        self._delete(work)
        self._sleep(INDEX_LAG.total_seconds())
        is_projection_deleted = self._delete(work)
        now = self._clock()
        logger.info(
            "customer erased",
            extra={
                "customer_sha256": hash_of(customer_id),
                **{effect.value: count for effect, count in work.changed().items()},
            },
        )
        return Receipt(
            customer_sha256=hash_of(customer_id),
            erased_at=work.erased_at,
            finished_at=now,
            items=work.changed(),
            is_projection_deleted=is_projection_deleted,
            remainders=remainders(work.erased_at, now, work.latest_expiry, is_scanned=self._with_scan),
            is_scanned=self._with_scan,
        )

    def _begin(self, customer_id: str) -> _Work:
        projection = self._projections.find(customer_id)
        erased_at = full_second(self._clock())
        if projection is not None and projection.last_login_time is not None:
            erased_at = max(erased_at, projection.last_login_time)
        return _Work(customer_id, erased_at, set() if projection is None else set(projection.sessions))

    def _scan(self, work: _Work) -> None:
        if self._with_scan:
            work.scanned = scan_for(self._sessions, work.customer_id)

    def _delete(self, work: _Work) -> bool:
        """Delete what is erased, children first: their parents name them. Return whether the projection is gone."""
        for keys in self._keys(work):
            settled = self._sessions.store.converge(keys, partial(self._decide, work, keys))
            work.add(settled.values())
            if len(settled) < len(keys):
                raise NotWrittenError(f"{len(keys) - len(settled)} items of the customer")
        erased = ErasedList.of(work.customer_id, work.erased_at)
        return make_projection_anew(self._projections, self._sessions, work.customer_id, erased, self._clock) is None

    def _keys(self, work: _Work) -> CustomerKeys:
        """Find what may be the customer's."""
        projection = self._projections.find(work.customer_id)
        work.named |= set() if projection is None else set(projection.sessions)
        return find_keys(self._sessions, work.customer_id, named=work.named, scanned=work.scanned)

    def _decide(
        self, work: _Work, owners: Mapping[Key, str | None], stored: Mapping[Key, Item | None]
    ) -> dict[Key, Decision[ItemResult]]:
        erased = ErasedList.of(work.customer_id, work.erased_at)
        return {
            key: decide(item, erased, customer_id=work.customer_id, owner=owners[key]) for key, item in stored.items()
        }


def decide(
    stored: Item | None, erased: ErasedList, *, customer_id: str, owner: str | None = None
) -> Decision[ItemResult]:
    """Decide what becomes of an item under an erasure; pure.

    Args:
        stored: The item, or None where there is none.
        erased: The list.
        customer_id: The customer to erase.
        owner: Whose it is where the item names no customer.

    Raises:
        MalformedItemError: The item breaks the schema, or is of a later release.
    """
    item = None if stored is None or _is_anothers_child(stored, customer_id) else read_item(stored)
    rest = None if item is None else erased.rest_of(item, owner)
    if item is None or rest is item:
        return Decision(None, ItemResult(Effect.KEPT))
    if rest is not None:
        effect = Effect.REVOCATION_CUT if isinstance(rest, Revocation) else Effect.START_RAISED
        return Decision(write_item(rest), ItemResult(effect))
    return Decision(None, _deletion_of(item), is_deletion=True)


def _is_anothers_child(stored: Item, customer_id: str) -> bool:
    is_child = stored["SK"]["S"].startswith(CHILD_PREFIX)
    return is_child and read.text(stored, "customer_id") not in (None, customer_id)


def _deletion_of(item: Session | Revocation) -> ItemResult:
    if isinstance(item, Revocation):
        return ItemResult(Effect.REVOCATION_DELETED)
    is_child = item.parent_session_id is not None
    return ItemResult(Effect.CHILD_SESSION_DELETED if is_child else Effect.SESSION_DELETED, item.expires_at)


def full_second(moment: datetime) -> datetime:
    """Round up to the full second."""
    return moment if moment.microsecond == 0 else moment.replace(microsecond=0) + timedelta(seconds=1)
