"""A queue and a rule of one's own on a stack's bus of life-cycle events, removed again at the end.

What a killed run leaves behind is found by its name and removed by the next one, once it has said nothing for a while.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from schemas.life_cycle import DETAIL_TYPES, SOURCE
from schemas.times import format_rfc3339, parse_rfc3339

ACTIONS = (
    "events:DeleteRule",
    "events:ListRules",
    "events:PutRule",
    "events:PutTargets",
    "events:RemoveTargets",
    "events:TagResource",
    "sqs:CreateQueue",
    "sqs:DeleteMessage",
    "sqs:DeleteQueue",
    "sqs:GetQueueUrl",
    "sqs:ListQueueTags",
    "sqs:ListQueues",
    "sqs:ReceiveMessage",
    "sqs:TagQueue",
)
"""The IAM actions that all of this needs."""

RETENTION_SECONDS = 900
"""How long the queue keeps an event that nobody takes."""

ALIVE_EVERY = timedelta(minutes=5)
LEFT_AFTER = timedelta(minutes=30)
"""After so long without a sign of life a queue is what a killed run left behind."""

WAIT_SECONDS = 20
"""SQS's longest long poll."""

_ALIVE_AT = "alive-at"
_TARGET = "queue"
_GONE = frozenset({"ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})


class SubscriptionError(Exception):
    """EventBridge does not connect rule and queue; the message says why."""


def pattern_of(*, customer_id: str | None = None, kinds: Collection[str] = ()) -> dict[str, Any]:
    """Make the event pattern of a rule, so that nothing else is delivered.

    Args:
        customer_id: Only events of this customer; None for everybody's.
        kinds: Only these kinds of event, of `DETAIL_TYPES`; empty for all.
    """
    pattern: dict[str, Any] = {"source": [SOURCE]}
    if kinds:
        pattern["detail-type"] = [DETAIL_TYPES[kind] for kind in DETAIL_TYPES if kind in kinds]
    if customer_id is not None:
        pattern["detail"] = {"session": {"customer_id": [customer_id]}}
    return pattern


class Subscription:
    """The events of a bus that match a pattern, while in this context.

    Attributes:
        name: Of the queue, and of the rule.
        remains: Whether they could not be removed.
    """

    def __init__(
        self,
        events: Any,
        sqs: Any,
        bus_name: str,
        pattern: Mapping[str, Any],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Describe it, without making anything.

        Args:
            events: A boto3 EventBridge client.
            sqs: A boto3 SQS client.
            bus_name: The bus.
            pattern: The rule's event pattern.
            clock: Tells the time, aware UTC.
        """
        self.name = f"{_prefix_of(bus_name)}{int(clock().timestamp())}-{secrets.token_hex(4)}"
        self.remains = False
        self._events = events
        self._sqs = sqs
        self._bus_name = bus_name
        self._pattern = pattern
        self._clock = clock
        self._queue_url = ""
        self._alive_at = clock()

    def __enter__(self) -> Subscription:
        """Make queue and rule.

        Raises:
            ClientError: AWS refuses one of them; what was made is removed again.
            BotoCoreError: AWS does not answer.
            SubscriptionError: The queue does not become the rule's target.
        """
        try:
            self._make()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._remove()

    def receive(self, *, wait_seconds: int = WAIT_SECONDS) -> list[dict[str, Any]]:
        """Take events off the queue, as EventBridge sent them: at least once each, in any order.

        Args:
            wait_seconds: How long to wait where there is none.

        Raises:
            ClientError: SQS refuses.
            BotoCoreError: SQS does not answer.
        """
        self._show_life()
        answer = self._sqs.receive_message(
            QueueUrl=self._queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds
        )
        messages = answer.get("Messages", [])
        if messages:
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ]
            self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)
        return [json.loads(message["Body"]) for message in messages]

    def _make(self) -> None:
        rule_arn = self._events.put_rule(
            Name=self.name,
            EventBusName=self._bus_name,
            EventPattern=json.dumps(self._pattern),
            Description="sessionctl tail; removed when it ends.",
            Tags=[{"Key": "made-by", "Value": "sessionctl tail"}],
        )["RuleArn"]
        _, partition, _, region, account, _ = rule_arn.split(":", 5)
        queue_arn = f"arn:{partition}:sqs:{region}:{account}:{self.name}"
        # The policy comes with the queue: a later change of it takes SQS up to a minute.
        self._queue_url = self._sqs.create_queue(
            QueueName=self.name,
            Attributes={
                "MessageRetentionPeriod": str(RETENTION_SECONDS),
                "SqsManagedSseEnabled": "true",
                "Policy": json.dumps(_policy(queue_arn, rule_arn)),
            },
            tags={"made-by": "sessionctl tail", _ALIVE_AT: format_rfc3339(self._alive_at)},
        )["QueueUrl"]
        failed = self._events.put_targets(
            Rule=self.name, EventBusName=self._bus_name, Targets=[{"Id": _TARGET, "Arn": queue_arn}]
        )["FailedEntries"]
        if failed:
            raise SubscriptionError(f"PutTargets: {failed[0].get('ErrorCode')}: {failed[0].get('ErrorMessage')}")

    def _show_life(self) -> None:
        now = self._clock()
        if now - self._alive_at >= ALIVE_EVERY:
            self._sqs.tag_queue(QueueUrl=self._queue_url, Tags={_ALIVE_AT: format_rfc3339(now)})
            self._alive_at = now

    def _remove(self) -> None:
        try:
            _remove(self._events, self._sqs, self._bus_name, self.name)
        except (ClientError, BotoCoreError):  # what ends the run is more important; `remains` says it
            self.remains = True


def remove_leftovers(events: Any, sqs: Any, bus_name: str, *, now: datetime) -> list[str]:
    """Remove the queues and rules that killed runs left behind on a bus.

    Args:
        events: A boto3 EventBridge client.
        sqs: A boto3 SQS client.
        bus_name: The bus.
        now: Aware UTC.

    Returns:
        Their names.

    Raises:
        ClientError: AWS refuses.
        BotoCoreError: AWS does not answer.
    """
    prefix = _prefix_of(bus_name)
    pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix=prefix)
    queues = {url.rpartition("/")[2]: url for page in pages for url in page.get("QueueUrls", ())}
    pages = events.get_paginator("list_rules").paginate(NamePrefix=prefix, EventBusName=bus_name)
    rules = {rule["Name"] for page in pages for rule in page["Rules"]}
    left = [
        name
        for name in sorted(queues.keys() | rules)
        if now - _alive_at(sqs, name.removeprefix(prefix), queues.get(name)) > LEFT_AFTER
    ]
    for name in left:
        _remove(events, sqs, bus_name, name)
    return left


def _alive_at(sqs: Any, rest_of_name: str, queue_url: str | None) -> datetime:
    """Return the last sign of life; of a rule without a queue when it was made."""
    made_at = datetime.fromtimestamp(int(rest_of_name.partition("-")[0]), UTC)
    if queue_url is None:
        return made_at
    tags: Mapping[str, str] = {}
    with _unless_gone():
        tags = sqs.list_queue_tags(QueueUrl=queue_url).get("Tags", {})
    return parse_rfc3339(tags[_ALIVE_AT]) if _ALIVE_AT in tags else made_at


def _remove(events: Any, sqs: Any, bus_name: str, name: str) -> None:
    """Remove rule and queue of a name, as far as they are there; the queue, which says how old they are, last."""
    with _unless_gone():
        events.remove_targets(Rule=name, EventBusName=bus_name, Ids=[_TARGET])
    with _unless_gone():
        events.delete_rule(Name=name, EventBusName=bus_name)
    with _unless_gone():
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])


@contextmanager
def _unless_gone() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise


def _prefix_of(bus_name: str) -> str:
    """Return what the names of all runs on a bus begin with; a rule's name has 64 characters, a bus's up to 256."""
    return f"sessionctl-tail-{hashlib.sha256(bus_name.encode()).hexdigest()[:8]}-"


def _policy(queue_arn: str, rule_arn: str) -> dict[str, Any]:
    """Allow the rule, and nothing else, to send. Source: EventBridge User Guide, permissions of SQS targets."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue_arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
            }
        ],
    }
