"""The logouts that the merged states of a batch's customers call for."""

import logging
from collections.abc import Mapping

from processors.aws.deadline import NEVER, Deadline
from processors.aws.errors import ReadError, error_code
from processors.policies.commands import Command, logout_of_revoked, logouts_for_ending
from processors.policies.ending import revoked_at
from processors.projections.facts import CustomerFacts
from processors.projections.merge import Merged
from processors.session_table import SessionTable
from schemas.errors import MalformedItemError

logger = logging.getLogger(__name__)


def end_marked_sessions(facts: Mapping[str, CustomerFacts], merged: Mapping[str, Merged]) -> list[Command]:
    """Return the logouts of the entries that are ending, again until each end is seen."""
    return [
        Command(facts[customer_id].sequence_numbers[0], body)
        for customer_id, result in merged.items()
        for body in logouts_for_ending(customer_id, result.ending)
    ]


def end_sessions_beyond_capacity(
    facts: Mapping[str, CustomerFacts],
    merged: Mapping[str, Merged],
    sessions: SessionTable,
    *,
    deadline: Deadline = NEVER,
) -> tuple[list[Command], set[str]]:
    """Return the logouts of revoked sessions that a projection does not keep, found by paging the index.

    Where time runs out, half of it is left to send what was found; the record comes again, and then pages past the
    sessions that have ended meanwhile.

    Returns:
        The commands, and the sequence numbers of records to deliver again because a read failed, which is logged, or
        there was no time for all of it.
    """
    reserve = deadline.left() / 2
    commands: list[Command] = []
    failed: set[str] = set()
    for customer_id, result in merged.items():
        customer = facts[customer_id]
        if not customer.revocations or result.projection.dropped_until is None:
            continue
        try:
            for session in sessions.page_sessions(customer_id):
                if deadline.expired or deadline.left() < reserve:
                    failed.update(customer.sequence_numbers)
                    break
                moment = session.started_at and revoked_at(
                    session.session_id, session.started_at, result.projection.revocation
                )
                if moment is not None and session.session_id not in result.ending:
                    commands.append(Command(customer.sequence_numbers[0], logout_of_revoked(session, moment)))
        except (ReadError, MalformedItemError) as error:
            logger.warning(
                "sessions could not be paged",
                extra={"sequence_number": customer.sequence_numbers[0], "error_code": error_code(error)},
            )
            failed.update(customer.sequence_numbers)
    return commands, failed
