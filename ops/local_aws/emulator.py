"""MiniStack, the emulator: one Python process, free, no Docker. Decision 21 says why this one."""

from __future__ import annotations

import errno
import socket
import sys
import tempfile
from contextlib import ExitStack
from types import TracebackType

from ops.engines.child_process import EVERY_ADDRESS, LOOPBACK, EngineError, ServerProcess, free_port
from ops.local_aws.compensations import EMULATOR_ENVIRONMENT
from ops.local_aws.environment import ACCESS_KEY

REGION = "us-east-1"


class Emulator:
    """The emulator in a process of its own, which ends with ours; a context manager.

    Attributes:
        endpoint: Its URL, once it is started.
    """

    def __init__(self, *, bind: str = LOOPBACK, port: int | None = None, is_authorising: bool = False) -> None:
        """Describe the emulator, without starting it.

        Args:
            bind: The address it listens on; 0.0.0.0 lets containers in, and the network.
            port: Where it listens; None for a port that is free.
            is_authorising: Whether roles' policies are enforced.
        """
        self.endpoint = ""
        self._bind = bind
        self._port = port
        self._is_authorising = is_authorising
        self._running = ExitStack()
        self._server: ServerProcess | None = None

    def __enter__(self) -> Emulator:
        """Start it.

        Raises:
            EngineError: The port is in use, or the emulator does not start.
        """
        port = self._port or free_port()
        _require_free(self._bind, port)
        folder = self._running.enter_context(tempfile.TemporaryDirectory(prefix="session-events-aws-"))
        environment = {
            **EMULATOR_ENVIRONMENT,
            "BIND_HOST": self._bind,
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": LOOPBACK if self._bind == EVERY_ADDRESS else self._bind,
            "MINISTACK_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            # Who has this key may do everything, also where roles' policies are enforced.
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
            "AUTH": str(self._is_authorising).lower(),
            "TMPDIR": folder,
            "S3_DATA_DIR": f"{folder}/s3",
            "LOG_LEVEL": "WARNING",
        }
        command = [sys.executable, "-m", "ministack"]
        server = ServerProcess("The local AWS (MiniStack)", command, port, bind=self._bind, environment=environment)
        try:
            self._server = self._running.enter_context(server)
        except BaseException:
            self._running.close()
            raise
        self.endpoint = server.endpoint
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._running.close()

    def raise_if_ended(self) -> None:
        """Raise where the emulator has ended by itself.

        Raises:
            EngineError: It did; with the end of what it printed.
        """
        if self._server is not None:
            self._server.raise_if_ended()


def _require_free(bind: str, port: int) -> None:
    """Refuse a port that another program listens on, before its answers are taken for the emulator's."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise EngineError(
                    f"port {port} is in use: end what listens there, choose another --port, or leave it out"
                ) from error
            raise EngineError(f"cannot listen on {bind} port {port}: {error.strerror}") from error
