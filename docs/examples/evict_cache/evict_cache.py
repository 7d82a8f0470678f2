"""Keeps a cache of live sessions, and evicts a session the moment it ends or runs out.

A sample consumer of the life-cycle events: copy this folder. It needs boto3 alone, which Lambda brings.
"""

import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

logger = logging.getLogger(__name__)

KEPT = timedelta(days=15)
"""How long an evicted session is remembered: longer than a late copy of its start can wait in any queue (14 days)."""


class SessionCache:
    """Live sessions in a DynamoDB table with partition key `session` and the TTL attribute `ttl`."""

    def __init__(self, client: Any, table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def apply(self, detail: Mapping[str, Any], *, now: datetime) -> bool:
        """Keep what an event says of its session, unless something newer is known: any order, any number of times.

        Args:
            detail: The event's `detail`.
            now: Aware UTC.

        Returns:
            Whether it was news.

        Raises:
            ClientError: DynamoDB refuses.
            BotoCoreError: DynamoDB does not answer.
        """
        session = detail["session"]
        item = {"session": {"S": _key_of(session)}, "event_order": {"N": str(_order_of(detail))}}
        expires_at = session["expires_at"]
        if detail["over_at"] is None:
            item["state"] = {"S": json.dumps(session)}
            if expires_at is not None:
                item["ttl"] = {"N": str(int((datetime.fromisoformat(expires_at) + KEPT).timestamp()))}
        else:  # evicted: only the order stays, so that a late start does not bring it back
            item["ttl"] = {"N": str(int((now + KEPT).timestamp()))}
        try:
            self._client.put_item(
                TableName=self._table_name,
                Item=item,
                ConditionExpression="attribute_not_exists(event_order) OR event_order < :order",
                ExpressionAttributeValues={":order": item["event_order"]},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def get(self, session_id: str, customer_id: str, *, now: datetime) -> dict[str, Any] | None:
        """Return a session that is live, as the events know it; None where it is over, or not in the cache."""
        return self._live({"session_id": session_id, "customer_id": customer_id, "parent_session_id": None}, now)

    def get_child(
        self, parent_session_id: str, session_id: str, customer_id: str, *, now: datetime
    ) -> dict[str, Any] | None:
        """Return a child session that is live, and whose parent is; None where one is over, or not in the cache."""
        if self.get(parent_session_id, customer_id, now=now) is None:
            return None
        child = {"session_id": session_id, "customer_id": customer_id, "parent_session_id": parent_session_id}
        return self._live(child, now)

    def _live(self, named: Mapping[str, Any], now: datetime) -> dict[str, Any] | None:
        found = self._client.get_item(
            TableName=self._table_name, Key={"session": {"S": _key_of(named)}}, ConsistentRead=True
        )
        if "state" not in found.get("Item", {}):
            return None
        session: dict[str, Any] = json.loads(found["Item"]["state"]["S"])
        is_running = session["expires_at"] is None or now < datetime.fromisoformat(session["expires_at"])
        return session if is_running and session["customer_id"] == named["customer_id"] else None


def lambda_handler(event: Mapping[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """Apply a batch of the queue. What fails is delivered again, and at last becomes a dead letter."""
    cache = SessionCache(boto3.client("dynamodb"), os.environ["CACHE_TABLE"])
    failed = []
    for record in event["Records"]:
        try:
            cache.apply(json.loads(record["body"])["detail"], now=datetime.now(UTC))
        except (ClientError, BotoCoreError, LookupError, TypeError, ValueError) as error:
            # The type alone: an error's text may hold what the event says of a person.
            logger.warning("event not applied: %s %s", record["messageId"], type(error).__name__)
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _key_of(session: Mapping[str, Any]) -> str:
    """Name a session by its id and customer, a child by its parent's id and its own."""
    parent_id = session["parent_session_id"]
    pair = (session["session_id"], session["customer_id"]) if parent_id is None else (parent_id, session["session_id"])
    return json.dumps(["session" if parent_id is None else "child", *pair], ensure_ascii=False)


def _order_of(detail: Mapping[str, Any]) -> int:
    """Order the events of a session: by version; of one version an expiry counts last, an end before it."""
    return int(detail["session"]["version"]) * 4 + {"ended": 1, "expired": 2}.get(detail["kind"], 0)
