"""A stub DynamoDB (and SQS, EventBridge, Firehose to send to): an HTTP server that answers after a settable time.

Run as a script with a port and a service time in milliseconds. Requests overlap: each connection has a thread, which
sleeps what is left of the service time. So a request costs the client what it costs in a region, whatever this machine
takes to answer it. `POST /control` takes what a benchmark has to say.
"""

from __future__ import annotations

import json
import socketserver
import sys
import time
from typing import Any
from zlib import crc32

from ops.benchmark.stub_store import StubStore
from ops.dynamodb_double.errors import NotSimulatedError, ServiceError


class _Handler(socketserver.StreamRequestHandler):
    """One connection, kept alive. Reads by hand: http.server takes longer than all else together."""

    disable_nagle_algorithm = True
    wbufsize = -1
    server: StubServer

    def handle(self) -> None:
        while request := self.rfile.readline():
            arrived = time.perf_counter()
            headers: dict[bytes, bytes] = {}
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                headers[name.lower()] = value.strip()
            body = self.rfile.read(int(headers.get(b"content-length", b"0")))
            if b"x-amz-target" not in headers:
                status, answer = 200, self.server.control(json.loads(body or b"{}"))
            else:
                target = headers[b"x-amz-target"].partition(b".")[2].decode()
                status, answer = self._answer(target, json.loads(body))
                time.sleep(max(0.0, arrived + self.server.service_seconds - time.perf_counter()))
            self._reply(status, json.dumps(answer).encode())
            if request.endswith(b"HTTP/1.0\r\n"):
                return

    def _answer(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        try:
            return 200, self.server.store.call(operation, request)
        except NotSimulatedError as error:
            return 400, {"__type": "com.amazonaws.dynamodb.v20120810#UnknownOperationException", "message": str(error)}
        except ServiceError as error:
            name = f"com.amazonaws.dynamodb.v20120810#{error.code}"
            return 400, {"__type": name, "message": error.message, **error.fields}

    def _reply(self, status: int, body: bytes) -> None:
        head = (
            f"HTTP/1.1 {status} {'OK' if status == 200 else 'Bad Request'}\r\n"
            "content-type: application/x-amz-json-1.0\r\nx-amzn-requestid: stub\r\n"
            f"x-amz-crc32: {crc32(body)}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self.wfile.write(head.encode() + body)
        self.wfile.flush()


class StubServer(socketserver.ThreadingTCPServer):
    """The server.

    Attributes:
        service_seconds: From a request's arrival to its answer.
        store: The tables.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, service_seconds: float) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.service_seconds = service_seconds
        self.store = StubStore()

    def control(self, order: dict[str, Any]) -> Any:
        """Do what a benchmark asks for, by the one member of its order."""
        match order:
            case {"service_ms": milliseconds}:
                self.service_seconds = milliseconds / 1000
            case {"keep": keep}:
                self.store.keep = keep
            case {"keys_only": keys_only}:
                self.store.keys_only = keys_only
            case {"clear": "counts"}:
                self.store.clear_counts()
            case {"clear": "all"}:
                self.store.clear()
            case {"load": table_name, "items": items}:
                self.store.load(table_name, items)
            case {"due": table_name, "count": count, "first_expiry": first_expiry}:
                self.store.fill_due(table_name, count, first_expiry)
            case {"give": "changes"}:
                return self.store.changes
        return self.store.counts()


if __name__ == "__main__":
    with StubServer(int(sys.argv[1]), float(sys.argv[2]) / 1000) as server:
        server.serve_forever()
