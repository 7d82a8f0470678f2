"""How long after a session ran out its `Session Expired` is delivered, on the local stack as it is deployed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from ops.local_aws.stack import LocalStack, LocalStackError
from ops.publishing.publisher import Channel, Message, Publisher
from schemas.events import LoginEvent, to_json
from schemas.life_cycle import DETAIL_TYPES, EXPIRED, SOURCE
from schemas.times import parse_rfc3339

START_SECONDS = 100
"""The first expiry is so long after the logins: the sweeper's schedule begins a minute after the deployment."""

_PATIENCE_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Delays:
    """Delays from `expires_at` to the message's arrival in a queue behind the bus, in seconds, ascending.

    Attributes:
        seconds: One for each session.
    """

    seconds: tuple[float, ...]

    def percentile(self, percent: int) -> float:
        """Return a percentile by nearest rank."""
        return self.seconds[max(0, ceil(percent * len(self.seconds) / 100) - 1)]


def measure_delays(*, sessions: int, window_seconds: int) -> Delays:
    """Let sessions run out, evenly over a time, and receive their expiries.

    Args:
        sessions: How many.
        window_seconds: Seconds from the first expiry to the last.

    Raises:
        LocalStackError: The stack cannot run, or expiries are missing a minute and a half after the last.
    """
    with LocalStack("benchmark") as stack:
        queue_url = _subscribe(stack)
        first = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=START_SECONDS)
        publisher = Publisher(
            events=stack.client("events"),
            sqs=stack.client("sqs"),
            bus_name=stack.outputs["EventBusName"],
            queue_url=stack.outputs["SessionEventsQueueUrl"],
        )
        publisher.publish(
            Message(Channel.QUEUE, "", json.dumps(to_json(_login(number, first, number * window_seconds // sessions))))
            for number in range(sessions)
        )
        found: dict[str, float] = {}
        until = time.monotonic() + START_SECONDS + window_seconds + _PATIENCE_SECONDS
        while len(found) < sessions:
            if time.monotonic() > until:
                raise LocalStackError(f"{sessions - len(found)} of {sessions} expiries were not published")
            stack.raise_error()
            for name, delay in _receive(stack.client("sqs"), queue_url):
                found.setdefault(name, delay)
    return Delays(tuple(sorted(found.values())))


def _login(number: int, first: datetime, second: int) -> LoginEvent:
    return LoginEvent(
        event_id=f"login-{number}",
        occurred_at=first - timedelta(seconds=START_SECONDS),
        customer_id=f"customer-{number}",
        session_id=f"session-{number}",
        expires_at=first + timedelta(seconds=second),
    )


def _subscribe(stack: LocalStack) -> str:
    """Make a queue that receives the expiries, as a consumer's does."""
    events, sqs, bus = stack.client("events"), stack.client("sqs"), stack.outputs["SessionsEventBusName"]
    queue_url: str = sqs.create_queue(QueueName="benchmark-expiries")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]
    pattern = {"source": [SOURCE], "detail-type": [DETAIL_TYPES[EXPIRED]]}
    events.put_rule(Name="benchmark-expiries", EventBusName=bus, EventPattern=json.dumps(pattern))
    events.put_targets(
        Rule="benchmark-expiries", EventBusName=bus, Targets=[{"Id": "queue", "Arn": attributes["QueueArn"]}]
    )
    return queue_url


def _receive(sqs: Any, queue_url: str) -> Iterator[tuple[str, float]]:
    """Receive expiries: a session's id, and its delay by the queue's clock, which is this machine's."""
    answer = sqs.receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageSystemAttributeNames=["SentTimestamp"]
    )
    messages = answer.get("Messages", ())
    for message in messages:
        session = json.loads(message["Body"])["detail"]["session"]
        sent_at = int(message["Attributes"]["SentTimestamp"]) / 1000
        yield session["session_id"], sent_at - parse_rfc3339(session["expires_at"]).timestamp()
    if messages:
        entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)]
        sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)
