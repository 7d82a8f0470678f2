"""Run a handler under `awslambdaric`, the runtime client of Lambda, against a Runtime API of our own.

    with LambdaRuntime("processors.sqs_consumer.lambda_handler", environment=variables) as runtime:
        answer = runtime.invoke({"Records": []})

The process is started with the environment given here and Lambda's own variables, nothing else. Source: AWS Lambda
Developer Guide, "Using the Lambda runtime API for custom runtimes" and "Defined runtime environment variables".
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import IO, Any, NoReturn
from uuid import uuid4

from ops.checkout import CHECKOUT

_API = "/2018-06-01/runtime/"
_START_SECONDS = 30.0
_SHOWN_OUTPUT_CHARACTERS = 2000


class RuntimeClientError(Exception):
    """The runtime client did not start, ended, or did not answer in time; with the end of what it printed."""


@dataclass(frozen=True)
class Answer:
    """What a handler's invocation came to.

    Attributes:
        payload: What the handler returned, or the error in Lambda's shape: `errorMessage`, `errorType`, `stackTrace`
            and, for an invocation, `requestId`.
        is_error: The handler raised, or could not be imported.
    """

    payload: Any
    is_error: bool


@dataclass(frozen=True)
class _FirstRequest:
    at: float


@dataclass(frozen=True)
class _Ended:
    exit_code: int


_Message = _FirstRequest | Answer | _Ended


class _RuntimeApi(ThreadingHTTPServer):
    """Hands events to one runtime client and takes its answers."""

    daemon_threads = True  # the client waits for its next event in a request that never ends

    def __init__(self, messages: SimpleQueue[_Message]) -> None:
        super().__init__(("127.0.0.1", 0), _RequestHandler)
        self.events: SimpleQueue[tuple[bytes, float] | None] = SimpleQueue()
        self.messages = messages
        self.was_asked = False

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # that is how the end of the client looks from here
            super().handle_error(request, client_address)  # type: ignore[arg-type] # passed on as they came


class _RequestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _RuntimeApi

    def do_GET(self) -> None:
        if self.path != f"{_API}invocation/next":
            self.send_error(404)
            return
        if not self.server.was_asked:
            self.server.was_asked = True
            self.server.messages.put(_FirstRequest(time.perf_counter()))
        if (invocation := self.server.events.get()) is None:
            self.close_connection = True
            return
        event, deadline = invocation
        headers = {
            "Lambda-Runtime-Aws-Request-Id": str(uuid4()),
            "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:local",
            "Content-Type": "application/json",
        }
        self._reply(200, event, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = self.path.removeprefix(_API).rpartition("/")[2]
        if kind not in {"response", "error"}:
            self.send_error(404)
            return
        self._reply(202, b'{"status": "OK"}', {"Content-Type": "application/json"})
        self.server.messages.put(Answer(json.loads(body), is_error=kind == "error"))

    def _reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name that http.server has)
        """Keep quiet: http.server prints every request otherwise."""


class LambdaRuntime:
    """A runtime client in a process of its own that serves one handler; a context manager.

    Attributes:
        start_up_seconds: From the start of the process to its first request for an event.
        answer_seconds: How long the last invocation took.
    """

    def __init__(
        self,
        handler: str,
        *,
        environment: Mapping[str, str],
        task_root: Path = CHECKOUT,
        python: str = sys.executable,
        import_path: Sequence[Path] = (),
    ) -> None:
        """Describe the function, without starting it.

        Args:
            handler: As in the template, `package.module.function`.
            environment: All variables of the process but those that Lambda sets itself.
            task_root: Folder of the function's code.
            python: The interpreter. It needs awslambdaric, from its environment or `import_path`.
            import_path: Further folders to import from, after the code.
        """
        self.start_up_seconds = self.answer_seconds = 0.0
        self._handler = handler
        self._environment = environment
        self._task_root = task_root
        self._python = python
        self._import_path = import_path
        self._messages: SimpleQueue[_Message] = SimpleQueue()
        self._api = _RuntimeApi(self._messages)
        self._output: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> LambdaRuntime:
        """Start the process and wait until it asks for an event.

        Raises:
            RuntimeClientError: It did not, for instance because the handler cannot be imported.
        """
        Thread(target=self._api.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self._output = tempfile.TemporaryFile("w+", encoding="utf-8")
        started = time.perf_counter()
        self._process = process = subprocess.Popen(  # noqa: S603 (the command is ours)
            [self._python, "-m", "awslambdaric", self._handler],
            cwd=self._task_root,
            env=self._lambda_environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        Thread(target=lambda: self._messages.put(_Ended(process.wait())), daemon=True).start()
        match self._wait(_START_SECONDS):
            case _FirstRequest(at):
                self.start_up_seconds = at - started
            case Answer(error):
                self._fail(f"cannot start {self._handler}: {error.get('errorType')}: {error.get('errorMessage')}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def output(self) -> str:
        """What the process has printed so far, its log lines."""
        if self._output is None:
            return ""
        self._output.seek(0)
        return self._output.read()

    def invoke(self, event: object, *, timeout_seconds: float = 30.0) -> Answer:
        """Hand an event to the handler and wait for the answer.

        Args:
            event: What JSON can carry.
            timeout_seconds: The function's timeout, which the handler is told as its deadline.

        Raises:
            RuntimeClientError: The process ended, or did not answer in time.
        """
        began = time.perf_counter()
        self._api.events.put((json.dumps(event).encode(), time.time() + timeout_seconds))
        answer = self._wait(timeout_seconds)
        self.answer_seconds = time.perf_counter() - began
        if not isinstance(answer, Answer):
            self._fail(f"{self._handler}: an answer was due, not {answer!r}")
        return answer

    def _wait(self, seconds: float) -> _FirstRequest | Answer:
        try:
            message = self._messages.get(timeout=seconds)
        except Empty:
            self._fail(f"{self._handler} did not answer within {seconds:.0f} s")
        if isinstance(message, _Ended):
            self._fail(f"{self._handler}: the runtime client ended with exit code {message.exit_code}")
        return message

    def _lambda_environment(self) -> dict[str, str]:
        return {
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join(map(str, self._import_path)),
            "PYTHONDONTWRITEBYTECODE": "1",  # /var/task is read-only
            "TZ": ":UTC",
            "AWS_LAMBDA_FUNCTION_NAME": "local",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "LAMBDA_TASK_ROOT": str(self._task_root),
            **self._environment,
        }

    def _fail(self, reason: str) -> NoReturn:
        output = self.output.strip()[-_SHOWN_OUTPUT_CHARACTERS:]
        self._stop()
        raise RuntimeClientError(f"{reason}.\n{output or 'It printed nothing.'}")

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()  # it waits for an event in C, deaf to anything milder
            self._process.wait()
        if self._output is not None:
            self._output.close()
        self._api.events.put(None)
        self._api.shutdown()
        self._api.server_close()
        self._process = self._output = None
