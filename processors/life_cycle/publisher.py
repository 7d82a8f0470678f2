"""Take a batch of stream records to the bus, the archive and the agenda of expiries."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

from processors.aws.archive_stream import ArchiveStream
from processors.aws.batch_sending import OUT_OF_TIME, Failures
from processors.aws.deadline import NEVER, Deadline
from processors.aws.errors import ReadError
from processors.aws.event_bus import EventBus, line_of
from processors.aws.failed_batches import FailedBatches
from processors.aws.parallel import run_all
from processors.life_cycle.agenda import pack
from processors.life_cycle.agenda_table import AgendaTable
from processors.life_cycle.transitions import Transition, change_of, expiry_to_note, transition_of
from processors.register.erased import ErasedCustomers
from schemas.errors import MalformedItemError
from schemas.items import Session
from schemas.stream import lowest_sequence_number, read_record, sequence_number_of

logger = logging.getLogger(__name__)

Side: TypeAlias = EventBus | ArchiveStream


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where life-cycle events go; None: that part is off.

    Args:
        bus: The event bus.
        archive: The archive's stream.
        agenda: The agenda of expiries, which are published to the bus.
        refreshes_to_bus: Whether the bus gets every refresh, or only those without which a reader would go wrong.
    """

    bus: EventBus | None = None
    archive: ArchiveStream | None = None
    agenda: AgendaTable | None = None
    refreshes_to_bus: bool = False


@dataclass(slots=True)
class _Batch:
    """What a batch of stream records asks for, each thing with the sequence number of its record."""

    transitions: list[tuple[str, Transition]] = field(default_factory=list)
    expiries: list[tuple[str, Session]] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)

    def details(self, *, refreshes: bool) -> list[tuple[str, Mapping[str, Any]]]:
        """List the events; optional refreshes only where they are wanted."""
        return [(number, told.detail) for number, told in self.transitions if refreshes or not told.is_optional]


@dataclass(frozen=True, slots=True)
class Published:
    """Result of a batch.

    Args:
        failed: Sequence numbers of the records to deliver again; empty for one without number.
        counts: How many records, events and expiries there were, for the metrics.
    """

    failed: frozenset[str]
    counts: dict[str, int]

    @property
    def lowest_failed(self) -> str | None:
        """The failed record that Lambda delivers from again; None where all succeeded."""
        return lowest_sequence_number(self.failed)


