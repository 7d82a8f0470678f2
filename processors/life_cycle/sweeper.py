"""Publish the expiries that are due: read the agenda, read the sessions again, publish, and only then delete.

Sweepers may overlap, stop anywhere and repeat: an expiry has one id, and stays on the agenda until it was published.
"""

import json
import logging
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from processors.aws.deadline import NEVER, Deadline
from processors.aws.errors import ReadError
from processors.aws.event_bus import EventBus, line_of
from processors.aws.failed_batches import FailedBatches
from processors.life_cycle.agenda import (
    PARTITIONS,
    AgendaItem,
    Entry,
    first_future_slot,
    is_due,
    read_agenda_item,
    remainder,
)
from processors.life_cycle.agenda_table import AgendaTable
from processors.life_cycle.publisher import log_failures
from processors.register.erased import ErasedCustomers
from processors.register.reader import Items, RegisterReader
from schemas.errors import MalformedItemError
from schemas.item_mapping import key_of
from schemas.keys import Key
from schemas.life_cycle import expired_detail

logger = logging.getLogger(__name__)

_MOST_SESSIONS = 2_000
"""Sessions in hand at a time, at 10 KB of memory each: a page of the agenda may name 14,000."""


@dataclass(slots=True)
class Sweep:
    """What a pass over the agenda did, or several passes.

    Args:
        lag_seconds: How long ago the oldest slot ended that was still on the agenda; 0 where none was.
        published: Events that the bus accepted.
        passed_over: Sessions that were ended, extended or removed meanwhile.
        set_aside: Events refused for good, and what breaks the schema.
        unfinished: Agenda items that remain, in whole or in part, and partitions that could not be read.
    """

    lag_seconds: float = 0
    published: int = 0
    passed_over: int = 0
    set_aside: int = 0
    unfinished: int = 0


@dataclass(slots=True)
class _Page:
    """Agenda items that are due, and what remains of each.

    Args:
        items: The items.
        set_aside: Items that break the schema, and are kept elsewhere.
        remaining: Entries to publish later, by item.
    """

    items: list[AgendaItem] = field(default_factory=list)
    set_aside: list[Key] = field(default_factory=list)
    remaining: dict[Key, list[Entry]] = field(default_factory=dict)

    def entries(self) -> Iterable[tuple[AgendaItem, Entry]]:
        """List the entries, each with its item."""
        return ((item, entry) for item in self.items for entry in item.entries)

    def keep(self, entries: Iterable[tuple[AgendaItem, Entry]]) -> None:
        """Publish these later."""
        for item, entry in entries:
            self.remaining.setdefault(item.key, []).append(entry)


