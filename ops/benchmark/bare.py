"""The limit: a bare loop of 25-statement requests, with statements made beforehand. It parses and decides nothing."""

from __future__ import annotations

from typing import Any

import boto3

STATEMENTS_A_REQUEST = 25


class BareLoop:
    """INSERTs of session items as the consumer would write them."""

    def __init__(self, table_name: str) -> None:
        self._client = boto3.client("dynamodb")
        self._table_name = table_name

    def prepare(self, items: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """Make the statements of each request, outside of what is measured."""
        statements = [
            {
                "Statement": f'INSERT INTO "{self._table_name}" VALUE '
                "{" + ", ".join(f"'{name}': ?" for name in item) + "}",
                "Parameters": list(item.values()),
            }
            for item in items
        ]
        size = STATEMENTS_A_REQUEST
        return [statements[start : start + size] for start in range(0, len(statements), size)]

    def write(self, requests: list[list[dict[str, Any]]]) -> None:
        """Send the requests, one after the other."""
        for statements in requests:
            self._client.batch_execute_statement(Statements=statements)  # type: ignore[arg-type] # dicts of that shape
