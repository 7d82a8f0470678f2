"""The stream's second reader in a run, and the sweeper of expiries: what they tell, and who listens.

They have a chance, a network and clients of their own: a run in which they play is otherwise the run it would be
without them, until the items are touched.
"""

import json
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from random import Random
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.dynamodb_double.stream import StreamShard
from ops.dynamodb_double.tables import Item, ItemKey
from ops.validation.filters import FilterCriteria
from ops.validation.translation import load_template
from tests.simulation.agenda_double import AgendaConduct, AgendaTable, slot_end_of
from tests.simulation.bucket import Bucket
from tests.simulation.dynamodb_client import make_client
from tests.simulation.event_sources.invocation import FunctionError
from tests.simulation.event_sources.stream_batches import RetryPolicy
from tests.simulation.event_sources.streams import StreamMapping, StreamPoller
from tests.simulation.facts import START
from tests.simulation.faults import Fault, Faults
from tests.simulation.functions import Functions
from tests.simulation.life_cycle_claims import LifeCycleClaims
from tests.simulation.network import CrashError, Network
from tests.simulation.outlets import Archive, Bus, Detail, Subscriber
from tests.simulation.reading import session_in
from tests.simulation.scheduler import NEXT, Task
from tests.simulation.stream_view import StreamView

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/sessions/stream/1"
_MOST_DAYS_WITHOUT_SWEEPER = 5
_DAY = 86_400.0