class SessionPublisher:
    """Publishes what stream records say about sessions.

    Args:
        outlets: Where to.
        erased: Who was erased.
        failed_batches: Where is set aside what nobody here can read, and what bus or archive refuse; None: it fails.
        deadline: When the caller must have answered; nothing is begun after it.
        concurrency: How many of bus, archive and agenda are worked on at a time.
    """

    def __init__(
        self,
        outlets: Outlets,
        erased: ErasedCustomers,
        *,
        failed_batches: FailedBatches | None = None,
        deadline: Deadline = NEVER,
        concurrency: int = 1,
    ) -> None:
        self._outlets = outlets
        self._erased = erased
        self._failed_batches = failed_batches
        self._deadline = deadline
        self._concurrency = concurrency

    def publish(self, raw_records: Sequence[object]) -> Published:
        """Publish a batch: events to bus and archive, expiries to the agenda.

        None of the three waits for another's success. What bus or archive do not take after their retries is set aside,
        so that neither holds up the shard; an expiry that the agenda does not take fails its record.
        """
        try:
            batch = self._read_all(raw_records)
        except ReadError as error:
            logger.warning("list of erased customers could not be read", extra={"error_code": error.code})
            numbers = frozenset(map(sequence_number_of, raw_records))
            return Published(numbers, {"failed_records": len(numbers)})
        outlets, counts = self._outlets, {"records_read": len(raw_records)}
        to_bus = batch.details(refreshes=outlets.refreshes_to_bus)
        jobs = [
            partial(self._note_expiries, batch.expiries, counts),
            partial(self._send, "bus", outlets.bus, to_bus, counts),
            partial(self._send, "archive", outlets.archive, batch.details(refreshes=True), counts),
        ]
        results = run_all(_call, jobs, concurrency=self._concurrency)
        failed = set().union(*results, self._set_aside_records(raw_records, batch.unreadable))
        kept = self._failed_batches.kept if self._failed_batches else 0
        return Published(frozenset(failed), counts | {"failed_records": len(failed), "records_set_aside": kept})

    def _read_all(self, raw_records: Sequence[object]) -> _Batch:
        erased = self._erased.current()
        batch = _Batch()
        for raw in raw_records:
            number = sequence_number_of(raw)
            try:
                change = change_of(read_record(raw))
            except MalformedItemError as error:
                logger.error("stream record cannot be read", extra={"sequence_number": number, "reason": str(error)})
                batch.unreadable.add(number)
                continue
            is_erased = change.session is not None and erased.has_session(change.session)
            if not is_erased:  # of a session that goes on, what was before the erasure is read as absent
                old, new = (session and erased.rest_of(session) for session in (change.old, change.new))
                change = replace(change, old=old, new=new)
            if (transition := transition_of(change, is_erased=is_erased)) is not None:
                batch.transitions.append((number, transition))
            if (session := expiry_to_note(change)) is not None:
                batch.expiries.append((number, session))
        return batch

    def _note_expiries(self, expiries: Sequence[tuple[str, Session]], counts: dict[str, int]) -> set[str]:
        agenda = self._outlets.agenda
        if agenda is None or self._outlets.bus is None or not expiries:
            return set()
        items = pack(session for _, session in expiries)
        if not agenda.put(items, deadline=self._deadline):
            return {number for number, _ in expiries}
        counts["expiries_noted"] = sum(len(item.entries) for item in items)
        return set()

    def _send(
        self, name: str, side: Side | None, told: Sequence[tuple[str, Mapping[str, Any]]], counts: dict[str, int]
    ) -> set[str]:
        """Send events to one side; what it does not take is set aside under its name.

        Returns:
            The sequence numbers of records whose events could not be set aside either.
        """
        if side is None or not told:
            return set()
        failures = side.put([detail for _, detail in told], deadline=self._deadline)
        if not failures.all():
            counts[f"{name}_events"] = len(told)
            return set()
        log_failures(name, failures)
        is_ill = set(failures.unsent.values()) - {OUT_OF_TIME}
        aside = failures.all() if is_ill else failures.refused  # a side that is only slow is tried again
        lines = [line_of(told[position][1]) for position in sorted(aside)]
        is_kept = bool(lines) and self._failed_batches is not None and self._failed_batches.put_lines(name, lines)
        kept = set(aside) if is_kept else set()
        counts[f"{name}_events"] = len(told) - len(failures.all())
        counts[f"{name}_events_set_aside"] = len(kept)
        return {told[position][0] for position in failures.all() if position not in kept}

    def _set_aside_records(self, raw_records: Sequence[object], unreadable: set[str]) -> set[str]:
        """Set records aside that nobody here can read, and report them as done; without a bucket they fail."""
        named = unreadable - {""}  # a record without number cannot be told from a damaged batch: all of it fails
        if not named or self._failed_batches is None:
            return unreadable
        aside = [raw for raw in raw_records if sequence_number_of(raw) in named]
        return unreadable - named if self._failed_batches.put(aside) else unreadable


def log_failures(name: str, failures: Failures) -> None:
    """Log what a bus or an archive did not take: the codes, and how many of each."""
    codes = list(failures.all().values())
    for code in sorted(set(codes)):
        logger.warning(
            "life-cycle events not accepted", extra={"by": name, "error_code": code, "events": codes.count(code)}
        )


def _call(job: "partial[set[str]]") -> set[str]:
    return job()
