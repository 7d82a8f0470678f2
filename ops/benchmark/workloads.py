"""The events to measure with, invented from a seed: a login of usual size, its logout, and the mixtures of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from schemas.times import format_rfc3339

CUSTOMERS = 10_000
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
"""When the first event happened: lately, because sessions that have run out weigh nothing in a projection."""
_SENT_AT = str(int((START + timedelta(hours=1)).timestamp() * 1000))
_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Workload:
    """What a batch holds.

    Attributes:
        name: As the tables of the report call it.
        before: Events that have been applied when the batch comes; they are not measured.
        batch: The batch's events.
    """

    name: str
    before: list[Event] = field(default_factory=list)
    batch: list[Event] = field(default_factory=list)


class Workloads:
    """Makes batches whose sessions no other batch has.

    Args:
        seed: The same seed gives the same events.
    """

    def __init__(self, seed: int = 1) -> None:
        self._random = Random(seed)  # noqa: S311 - invents test data, guards nothing
        self._sessions = 0
        self._events = 0

    def logins(self, size: int) -> Workload:
        """Give first logins, by any of 10,000 customers who were here before."""
        batch = [self._login() for _ in range(size)]
        return Workload("logins", self._earlier_logins(batch), batch)

    def logouts(self, size: int) -> Workload:
        """Give logouts of sessions that logged in before."""
        before = [self._login() for _ in range(size)]
        return Workload("logouts", before, [self._logout(login) for login in before])

    def mixed(self, size: int) -> Workload:
        """Give a mixed day: 35 % first logins, 30 % silent re-logins, 35 % logouts, shuffled."""
        refreshes, logouts = size * 30 // 100, size * 35 // 100
        before = [self._login() for _ in range(refreshes + logouts)]
        batch = [self._again(login) for login in before[:refreshes]]
        batch += [self._logout(login) for login in before[refreshes:]]
        first = [self._login() for _ in range(size - len(batch))]
        batch += first
        self._random.shuffle(batch)
        return Workload("mixed day", before + self._earlier_logins(first), batch)

    def logouts_first(self, size: int) -> Workload:
        """Give logouts whose logins are still on their way."""
        return Workload("logouts before their login", batch=[self._logout(self._login()) for _ in range(size)])

    def flood(self, size: int) -> Workload:
        """Give logouts for sessions that nobody knows, and one login to nine of them."""
        batch = [self._login() if number % 10 == 0 else self._logout(self._login()) for number in range(size)]
        return Workload("a flood of logouts", batch=batch)

    def new_customers(self, size: int) -> Workload:
        """Give first logins, each by a customer never seen before: each makes a projection."""
        return Workload("new customers", batch=[self._login(f"new-{self._sessions + 1:012d}") for _ in range(size)])

    def duplicates(self, size: int) -> Workload:
        """Give logins that were all delivered before."""
        before = [self._login() for _ in range(size)]
        return Workload("duplicates", before, list(before))

    def hot_customer(self, size: int) -> Workload:
        """Give first logins, all by one customer, who was here before."""
        self._sessions += 1
        customer_id = f"hot-customer-{self._sessions:06d}"
        batch = [self._login(customer_id) for _ in range(size)]
        return Workload("one hot customer", self._earlier_logins(batch), batch)

    def customers(self, size: int) -> Workload:
        """Give first logins, each by a customer of its own (up to 10,000) who was here before, all in turn."""
        batch = [self._login(f"customer-{(self._sessions + 1) % CUSTOMERS:05d}") for _ in range(size)]
        return Workload("a customer each", self._earlier_logins(batch), batch)

    def _earlier_logins(self, logins: list[Event]) -> list[Event]:
        """Give a login on another session of each customer, so that everybody has a projection."""
        return [self._login(customer_id) for customer_id in dict.fromkeys(login["customer_id"] for login in logins)]

    def _login(self, customer_id: str | None = None) -> Event:
        self._sessions += 1
        number = self._sessions
        customer_id = customer_id or f"customer-{self._random.randrange(CUSTOMERS):05d}"
        return self._event("login", number) | {
            "customer_id": customer_id,
            "session_id": f"5f0c1b7e-8f7a-4c3e-9d55-{number:012d}",
            "expires_at": format_rfc3339(START + timedelta(hours=12)),
            "access_token": f"example-token-{self._random.getrandbits(4096):0800x}"[:800],
            "client": {
                "ip": f"198.51.100.{number % 250}",
                "user_agent": _AGENT,
                "device_id": f"device-{customer_id}",
                "country": "GB",
            },
        }

    def _again(self, login: Event) -> Event:
        return login | self._event("login", self._sessions + 1_000)

    def _logout(self, login: Event) -> Event:
        identity = {name: login[name] for name in ("customer_id", "session_id")}
        return self._event("logout", self._sessions + 2_000) | identity

    def _event(self, event_type: str, second: int) -> Event:
        self._events += 1
        return {
            "event_id": f"0b9de1e4-55a8-4a5e-8a67-{self._events:012d}",
            "event_type": event_type,
            "occurred_at": format_rfc3339(START + timedelta(milliseconds=second)),
            "source": "auth.example.com",
        }


def sqs_batch(events: list[Event]) -> dict[str, Any]:
    """Dress events as Lambda hands them over from SQS."""
    return {
        "Records": [
            {
                "messageId": f"059f36b4-87a3-44ab-83d2-{number:012d}",
                "receiptHandle": "handle",
                "body": json.dumps(event),
                "attributes": {"SentTimestamp": _SENT_AT, "ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:session-events",
                "awsRegion": "us-east-1",
            }
            for number, event in enumerate(events)
        ]
    }


def stream_batch(
    changes: list[tuple[dict[str, Any] | None, dict[str, Any]]], *, at: datetime = START
) -> dict[str, Any]:
    """Dress changes of a table, all made at one time, as Lambda hands them over from its stream."""
    return {
        "Records": [
            {
                "eventID": str(number),
                "eventName": "INSERT" if before is None else "MODIFY",
                "eventSource": "aws:dynamodb",
                "dynamodb": {
                    "ApproximateCreationDateTime": at.timestamp(),
                    "Keys": {name: after[name] for name in ("PK", "SK")},
                    "NewImage": after,
                    **({} if before is None else {"OldImage": before}),
                    "SequenceNumber": f"{10**21 + number}",
                    "StreamViewType": "NEW_AND_OLD_IMAGES",
                },
            }
            for number, (before, after) in enumerate(changes)
        ]
    }
