"""What becomes of sessions, told in a run: the publisher, the sweepers, bus and archive, and who listens.

They have a chance, a network and clients of their own: until they write something, or have something written, a run is
what it would be without them.
"""

import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, cast

from botocore.exceptions import BotoCoreError, ClientError

from ops.dynamodb_double.tables import ItemKey
from ops.rebuilding.checkpoint import Checkpoint
from ops.rebuilding.projections import touch_all
from ops.rebuilding.scanning import Pace
from ops.rebuilding.touching import Touch
from processors.session_table import SessionTable
from tests.simulation.agenda_double import AgendaConduct, AgendaTable, slot_end_of
from tests.simulation.bucket import Bucket
from tests.simulation.dynamodb_client import make_client
from tests.simulation.facts import START
from tests.simulation.faults import Fault, Faults
from tests.simulation.functions import Functions
from tests.simulation.life_cycle_claims import LifeCycleClaims
from tests.simulation.network import CrashError, Network
from tests.simulation.outlets import Archive, Bus, Detail, Subscriber
from tests.simulation.scheduler import NEXT, Jobs
from tests.simulation.second_reader import SecondReader
from tests.simulation.sweepers import Sweepers

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.simulation.simulation import Simulation


_TOUCHED_A_SECOND = 5
"""So many lie between two checkpoints of a touch: few, because its requests fail here as often as one in three."""

_PAUSE_SECONDS = 30.0
"""Until an operator runs it again."""


