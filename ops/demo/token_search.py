"""Look for session tokens where none may be: tables, rejected events, logs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ops.demo.day import TOKEN_PREFIX

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def places_with_tokens(
    client: "DynamoDBClient", tables: Sequence[str], texts: Mapping[str, Iterable[str]]
) -> list[str]:
    """Search for the tokens of samples and demo, which all begin alike.

    Args:
        client: A boto3 DynamoDB client.
        tables: Tables to read as a whole.
        texts: Other texts to search, by where they come from.

    Returns:
        The places that hold a token, by name; empty is good.
    """
    scan = client.get_paginator("scan")
    found = []
    for table in tables:
        items = (item for page in scan.paginate(TableName=table, ConsistentRead=True) for item in page["Items"])
        if any(TOKEN_PREFIX in json.dumps(item, default=str) for item in items):
            found.append(f"table {table}")
    return found + [place for place, lines in texts.items() if any(TOKEN_PREFIX in line for line in lines)]
