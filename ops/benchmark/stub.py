"""The stub DynamoDB from the client's side: started in a process of its own, read and told what to do."""

from __future__ import annotations

import http.client
import json
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from ops.engines.child_process import ServerProcess, free_port


@dataclass(frozen=True, slots=True)
class Counts:
    """What was asked of the stub.

    Attributes:
        requests: How many.
        write_units: Of tables and indexes.
        read_units: Strongly consistent ones count whole.
        operations: Requests by operation.
    """

    requests: int
    write_units: float
    read_units: float
    operations: dict[str, int]


class Stub:
    """A running stub; a context manager.

    Attributes:
        endpoint: Its URL.
    """

    def __init__(self, *, service_ms: float) -> None:
        port = free_port()
        command = [sys.executable, "-m", "ops.benchmark.stub_server", str(port), str(service_ms)]
        self._process = ServerProcess("The stub DynamoDB", command, port)
        self.endpoint = self._process.endpoint

    def __enter__(self) -> Stub:
        self._process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.stop()

    def set_service_time(self, milliseconds: float) -> None:
        """Set how long a request takes, from now on."""
        self._control(service_ms=milliseconds)

    def keep_writes(self, keep: bool) -> None:
        """Keep what is written, or take every item for new."""
        self._control(keep=keep)

    def index_keys_only(self) -> None:
        """Let the index of tables that are not made yet hold the keys alone."""
        self._control(keys_only=True)

    def clear(self) -> None:
        """Forget items and counts."""
        self._control(clear="all")

    def clear_counts(self) -> None:
        """Forget counts and changes, keep the items."""
        self._control(clear="counts")

    def load(self, table_name: str, items: list[dict[str, Any]]) -> None:
        """Put items into a table, uncounted."""
        self._control(load=table_name, items=items)

    def fill_due(self, table_name: str, count: int, first_expiry: int) -> None:
        """Let so many sessions of a table run out in the minute from `first_expiry`, epoch seconds; uncounted."""
        self._control(due=table_name, count=count, first_expiry=first_expiry)

    def counts(self) -> Counts:
        """Read what was counted since the last clearing."""
        answer = self._control()
        requests = answer["requests"]
        return Counts(sum(requests.values()), answer["write_units"], answer["read_units"], requests)

    def changes(self, table_name: str) -> list[tuple[dict[str, Any] | None, dict[str, Any]]]:
        """Read the images before and after of every write of a sessions table since the last clearing."""
        return [(before, after) for name, before, after in self._control(give="changes") if name == table_name]

    def _control(self, **order: Any) -> Any:
        connection = http.client.HTTPConnection(urlsplit(self.endpoint).netloc, timeout=600)
        try:
            connection.request("POST", "/control", json.dumps(order))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()
