"""A small AWS around the real handlers: its tables, queues and pollers, and what they answer."""

import json
from collections import Counter
from functools import partial
from hashlib import sha256
from typing import Any

from ops.dynamodb_double.stream import StreamShard
from ops.dynamodb_double.tables import Item
from tests.simulation.erasures import Erasures
from tests.simulation.event_sources.asynchronous import AsyncPoller, AsyncSettings, DiscardedEvent
from tests.simulation.event_sources.sqs import SqsMapping, SqsPoller
from tests.simulation.event_sources.stream_batches import DiscardedBatch, RetryPolicy
from tests.simulation.event_sources.streams import StreamMapping, StreamPoller
from tests.simulation.facts import Fact, Route
from tests.simulation.faults import HARMLESS, Fault
from tests.simulation.final_claims import Claims
from tests.simulation.functions import Functions
from tests.simulation.old_items import short
from tests.simulation.operations import Operations
from tests.simulation.publishing import Publishing
from tests.simulation.queues import COMMAND, Queue, StoredMessage
from tests.simulation.releases import check_write
from tests.simulation.scheduler import Task
from tests.simulation.services import LONGEST_SEND_SECONDS, Services
from tests.simulation.stream_view import StreamView

MAX_CLOCK_AHEAD_MS = 300_000
_ARN = "arn:aws:{}:eu-west-1:123456789012:{}"
LONGEST_WAIT_SECONDS = 10.0
"""Of a command, until it is first received: an invocation with some before it may be under way."""


