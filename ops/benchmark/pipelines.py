"""What is compared: two pipelines with a consumer and a projector each, behind one shape."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.benchmark import textbook
from ops.local_aws.environment import aws_settings, process_environment
from processors import sqs_consumer, stream_projector

OURS, TEXTBOOK, BARE = "ours", "textbook", "bare loop"
SESSIONS_TABLE, PROJECTIONS_TABLE, BARE_TABLE = "sessions", "projections", "bare-sessions"
AGENDA_TABLE = "agenda"
REGION = "us-east-1"


class Context:
    """A Lambda context with all the time in the world, as much of it as handlers and Powertools read."""

    function_name = "benchmark"
    memory_limit_in_mb = 512
    invoked_function_arn = f"arn:aws:lambda:{REGION}:123456789012:function:benchmark"
    aws_request_id = "benchmark"

    def get_remaining_time_in_millis(self) -> int:
        """Say how long the invocation may still take."""
        return 900_000


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A consumer of SQS batches and a projector of the stream of what it writes.

    Attributes:
        name: As the report calls it.
        consume: Handler of an SQS batch.
        project: Handler of a stream batch.
        sessions_table: What the consumer writes and the projector is fed from.
    """

    name: str
    consume: Callable[[dict[str, Any], Any], Any]
    project: Callable[[dict[str, Any], Any], Any]
    sessions_table: str


def make_pipelines() -> list[Pipeline]:
    """Give both pipelines, with clients for the environment as it is now."""
    simple = textbook.Textbook()
    return [
        Pipeline(OURS, sqs_consumer.lambda_handler, stream_projector.lambda_handler, SESSIONS_TABLE),
        Pipeline(TEXTBOOK, simple.consume, simple.project, textbook.SESSIONS_TABLE),
    ]


@contextmanager
def environment(*, dynamodb_endpoint: str, sqs_endpoint: str) -> Iterator[None]:
    """Set the handlers' environment, and throw away what they print."""
    settings = aws_settings(region=REGION, endpoint=sqs_endpoint, dynamodb_endpoint=dynamodb_endpoint) | {
        "SESSIONS_TABLE": SESSIONS_TABLE,
        "PROJECTIONS_TABLE": PROJECTIONS_TABLE,
        "SESSION_EVENTS_QUEUE_URL": f"{sqs_endpoint}/queue/session-events",
        "REJECTED_EVENTS_QUEUE_URL": f"{sqs_endpoint}/queue/rejected-events",
        "SESSIONS_BUS_NAME": "sessions",
        "ARCHIVE_STREAM_NAME": "sessions",
        "EXPIRY_AGENDA_TABLE": AGENDA_TABLE,
        "EXPIRY_INTERVAL_SECONDS": "60",  # one sweep an invocation
    }
    nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (closed below, with the redirection)
    with nowhere, redirect_stdout(nowhere), process_environment(settings, without_prefix="AWS_"):
        yield
