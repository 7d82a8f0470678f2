"""Simulated SQS: standard queues, which promise delivery at least once and no order. Also the handlers' SQS client."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.simulation.faults import Fault, Faults
from tests.simulation.network import Network
from tests.simulation.scheduler import Scheduler, Task

Message = Mapping[str, Any]

COMMAND = "command"
"""What the simulation knows of a message that the projector sent."""


@dataclass
class StoredMessage:
    """A message in a queue.

    Args:
        message_id: Its id.
        body: Its body.
        sent_at: Epoch seconds.
        visible_at: When it can be received, epoch seconds.
        about: What the simulation knows of it.
        receives: How often it was received.
    """

    message_id: str
    body: str
    sent_at: float
    visible_at: float
    about: Any = None
    receives: int = 0


class Queue:
    """A queue, also a `QueueTransport` of the event source mappings' core.

    Args:
        name: Part of the message ids.
        scheduler: Time.
        source: The run's one source of randomness.
        faults: What goes wrong.
        visibility: Seconds a received message stays hidden.
        max_receives: Receives before a message moves on to the dead-letter queue; 0: never.
    """

    def __init__(
        self,
        name: str,
        scheduler: Scheduler,
        source: Random,
        faults: Faults,
        *,
        visibility: float = 190.0,
        max_receives: int = 0,
    ) -> None:
        self.name = name
        self.messages: dict[str, StoredMessage] = {}
        self.dead_letters: list[StoredMessage] = []
        self.pollers: list[Task] = []
        self.on_receive: Callable[[StoredMessage], None] = lambda message: None
        self.on_delete: Callable[[StoredMessage], None] = lambda message: None
        self.visibility = visibility
        self.max_receives = max_receives
        self._scheduler = scheduler
        self._source = source
        self._faults = faults
        self._count = 0

    def send(self, body: str, about: Any = None, *, delay: float = 0.0) -> None:
        """Add a message, which shows after so many seconds."""
        self._count += 1
        now = self._scheduler.now
        self._show(StoredMessage(f"{self.name}-{self._count}", body, now, now + delay, about))

    def redrive(self) -> None:
        """Send the dead letters again, as new messages."""
        letters, self.dead_letters = self.dead_letters, []
        for letter in letters:
            self.send(letter.body, letter.about)

    def receive(self, limit: int) -> Sequence[Message]:
        """Receive visible messages, in any order."""
        now = self._scheduler.now
        visible = [message for message in self.messages.values() if message.visible_at <= now]
        self._source.shuffle(visible)
        received: list[Message] = []
        for message in visible:
            if len(received) == limit:
                break
            if self.max_receives and message.receives >= self.max_receives:
                del self.messages[message.message_id]
                self.dead_letters.append(message)
                continue
            message.receives += 1
            self.on_receive(message)
            duplicate = self._faults.strikes(Fault.DUPLICATE_DELIVERY)
            message.visible_at = now + (self._source.random() if duplicate else self.visibility)
            self._announce(message)
            received.append(self._wire(message))
        return received

    def delete(self, messages: Sequence[Message]) -> None:
        """Delete messages; under fault one comes back."""
        for message in messages:
            stored = self.messages.pop(message["MessageId"], None)
            if stored is None:
                continue
            self.on_delete(stored)
            if self._faults.strikes(Fault.DUPLICATE_DELIVERY):
                stored.visible_at = self._scheduler.now + self._source.choice((0.1, 60.0, 4000.0))
                self._show(stored)

    def retry_after(self, messages: Sequence[Message], seconds: int) -> None:
        """Make messages visible again after so many seconds."""
        for message in messages:
            stored = self.messages.get(message["MessageId"])
            if stored is not None:
                stored.visible_at = self._scheduler.now + seconds
                self._announce(stored)

    def _wire(self, message: StoredMessage) -> Message:
        return {
            "MessageId": message.message_id,
            "ReceiptHandle": f"{message.message_id}/{message.receives}",
            "Body": message.body,
            "MD5OfBody": "",
            "Attributes": {
                "SentTimestamp": str(int(message.sent_at * 1000)),
                "ApproximateReceiveCount": str(message.receives),
            },
        }

    def _show(self, message: StoredMessage) -> None:
        self.messages[message.message_id] = message
        self._announce(message)

    def _announce(self, message: StoredMessage) -> None:
        self._scheduler.at(message.visible_at, self._wake, message.message_id)

    def _wake(self, message_id: str) -> None:
        if message_id in self.messages:
            for poller in self.pollers:
                self._scheduler.wake(poller)


class SqsClient:
    """The part of boto3's SQS client that the handlers use.

    Args:
        queues: By URL.
        events: That among them to which publishers send.
        commands: That among them to which the projector sends its commands; it may be the same.
        network: The way to them.
        source: The run's one source of randomness.
        faults: What goes wrong.
    """

    def __init__(
        self, queues: dict[str, Queue], events: Queue, commands: Queue, network: Network, source: Random, faults: Faults
    ) -> None:
        self.on_stray: Callable[[str], None] = lambda body: None
        self.on_command: Callable[[str, bool], None] = lambda body, is_lost: None
        self._queues = queues
        self._events = events
        self._commands = commands
        self._network = network
        self._source = source
        self._faults = faults

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803 # boto3's names
        """Send messages; some may be refused."""
        queue = self._queues[QueueUrl]
        steps = [lambda entry=entry: self._send(queue, entry["MessageBody"]) for entry in Entries]
        codes = self._network.request("SendMessageBatch", steps, writes=True)
        answers: dict[str, Any] = {}
        for entry, code in zip(Entries, codes, strict=True):
            if code is None:
                answers.setdefault("Successful", []).append({"Id": entry["Id"]})
            else:
                answers.setdefault("Failed", []).append({"Id": entry["Id"], "Code": code})
        return answers

    def _send(self, queue: Queue, body: str) -> str | None:
        if self._faults.strikes(Fault.SEND_FAILURE):
            return "InternalError"
        if queue not in (self._commands, self._events):
            queue.send(body)
            return None
        if self.strays(queue):
            self.on_stray(body)
        self._send_command(queue, body)
        return None

    def strays(self, queue: Queue) -> bool:
        """Whether a command sent to a queue is among what publishers send."""
        return queue is not self._commands

    def _send_command(self, queue: Queue, body: str) -> None:
        is_lost = self._faults.strikes(Fault.COMMAND_LOST, 3.0)
        self.on_command(body, is_lost)
        if is_lost:
            return
        is_late = self._faults.strikes(Fault.COMMAND_LATE, 3.0)
        queue.send(body, COMMAND, delay=self._source.choice((60.0, 4000.0, 3 * 86_400.0)) if is_late else 0.0)
        if self._faults.strikes(Fault.COMMAND_DUPLICATED, 3.0):
            queue.send(body, COMMAND, delay=self._source.choice((0.1, 60.0, 4000.0, 3 * 86_400.0)))
