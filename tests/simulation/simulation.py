"""One run: a small AWS around the real handlers, played from a seed."""

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any

from ops.dynamodb_double.stream import Stream, StreamShard
from ops.dynamodb_double.tables import Item, Table
from schemas.items import ACTIVE, CLOSING
from tests.simulation.claims import Claims
from tests.simulation.dynamodb_client import FaultyConduct, make_client
from tests.simulation.event_sources.asynchronous import AsyncPoller, AsyncSettings, DiscardedEvent
from tests.simulation.event_sources.invocation import FunctionError
from tests.simulation.event_sources.sqs import SqsMapping, SqsPoller
from tests.simulation.event_sources.stream_batches import DiscardedBatch, RetryPolicy
from tests.simulation.event_sources.streams import StreamMapping, StreamPoller
from tests.simulation.facts import START, TOKEN, Fact, Generator, Route, Sending
from tests.simulation.faults import HARMLESS, Fault, Faults, draw_faults
from tests.simulation.functions import FATAL_BODY, Functions
from tests.simulation.network import Network
from tests.simulation.operations import FLOOD, Operations
from tests.simulation.queues import Queue, SqsClient, StoredMessage
from tests.simulation.scheduler import Scheduler, Task
from tests.simulation.stage import COMMANDS_URL, EVENTS_URL, REJECTED_URL, playing
from tests.simulation.stream_view import StreamView

MAX_CLOCK_AHEAD_MS = 300_000
MAX_STEPS = 60_000
"""Far above what any history takes; a run that needs more does not end."""

_ARN = "arn:aws:{}:eu-west-1:123456789012:{}"
_DAY = 86_400.0
_MAX_INDEX_LAG = 3.0
"""Seconds; the stream is slower, as it is where a batching window is set."""


@dataclass
class Report:
    """What came of a run.

    Args:
        seed: Its seed.
        transport: `statements` (BatchExecuteStatement) or `items` (PutItem).
        faults: What was allowed to happen.
        violation: The claim violated, or None.
        steps: Events of the scheduler.
        events: Messages sent by publishers.
        invocations: Of all functions.
        injected: How often each fault happened.
        commands: How many commands the projector sent, by reason, repeats included.
        trace: One line per thing that happened, if asked for.
    """

    seed: int
    transport: str
    faults: list[Fault]
    violation: str | None
    steps: int
    events: int
    invocations: int
    injected: dict[Fault, int]
    commands: dict[str, int]
    trace: list[str] = field(default_factory=list)


