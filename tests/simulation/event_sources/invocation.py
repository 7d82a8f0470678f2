"""Call a function with a batch and read its answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import IntEnum
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""A value as `json.loads` gives it."""

Event: TypeAlias = dict[str, Any]

Invoke: TypeAlias = Callable[[Event], Json]
"""Run the function once and return its answer; raises `FunctionError` where the function failed, and only then."""

Clock: TypeAlias = Callable[[], float]
"""The time as seconds since the epoch, fractions included."""

MAXIMUM_PAYLOAD_BYTES = 6 * 1024 * 1024
"""Quota of a synchronous invocation. Source: AWS Lambda quotas, "Invocation payload"."""


class Progress(IntEnum):
    """What one poll came to; of several, the greatest counts."""

    NONE = 0
    """There was nothing to do."""
    SOME = 1
    """Something was done, and the source has no more for now."""
    MORE = 2
    """Something was done, and there may be more to do at once."""


class FunctionError(Exception):
    """The function raised, or answered what Lambda does not accept: no record of the batch counts as processed."""


def failed_items(response: Json, known: Collection[str]) -> frozenset[str]:
    """Read a partial batch response.

    Source: AWS Lambda Developer Guide, "Success and failure conditions" of partial batch responses. A response that is
    null or empty, or lacks a list of failures, says that the whole batch succeeded.

    Args:
        response: What the function returned.
        known: The identifiers of the batch: message ids, or sequence numbers.

    Returns:
        The identifiers of the failed items; empty where all succeeded.

    Raises:
        FunctionError: The response is malformed, or names an item that is not in the batch: the whole batch failed.
    """
    if response is None:
        return frozenset()
    if not isinstance(response, Mapping):
        raise FunctionError(f"the response is not an object with batchItemFailures, but {type(response).__name__}")
    failures = response.get("batchItemFailures")
    if failures is None:
        return frozenset()
    if not isinstance(failures, list):
        raise FunctionError(f"batchItemFailures is not a list, but {type(failures).__name__}")
    return frozenset(_identifier(failure, known) for failure in failures)


def _identifier(failure: Json, known: Collection[str]) -> str:
    identifier = failure.get("itemIdentifier") if isinstance(failure, Mapping) else None
    if not isinstance(identifier, str) or not identifier:
        raise FunctionError(f"batchItemFailures holds an entry without itemIdentifier: {failure!r}")
    if identifier not in known:
        raise FunctionError(f"itemIdentifier {identifier!r} is not in the batch")
    return identifier
