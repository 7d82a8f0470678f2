"""Erasures of customers in a run: done by the tool itself, again after each crash, and judged at the end."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, cast

from botocore.exceptions import BotoCoreError, ClientError

from ops.dynamodb_double.tables import ItemKey
from ops.erasure.erasing import Erasure
from processors.aws.errors import ReadError
from processors.projection_table import NotWrittenError, ProjectionTable
from processors.register.erased_list import ErasedList
from processors.session_table import SessionTable
from schemas.errors import MalformedItemError
from schemas.keys import customer_partition
from tests.simulation.network import CrashError
from tests.simulation.reading import projection_in, session_in
from tests.simulation.scheduler import NEXT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.simulation.simulation import Simulation

_PAUSE_SECONDS = 30.0
"""Until an operator runs it again."""


class Erasures:
    """Erases, and knows who is erased.

    Args:
        simulation: The run.
        fail: Takes a violated claim.
    """

    def __init__(self, simulation: "Simulation", fail: Callable[[str, str], None]) -> None:
        self.customers: set[str] = set()
        """Who is erased, or being erased."""
        self.under_way = 0
        self._run = simulation
        self._fail = fail
        self.finished: dict[str, tuple[float, datetime]] = {}
        """When an erasure was done, epoch seconds, and up to when the customer is erased."""
        self._left: set[ItemKey] = set()
        """Child sessions that an erasure left: outside its promise are those whose parent is not in the table."""

    def begin(self, customer: str) -> None:
        """Erase a customer, as an operator does."""
        self.under_way += 1
        self.customers.add(customer)
        self._run.claims.operated.projection_deleted(customer)
        task = self._run.scheduler.spawn(f"erasure of {customer}", lambda: self._erase(customer))
        task.release = NEXT  # the tool is never older than what wrote the tables

    def _erase(self, customer: str) -> None:
        run = self._run

        def clock() -> datetime:
            return run.moment()

        is_batched = run.transport == "statements"
        while True:
            client = cast("DynamoDBClient", run.dynamodb)
            sessions = SessionTable(client, "sessions", clock=clock, batch_statements=is_batched)
            projections = ProjectionTable(
                client, "projections", sessions=sessions, clock=clock, batch_statements=is_batched
            )
            try:
                receipt = Erasure(sessions, projections, clock=clock, sleep=run.scheduler.sleep).erase(customer)
            except (CrashError, ClientError, BotoCoreError, ReadError, NotWrittenError, MalformedItemError) as error:
                run.note(f"erasure of {customer} failed: {error!r}")
                run.scheduler.sleep(_PAUSE_SECONDS)
                continue
            run.note(f"erased: {customer} up to {receipt.erased_at}")
            self.finished[customer] = run.scheduler.now, receipt.erased_at
            self._left.update(key for key in run.sessions.items if key[1].startswith("child#"))
            self.under_way -= 1
            return

    def check(self) -> None:
        """Check that nothing is there of what is erased; an end alone may have left a tombstone, ids alone."""
        for customer, (_, erased_at) in self.finished.items():
            erased = ErasedList.of(customer, erased_at)
            for key, item in self._run.sessions.items.items():
                session = session_in(item) if key not in self._left else None
                if session is not None and session.last_login_time is not None and erased.has_session(session):
                    self._fail("erased stays erased", f"{customer} up to {erased_at}: {item}")
            projection = self._run.projections.items.get((customer_partition(customer), ""))
            last_login_time = None if projection is None else projection_in(projection).last_login_time
            if last_login_time is not None and last_login_time <= erased_at:
                self._fail("erased stays erased", f"{customer} up to {erased_at}: last login {last_login_time}")
