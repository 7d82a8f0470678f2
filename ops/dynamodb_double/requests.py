"""The members of requests that are understood; a request with any other is refused."""

from __future__ import annotations

from typing import Any

from ops.dynamodb_double.expressions import validate

Fields = dict[str, Any]
_WRITE = frozenset({"ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues"})
KNOWN_MEMBERS = {
    "GetItem": {"Key", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"},
    "PutItem": {"Item", "ReturnValuesOnConditionCheckFailure", *_WRITE},
    "UpdateItem": {"Key", "UpdateExpression", "ReturnValuesOnConditionCheckFailure", *_WRITE},
    "DeleteItem": {"Key", "ReturnValuesOnConditionCheckFailure", *_WRITE},
    "Query": {
        *("IndexName", "KeyConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues"),
        *("ConsistentRead", "ProjectionExpression", "Limit", "ExclusiveStartKey", "ScanIndexForward", "Select"),
    },
    "Scan": {"ConsistentRead", "Limit", "ExclusiveStartKey", "ProjectionExpression", "ExpressionAttributeNames"},
}
"""Members of requests that are understood, `TableName` apart; any other is refused."""


def check_placeholders(request: Fields) -> None:
    """Hold the placeholders of a request's expressions to those it defines."""
    texts = tuple(str(text) for name, text in request.items() if name.endswith("Expression"))
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    validate(texts, frozenset(names), frozenset(values))
