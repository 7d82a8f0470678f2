"""The services of a run: its clock, tables, queues and bucket, and the network that lies before them."""

from collections.abc import Collection
from datetime import UTC, datetime
from functools import partial
from random import Random

from ops.dynamodb_double.stream import Stream
from ops.dynamodb_double.tables import Table
from tests.simulation.bucket import Bucket
from tests.simulation.dynamodb_client import FaultyConduct, make_client
from tests.simulation.facts import START
from tests.simulation.faults import Fault, Faults, draw_faults
from tests.simulation.generator import Generator
from tests.simulation.network import Network
from tests.simulation.queues import Queue, SqsClient
from tests.simulation.scheduler import Scheduler
from tests.simulation.stage import COMMANDS_URL, EVENTS_URL, REJECTED_URL

LONGEST_SEND_SECONDS = 700.0
"""From an invocation's beginning, when it reads its settings, until the last of its requests may land."""
_MAX_INDEX_LAG = 3.0
"""Seconds; the stream is slower, as it is where a batching window is set."""


class Services:
    """The services of a run.

    Args:
        seed: Decides everything else.
        transport: `statements` or `items`; None: by the seed's parity.
        faults: Those allowed; None: drawn.
        without: Those not allowed even so.
        has_trace: Whether to keep a trace.
    """

    def __init__(
        self,
        seed: int,
        *,
        transport: str | None = None,
        faults: Collection[Fault] | None = None,
        without: Collection[Fault] = (),
        has_trace: bool = False,
    ) -> None:
        self.seed = seed
        self.transport = transport or ("statements" if seed % 2 else "items")
        self.source = Random(seed)
        drawn = draw_faults(seed, self.source)
        allowed = [fault for fault in Fault if fault in (drawn if faults is None else faults) and fault not in without]
        self.faults = Faults(self.source, allowed)
        self.has_trace = has_trace
        self.trace: list[str] = []
        self.scheduler = Scheduler(START)
        self.network = Network(self.scheduler, self.source, self.faults)
        self.history = Generator(self.source, self.faults).draw()
        self.bodies_to_reject: list[str] = []
        self._build_tables()
        self._build_queues()

    def _build_tables(self) -> None:
        self.stream = Stream(
            self.source.randint(1, 3),
            skew=lambda: self.source.choice((0.0, 0.0, 1.9, -1.9)),
            delay=_MAX_INDEX_LAG if Fault.STALE_INDEX in self.faults else 0.2,
        )
        self.sessions = Table("sessions", stream=self.stream, index_lag=self._index_lag)
        self.projections = Table("projections", key_names=("PK",))
        conduct = FaultyConduct(self.network, self.source, self.faults)
        self.bucket = Bucket(self.network)
        self.dynamodb = make_client([self.sessions, self.projections], conduct, self._clock)
        self._ttl_style = self.source.choice(("at once", "late", "mid-batch", "never"))
        if self._ttl_style in ("at once", "mid-batch"):
            self.network.before_step = self._delete_expired

    def _build_queues(self) -> None:
        make = partial(Queue, scheduler=self.scheduler, source=self.source, faults=self.faults)
        is_short = self.faults.planned(Fault.MANY_WORKERS, 0.5)
        self.events_queue = make(
            "events",
            visibility=self.source.choice((5.0, 30.0)) if is_short else 190.0,
            max_receives=3 if Fault.DEAD_LETTERS in self.faults else 10,
        )
        self.function_queue = make("function")
        self.rejected_queue = make("rejected")
        queues = {EVENTS_URL: self.events_queue, REJECTED_URL: self.rejected_queue}
        self.commands_queue = self.events_queue
        self.apart_since: float | None = None
        """Since when the projector has been told of the commands' own queue, in epoch seconds; None: it has not."""
        if Fault.COMMANDS_QUEUE in self.faults:
            if self.faults.planned(Fault.COMMANDS_QUEUE, 0.5):  # else the stack is updated later
                self.apart_since = START - LONGEST_SEND_SECONDS
            self.commands_queue = queues[COMMANDS_URL] = make("commands", max_receives=self.events_queue.max_receives)
        self.sqs = SqsClient(queues, self.events_queue, self.commands_queue, self.network, self.source, self.faults)

    def _clock(self) -> float:
        return self.scheduler.now

    def moment(self, at: float | None = None) -> datetime:
        """Epoch seconds as aware UTC; None: now."""
        return datetime.fromtimestamp(self.scheduler.now if at is None else at, UTC)

    def note(self, line: str) -> None:
        """Add a line to the trace."""
        if self.has_trace:
            self.trace.append(f"{self.scheduler.now - START:14.3f} {line}")

    def _index_lag(self) -> float:
        if self.faults.strikes(Fault.INDEX_OUTAGE, 3.0):
            return 60.0 * self.source.random()
        if self.faults.strikes(Fault.STALE_INDEX, 3.0):
            return _MAX_INDEX_LAG * self.source.random()
        return 0.0 if self.faults.is_quiet else 0.2 * self.source.random()

    def _read_limit(self) -> int:
        return self.source.choice((1, 2, 5, 1000)) if Fault.RECOMPOSITION in self.faults else 1000

    def _delete_expired(self) -> None:
        """Delete between any two requests, so between a batch's read and its write, too."""
        if Fault.TTL not in self.faults or self.faults.is_quiet:
            return
        for key in self.sessions.expired(self.scheduler.now):
            if self._ttl_style == "at once" or self.source.random() < 0.3:
                self.sessions.delete(key, self.scheduler.now, is_ttl=True)