class Publishing:
    """Publisher, sweepers, bus, archive, and a subscriber.

    Args:
        run: The run.
    """

    def __init__(self, run: "Simulation") -> None:
        self._run = run
        self._source = Random(f"life cycle {run.seed}")
        self.faults = Faults(self._source, run.faults.enabled)
        self.faults.injected[Fault.PUBLISHED] += 1
        network = Network(run.scheduler, self._source, self.faults)
        self._bucket = Bucket(network)
        self._agenda = AgendaTable(lambda: run.scheduler.now, self.faults)
        conduct = AgendaConduct(network, self._source, self.faults)
        self._dynamodb = make_client([run.sessions, self._agenda], conduct, lambda: run.scheduler.now)
        outlet = (run.scheduler, network, self._source, self.faults)
        self._bus, self._archive = Bus(*outlet, self._published), Archive(*outlet, self._archived)
        self._subscriber = Subscriber(run.scheduler, self._source, self.faults)
        self._tells_refreshes = self._source.random() < 0.3
        self.claims = LifeCycleClaims(run, tells_refreshes=self._tells_refreshes)
        self.functions = Functions(
            run.scheduler,
            network,
            self._source,
            self.faults,
            run.note,
            run.claims.fail,
            clients={"dynamodb": self._dynamodb, "events": self._bus, "firehose": self._archive, "s3": self._bucket},
            environment=self._environment(),
        )
        self._told: Counter[str] = Counter()
        self._jobs, self._touches = Jobs(run.scheduler), Jobs(run.scheduler)
        self.reader = SecondReader(run, self.functions, self._source, self.faults, self._jobs)
        self._sweepers = Sweepers(run, self.functions, self._source, self._agenda, self._jobs)
        self._is_late = self._source.random() < 0.4

    def _environment(self) -> dict[str, str]:
        return {
            "SESSIONS_BUS_NAME": "sessions",
            "ARCHIVE_STREAM_NAME": "archive",
            "EXPIRY_AGENDA_TABLE": "agenda",
            "PUBLISH_REFRESHED_SESSIONS": str(self._tells_refreshes).lower(),
            "EXPIRY_INTERVAL_SECONDS": self._source.choice((*["60"] * 15, *["30"] * 4, "5")),
            "FAILED_BATCHES_BUCKET": "failed-batches",
        }

    @property
    def figures(self) -> dict[str, int]:
        """How many events the bus accepted, by kind, and what sweepers did; repeats included."""
        names = ("passed_over", "set_aside", "unfinished")
        return dict(self._told) | {f"expiries {name}": int(self._sweepers.done[name]) for name in names}

    @property
    def is_touching(self) -> bool:
        """Whether an operator touches the items, so that the table is not final."""
        return self._touches.under_way > 0

    # --- what is planned

    def begin(self) -> None:
        """Begin with the run, where it is published from the beginning."""
        if not self._is_late:
            self._sweepers.is_on = True
            self.reader.read_shards()

    def plan(self, end: float) -> None:
        """Put into the heap what is to happen until a time, epoch seconds."""
        at, draw = self._run.scheduler.at, self._source.uniform
        if self._is_late:
            at(draw(START, end), self._switch_on)
        self._sweepers.plan(end)
        plans: tuple[tuple[Fault, int, Callable[[], object]], ...] = (
            (Fault.RECOMPOSITION, 2, self.reader.restart_one),
            (Fault.TRIM_HORIZON_REPLAY, 1, self._replay_stream),
            (Fault.DEAD_LETTERS, 2, self._redrive),
        )
        for fault, times, action in plans:
            for _ in range(times):
                if self.faults.planned(fault, 0.5):
                    at(draw(START, end), action)
        for outlet in (self._bus, self._archive):
            if self.faults.planned(Fault.SEND_FAILURE, 0.2):
                moment = draw(START, end)
                at(moment, setattr, outlet, "is_down", True)
                at(moment + self._source.choice((5.0, 300.0, 7200.0)), setattr, outlet, "is_down", False)

    def _switch_on(self) -> None:
        """Publish from now on, as an update of the stack has it, the stream's past being gone; then touch all items."""
        self._run.note("life-cycle events are published")
        self._sweepers.is_on = True
        self.reader.read_shards(from_now_on=True)
        self._touches.start("touch", self._touch_all)

    def _replay_stream(self) -> None:
        if not self._is_late:
            self.reader.read_shards()

    # --- what is told

    def _published(self, detail: Detail, began_at: float) -> None:
        self._told[detail["kind"]] += 1
        if self._run.has_trace:
            self._run.note(f"told: {detail['id']} over at {detail['over_at']}, {detail['over_reason']}")
        self.claims.published(detail, began_at)
        self._subscriber.send(detail)

    def _archived(self, detail: Detail, began_at: float) -> None:
        self.claims.archived(detail)

    def _redrive(self) -> bool:
        """Deliver again what was set aside or discarded, and what the subscriber failed at; answers whether it was."""
        for prefix, take in (("bus", self._published), ("archive", self._archived)):
            for line in self._bucket.take_lines(prefix):
                take(json.loads(line), 0.0)
        has_records = self.reader.redrive(self._bucket.take())
        return self._subscriber.replay() or has_records

    # --- the end

    def settle(self) -> None:
        """Switch the faults off, let every session run out, and judge what a reader knows: before, and then."""
        run = self._run
        self.faults.is_quiet = True
        run.claims.is_table_final = False  # a touch writes
        self._drain()
        if self.claims.needs_touch:
            run.note("everything is touched")
            self._touches.start("touch", self._touch_all)
            self._drain()
        for moment in (run.scheduler.now + 10.0, self._last_expiry() + 10.0):
            run.pass_time_until(max(moment, run.scheduler.now), "time goes on")
            swept_at = run.scheduler.now
            for _ in range(2):
                self._sweepers.start()
            self._drain()
            if run.claims.violation is None:
                self.claims.settled(self._subscriber.sessions(), self._due_keys(swept_at))

    def _last_expiry(self) -> float:
        times = [int(item["expires_at"]["N"]) for item in self._run.sessions.items.values() if "expires_at" in item]
        return float(max(times, default=0))

    def _due_keys(self, swept_at: float) -> list[ItemKey]:
        return [key for key, item in self._agenda.items.items() if slot_end_of(item) + 5 < swept_at]

    def _drain(self) -> None:
        for _ in range(6):
            self._run.run_until(lambda: self._is_drained, "everything is published in bounded steps")
            if self._run.claims.violation is not None or not self._redrive():
                break

    @property
    def _is_drained(self) -> bool:
        is_busy = (
            self._jobs.under_way or self.is_touching or self.functions.running or self.functions.network.pending_late
        )
        return not is_busy and not self._subscriber.under_way and self.reader.is_at_end

    def _touch_all(self) -> None:
        """Touch every item with the operators' tool, which goes on from its checkpoint when it is run again."""
        run, task = self._run, self._run.scheduler.current
        assert task is not None
        task.functions, task.release = self.functions, NEXT  # the tool is never older than what wrote the tables
        client, is_batched = cast("DynamoDBClient", self._dynamodb), run.transport == "statements"
        sessions = SessionTable(client, "sessions", clock=run.moment, batch_statements=is_batched)
        pace = Pace(_TOUCHED_A_SECOND, clock=lambda: run.scheduler.now, sleep=run.scheduler.sleep)
        with Checkpoint(None, "touch") as checkpoint:
            while not self._touch_the_rest(sessions, checkpoint, pace):
                run.scheduler.sleep(_PAUSE_SECONDS)

    def _touch_the_rest(self, sessions: SessionTable, checkpoint: Checkpoint, pace: Pace) -> bool:
        try:
            return not touch_all(sessions, checkpoint, pace=pace)[Touch.NOT_WRITTEN]
        except (ClientError, BotoCoreError, CrashError) as error:
            self._run.note(f"touch failed: {error!r}")
            return False
