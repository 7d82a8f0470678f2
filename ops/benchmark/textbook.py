"""The textbook pipeline, as the documentation of its parts has users write it, on the same events and the same tables.

Powertools' BatchProcessor takes the batch apart, its idempotency layer guards each record by `event_id` in a DynamoDB
table, each record is one call of boto3, and the stream's handler keeps ADD counters. It is what to compare with, not
what to copy: it counts wrong where a stream batch is delivered twice, and a login after its logout revives the session.
"""

from __future__ import annotations

import json
from typing import Any

import boto3
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from botocore.config import Config
from pydantic import BaseModel

SESSIONS_TABLE = "textbook-sessions"
PROJECTIONS_TABLE = "textbook-projections"
IDEMPOTENCY_TABLE = "idempotency"
_LIFETIME_SECONDS = 43_200


class Client(BaseModel):
    """From where a login came."""

    ip: str | None = None
    user_agent: str | None = None
    device_id: str | None = None
    country: str | None = None


class SessionEvent(BaseModel):
    """A login or a logout."""

    event_id: str
    event_type: str
    occurred_at: str
    customer_id: str
    session_id: str
    source: str | None = None
    client: Client = Client()


class Textbook:
    """The two handlers, with what users make once in a module."""

    def __init__(self) -> None:
        client = boto3.client("dynamodb", config=Config(max_pool_connections=16))
        self._sqs = BatchProcessor(event_type=EventType.SQS)
        self._stream = BatchProcessor(event_type=EventType.DynamoDBStreams)
        self._client = client
        self._config = IdempotencyConfig(event_key_jmespath="event_id", expires_after_seconds=86_400)
        layer = DynamoDBPersistenceLayer(table_name=IDEMPOTENCY_TABLE, boto3_client=client)
        self._apply_once = idempotent_function(
            data_keyword_argument="event", config=self._config, persistence_store=layer
        )(self._apply)

    def consume(self, event: dict[str, Any], context: Any) -> Any:
        """Handle an SQS batch."""
        self._config.register_lambda_context(context)
        return process_partial_response(event, self._take, self._sqs, context=context)

    def project(self, event: dict[str, Any], context: Any) -> Any:
        """Handle a batch of the sessions table's stream."""
        return process_partial_response(event, self._count, self._stream, context=context)

    def _take(self, record: SQSRecord) -> None:
        self._apply_once(event=json.loads(record.body))

    def _apply(self, event: dict[str, Any]) -> dict[str, str]:
        parsed = SessionEvent.model_validate(event)
        if parsed.event_type == "login":
            self._login(parsed)
        else:
            self._logout(parsed)
        return {"session_id": parsed.session_id}

    def _login(self, event: SessionEvent) -> None:
        item = {
            "PK": {"S": f"suuid#{event.session_id}"},
            "SK": {"S": f"c#{event.customer_id}"},
            "session_id": {"S": event.session_id},
            "customer_id": {"S": event.customer_id},
            "session_state": {"S": "active"},
            "started_at": {"S": event.occurred_at},
            "last_login_time": {"S": event.occurred_at},
            "ttl": {"N": str(1_800_000_000 + _LIFETIME_SECONDS)},
            "client_ip": {"S": event.client.ip or ""},
            "user_agent": {"S": event.client.user_agent or ""},
            "device_id": {"S": event.client.device_id or ""},
            "country": {"S": event.client.country or ""},
            "source": {"S": event.source or ""},
            "last_login_event_id": {"S": event.event_id},
        }
        self._client.put_item(TableName=SESSIONS_TABLE, Item=item)

    def _logout(self, event: SessionEvent) -> None:
        self._client.update_item(
            TableName=SESSIONS_TABLE,
            Key={"PK": {"S": f"suuid#{event.session_id}"}, "SK": {"S": f"c#{event.customer_id}"}},
            UpdateExpression="SET session_state = :state, ended_at = :at, ended_event_id = :event",
            ExpressionAttributeValues={
                ":state": {"S": "closing"},
                ":at": {"S": event.occurred_at},
                ":event": {"S": event.event_id},
            },
        )

    def _count(self, record: DynamoDBRecord) -> None:
        change = record.raw_event["dynamodb"]
        new, old = change["NewImage"], change.get("OldImage", {})
        is_live = new["session_state"]["S"] == "active"
        was_live = old.get("session_state", {}).get("S") == "active"
        expression, values = "ADD session_count :change", {":change": {"N": str(int(is_live) - int(was_live))}}
        if "last_login_time" in new:
            expression += " SET last_login_time = :at"
            values[":at"] = new["last_login_time"]
        self._client.update_item(
            TableName=PROJECTIONS_TABLE,
            Key={"PK": new["SK"]},
            UpdateExpression=expression,
            ExpressionAttributeValues=values,
        )
