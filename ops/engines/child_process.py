"""Run a server as a child process that never outlives us, however we end.

The server runs under a small watcher: this module, run as a script. The watcher reads from a pipe that we hold open;
when we end, even by a kill, the pipe closes and the watcher stops the server. Where the watcher is killed, we do.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, NoReturn

LOOPBACK = "127.0.0.1"
"""The address that only this machine reaches."""

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 (what a user may choose, never a default)
"""What a server binds to that containers and other machines reach, too."""

_STOP_SECONDS = 5.0
_READY_WITHIN_SECONDS = 300.0
"""Far more than any start takes: the limit is for a server that hangs. One that ends is noticed at once."""
_ANSWER_SECONDS = 30.0
_READY_POLL_SECONDS = 0.02
_SHOWN_LOG_BYTES = 2000
_KILLED = 128
"""What shells add to the number of the signal that ended a process, to have an exit code."""


class EngineError(Exception):
    """An engine cannot be fetched or started; the message says what to do."""


class ServerProcess:
    """An HTTP server in a process of its own; a context manager, or `start` and `stop`.

    Attributes:
        endpoint: Its URL, as `http://127.0.0.1:40123`.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        port: int,
        *,
        bind: str = LOOPBACK,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Describe the server, without starting it.

        Args:
            name: What error messages call it.
            command: Program and arguments; the port has to be among them.
            port: Where the server is going to listen.
            bind: The address it listens on.
            environment: Variables to add to those of this process.
        """
        self._host = LOOPBACK if bind == EVERY_ADDRESS else bind
        self.endpoint = f"http://{self._host}:{port}"
        self._name = name
        self._command = command
        self._port = port
        self._added_environment = dict(environment or {})
        self._log: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ServerProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            EngineError: It ended, or did not answer in time; with the end of its output.
        """
        watcher = [sys.executable, "-P", __file__, *self._command]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the server runs)
        self._process = subprocess.Popen(  # noqa: S603 (the command is ours)
            watcher,
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            env={**_environment(), **self._added_environment},
            start_new_session=True,  # Ctrl-C is for us; the server is still needed to shut down in order
        )
        hangs_after = time.monotonic() + _READY_WITHIN_SECONDS
        while not self._answers():
            if self._process.poll() is not None:
                self._fail(f"ended at once with exit code {self._process.returncode}")
            if time.monotonic() > hangs_after:
                self._fail(f"did not answer within {_READY_WITHIN_SECONDS:.0f} s")
            time.sleep(_READY_POLL_SECONDS)

    def raise_if_ended(self) -> None:
        """Raise where the server has ended by itself; nothing happens where it runs, or was stopped.

        Raises:
            EngineError: It ended; with the end of its output.
        """
        if self._process is not None and self._process.poll() is not None:
            self._fail(f"ended with exit code {self._process.returncode}")

    def stop(self) -> None:
        """End the server and wait until it has ended; nothing happens where it has already."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(timeout=2 * _STOP_SECONDS)
            with contextlib.suppress(ProcessLookupError):
                # What a watcher that was killed could not end.
                os.killpg(self._process.pid, signal.SIGKILL)
        if self._log is not None:
            self._log.close()
        self._process = self._log = None

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_ANSWER_SECONDS)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    def _fail(self, reason: str) -> NoReturn:
        output = _tail(self._log) if self._log else ""
        self.stop()
        raise EngineError(f"{self._name} {reason}.\n{output or 'It printed nothing.'}")


def _tail(log: IO[bytes]) -> str:
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - _SHOWN_LOG_BYTES))
    return log.read().decode(errors="replace").strip()


def free_port() -> int:
    """Find a port on 127.0.0.1 that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _environment() -> Mapping[str, str]:
    """Keep the user's AWS settings from servers that stand in for AWS."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def _watch(command: Sequence[str]) -> None:
    """Run the command until it ends or our parent does.

    Ends this process with the exit code of a command that ended by itself: 128 and the signal where one killed it.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # In our group, of which our parent made us the leader: where we are killed, it can still end the server's children.
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 (it comes from `start`)
    is_ending = threading.Event()

    def end_with_server() -> None:
        code = server.wait()
        if not is_ending.is_set():
            os._exit(code if code >= 0 else _KILLED - code)

    threading.Thread(target=end_with_server, daemon=True).start()
    try:
        sys.stdin.buffer.read()
    finally:
        is_ending.set()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(_STOP_SECONDS)
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    _watch(sys.argv[1:])
