"""Where life-cycle events go: a bus, an archive, and a consumer behind the bus, which keeps the latest of each."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from schemas.life_cycle import latest
from tests.simulation.faults import Fault, Faults
from tests.simulation.network import Network, client_error
from tests.simulation.scheduler import Scheduler

Detail = dict[str, Any]

_PASSING = ("ThrottlingException", "InternalFailure", "ServiceUnavailableException")
_FOR_GOOD = "NotAuthorizedForDetailType"


class _Outlet:
    """What bus and archive have in common: they refuse single entries, and are down for a while.

    Args:
        scheduler: Time, and the task that asks.
        network: The way to it.
        source: Of all chance.
        faults: What goes wrong.
        accept: Takes the `detail` of each event that is accepted, and when the invocation that sent it began.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        network: Network,
        source: Random,
        faults: Faults,
        accept: Callable[[Detail, float], None],
    ) -> None:
        self.is_down = False
        self._scheduler = scheduler
        self._network = network
        self._source = source
        self._faults = faults
        self._accept = accept

    def _request(self, operation: str, entries: list[list[str]]) -> list[str | None]:
        """Take entries, each of some events as JSON; give the code of each that is refused."""
        task = self._scheduler.current
        began_at = task.began_at if task is not None else 0.0
        [codes] = self._network.request(operation, [lambda: self._take(entries, began_at)], writes=True)
        if codes is None:
            raise client_error(operation, "ServiceUnavailableException")
        taken: list[str | None] = codes
        return taken

    def _take(self, entries: list[list[str]], began_at: float) -> list[str | None] | None:
        if self.is_down and not self._faults.is_quiet:
            return None
        codes: list[str | None] = []
        for lines in entries:
            is_refused = self._faults.strikes(Fault.SEND_FAILURE)
            codes.append(self._source.choice((*_PASSING, _FOR_GOOD)) if is_refused else None)
            for line in () if is_refused else lines:
                self._accept(json.loads(line), began_at)
        return codes


class Bus(_Outlet):
    """The part of boto3's EventBridge client that the handlers use."""

    def put_events(self, *, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803 # boto3's names
        codes = self._request("PutEvents", [[entry["Detail"]] for entry in Entries])
        return {"Entries": [{"EventId": "e"} if code is None else {"ErrorCode": code} for code in codes]}


class Archive(_Outlet):
    """The part of boto3's Firehose client that the handlers use."""

    def put_record_batch(self, *, DeliveryStreamName: str, Records: list[dict[str, bytes]]) -> dict[str, Any]:  # noqa: N803 # boto3's names
        codes = self._request("PutRecordBatch", [record["Data"].decode().splitlines() for record in Records])
        return {"RequestResponses": [{"RecordId": "r"} if code is None else {"ErrorCode": code} for code in codes]}


class Subscriber:
    """A consumer behind the bus: what reaches it comes late, twice and out of order, and fails at times.

    Args:
        scheduler: Time.
        source: Of all chance.
        faults: What goes wrong.
    """

    def __init__(self, scheduler: Scheduler, source: Random, faults: Faults) -> None:
        self.under_way = 0
        self._scheduler = scheduler
        self._source = source
        self._faults = faults
        self._failed: list[Detail] = []
        self._kept: dict[tuple[str, str], Detail] = {}

    def send(self, detail: Detail) -> None:
        """Deliver an event, at least once."""
        for _ in range(1 + self._faults.strikes(Fault.DUPLICATE_DELIVERY, 2.0)):
            longest = 4000.0 if self._faults.strikes(Fault.REORDER, 3.0) else 0.5
            self.under_way += 1
            self._scheduler.at(self._scheduler.now + longest * self._source.random(), self._receive, detail)

    def replay(self) -> bool:
        """Deliver again what failed; answers whether there was anything."""
        failed, self._failed = self._failed, []
        for detail in failed:
            self.send(detail)
        return bool(failed)

    def sessions(self) -> dict[tuple[str, str], Detail]:
        """What it knows of each session, children joined with their parents."""
        return latest(self._kept.values())

    def _receive(self, detail: Detail) -> None:
        self.under_way -= 1
        if self._faults.strikes(Fault.DEAD_LETTERS):
            self._failed.append(detail)
            return
        [alone] = latest([detail])
        known = [self._kept[alone]] if alone in self._kept else []
        self._kept |= latest([*known, detail])
