"""The double as a boto3 client, without HTTP: the same methods, answers and exceptions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from ops.dynamodb_double.errors import ServiceError
from ops.dynamodb_double.service import Service


class ConditionalCheckFailedException(ClientError):  # noqa: N818 # boto3's name
    """The condition of a write does not hold."""


class Client:
    """A boto3 client's methods, as far as the service knows their operations.

    Args:
        service: What answers.
    """

    exceptions = SimpleNamespace(ConditionalCheckFailedException=ConditionalCheckFailedException)

    def __init__(self, service: Service) -> None:
        self.service = service

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        """Make the method of an operation: `put_item` of `PutItem`."""
        if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name):
            raise AttributeError(name)
        operation = "".join(word.capitalize() for word in name.split("_"))
        return lambda **request: self._call(operation, request)

    def query(self, **request: Any) -> dict[str, Any]:
        """Answer a Query."""
        return self._call("Query", request)

    def scan(self, **request: Any) -> dict[str, Any]:
        """Answer a Scan."""
        return self._call("Scan", request)

    def get_paginator(self, operation: str) -> SimpleNamespace:
        """Give the paginator of `query` or `scan`."""
        return SimpleNamespace(paginate=lambda **request: self._pages(operation.capitalize(), request))

    def _pages(self, operation: str, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        config = request.pop("PaginationConfig", {})
        if "PageSize" in config:
            request = {**request, "Limit": config["PageSize"]}
        while True:
            page = self._call(operation, request)
            yield page
            if "LastEvaluatedKey" not in page:
                return
            request = {**request, "ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.service.call(operation, request)
        except ServiceError as error:
            is_condition = error.code == "ConditionalCheckFailedException"
            kind = ConditionalCheckFailedException if is_condition else ClientError
            answer: Any = {"Error": {"Code": error.code, "Message": error.message}, **error.fields}
            raise kind(answer, operation) from None