class World(Services):
    """What a run is played in; see `Services` for its arguments."""

    def __init__(self, seed: int, **settings: Any) -> None:
        super().__init__(seed, **settings)
        self.claims = Claims(self)  # type: ignore[arg-type] # what is made is a Simulation
        self.erasures = Erasures(self, self.claims.fail)  # type: ignore[arg-type] # as above
        self.operations = Operations(self)  # type: ignore[arg-type] # as above
        self.functions = Functions(
            self.scheduler,
            self.network,
            self.source,
            self.faults,
            self.note,
            self.claims.fail,
            clients={"dynamodb": self.dynamodb, "sqs": self.sqs, "s3": self.bucket},
        )
        is_published = Fault.PUBLISHED in self.faults
        self.publishing = Publishing(self) if is_published else None  # type: ignore[arg-type] # as above
        self._sent: dict[tuple[str, Fact], None] = {}
        self._by_envelope: dict[str, tuple[Fact, float]] = {}
        self._archive: list[tuple[dict[str, Any], Route, Fact]] = []
        self._discarded_batches: list[DiscardedBatch] = []
        self._discarded_events: list[DiscardedEvent] = []
        self._pollers: list[tuple[SqsPoller | AsyncPoller, Task]] = []
        self._views: dict[StreamView, tuple[StreamPoller, Task]] = {}
        self._redriving = 0
        self._commands: Counter[str] = Counter()
        self._has_lost_commands = False
        self._listen_to_services()
        self._build_pollers()

    # --- building

    def _listen_to_services(self) -> None:
        self.stream.on_record = self._record_written
        self.sessions.on_change = self._session_changed
        self.projections.on_change = self._projection_changed
        self.events_queue.on_delete = self._message_done
        for queue in (self.events_queue, self.commands_queue):
            queue.on_receive = self._message_received
        self.sqs.on_stray = self._command_strayed
        self.sqs.on_command = self._command_sent

    def _build_pollers(self) -> None:
        workers = self.source.randint(2, 4) if Fault.MANY_WORKERS in self.faults else 1
        for number in range(workers):
            size = self.source.choice((1, 3, 10, 100))
            mapping = SqsMapping(
                _ARN.format("sqs", "events"),
                batch_size=size,
                maximum_batching_window_seconds=1 if size > 10 else 0,
                report_batch_item_failures=True,
            )
            invoke = partial(self.functions.invoke, "sqs_consumer")
            self._listen(f"sqs-{number}", self.events_queue, SqsPoller(mapping, self.events_queue, invoke, self._clock))
        if self.commands_queue is not self.events_queue:
            mapping = SqsMapping(_ARN.format("sqs", "commands"), batch_size=10, report_batch_item_failures=True)
            invoke = partial(self.functions.invoke, "sqs_consumer")
            commands = SqsPoller(mapping, self.commands_queue, invoke, self._clock)
            self._listen("commands", self.commands_queue, commands)
        for number in range(min(workers, 2)):
            poller = AsyncPoller(
                AsyncSettings(), self.function_queue, self._invoke_directly, self._clock, self._discarded_events.append
            )
            self._listen(f"function-{number}", self.function_queue, poller)
        partitions = 10 if self.faults.planned(Fault.PARALLEL_PARTITIONS, 0.7) else self.source.choice((1, 1, 2))
        for shard in list(self.stream.shards):
            for partition in range(partitions):
                self._read_stream(StreamView(self.stream, shard, partition, partitions, self._read_limit, self._clock))

    def _listen(self, name: str, queue: Queue, poller: SqsPoller | AsyncPoller) -> None:
        task = self.scheduler.spawn(name, partial(self._poll, poller))
        queue.pollers.append(task)
        self._pollers.append((poller, task))

    def _read_stream(self, view: StreamView) -> None:
        mapping = StreamMapping(
            _ARN.format("dynamodb", "table/sessions/stream/1"),
            batch_size=self.source.choice((1, 3, 10, 200)),
            maximum_batching_window_seconds=self.source.choice((0, 0, 1)),
            parallelization_factor=self.source.choice((1, 1, 2)),
            report_batch_item_failures=True,
            retry=RetryPolicy(
                bisect_batch_on_function_error=Fault.BISECT in self.faults,
                maximum_retry_attempts=self.source.choice((3, 30)),
                maximum_record_age_seconds=21_600,
            ),
        )
        poller = StreamPoller(mapping, view, partial(self._project, view), self._clock, self._discarded_batches.append)
        self._views[view] = poller, self.scheduler.spawn(f"stream-{view.name}", partial(self._poll, poller, view))

    def _poll(self, poller: SqsPoller | AsyncPoller | StreamPoller, view: StreamView | None = None) -> None:
        while True:
            if poller.poll_once():
                self.scheduler.sleep(0.001)
                continue
            moments = (poller.next_due_at, None if view is None else view.next_readable_at)
            self.scheduler.idle(min((moment for moment in moments if moment is not None), default=None))

    # --- what the world answers

    def _session_changed(self, old: Item | None, new: Item | None, is_ttl: bool) -> None:
        if is_ttl:
            self.faults.injected[Fault.TTL] += 1
        if self.has_trace:
            self.note(f"sessions: {short(old)} -> {short(new)}{' by TTL' if is_ttl else ''}")
        self.operations.remember(new)
        if not is_ttl:
            check_write(old, new, self.scheduler, self.claims.fail)
        self.claims.session_changed(old, new, is_ttl)
        if self.publishing is not None:
            self.publishing.claims.session_changed(self.sessions.key_of(new or old or {}), new, is_ttl=is_ttl)

    def _projection_changed(self, old: Item | None, new: Item | None, is_ttl: bool) -> None:
        if self.has_trace:
            self.note(f"projections: {short(old)} -> {short(new)}")
        check_write(old, new, self.scheduler, self.claims.fail)
        self.claims.projection_changed(old, new)

    def _record_written(self, shard: StreamShard, record: dict[str, Any]) -> None:
        if self.publishing is not None:
            self.publishing.reader.record_written(shard, record)
        for view, (_, task) in self._views.items():
            if view.covers(shard, record):
                self.scheduler.at(shard.readable_at[-1] + 0.2 * self.source.random(), self.scheduler.wake, task)

    def _command_sent(self, body: str, is_lost: bool) -> None:
        self.note(f"command {'lost' if is_lost else 'sent'}: {body}")
        self._commands[json.loads(body)["reason"]] += 1
        self.operations.before_command()
        self._has_lost_commands |= is_lost
        self.claims.policies.command_sent(body, is_lost=is_lost)

    def _command_strayed(self, body: str) -> None:
        """Take a command in the publishers' queue: right until the projector has been told of the other one."""
        if self.apart_since is not None and self.scheduler.now > self.apart_since + LONGEST_SEND_SECONDS:
            self.claims.fail("commands have a queue of their own", body)

    def _message_received(self, message: StoredMessage) -> None:
        if isinstance(message.about, Fact):
            self.claims.tried(message.about)
        if not self.faults.enabled <= HARMLESS:
            return
        is_good = isinstance(message.about, Fact) and (message.about.customer is not None)
        if is_good and message.receives > 2:
            self.claims.fail("a flood delays itself, never a good event", f"{message.about}, {message.receives} times")
        waited = self.scheduler.now - message.visible_at
        is_apart = self.apart_since is not None and message.sent_at > self.apart_since + LONGEST_SEND_SECONDS
        if message.about == COMMAND and is_apart and waited > LONGEST_WAIT_SECONDS:
            self.claims.fail("a backlog of logins does not delay commands", f"{message.body} waited {waited:.1f} s")

    def _message_done(self, message: StoredMessage) -> None:
        fact = message.about
        if not isinstance(fact, Fact):
            return
        if self._is_rejected(message.body, "MAX_EVENT_AGE_SECONDS"):
            self.claims.rejected_for_age(fact)
        elif fact.occurred_at - int(message.sent_at * 1000) <= MAX_CLOCK_AHEAD_MS:
            self._event_done(fact, message.body)

    def _invoke_directly(self, event: dict[str, Any]) -> Any:
        fact, _ = self._by_envelope.get(event["id"], (None, None))
        if fact is not None:
            self.claims.tried(fact)
        outcome = self.functions.invoke("eventbridge_consumer", event)
        if fact is None:
            return outcome  # of years ahead
        body = json.dumps(event)
        if outcome != "rejected" or not self._is_rejected(body, "MAX_EVENT_AGE_SECONDS", "minutes after"):
            self._event_done(fact, body)
        elif self._is_rejected(body, "MAX_EVENT_AGE_SECONDS"):
            self.claims.rejected_for_age(fact)
        return outcome

    def _event_done(self, fact: Fact, body: str) -> None:
        self._sent[body, fact] = None
        self.note(f"done: {fact}")
        self.claims.event_acknowledged(fact)

    def _is_rejected(self, body: str, *for_what: str) -> bool:
        """Ask the rejected-events queue: only the handler knows its clock at the time."""
        digest = sha256(body.encode()).hexdigest()
        rejected = (json.loads(message.body) for message in self.rejected_queue.messages.values())
        reasons = [each["reason"] for each in rejected if each["body_sha256"] == digest]
        return any(part in reason for reason in reasons for part in for_what)

    def _project(self, view: StreamView, event: dict[str, Any]) -> Any:
        response = self.functions.invoke("stream_projector", event)
        numbers = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
        failed = [numbers.index(failure["itemIdentifier"]) for failure in response["batchItemFailures"]]
        done = min(failed, default=len(numbers))
        view.acknowledge(numbers[:done])
        self.claims.records_acknowledged([each for each in event["Records"][:done] if not self.bucket.holds(each)])
        return response