class Simulation:
    """One run.

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
        drawn = draw_faults(self.source)
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
        self.claims = Claims(self)
        self.operations = Operations(self)
        self.functions = Functions(self.scheduler, self.network, self.source, self.faults, self.note, self.claims.fail)
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
        self._build_pollers()

    # --- building

    def _build_tables(self) -> None:
        self.stream = Stream(
            self.source.randint(1, 3),
            skew=lambda: self.source.choice((0.0, 0.0, 1.9, -1.9)),
            delay=_MAX_INDEX_LAG if Fault.STALE_INDEX in self.faults else 0.2,
        )
        self.stream.on_record = self._record_written
        self.sessions = Table("sessions", stream=self.stream, index_lag=self._index_lag)
        self.sessions.on_change = self._session_changed
        self.projections = Table("projections", key_names=("PK",))
        self.projections.on_change = self._projection_changed
        conduct = FaultyConduct(self.network, self.source, self.faults)
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
        self.events_queue.on_delete = self._message_done
        self.function_queue = make("function")
        self.rejected_queue = make("rejected")
        self.events_queue.on_receive = self._message_received
        queues = {EVENTS_URL: self.events_queue, REJECTED_URL: self.rejected_queue}
        self.commands_queue = self.events_queue
        if Fault.COMMANDS_QUEUE in self.faults:
            self.commands_queue = queues[COMMANDS_URL] = make("commands", max_receives=self.events_queue.max_receives)
        self.sqs = SqsClient(queues, self.events_queue, self.commands_queue, self.network, self.source, self.faults)
        self.sqs.on_stray = lambda body: self.claims.fail("commands have a queue of their own", body)
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
            poller = SqsPoller(mapping, self.commands_queue, invoke, self._clock)
            self._listen("commands", self.commands_queue, poller)
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

    def _session_changed(self, old: Item | None, new: Item | None, is_ttl: bool) -> None:
        if is_ttl:
            self.faults.injected[Fault.TTL] += 1
        if self.has_trace:
            self.note(f"sessions: {_short(old)} -> {_short(new)}{' by TTL' if is_ttl else ''}")
        self.operations.remember(new)
        self.claims.session_changed(old, new, is_ttl)

    def _projection_changed(self, old: Item | None, new: Item | None, is_ttl: bool) -> None:
        if self.has_trace:
            self.note(f"projections: {_short(old)} -> {_short(new)}")
        self.claims.projection_changed(old, new)

    def _record_written(self, shard: StreamShard, record: dict[str, Any]) -> None:
        for view, (_, task) in self._views.items():
            if view.covers(shard, record):
                self.scheduler.at(shard.readable_at[-1] + 0.2 * self.source.random(), self.scheduler.wake, task)

    def _command_sent(self, body: str, is_lost: bool) -> None:
        self.note(f"command {'lost' if is_lost else 'sent'}: {body}")
        self._commands[json.loads(body)["reason"]] += 1
        self._has_lost_commands |= is_lost
        self.claims.policies.command_sent(body, is_lost=is_lost)

    def _message_received(self, message: StoredMessage) -> None:
        is_good = isinstance(message.about, Fact) and (message.about.customer is not None)
        if is_good and message.receives > 2 and self.faults.enabled <= HARMLESS:
            self.claims.fail("a flood delays itself, never a good event", f"{message.about}, {message.receives} times")

    def _message_done(self, message: StoredMessage) -> None:
        if isinstance(message.about, Fact):
            self._event_done(message.about, message.sent_at, message.body)

    def _invoke_directly(self, event: dict[str, Any]) -> Any:
        outcome = self.functions.invoke("eventbridge_consumer", event)
        if event["id"] not in self._by_envelope:
            return outcome  # of years ahead
        fact, sent_at = self._by_envelope[event["id"]]
        self._event_done(fact, float(int(sent_at)), json.dumps(event))  # EventBridge's `time` has no fractions
        return outcome

    def _event_done(self, fact: Fact, sent_at: float, body: str) -> None:
        if fact.occurred_at - int(sent_at * 1000) <= MAX_CLOCK_AHEAD_MS:
            self._sent[body, fact] = None
            self.note(f"done: {fact}")
            self.claims.event_acknowledged(fact)

    def _project(self, view: StreamView, event: dict[str, Any]) -> Any:
        response = self.functions.invoke("stream_projector", event)
        numbers = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
        failed = [numbers.index(failure["itemIdentifier"]) for failure in response["batchItemFailures"]]
        done = min(failed, default=len(numbers))
        view.acknowledge(numbers[:done])
        self.claims.records_acknowledged(event["Records"][:done])
        return response

    # --- what happens in it

    def play(self) -> Report:
        """Play the run to its end, or to the first violation."""
        with playing(self):
            try:
                self._begin()
                self._have_faults()
                self._settle()
                if self.claims.violation is None:
                    self.claims.everything_settled()
                if self.claims.violation is None:
                    self._deliver_everything_again()
            finally:
                self.scheduler.close()
        return Report(
            self.seed,
            self.transport,
            [fault for fault in Fault if fault in self.faults],
            self.claims.violation,
            self.scheduler.steps,
            len(self.history.sendings) + len(self.history.poison),
            self.functions.invocations,
            dict(self.faults.injected),
            dict(self._commands),
            self.trace,
        )

    def _begin(self) -> None:
        for fact, is_over in self.history.old_items:
            self._put(_old_item(fact, is_over))
        if Fault.POISON in self.faults:
            self._put(_broken_item())
        for sending in self.history.sendings:
            self.scheduler.at(sending.at, self._send, sending)
        for at, body in self.history.poison:
            self.scheduler.at(at, self._send_poison, body)

    def _put(self, item: Item) -> None:
        self.sessions.store(self.sessions.key_of(item), item, self.scheduler.now)

    def _have_faults(self) -> None:
        last = max(sending.at for sending in self.history.sendings)
        end = last + self.source.choice((0.0, 5.0, 0.2 * self.history.span))
        if self.faults.planned(Fault.DEAD_LETTERS, 0.5):
            end += self.source.uniform(0.5, 5) * _DAY
        plans = (
            (Fault.ARCHIVE_REPLAY, 2, self._replay_archive),
            (Fault.DEAD_LETTERS, 2, self._redrive),
            (Fault.RECOMPOSITION, 3, self._restart_a_reader),
            (Fault.SHARD_SPLIT, 2, self._split_a_shard),
            (Fault.TRIM_HORIZON_REPLAY, 2, self._replay_stream),
        )
        for fault, times, action in plans:
            for _ in range(times):
                if self.faults.planned(fault, 0.6):
                    self.scheduler.at(self.source.uniform(START, end), action)
        self.operations.plan(end)
        for _ in range(12 if Fault.TTL in self.faults else 0):
            self.scheduler.at(self.source.uniform(START, end), self._sweep)
        self.scheduler.at(end, lambda: None)
        self._run_until(lambda: self.scheduler.now >= end, "the history ends")

    def _settle(self) -> None:
        """Switch the faults off, deliver what is left, and wait until nothing moves."""
        self.faults.is_quiet = True
        self.note("faults off")
        self._drain()
        if self._has_lost_commands or self.claims.operated.without_projection:
            self._touch_customers()
            self._drain()
        if Fault.CLOCK_SKEW in self.faults:  # a function whose clock was ahead has let sessions go too early
            ready_at = self.scheduler.now + 301
            self.scheduler.at(ready_at, lambda: None)
            self._run_until(lambda: self.scheduler.now >= ready_at, "time goes on")

    def _drain(self) -> None:
        for _ in range(6):
            self._run_until(lambda: self._is_drained, "everything is processed in bounded steps")
            if self.claims.violation is not None or not self._redrive():
                break

    def _touch_customers(self) -> None:
        """Log in once for each customer, as operators would have it done where commands are known to be lost."""
        now = self.scheduler.now
        for customer in sorted({fact.customer for fact in self.history.facts if fact.customer is not None}):
            login = Fact("login", f"touch-{customer}", int(now * 1000), customer, f"touch-{customer}")
            self.claims.know(login)
            self._send(Sending(now, login, Route.QUEUE))

    def _deliver_everything_again(self) -> None:
        """Deliver every event and every stream record once more: nothing may change."""
        self.note("everything again")
        has_lost = bool(self.claims.policies.lost_children)  # this may heal them
        is_changed = bool(self.claims.operated.customers) or len(self.claims.settings) > 1
        self.claims.is_table_final = not self.claims.has_ttl_deleted and not has_lost and not is_changed
        before = dict(self.projections.items)
        unclear = self.claims.unclear_facts()
        for body, fact in self._sent:
            if fact not in unclear:
                self.events_queue.send(body)
        self._replay_stream()
        self._run_until(lambda: self._is_drained, "everything is processed in bounded steps")
        was, is_now = self.claims.visible(before), self.claims.visible(self.projections.items)
        if self.claims.violation is None and was != is_now and len(self.claims.settings) == 1:
            self.claims.fail("delivering everything again changes nothing", f"{was} became {is_now}")

    def _run_until(self, is_over: Any, claim: str) -> None:
        came_to_it = self.scheduler.run(lambda: self.claims.violation is not None or is_over(), MAX_STEPS)
        if not came_to_it:
            self.claims.fail(claim, f"not after {MAX_STEPS} steps")

    @property
    def _is_drained(self) -> bool:
        return (
            not self.events_queue.messages
            and not self.commands_queue.messages
            and not self.function_queue.messages
            and not self.functions.running
            and not self.network.pending_late
            and not self._redriving
            and all(task.is_idle and poller.is_idle for poller, task in self._pollers)
            and all(task.is_idle and poller.is_idle and v.is_at_end for v, (poller, task) in self._views.items())
        )

    def _send(self, sending: Sending) -> None:
        fact = sending.fact
        body = fact.body(self.source.choice((0, 2)))
        self.note(f"send by {sending.route}: {fact}")
        if sending.route in (Route.QUEUE, Route.SNS):
            text = json.dumps(body)
            is_sns = sending.route is Route.SNS
            self.events_queue.send(json.dumps({"Type": "Notification", "Message": text}) if is_sns else text, fact)
            return
        envelope_id = f"envelope-{len(self._archive)}"
        if not fact.event_id:
            fact = replace(fact, event_id=envelope_id)
        if not sending.has_type:
            del body["event_type"]
        envelope = {
            "version": "0",
            "id": envelope_id,
            "detail-type": {"login": "Login", "logout": "Logout", "logout_all": "LogoutAll"}[fact.kind],
            "source": "simulated",
            "time": self.moment().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "detail": body,
        }
        self._by_envelope[envelope_id] = fact, self.scheduler.now
        self._archive.append((envelope, sending.route, fact))
        self._deliver(envelope, sending.route, fact)
        if self.faults.strikes(Fault.DUPLICATE_DELIVERY):
            self._deliver(envelope, sending.route, fact)

    def _deliver(self, envelope: dict[str, Any], route: Route, fact: Fact) -> None:
        queue = self.function_queue if route is Route.BUS_TO_FUNCTION else self.events_queue
        queue.send(json.dumps(envelope), fact)

    def _send_poison(self, body: str) -> None:
        if self.source.random() < 0.3:
            self.events_queue.send(FATAL_BODY, FATAL_BODY)
        else:
            self.bodies_to_reject.append(body)
            self.events_queue.send(body)
        self.faults.injected[Fault.POISON] += 1

    def _replay_archive(self) -> None:
        for envelope, route, fact in self.source.sample(self._archive, len(self._archive)):
            self._deliver({**envelope, "replay-name": "replay"}, route, fact)

    def _redrive(self) -> bool:
        """Deliver dead letters and discarded batches again; answers whether there were any."""
        letters = [letter for letter in self.events_queue.dead_letters if letter.about not in (FATAL_BODY, FLOOD)]
        self.events_queue.dead_letters = letters
        events, self._discarded_events[:] = list(self._discarded_events), []
        batches, self._discarded_batches[:] = list(self._discarded_batches), []
        self.note(f"redrive {len(letters)} letters, {len(events)} events, {len(batches)} batches")
        self.events_queue.redrive()
        if self.commands_queue is not self.events_queue:
            letters += self.commands_queue.dead_letters
            self.commands_queue.redrive()
        for discarded in events:
            fact, _ = self._by_envelope.get(discarded.event["id"], (None, 0.0))
            self.function_queue.send(json.dumps(discarded.event), fact)
        for batch in batches:
            self._redriving += 1
            self.scheduler.spawn("redrive", partial(self._redrive_batch, batch))
        return bool(letters or events or batches)

    def _redrive_batch(self, batch: DiscardedBatch) -> None:
        try:
            for record in batch.records:
                if "broken" not in record.event["dynamodb"].get("NewImage", {}):
                    self._redrive_record(batch, record.event)
        finally:
            self._redriving -= 1

    def _redrive_record(self, batch: DiscardedBatch, record: dict[str, Any]) -> None:
        for _ in range(5):
            try:
                response = self.functions.invoke("stream_projector", {"Records": [record]})
            except FunctionError:
                continue
            if not response["batchItemFailures"]:
                self.claims.records_acknowledged([record])
                return
        if self.faults.is_quiet:
            self.claims.fail("every stream record can be merged", f"{record}")
        kept = tuple(kept for kept in batch.records if kept.event is record)
        self._discarded_batches.append(replace(batch, batch=replace(batch.batch, records=kept)))

    def _restart_a_reader(self) -> None:
        view = self.source.choice(list(self._views))
        _, task = self._views[view]
        self.scheduler.kill(task)
        view.go_back(to_the_beginning=self.source.random() < 0.3)
        self._read_stream(view)

    def _split_a_shard(self) -> None:
        self.stream.split(self.source.choice([shard for shard in self.stream.shards if not shard.is_closed]))
        for view in self._views:
            self.scheduler.wake(self._views[view][1])

    def _replay_stream(self) -> None:
        for shard in [shard for shard in self.stream.shards if shard.parent_id is None]:
            self._read_stream(StreamView(self.stream, shard, 0, 1, self._read_limit, self._clock))

    def _sweep(self) -> None:
        for key in self.sessions.expired(self.scheduler.now):
            if self._ttl_style == "at once" or (self._ttl_style == "late" and self.source.random() < 0.4):
                self.sessions.delete(key, self.scheduler.now, is_ttl=True)

    def _delete_expired(self) -> None:
        """Delete between any two requests, so between a batch's read and its write, too."""
        if Fault.TTL not in self.faults or self.faults.is_quiet:
            return
        for key in self.sessions.expired(self.scheduler.now):
            if self._ttl_style == "at once" or self.source.random() < 0.3:
                self.sessions.delete(key, self.scheduler.now, is_ttl=True)

    # --- for the claims

    def undelivered(self) -> list[tuple[Any, str]]:
        """What is in dead-letter queues at the end."""
        queues = dict.fromkeys((self.events_queue, self.commands_queue))
        letters = [(letter.about, letter.body) for queue in queues for letter in queue.dead_letters]
        events = [
            (self._by_envelope.get(event.event["id"], (None, 0.0))[0], json.dumps(event.event))
            for event in self._discarded_events
        ]
        return [(about, body) for about, body in letters + events if about not in (FATAL_BODY, FLOOD)]

    def rejected_bodies(self) -> list[str]:
        """What is in the rejected-events queue."""
        return [message.body for message in self.rejected_queue.messages.values()]


