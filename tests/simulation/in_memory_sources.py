"""Clock, queue, stream and function for tests of event source mappings: no I/O, no waiting."""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from tests.simulation.event_sources.invocation import FunctionError
from tests.simulation.event_sources.streams import Shard

QUEUE_ARN = "arn:aws:sqs:eu-west-1:123456789012:events"
STREAM_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/sessions/stream/2026-03-01T00:00:00.000"
NOON = 1_772_366_400.0


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Function:
    """Remembers the events it got; answers with `response`, which may be a function of the event, or raises it."""

    def __init__(self, response: Any = None) -> None:
        self.response = response
        self.events: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any]) -> Any:
        self.events.append(event)
        response = self.response(event) if callable(self.response) else self.response
        if isinstance(response, Exception):
            raise response
        return response

    @property
    def batches(self) -> list[list[str]]:
        """The bodies of each invocation's messages, or the sequence numbers of its stream records."""
        return [[record.get("body") or sequence_number(record) for record in e["Records"]] for e in self.events]


FAILURE = FunctionError("RuntimeError: broken")


def failures(*identifiers: Any) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}


def sequence_number(record: dict[str, Any]) -> str:
    number: str = record["dynamodb"]["SequenceNumber"]
    return number


class Queue:
    """A queue whose messages become visible again only when a test says so."""

    def __init__(self, *bodies: str) -> None:
        self._ids = count(1)
        self.visible: list[dict[str, Any]] = []
        self.in_flight: list[dict[str, Any]] = []
        self.delayed: list[tuple[str, int]] = []
        self.send(*bodies)

    def send(self, *bodies: str) -> None:
        for body in bodies:
            number = next(self._ids)
            self.visible.append(
                {
                    "MessageId": f"id-{number}",
                    "ReceiptHandle": f"handle-{number}",
                    "MD5OfBody": "0cc175b9c0f1b6a831c399e269772661",
                    "Body": body,
                    "Attributes": {
                        "ApproximateReceiveCount": "1",
                        "SentTimestamp": "1772366400000",
                        "SenderId": "AIDAEXAMPLE",
                        "ApproximateFirstReceiveTimestamp": "1772366400001",
                    },
                }
            )

    def receive(self, limit: int) -> list[dict[str, Any]]:
        taken, self.visible = self.visible[:limit], self.visible[limit:]
        self.in_flight += taken
        return taken

    def delete(self, messages: Sequence[Any]) -> None:
        self.in_flight = [message for message in self.in_flight if message not in messages]

    def retry_after(self, messages: Sequence[Any], seconds: int) -> None:
        self.delayed += [(message["MessageId"], seconds) for message in messages]

    @property
    def left(self) -> list[str]:
        return [message["Body"] for message in [*self.visible, *self.in_flight]]


class Stream:
    """A stream with one open shard, to which tests add more."""

    def __init__(self, *records: dict[str, Any]) -> None:
        self.parents: dict[str, str | None] = {"shard-1": None}
        self.records: dict[str, list[dict[str, Any]]] = {"shard-1": list(records)}
        self.closed: set[str] = set()

    def add_shard(self, shard_id: str, parent_id: str | None, *records: dict[str, Any]) -> None:
        self.parents[shard_id] = parent_id
        self.records[shard_id] = list(records)

    def shards(self) -> list[Shard]:
        return [Shard(shard_id, parent_id) for shard_id, parent_id in self.parents.items()]

    def iterator(self, shard_id: str, position: str) -> str:
        return f"{shard_id}/{0 if position == 'TRIM_HORIZON' else len(self.records[shard_id])}"

    def read(self, iterator: str, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        shard_id, start = iterator.split("/")
        end = min(int(start) + limit, len(self.records[shard_id]))
        is_at_end = shard_id in self.closed and end == len(self.records[shard_id])
        return self.records[shard_id][int(start) : end], None if is_at_end else f"{shard_id}/{end}"


def stream_record(number: int, key: str = "item", **fields: Any) -> dict[str, Any]:
    return {
        "eventID": f"event-{number}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": NOON,
            "Keys": {"PK": {"S": key}},
            "NewImage": {"PK": {"S": key}, "n": {"N": str(number)}},
            "SequenceNumber": str(number),
            "SizeBytes": 20,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        **fields,
    }


def poll_until_idle(poller: Any, clock: Clock, *, limit: int = 2000) -> None:
    """Poll, and advance the clock to whatever is due next, until nothing is left to do."""
    for _ in range(limit):
        if not poller.poll_once():
            if poller.is_idle:
                return
            clock.now = max(clock.now, poller.next_due_at)
    raise AssertionError(f"still not idle after {limit} polls")


def fails_on(*numbers: str) -> Callable[[dict[str, Any]], Any]:
    """A function that raises if one of these sequence numbers is in its batch."""

    def respond(event: dict[str, Any]) -> Any:
        return FAILURE if set(numbers) & {sequence_number(record) for record in event["Records"]} else None

    return respond