class ExpirySweeper:
    """Works on the agenda.

    Args:
        agenda: The agenda.
        reader: Reads sessions of the register.
        bus: Where expiries are published.
        erased: Who was erased.
        clock: Aware UTC.
        failed_batches: Where is set aside what breaks the schema and what the bus refuses for good; None: it stays.
        deadline: When the caller must have answered; nothing is begun after it.
        choose: Picks one of so many partitions, to begin with: sweepers that overlap rarely meet.
    """

    def __init__(
        self,
        agenda: AgendaTable,
        reader: RegisterReader,
        bus: EventBus,
        erased: ErasedCustomers,
        *,
        clock: Callable[[], datetime],
        failed_batches: FailedBatches | None = None,
        deadline: Deadline = NEVER,
        choose: Callable[[int], int] = random.randrange,
    ) -> None:
        self._agenda = agenda
        self._reader = reader
        self._bus = bus
        self._erased = erased
        self._clock = clock
        self._failed_batches = failed_batches
        self._deadline = deadline
        self._choose = choose

    def sweep(self) -> Sweep:
        """Publish every expiry whose slot ended at least two seconds ago, however long ago that was."""
        now = self._clock().timestamp()  # one reading: all slots are judged by the same moment
        first = self._choose(len(PARTITIONS))
        result = Sweep()
        for partition in PARTITIONS[first:] + PARTITIONS[:first]:
            try:
                for page in self._agenda.pages_before(partition, first_future_slot(int(now))):
                    for raw_items in _parts(page):
                        if self._deadline.expired:
                            result.unfinished += 1
                            return result
                        self._work(raw_items, now, result)
            except ReadError as error:
                logger.warning("expiries could not be read", extra={"partition": partition, "error_code": error.code})
                result.unfinished += 1
        return result

    def _work(self, raw_items: Sequence[Mapping[str, Any]], now: float, result: Sweep) -> None:
        """Work on agenda items.

        Raises:
            ReadError: The sessions, or the list of erased customers, could not be read: all of the items remain.
        """
        page = self._read_items(raw_items, result)
        result.lag_seconds = max([result.lag_seconds, *(now - item.slot_end for item in page.items)])
        found = self._reader.read_items({entry.key for _, entry in page.entries()})
        unreadable = [(item, entry) for item, entry in page.entries() if entry.key in found.unreadable]
        if unreadable and not self._set_aside("agenda", [json.dumps(entry) for _, entry in unreadable], result):
            page.keep(unreadable)
        self._publish(page, found, result)
        self._settle(page, result)

    def _read_items(self, raw_items: Sequence[Mapping[str, Any]], result: Sweep) -> _Page:
        """Read agenda items; what breaks the schema is set aside, or stays where that cannot be done."""
        page = _Page()
        for raw in raw_items:
            try:
                item = read_agenda_item(raw)
            except MalformedItemError as error:
                logger.error("agenda item cannot be read", extra={"reason": str(error)})
                if self._set_aside("agenda", [json.dumps(raw, default=str)], result):
                    page.set_aside.append(key_of(raw))
                else:
                    result.unfinished += 1
                continue
            malformed = [json.dumps(entry, default=str) for entry in item.malformed]
            if not malformed or self._set_aside("agenda", malformed, result):
                page.items.append(item)
            else:
                result.unfinished += 1
        return page

    def _publish(self, page: _Page, found: Items, result: Sweep) -> None:
        """Publish the sessions that ran out, each once; what the bus does not take remains, or is set aside."""
        erased = self._erased.current()
        details: dict[str, dict[str, Any]] = {}
        named: dict[str, list[tuple[AgendaItem, Entry]]] = {}
        sessions = found.sessions
        for item, entry in page.entries():
            session = sessions.get(entry.key)
            if session is None or not is_due(session, item):
                result.passed_over += entry.key not in found.unreadable
                continue
            detail = expired_detail(session, ids_only=erased.has_session(session))
            details[detail["id"]] = detail
            named.setdefault(detail["id"], []).append((item, entry))
        ids = list(details)
        failures = self._bus.put([details[name] for name in ids], deadline=self._deadline)
        log_failures("bus", failures)
        refused = [ids[position] for position in failures.refused]
        unsent = [ids[position] for position in failures.unsent]
        result.published += len(ids) - len(refused) - len(unsent)
        if refused and not self._set_aside("bus", [line_of(details[name]) for name in refused], result):
            unsent += refused
        for name in unsent:
            page.keep(named[name])

    def _settle(self, page: _Page, result: Sweep) -> None:
        """Delete what is done; of an item that is done in part the rest is written back before."""
        untouched = {
            item.key
            for item in page.items
            if item.key in page.remaining and len(page.remaining[item.key]) == len(item.entries) and not item.malformed
        }
        rests = [
            remainder(item, page.remaining[item.key])
            for item in page.items
            if item.key in page.remaining and item.key not in untouched
        ]
        if rests and not self._agenda.put(rests, deadline=self._deadline):
            untouched |= page.remaining.keys()
        done = page.set_aside + [item.key for item in page.items if item.key not in untouched]
        result.unfinished += len(page.remaining)
        if done and not self._agenda.delete(done, deadline=self._deadline):
            result.unfinished += 1

    def _set_aside(self, prefix: str, lines: Sequence[str], result: Sweep) -> bool:
        if self._failed_batches is None or not self._failed_batches.put_lines(prefix, lines):
            return False
        result.set_aside += len(lines)
        return True


def _parts(page: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Cut a page of agenda items into parts of a bounded number of sessions."""
    part: list[Mapping[str, Any]] = []
    room = _MOST_SESSIONS
    for raw in page:
        size = len(raw.get("entries", {}).get("L") or ()) or 1
        if part and size > room:
            yield part
            part, room = [], _MOST_SESSIONS
        part.append(raw)
        room -= size
    if part:
        yield part
