"""How events and records come: sent, delivered, replayed, redriven."""

import json
from dataclasses import replace
from functools import partial
from typing import Any

from tests.simulation.event_sources.invocation import FunctionError
from tests.simulation.event_sources.stream_batches import DiscardedBatch
from tests.simulation.facts import Fact, Route, Sending
from tests.simulation.faults import Fault
from tests.simulation.functions import FATAL_BODY
from tests.simulation.operations import FLOOD
from tests.simulation.stream_view import StreamView
from tests.simulation.world import World


class Deliveries(World):
    """A world in which things are sent, and come again."""

    def publish(self, fact: Fact) -> None:
        """Send an event to the queue now."""
        self._send(Sending(self.scheduler.now, fact, Route.QUEUE))

    def _send(self, sending: Sending) -> None:
        fact = sending.fact
        body = fact.body(self.source.choice((0, 2)))
        self.note(f"send by {sending.route}: {fact}")
        if sending.route in (Route.QUEUE, Route.SNS):
            self.operations.before_event()
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
        aside = self.bucket.take()
        self.note(f"redrive {len(letters)} letters, {len(events)} events, {len(batches)} batches, {len(aside)} records")
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
        if aside:
            self._redriving += 1
            self.scheduler.spawn("redrive", partial(self._redrive_aside, aside))
        return bool(letters or events or batches or aside)

    def _redrive_aside(self, records: list[dict[str, Any]]) -> None:
        try:
            for record in records:
                if not self._is_merged(record):
                    self.bucket.put_back(record)
        finally:
            self._redriving -= 1

    def _redrive_batch(self, batch: DiscardedBatch) -> None:
        try:
            for record in batch.records:
                if "broken" not in record.event["dynamodb"].get("NewImage", {}):
                    self._redrive_record(batch, record.event)
        finally:
            self._redriving -= 1

    def _redrive_record(self, batch: DiscardedBatch, record: dict[str, Any]) -> None:
        if self._is_merged(record):
            return
        if self.faults.is_quiet:
            self.claims.fail("every stream record can be merged", f"{record}")
        kept = tuple(kept for kept in batch.records if kept.event is record)
        self._discarded_batches.append(replace(batch, batch=replace(batch.batch, records=kept)))

    def _is_merged(self, record: dict[str, Any]) -> bool:
        """Have the projector merge a record; answers whether it did, or set it aside."""
        for _ in range(5):
            try:
                response = self.functions.invoke("stream_projector", {"Records": [record]})
            except FunctionError:
                continue
            if not response["batchItemFailures"]:
                if not self.bucket.holds(record):
                    self.claims.records_acknowledged([record])
                return True
        return False

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
