"""Verify the projections against the register, all of them, a sample, or one customer's.

The recount is made the plain way, item by item, and shares nothing with the merge that keeps the projections. While
events come in, the two tables are never seen at one moment: what differs is looked at again, until it agrees, or has
differed for so long that no event can be under way.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from ops.verification.comparing import Counted, Kind, Mismatch, counted_of
from ops.verification.customer_reads import CustomerReads, Look, compare_items
from ops.verification.spool import Spool
from processors.aws.conditional_writes import Item
from processors.aws.item_store import ItemStore
from processors.aws.parallel import run_all
from processors.projection_table import ProjectionTable
from processors.runtime import clock as clocks
from processors.session_table import SessionTable
from schemas.errors import MalformedItemError
from schemas.item_mapping import read_item
from schemas.items import Session
from schemas.keys import CUSTOMER_PREFIX, Key, decode_id

DEFAULT_WAIT = timedelta(seconds=10)
"""How long a change may take from the register to its projection before its absence is an error."""

MOST_NAMED = 10_000
"""Most customers that are looked at again and named; where more differ, the table as a whole has to be made anew."""

_POLL_SECONDS = 1.0
_LONGEST_WAITS = 3
"""So many times the wait a customer that keeps changing is looked at again."""

OnProgress = Callable[[str, int], object]
"""Learns what is being done, and how many items of it are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The result.

    Args:
        at: The moment for which sessions were counted, aware UTC.
        finished_at: Aware UTC.
        scope: What was compared: `all`, `sample 1%` or `customer`.
        customers: How many customers were compared.
        session_items: How many items of sessions and child sessions were read.
        live_sessions: How many top-level sessions are live.
        inexact: How many projections say "at least", having more sessions than they store.
        settled: How many customers differed at the first look, and agreed at a later one: in flight.
        mismatches: Each projection that is wrong, by customer.
        unreadable: Each session item that breaks the schema, with what is wrong with it.
        not_named: How many more customers differ, beyond those that were looked at again.
    """

    at: datetime
    finished_at: datetime
    scope: str = "all"
    customers: int
    session_items: int
    live_sessions: int
    inexact: int = 0
    settled: int = 0
    mismatches: tuple[Mismatch, ...] = ()
    unreadable: tuple[str, ...] = ()
    not_named: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether every projection agrees with the session items, and every item could be read."""
        return not self.mismatches and not self.unreadable and not self.not_named


@dataclass(slots=True)
class _Found:
    """What has been found so far."""

    at: datetime
    customers: int = 0
    session_items: int = 0
    live_sessions: int = 0
    inexact: int = 0
    settled: int = 0
    not_named: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    suspects: dict[str, list[Key]] = field(default_factory=dict)
    """Customers to look at again, with the items that the scan found."""

    def add(self, customer_id: str, look: Look, keys: Iterable[Key] = ()) -> None:
        """Count a first look."""
        self.customers += 1
        self.session_items += look.items
        self.live_sessions += look.live
        self.inexact += not look.is_exact
        if look.mismatches and len(self.suspects) < MOST_NAMED:
            self.suspects[customer_id] = list(keys)
        elif look.mismatches:
            self.not_named += 1