@cache
def _filters() -> FilterCriteria:
    """The filters of the publisher's mapping, as template.yaml has them."""
    events: Any = load_template()["Resources"]["SessionPublisherFunction"]["Properties"]["Events"]
    patterns = events["SessionsStream"]["Properties"]["FilterCriteria"]["Filters"]
    return FilterCriteria(each["Pattern"] for each in patterns)


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
        self.subscriber = Subscriber(run.scheduler, self._source, self.faults)
        outlet = (run.scheduler, network, self._source, self.faults)
        self._bus, self._archive = Bus(*outlet, self._published), Archive(*outlet, self._archived)
        self._tells_refreshes = self._source.random() < 0.3
        self.claims = LifeCycleClaims(run, tells_refreshes=self._tells_refreshes)
        self.functions = Functions(
            run.scheduler,
            network,
            self._source,
            self.faults,
            run.note,
            run.claims.fail,
            clients={
                "dynamodb": self._dynamodb,
                "events": self._bus,
                "firehose": self._archive,
                "s3": self._bucket,
            },
            environment=self._environment(),
        )
        self.told: Counter[str] = Counter()
        """How many events the bus accepted, repeats included, by kind."""
        self._views: dict[StreamView, tuple[StreamPoller, Task]] = {}
        self._discarded: list[dict[str, Any]] = []
        self._busy = 0
        self._is_late = self._source.random() < 0.4
        self._is_on = not self._is_late
        self._sweeps_on_time = self._source.randint(0, 5)
        self._agenda.on_change = self._noted

    def _environment(self) -> dict[str, str]:
        return {
            "SESSIONS_BUS_NAME": "sessions",
            "ARCHIVE_STREAM_NAME": "archive",
            "EXPIRY_AGENDA_TABLE": "agenda",
            "PUBLISH_REFRESHED_SESSIONS": str(self._tells_refreshes).lower(),
            "EXPIRY_INTERVAL_SECONDS": self._source.choice((*["60"] * 15, *["30"] * 4, "5")),
            "FAILED_BATCHES_BUCKET": "failed-batches",
        }

    # --- what is planned

    def begin(self) -> None:
        """Begin with the run, where it is published from the beginning."""
        if self._is_on:
            self._read_shards()

    def plan(self, end: float) -> None:
        """Put into the heap what is to happen until a time, epoch seconds."""
        at, draw = self._run.scheduler.at, self._source.uniform
        if self._is_late:
            at(draw(START, end), self._switch_on)
        for _ in range(self._source.randint(1, 3)):
            moment = draw(START, end)
            for _ in range(self._source.choice((1, 1, 2, 3))):  # runs overlap
                at(moment + self._source.choice((0.0, 0.1, 10.0, 59.0)), self._start_sweeper)
        for days in range(_MOST_DAYS_WITHOUT_SWEEPER, int((end - START) / _DAY), _MOST_DAYS_WITHOUT_SWEEPER):
            at(START + days * _DAY, self._start_sweeper)
        plans: tuple[tuple[Fault, int, Callable[[], object]], ...] = (
            (Fault.RECOMPOSITION, 2, self._restart_a_reader),
            (Fault.TRIM_HORIZON_REPLAY, 1, self._replay_stream),
            (Fault.DEAD_LETTERS, 2, self.redrive),
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
        """Publish from now on, as an update of the stack has it; then all that is there is touched."""
        self._run.note("life-cycle events are published")
        self._is_on = True
        self._read_shards()
        self._start(self._touch_all, "touch")

    def _start_sweeper(self) -> None:
        if self._is_on:
            self._start(self._sweep, "schedule")

    def _start(self, body: Callable[[], None], name: str) -> Task:
        def until_done() -> None:
            try:
                body()
            finally:
                self._busy -= 1

        self._busy += 1
        return self._run.scheduler.spawn(name, until_done)

    def _sweep(self) -> None:
        try:
            self.functions.invoke("expiry_sweeper", {"source": "aws.scheduler"})
        except FunctionError as error:  # the schedule does not try again: the next minute's run does what is left
            self._run.note(f"sweeper failed: {error}")

    def _noted(self, old: Item | None, new: Item | None, is_ttl: bool) -> None:
        """An agenda item was written: sometimes a sweeper comes as soon as it is due."""
        if new is not None and self._sweeps_on_time and self._source.random() < 0.5:
            self._sweeps_on_time -= 1
            late = self._source.choice((0.0, 0.5, 5.0, 60.0)) * self._source.random()
            self._run.scheduler.at(slot_end_of(new) + 2.0 + late, self._start_sweeper)

    # --- the stream

    def record_written(self, shard: StreamShard, record: dict[str, Any]) -> None:
        """Wake the readers of a record."""
        for view, (_, task) in self._views.items():
            if view.covers(shard, record):
                at = shard.readable_at[-1] + 0.2 * self._source.random()
                self._run.scheduler.at(at, self._run.scheduler.wake, task)

    def _read_shards(self) -> None:
        stream = self._run.stream
        for shard in [shard for shard in stream.shards if shard.parent_id is None]:
            view = StreamView(stream, shard, 0, 1, self._read_limit, lambda: self._run.scheduler.now)
            if self._is_late:  # of what was before, the stream's 24 hours are over
                view.starts = {each.shard_id: len(each.records) for each in stream.shards}
                view.acknowledge([each["eventID"] for other in stream.shards for each in other.records])
            self._read(view)

    def _read_limit(self) -> int:
        return self._source.choice((1, 2, 5, 1000)) if Fault.RECOMPOSITION in self.faults else 1000

    def _read(self, view: StreamView) -> None:
        mapping = StreamMapping(
            _ARN,
            batch_size=self._source.choice((1, 3, 10, 500)),
            maximum_batching_window_seconds=self._source.choice((0, 0, 1)),
            parallelization_factor=self._source.choice((1, 1, 2)),
            report_batch_item_failures=True,
            filters=_filters(),
            retry=RetryPolicy(
                bisect_batch_on_function_error=Fault.BISECT in self.faults,
                maximum_retry_attempts=self._source.choice((3, 30)),
                maximum_record_age_seconds=21_600,
            ),
        )

        def discard(batch: Any) -> None:
            self._discarded.extend(record.event for record in batch.records)

        poller = StreamPoller(mapping, view, partial(self._publish, view), lambda: self._run.scheduler.now, discard)
        self._views[view] = poller, self._run.scheduler.spawn(f"publish-{view.name}", partial(self._poll, poller, view))

    def _poll(self, poller: StreamPoller, view: StreamView) -> None:
        while True:
            if poller.poll_once():
                self._run.scheduler.sleep(0.001)
                continue
            moments = (poller.next_due_at, view.next_readable_at)
            self._run.scheduler.idle(min((moment for moment in moments if moment is not None), default=None))

    def _publish(self, view: StreamView, event: dict[str, Any]) -> Any:
        response = self.functions.invoke("session_publisher", event)
        numbers = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
        failed = [numbers.index(failure["itemIdentifier"]) for failure in response["batchItemFailures"]]
        view.acknowledge(numbers[: min(failed, default=len(numbers))])
        return response

    def _restart_a_reader(self) -> None:
        if self._views:
            view = self._source.choice(list(self._views))
            self._run.scheduler.kill(self._views[view][1])
            view.go_back(to_the_beginning=False)
            self._read(view)

    def _replay_stream(self) -> None:
        if not self._is_late:
            self._read_shards()

    # --- what is told

    def _published(self, detail: Detail, began_at: float) -> None:
        self.told[detail["kind"]] += 1
        if self._run.has_trace:
            self._run.note(f"told: {detail['id']} over at {detail['over_at']}, {detail['over_reason']}")
        self.claims.published(detail, began_at)
        self.subscriber.send(detail)

    def _archived(self, detail: Detail, began_at: float) -> None:
        self.claims.archived(detail)

    def redrive(self) -> bool:
        """Deliver again what was set aside or discarded, and what the subscriber failed at; answers whether it was."""
        for prefix, take in (("bus", self._published), ("archive", self._archived)):
            for line in self._bucket.take_lines(prefix):
                take(json.loads(line), 0.0)
        records, self._discarded = [*self._discarded, *self._bucket.take()], []
        records = [record for record in records if "broken" not in record["dynamodb"].get("NewImage", {})]
        for record in records:
            self._start(partial(self._redrive, record), "redrive")
        return self.subscriber.replay() or bool(records)

    def _redrive(self, record: dict[str, Any]) -> None:
        for _ in range(5):
            try:
                response = self.functions.invoke("session_publisher", {"Records": [record]})
            except FunctionError:
                continue
            if not response["batchItemFailures"]:
                return
        if self.faults.is_quiet:
            self._run.claims.fail("every stream record can be published", f"{record}")
        self._discarded.append(record)

    # --- the end

    def settle(self) -> None:
        """Switch the faults off, let every session run out, and judge what a reader knows: before, and then."""
        run = self._run
        self.faults.is_quiet = True
        run.claims.is_table_final = False  # a touch writes
        self._drain()
        if self.claims.needs_touch:
            run.note("everything is touched")
            self._start(self._touch_all, "touch")
            self._drain()
        for moment in (run.scheduler.now + 10.0, self._last_expiry() + 10.0):
            run.pass_time_until(max(moment, run.scheduler.now), "time goes on")
            for _ in range(2):
                self._start_sweeper()
            self._drain()
            if run.claims.violation is None:
                self.claims.settled(self.subscriber.sessions(), self._due_keys())

    def _last_expiry(self) -> float:
        times = [int(item["expires_at"]["N"]) for item in self._run.sessions.items.values() if "expires_at" in item]
        return float(max(times, default=0))

    def _due_keys(self) -> list[ItemKey]:
        return [key for key, item in self._agenda.items.items() if slot_end_of(item) + 5 < self._run.scheduler.now]

    def _drain(self) -> None:
        for _ in range(6):
            self._run.run_until(lambda: self._is_drained, "everything is published in bounded steps")
            if self._run.claims.violation is not None or not self.redrive():
                break

    @property
    def _is_drained(self) -> bool:
        return (
            not self._busy
            and not self.functions.running
            and not self.subscriber.under_way
            and not self.functions.network.pending_late
            and all(task.is_idle and poller.is_idle and v.is_at_end for v, (poller, task) in self._views.items())
        )

    # --- a touch of everything

    def _touch_all(self) -> None:
        """Write every session with a greater version and nothing else, as `sessionctl rebuild register` does."""
        assert self._run.scheduler.current is not None
        self._run.scheduler.current.release = NEXT  # the tool is never older than what wrote the tables
        for key in [key for key, item in sorted(self._run.sessions.items.items()) if session_in(item) is not None]:
            while not self._is_touched(key):
                self._run.scheduler.sleep(1.0)

    def _is_touched(self, key: ItemKey) -> bool:
        """Touch an item; answers whether that is done, or the item is gone."""
        place = {"PK": {"S": key[0]}, "SK": {"S": key[1]}}
        try:
            item = self._dynamodb.get_item(TableName="sessions", Key=place, ConsistentRead=True).get("Item")
            if item is None:
                return True
            read = item.get("version")
            version = max(int(read["N"]) + 1 if read else 0, int(self._run.scheduler.now * 1000))
            self._dynamodb.update_item(
                TableName="sessions",
                Key=place,
                UpdateExpression="SET #version = :new",
                ConditionExpression="#version = :read"
                if read
                else "attribute_exists(PK) AND attribute_not_exists(#version)",
                ExpressionAttributeNames={"#version": "version"},
                ExpressionAttributeValues={":new": {"N": str(version)}, **({":read": read} if read else {})},
            )
        except (ClientError, BotoCoreError, CrashError):
            return False
        return True
