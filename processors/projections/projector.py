"""Take a batch of stream records into the projections, and send the logouts that follow from it."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from processors.aws.deadline import NEVER, Deadline
from processors.aws.errors import ReadError
from processors.aws.failed_batches import FailedBatches
from processors.aws.message_queue import MessageQueue
from processors.policies.cascade import cascade
from processors.policies.commands import Command
from processors.policies.enforcement import end_marked_sessions, end_sessions_beyond_capacity
from processors.projection_table import ProjectionTable
from processors.projections.facts import CustomerFacts, add_record
from processors.register.erased_list import ErasedList
from processors.session_table import SessionTable
from schemas import attributes
from schemas.errors import MalformedItemError
from schemas.items import Session
from schemas.stream import StreamRecord, lowest_sequence_number, read_record, sequence_number_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Projected:
    """Result of a batch.

    Args:
        failed: Sequence numbers of the records to deliver again; empty for one without number.
        counts: How many records, customers and commands there were, for the metrics.
        logins: When the logins happened that the batch brought to the projections; aware UTC.
    """

    failed: frozenset[str]
    counts: dict[str, int]
    logins: tuple[datetime, ...] = ()

    @property
    def lowest_failed(self) -> str | None:
        """The failed record that Lambda delivers from again; None where all succeeded."""
        return lowest_sequence_number(self.failed)


class Projector:
    """Projects stream records.

    Args:
        projections: The projections table.
        sessions: The sessions table.
        commands: Where logouts are sent.
        failed_batches: Where a record that nobody here can read is set aside; None: it fails.
        deadline: When the caller must have answered; nothing is begun after it.
    """

    def __init__(
        self,
        projections: ProjectionTable,
        sessions: SessionTable,
        commands: MessageQueue,
        *,
        failed_batches: FailedBatches | None = None,
        deadline: Deadline = NEVER,
    ) -> None:
        self._projections = projections
        self._sessions = sessions
        self._commands = commands
        self._failed_batches = failed_batches
        self._deadline = deadline

    def project(self, raw_records: Sequence[object]) -> Projected:
        """Merge a batch into the projections of its customers, and send the logouts that it calls for.

        Every logout is sent after the projections were written and before the batch is answered; what cannot be sent
        fails its record. So a crash in between loses nothing.
        """
        try:
            erased = self._sessions.erased.current()
        except ReadError as error:
            logger.warning("list of erased customers could not be read", extra={"error_code": error.code})
            failed = {sequence_number_of(raw) for raw in raw_records}
            return Projected(
                frozenset(failed), {"records": 0, "customers": 0, "commands": 0, "failed_records": len(failed)}
            )
        records, facts, unreadable = _read_all(raw_records, erased)
        merged = self._projections.apply(facts, deadline=self._deadline)
        failed = {number for name in facts.keys() - merged.keys() for number in facts[name].sequence_numbers}
        unreadable |= {number for result in merged.values() for number in result.unreadable}
        commands = end_marked_sessions(facts, merged)
        beyond, unpaged = end_sessions_beyond_capacity(facts, merged, self._sessions, deadline=self._deadline)
        commands += beyond
        failed |= unpaged | self._send(commands)
        sent = len(commands)
        for step in cascade(records, self._sessions.reader, deadline=self._deadline):
            failed |= step.failed | self._send(step.commands)
            sent += len(step.commands)
        failed |= self._set_aside(raw_records, unreadable)
        counts = {
            "records": len(records),
            "customers": len(facts),
            "commands": sent,
            "failed_records": len(failed),
            "records_set_aside": self._failed_batches.kept if self._failed_batches else 0,
        }
        return Projected(frozenset(failed), counts, tuple(_logins(records, failed)))

    def _send(self, commands: Sequence[Command]) -> set[str]:
        """Send logouts; one that cannot be sent fails its record."""
        failures = self._commands.send([command.body for command in commands], deadline=self._deadline)
        for code in set(failures.values()):
            logger.warning("logout commands could not be sent", extra={"error_code": code})
        return {commands[position].sequence_number for position in failures}

    def _set_aside(self, raw_records: Sequence[object], unreadable: set[str]) -> set[str]:
        """Set records aside that nobody here can read, and report them as done; without a bucket they fail."""
        if not unreadable or self._failed_batches is None:
            return unreadable
        named = unreadable - {""}  # a record without number cannot be told from a damaged batch: all of it fails
        aside = [raw for raw in raw_records if sequence_number_of(raw) in named]
        is_done = not named or self._failed_batches.put(aside)
        return unreadable - named if is_done else unreadable


def _logins(records: Sequence[StreamRecord], failed: Collection[str]) -> Iterator[datetime]:
    """Give the times of the logins that are new in these records, those that failed apart."""
    for record in records:
        session = record.after
        if isinstance(session, Session) and session.last_login_time and record.sequence_number not in failed:
            before = record.old_image if isinstance(record.old_image, Mapping) else {}
            if attributes.time(before, "last_login_time") != session.last_login_time:
                yield session.last_login_time


def _read_all(
    raw_records: Sequence[object], erased: ErasedList
) -> tuple[list[StreamRecord], dict[str, CustomerFacts], set[str]]:
    """Read records; those of what was erased are passed over.

    Returns:
        Those that can be read, what they say about each customer, and the sequence numbers of the others.
    """
    records: list[StreamRecord] = []
    facts: dict[str, CustomerFacts] = {}
    unreadable: set[str] = set()
    for raw in raw_records:
        try:
            record = erased.rest_of_record(read_record(raw))
            if record is not None:
                add_record(facts, record)
                records.append(record)
        except MalformedItemError as error:
            number = sequence_number_of(raw)
            logger.error("stream record cannot be read", extra={"sequence_number": number, "reason": str(error)})
            unreadable.add(number)
    return records, facts, unreadable
