"""Tables in memory whose every request is a point where somebody else may go on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, cast

from greenlet import getcurrent, greenlet

from ops.dynamodb_double.client import Client
from ops.dynamodb_double.conduct import Conduct
from ops.dynamodb_double.service import Service
from ops.dynamodb_double.stream import Stream, StreamShard
from ops.dynamodb_double.tables import Table
from processors.projection_table import ProjectionTable
from processors.session_table import SessionTable

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC).timestamp()
SESSIONS = "sessions"
PROJECTIONS = "projections"

_STEPS = (0.0, 0.0, 0.001, 0.05, 0.2, 1.0, 3.0)
"""Seconds that pass from one request to the next."""


class _GivesWay(Conduct):
    """Lets the others go on before each request is carried out."""

    def __init__(self, give_way: Callable[[], None]) -> None:
        self._give_way = give_way

    def carry_out(self, operation: str, steps: Sequence[Callable[[], Any]], *, writes: bool = False) -> list[Any]:
        self._give_way()
        return [step() for step in steps]


class SentCommands:
    """The commands queue: it keeps what is sent, as `MessageQueue` would."""

    def __init__(self) -> None:
        self.bodies: list[str] = []

    def send(self, bodies: Sequence[str], **_: Any) -> dict[int, str]:
        """Keep messages; none fails."""
        self.bodies += bodies
        return {}


@dataclass
class World:
    """Tables, clock and actors of one history.

    Args:
        source: The history's one source of chance.
        index_lag: Most seconds until a change shows in the index.
        limit: Most live sessions of a customer; 0: no limit.
        clocks_differ: Whether each partition has a clock of its own, up to two seconds wrong, and not all have one.
        hurries: Whether requests follow each other at once, so that much happens in one second.
    """

    source: Random
    index_lag: float = 1.0
    limit: int = 0
    clocks_differ: bool = False
    hurries: bool = False
    now: float = START
    commands: SentCommands = field(default_factory=SentCommands)

    def __post_init__(self) -> None:
        self.stream = Stream(1, lambda: self.source.uniform(-2.0, 2.0))
        self._clock_errors: dict[str, float] = {}
        if self.clocks_differ:
            self.stream.on_record = self._stamp
        tables = {
            SESSIONS: Table(
                SESSIONS, stream=self.stream, index_lag=lambda: self.source.uniform(0, self.index_lag), keys_only=True
            ),
            PROJECTIONS: Table(PROJECTIONS, key_names=("PK",)),
        }
        self.session_items, self.projection_items = tables[SESSIONS], tables[PROJECTIONS]
        service = Service(
            tables.__getitem__, clock=lambda: self.now, conduct=_GivesWay(self.give_way), checks_sizes=False
        )
        self.client = client = cast("Any", Client(service))
        self.sessions = SessionTable(client, SESSIONS, clock=self.clock, batch_statements=True)
        self.projections = ProjectionTable(
            client, PROJECTIONS, sessions=self.sessions, clock=self.clock, limit=self.limit, batch_statements=True
        )
        self._hub = getcurrent()
        self._actors: list[greenlet] = []

    def _stamp(self, _: StreamShard, record: dict[str, Any]) -> None:
        """Give a record the time of its partition's clock."""
        change = record["dynamodb"]
        error = self._clock_errors.setdefault(change["Keys"]["PK"]["S"], self.source.uniform(-2.0, 2.0))
        change["ApproximateCreationDateTime"] = float(int(self.now + error))

    def clock(self) -> datetime:
        """Read the clock, aware UTC."""
        return datetime.fromtimestamp(self.now, UTC)

    @property
    def records(self) -> list[dict[str, Any]]:
        """Every record of the stream so far, in order."""
        return self.stream.shards[0].records

    def start(self, body: Callable[[], None]) -> None:
        """Start an actor."""
        self._actors.append(greenlet(body, self._hub))

    def give_way(self) -> None:
        """Let the others go on; outside of actors nobody else is there."""
        if getcurrent() is not self._hub:
            self._hub.switch()

    def run(self) -> None:
        """Let the actors go on in any order, step by step, until all are done; time passes between the steps."""
        while self._actors:
            self.now += self.source.choice(_STEPS[:4] if self.hurries else _STEPS)
            actor = self.source.choice(self._actors)
            actor.switch()
            self._actors = [each for each in self._actors if not each.dead]