class Verifier:
    """Compares projections with a recount.

    Args:
        sessions: The register.
        projections: The projections.
        wait: How long a change may be under way.
        concurrency: Most customers that are looked at at a time; both tables are made with a concurrency of 1.
        clock: Aware UTC; None for the clock.
        sleep: Waits for so many seconds.
        on_progress: Learns how far it is.
    """

    def __init__(
        self,
        sessions: SessionTable,
        projections: ProjectionTable,
        *,
        wait: timedelta = DEFAULT_WAIT,
        concurrency: int = 1,
        clock: Callable[[], datetime] | None = None,
        sleep: Callable[[float], object] = time.sleep,
        on_progress: OnProgress = lambda _what, _count: None,
    ) -> None:
        self._sessions = sessions.store
        self._projections = projections.store
        self._erased = sessions.erased
        self._clock = clock or clocks.utc_now
        self._reads = CustomerReads(sessions, projections, clock=self._clock)
        self._wait = wait
        self._concurrency = concurrency
        self._sleep = sleep
        self._on_progress = on_progress

    def verify_all(self) -> Verification:
        """Scan both tables, strongly consistent, and compare them customer by customer.

        What the scans find is sorted in a temporary file of about 200 bytes an item; memory does not grow with it.

        Raises:
            ReadError: A table could not be read.
            ClientError: The service refused a scan.
            BotoCoreError: It could not be reached.
        """
        found = _Found(self._clock())
        with Spool() as spool:
            spool.add_sessions(self._read_sessions(found, _scan(self._sessions)))
            spool.add_projections(self._read_projections(_scan(self._projections)))
            for customer_id, counted, stored in spool.customers():
                look = compare_items(customer_id, counted, stored, found.at)
                found.add(customer_id, look, [Key(item.pk, item.sk) for item in counted])
                self._on_progress("customers compared", found.customers)
        return self._finish(found, "all")

    def verify_sample(self, share: float) -> Verification:
        """Read a part of both tables at random, and compare each customer that is named there.

        A Scan in segments reads and costs only that part.

        Args:
            share: Above 0 and below 1.

        Raises:
            ReadError: A table could not be read.
            ClientError: The service refused a scan.
            BotoCoreError: It could not be reached.
        """
        found = _Found(self._clock())
        customers: set[str] = set()
        total = max(100, round(1 / share))
        for segment in random.sample(range(total), max(1, round(share * total))):
            part = {"Segment": segment, "TotalSegments": total}
            customers.update(
                customer_id for customer_id, _ in self._read_sessions(found, _scan(self._sessions, **part))
            )
            customers.update(customer_id for customer_id, _ in self._read_projections(_scan(self._projections, **part)))
        for customer_id, look in self._look_at(dict.fromkeys(sorted(customers), ())):
            found.add(customer_id, look)
            self._on_progress("customers compared", found.customers)
        return self._finish(found, f"sample {share * 100:g}%")

    def verify_customers(self, customer_ids: Iterable[str]) -> Verification:
        """Compare some customers.

        Raises:
            ReadError: A table could not be read.
        """
        found = _Found(self._clock())
        for customer_id, look in self._look_at(dict.fromkeys(sorted(set(customer_ids)), ())):
            found.add(customer_id, look)
            found.unreadable += [f"item {key.pk} / {key.sk} cannot be read" for key in look.unreadable]
            self._on_progress("customers compared", found.customers)
        return self._finish(found, "customer")

    def _finish(self, found: _Found, scope: str) -> Verification:
        self._look_again(found)
        return Verification(
            at=found.at,
            finished_at=self._clock(),
            scope=scope,
            customers=found.customers,
            session_items=found.session_items,
            live_sessions=found.live_sessions,
            inexact=found.inexact,
            settled=found.settled,
            mismatches=tuple(sorted(found.mismatches, key=lambda mismatch: (mismatch.customer_id, mismatch.kind))),
            unreadable=tuple(found.unreadable),
            not_named=found.not_named,
        )

    def _look_again(self, found: _Found) -> None:
        """Look again at what differs, until it agrees, or differs for good."""
        began = self._clock()
        pending: Mapping[str, Iterable[Key]] = found.suspects
        patience = _LONGEST_WAITS * self._wait.total_seconds()  # counted in polls: a clock may be set back
        while pending:
            self._on_progress("customers looked at again", len(found.suspects) - len(pending))
            still: dict[str, Iterable[Key]] = {}
            for customer_id, look in self._look_at(pending):
                now = self._clock()
                is_young = [self._is_young(mismatch, began, now) for mismatch in look.mismatches]
                if not look.mismatches:
                    found.settled += 1
                elif any(is_young) and patience > 0:
                    still[customer_id] = pending[customer_id]
                else:
                    found.mismatches += [
                        replace(mismatch, kind=Kind.IN_FLIGHT) if young else mismatch
                        for mismatch, young in zip(look.mismatches, is_young, strict=True)
                    ]
            pending = still
            if pending:
                self._sleep(_POLL_SECONDS)
                patience -= _POLL_SECONDS

    def _is_young(self, mismatch: Mismatch, began: datetime, now: datetime) -> bool:
        """Whether the change that makes a difference may still be under way."""
        return mismatch.kind is not Kind.UNREADABLE and now - (mismatch.changed_at or began) < self._wait

    def _look_at(self, customers: Mapping[str, Iterable[Key]]) -> Iterator[tuple[str, Look]]:
        """Look at customers, several at a time."""
        names = list(customers)
        for start in range(0, len(names), 100):
            part = names[start : start + 100]
            look = partial(self._look_at_one, customers)
            yield from zip(part, run_all(look, part, concurrency=self._concurrency), strict=True)

    def _look_at_one(self, customers: Mapping[str, Iterable[Key]], customer_id: str) -> Look:
        return self._reads.look(customer_id, list(customers[customer_id]))

    def _read_sessions(self, found: _Found, scanned: Iterable[Item]) -> Iterator[tuple[str, Counted]]:
        """Read sessions; a child session of the original schema names no customer, and is left out."""
        erased = self._erased.current()
        for number, attributes in enumerate(scanned, 1):
            self._on_progress("session items read", number)
            try:
                item = read_item(attributes)
            except MalformedItemError as error:
                found.unreadable.append(str(error))
                continue
            session = erased.rest_of(item) if isinstance(item, Session) else None
            if session is not None and session.customer_id is not None:
                yield session.customer_id, counted_of(session, found.at)

    def _read_projections(self, scanned: Iterable[Item]) -> Iterator[tuple[str, dict[str, Any]]]:
        for number, item in enumerate(scanned, 1):
            self._on_progress("projections read", number)
            yield decode_id(item["PK"]["S"].removeprefix(CUSTOMER_PREFIX)), item


def _scan(store: ItemStore, **part: int) -> Iterator[Item]:
    pages: Any = store.client.get_paginator("scan")
    for page in pages.paginate(TableName=store.table_name, ConsistentRead=True, **part):
        yield from page["Items"]
