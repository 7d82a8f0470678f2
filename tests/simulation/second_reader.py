"""The stream's second reader in a run: its readers of shards, and what becomes of records that fail."""

from collections.abc import Collection
from functools import cache, partial
from random import Random
from typing import TYPE_CHECKING, Any

from ops.dynamodb_double.stream import StreamShard
from ops.validation.filters import FilterCriteria
from ops.validation.translation import load_template
from tests.simulation.event_sources.invocation import FunctionError
from tests.simulation.event_sources.stream_batches import DiscardedBatch, RetryPolicy
from tests.simulation.event_sources.streams import StreamMapping, StreamPoller
from tests.simulation.faults import Fault, Faults
from tests.simulation.functions import Functions
from tests.simulation.scheduler import Jobs, Task
from tests.simulation.stream_view import StreamView

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/sessions/stream/1"


@cache
def publisher_filters() -> FilterCriteria:
    """The filters of the publisher's mapping, as template.yaml has them."""
    events: Any = load_template()["Resources"]["SessionPublisherFunction"]["Properties"]["Events"]
    patterns = events["SessionsStream"]["Properties"]["FilterCriteria"]["Filters"]
    return FilterCriteria(each["Pattern"] for each in patterns)


class SecondReader:
    """Reads the stream for `session_publisher`.

    Args:
        run: The run.
        functions: Invokes the publisher.
        source: Of all chance.
        faults: What goes wrong.
        jobs: Where redrives run.
    """

    def __init__(self, run: "Simulation", functions: Functions, source: Random, faults: Faults, jobs: Jobs) -> None:
        self._run = run
        self._functions = functions
        self._source = source
        self._faults = faults
        self._jobs = jobs
        self._views: dict[StreamView, tuple[StreamPoller, Task]] = {}
        self._discarded: list[dict[str, Any]] = []

    def read_shards(self, *, from_now_on: bool = False) -> None:
        """Begin to read the whole stream, beside whoever reads it already."""
        stream = self._run.stream
        for shard in [shard for shard in stream.shards if shard.parent_id is None]:
            view = StreamView(stream, shard, 0, 1, self._read_limit, self._clock)
            if from_now_on:
                view.starts = {each.shard_id: len(each.records) for each in stream.shards}
                view.acknowledge([each["eventID"] for other in stream.shards for each in other.records])
            self._read(view)

    def record_written(self, shard: StreamShard, record: dict[str, Any]) -> None:
        """Wake the readers of a record."""
        for view, (_, task) in self._views.items():
            if view.covers(shard, record):
                at = shard.readable_at[-1] + 0.2 * self._source.random()
                self._run.scheduler.at(at, self._run.scheduler.wake, task)

    def restart_one(self) -> None:
        """Have a reader start again from its checkpoint, with other batches; its last invocation may live on."""
        if self._views:
            view = self._source.choice(list(self._views))
            self._run.scheduler.kill(self._views[view][1])
            view.go_back(to_the_beginning=False)
            self._read(view)

    def redrive(self, aside: Collection[dict[str, Any]]) -> bool:
        """Publish again what was discarded, and records set aside; answers whether there were any."""
        records, self._discarded = [*self._discarded, *aside], []
        records = [record for record in records if "broken" not in record["dynamodb"].get("NewImage", {})]
        for record in records:
            self._jobs.start("redrive", partial(self._redrive, record))
        return bool(records)

    @property
    def is_at_end(self) -> bool:
        """Whether every record was read and is done."""
        return all(task.is_idle and poller.is_idle and v.is_at_end for v, (poller, task) in self._views.items())

    def _clock(self) -> float:
        return self._run.scheduler.now

    def _read_limit(self) -> int:
        return self._source.choice((1, 2, 5, 1000)) if Fault.RECOMPOSITION in self._faults else 1000

    def _read(self, view: StreamView) -> None:
        mapping = StreamMapping(
            _ARN,
            batch_size=self._source.choice((1, 3, 10, 500)),
            maximum_batching_window_seconds=self._source.choice((0, 0, 1)),
            parallelization_factor=self._source.choice((1, 1, 2)),
            report_batch_item_failures=True,
            filters=publisher_filters(),
            retry=RetryPolicy(
                bisect_batch_on_function_error=Fault.BISECT in self._faults,
                maximum_retry_attempts=self._source.choice((3, 30)),
                maximum_record_age_seconds=21_600,
            ),
        )
        poller = StreamPoller(mapping, view, partial(self._publish, view), self._clock, self._discard)
        self._views[view] = poller, self._run.scheduler.spawn(f"publish-{view.name}", partial(self._poll, poller, view))

    def _discard(self, batch: DiscardedBatch) -> None:
        self._discarded.extend(record.event for record in batch.records)

    def _poll(self, poller: StreamPoller, view: StreamView) -> None:
        while True:
            if poller.poll_once():
                self._run.scheduler.sleep(0.001)
                continue
            moments = (poller.next_due_at, view.next_readable_at)
            self._run.scheduler.idle(min((moment for moment in moments if moment is not None), default=None))

    def _publish(self, view: StreamView, event: dict[str, Any]) -> Any:
        response = self._functions.invoke("session_publisher", event)
        numbers = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
        failed = [numbers.index(failure["itemIdentifier"]) for failure in response["batchItemFailures"]]
        view.acknowledge(numbers[: min(failed, default=len(numbers))])
        return response

    def _redrive(self, record: dict[str, Any]) -> None:
        for _ in range(5):
            try:
                response = self._functions.invoke("session_publisher", {"Records": [record]})
            except FunctionError:
                continue
            if not response["batchItemFailures"]:
                return
        if self._faults.is_quiet:
            self._run.claims.fail("every stream record can be published", f"{record}")
        self._discarded.append(record)
