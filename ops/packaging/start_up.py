"""How fast the functions start under Lambda's runtime client, beside a handler that only makes a client."""

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from ops.packaging.package import LAMBDA_REQUIREMENTS, BuildError, compile_all, install, package
from ops.packaging.runtime_api import LambdaRuntime, RuntimeClientError
from ops.validation.translation import translate

RUNS = 11
BASELINE = "boto3 and a client, for comparison"
_BASELINE_HANDLER = (
    "import boto3\n\nclient = boto3.client('dynamodb')\n\n\ndef lambda_handler(event, context):\n    return None\n"
)
# Enough to make the handlers create their clients; nothing is sent for events that hold nothing to do.
_ENVIRONMENT = {
    "SESSIONS_TABLE": "sessions",
    "PROJECTIONS_TABLE": "projections",
    "SESSION_COMMANDS_QUEUE_URL": "http://127.0.0.1:9/commands",
    "REJECTED_EVENTS_QUEUE_URL": "http://127.0.0.1:9/rejected",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
}
# Its every invocation reads the agenda, and nobody waits for its start.
_NOT_MEASURED = "processors.expiry_sweeper.lambda_handler"
# A batch without records, and an event of a kind that is ignored, in one.
_NOTHING_TO_DO = {
    "Records": [],
    "version": "0",
    "id": "start-up",
    "source": "start-up",
    "detail-type": "Nothing",
    "time": "2026-03-02T09:00:00Z",
    "detail": {},
}


@dataclass(frozen=True, slots=True)
class StartUp:
    """How long a function took to start.

    Attributes:
        next_ms: Milliseconds to its first request for an event.
        answer_ms: And on to its first answer, to an event with nothing to do.
    """

    next_ms: float
    answer_ms: float


class _NothingStored(BaseHTTPRequestHandler):
    """Answers what the handlers read at their first event as empty tables do, at once.

    Without an answer, botocore's pauses between retries would count as start-up: seconds or not, by its version.
    """

    def do_POST(self) -> None:
        """Answer a read of DynamoDB."""
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = b'{"Count": 0, "Items": [], "ScannedCount": 0}'
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Print no line for each request."""


@contextmanager
def _empty_tables() -> Iterator[str]:
    """Serve empty tables; gives their endpoint."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _NothingStored) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def start_up(handler: str, task_root: Path, python: str, runtime: Path) -> StartUp:
    """Start a function once and invoke it with nothing to do.

    Args:
        handler: As in the template.
        task_root: Its package.
        python: The interpreter.
        runtime: Folder of what the Lambda runtime brings: awslambdaric and boto3.

    Raises:
        BuildError: It does not start, or fails.
    """
    with _empty_tables() as endpoint:
        return _start_up(
            LambdaRuntime(
                handler,
                environment={**_ENVIRONMENT, "AWS_ENDPOINT_URL_DYNAMODB": endpoint},
                task_root=task_root,
                python=python,
                import_path=(runtime,),
            ),
            handler,
        )


def _start_up(began: LambdaRuntime, handler: str) -> StartUp:
    try:
        with began as function:
            answer = function.invoke(_NOTHING_TO_DO)
            if answer.is_error:
                raise BuildError(f"{handler}: {answer.payload}")
            to_next = function.start_up_seconds * 1000
            return StartUp(to_next, to_next + function.answer_seconds * 1000)
    except RuntimeClientError as error:
        raise BuildError(str(error)) from error


def measure_start_up(python: str) -> dict[str, StartUp]:
    """Start the functions, the sweeper apart, several times, in turn with one that makes a boto3 client.

    Args:
        python: An interpreter of the runtime's version.

    Returns:
        Medians, by logical id; the first is of the handler to compare with.

    Raises:
        BuildError: One cannot be built for this machine, or does not start.
    """
    functions = {BASELINE: "handler.lambda_handler"}
    for logical_id, resource in translate(parameters={"EnableEventBridgeDirect": "true"})["Resources"].items():
        if resource["Type"] == "AWS::Lambda::Function" and resource["Properties"]["Handler"] != _NOT_MEASURED:
            functions[logical_id] = resource["Properties"]["Handler"]
    with tempfile.TemporaryDirectory() as folder:
        code, runtime, baseline = (Path(folder) / name for name in ("code", "runtime", "baseline"))
        package(code, python=python, pip=(python,), arm64=False)
        install(runtime, LAMBDA_REQUIREMENTS, pip=(python,))
        baseline.mkdir()
        (baseline / "handler.py").write_text(_BASELINE_HANDLER)
        for compiled in (runtime, baseline):
            compile_all(compiled, python)
        runs: dict[str, list[StartUp]] = {name: [] for name in functions}
        for _ in range(RUNS):  # in turn, so that a busy moment of the machine meets all of them
            for name, handler in functions.items():
                task_root = baseline if name == BASELINE else code
                runs[name].append(start_up(handler, task_root, python, runtime))
    return {name: _median(starts) for name, starts in runs.items()}


def _median(starts: Sequence[StartUp]) -> StartUp:
    return StartUp(
        next_ms=statistics.median(start.next_ms for start in starts),
        answer_ms=statistics.median(start.answer_ms for start in starts),
    )
