"""Publishing life-cycle events to an EventBridge bus."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from processors.aws.batch_sending import BatchSender, Failures, Limits
from processors.aws.deadline import NEVER, Deadline
from schemas.life_cycle import DETAIL_TYPES, SOURCE

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

_LIMITS = Limits(entries=10, request_bytes=256 * 1024 - 1, entry_bytes=256 * 1024 - 1, overhead=64)
"""Source: EventBridge User Guide, "Calculating PutEvents event entry size": less than 256 KB, source and detail-type
included."""


class EventBus:
    """An event bus to publish to.

    Args:
        client: A boto3 EventBridge client.
        name: The bus.
        concurrency: Most requests under way at a time.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        client: "EventBridgeClient",
        name: str,
        *,
        concurrency: int = 1,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._name = name
        self._sender = BatchSender(self._request, _size_of, _LIMITS, concurrency=concurrency, sleep=sleep)

    def put(self, details: Sequence[Mapping[str, Any]], *, deadline: Deadline = NEVER) -> Failures:
        """Publish events, each the `detail` of a life-cycle event; ten a request.

        Returns:
            The positions of those that were not accepted; nothing is raised.
        """
        return self._sender.send([self._entry(detail) for detail in details], deadline)

    def _entry(self, detail: Mapping[str, Any]) -> dict[str, str]:
        return {
            "Source": SOURCE,
            "DetailType": DETAIL_TYPES[detail["kind"]],
            "Detail": line_of(detail),
            "EventBusName": self._name,
        }

    def _request(self, entries: Sequence[Any]) -> list[str | None]:
        response = self._client.put_events(Entries=entries)
        return [entry.get("ErrorCode") for entry in response["Entries"]]


def _size_of(entry: Mapping[str, str]) -> int:
    return len(entry["Detail"])


def line_of(detail: Mapping[str, Any]) -> str:
    """Write a `detail` as one line of ASCII JSON, without the line's end."""
    return json.dumps(detail, separators=(",", ":"))
