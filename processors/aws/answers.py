"""Items of DynamoDB's answers are taken as they come.

botocore walks through every attribute value of an answer and copies it, although DynamoDB's JSON is its own form of the
answer already, but for binary values. That was a sixth of the projector's CPU (docs/decisions.md, 51). botocore's event
`before-parse` lets a handler give a part of the answer itself; the rest of it, errors among them, is botocore's.
"""

import json
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ITEMS = {
    "BatchExecuteStatement": "Responses",
    "BatchGetItem": "Responses",
    "Query": "Items",
}
"""The member of each operation's answer that holds items."""


def take_items_as_they_come(client: "DynamoDBClient") -> None:
    """Have a client hand over the items of its answers without botocore's copy; what it returns stays the same.

    Args:
        client: A botocore or boto3 client. One that speaks another protocol than JSON is left as it is.
    """
    if client.meta.service_model.resolved_protocol == "json":
        for operation, member in _ITEMS.items():
            client.meta.events.register(f"before-parse.dynamodb.{operation}", partial(_take, member))


def _take(
    member: str, response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_others: object
) -> None:
    body = response_dict["body"]
    if response_dict["status_code"] != HTTPStatus.OK or b'"B"' in body or b'"BS"' in body:  # binary is botocore's
        return
    answer = json.loads(body)
    if member in answer:
        customized_response_dict[member] = answer.pop(member)
        response_dict["body"] = json.dumps(answer).encode()
