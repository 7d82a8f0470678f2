"""Handlers of stub-template.yaml: they leave traces, and fail when they are told to."""

import json
import os
from typing import Any

import boto3

calls: list[tuple[str, Any]] = []
"""What each handler got: its name, and the bodies, sequence numbers or event."""


def consume(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Write an item for each message; a message that says so fails."""
    bodies = [json.loads(record["body"]) for record in event["Records"]]
    calls.append(("consume", bodies))
    table = boto3.client("dynamodb")
    failed = []
    for record, body in zip(event["Records"], bodies, strict=True):
        if body.get("fails"):
            failed.append({"itemIdentifier": record["messageId"]})
        else:
            attributes = {"ttl": {"N": str(body["ttl"])}} if "ttl" in body else {}
            table.put_item(TableName=os.environ["TABLE"], Item={"PK": {"S": body["key"]}, **attributes})
    assert context.get_remaining_time_in_millis() <= 5000
    return {"batchItemFailures": failed}


def project(event: dict[str, Any], _context: Any) -> None:
    """Take stream records; one of an item whose key says so fails."""
    records = event["Records"]
    calls.append(("project", [(r["eventName"], r["dynamodb"]["Keys"]["PK"]["S"]) for r in records]))
    if any(record["dynamodb"]["Keys"]["PK"]["S"] == "unprojectable" for record in records):
        raise RuntimeError("told to fail")


def take(event: dict[str, Any], _context: Any) -> None:
    """Take an event from the bus; one that says so fails."""
    calls.append(("take", event))
    if event["detail"].get("fails"):
        raise RuntimeError("told to fail")
