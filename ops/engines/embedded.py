"""The embedded engine: moto, standing in for SQS, EventBridge, S3 and DynamoDB, in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from ops.engines.child_process import LOOPBACK, ServerProcess, free_port

ACCOUNT_ID = "123456789012"
"""The account moto puts everything in."""

_SERVER = Path(__file__).with_name("moto_server.py")


def moto_process(bind: str = LOOPBACK, port: int | None = None) -> ServerProcess:
    """Describe an embedded engine; enter it as a context to start it.

    It takes one request at a time, so never wait inside a request: receive with `WaitTimeSeconds=0`.

    Args:
        bind: The address to listen on; 0.0.0.0 for every one of this machine.
        port: Where to listen; None for a port that is free.
    """
    port = port or free_port()
    # -P keeps this folder off the import path, where its modules could stand before moto's.
    return ServerProcess(
        "The embedded engine (moto)", [sys.executable, "-P", str(_SERVER), bind, str(port)], port, bind=bind
    )