def _old_item(fact: Fact, is_over: bool) -> Item:
    """An item as earlier versions wrote it."""
    moment = datetime.fromtimestamp(fact.occurred_at / 1000, UTC)
    sort_key = f"c#{fact.customer}" if fact.parent is None else f"child#suuid#{fact.session}"
    item: Item = {
        "PK": {"S": f"suuid#{fact.parent or fact.session}"},
        "SK": {"S": sort_key},
        "session_state": {"S": CLOSING if is_over else ACTIVE},
    }
    if fact.is_original:
        item["access_token"] = {"S": TOKEN}
        if fact.parent is None:
            item["last_login_time"] = {"S": moment.strftime("%Y-%m-%dT%H:%M:%S")}
        return item
    item |= {
        "session_id": {"S": fact.session or ""},
        "customer_id": {"S": fact.customer or ""},
        "last_login_time": {"S": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")},
        "expires_at": {"N": str((fact.expires_at or 0) // 1000)},
        "ttl": {"N": str((fact.expires_at or 0) // 1000 + 6000)},  # expiry and time of the write, plus grace
        "version": {"N": "3"},
    }
    if fact.parent is not None:
        item["parent_session_id"] = {"S": fact.parent}
    return item


def _broken_item() -> Item:
    return {
        "PK": {"S": "suuid#broken"},
        "SK": {"S": "c#A"},
        "last_login_time": {"N": "7"},
        "broken": {"BOOL": True},
    }


def _short(item: Item | None) -> str:
    if item is None:
        return "nothing"
    return json.dumps({name: next(iter(value.values())) for name, value in item.items()}, separators=(",", ":"))
