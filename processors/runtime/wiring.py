"""The Lambda runtime around a handler: settings, clients, the deadline. Nothing happens at import."""

import os
import threading
from functools import lru_cache
from typing import Any

import botocore
import botocore.session
from botocore.config import Config

from processors.aws.answers import take_items_as_they_come
from processors.aws.deadline import Deadline
from processors.aws.failed_batches import FailedBatches
from processors.aws.message_queue import MessageQueue
from processors.projection_table import ProjectionTable
from processors.register.erased import ErasedCustomers
from processors.runtime import clock
from processors.runtime.settings import Settings
from processors.runtime.telemetry import configure_logging
from processors.session_table import SessionTable

_RESERVE_SECONDS = 2.0
"""Kept back at the end of an invocation, to answer in: nothing is begun with less time left."""

_CLIENT_CONFIG = Config(
    connect_timeout=1,
    read_timeout=4,  # three attempts stay below the functions' 30 s
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=16,
    user_agent=f"session-event-processor Botocore/{botocore.__version__}",  # constant, and it names us in CloudTrail
    parameter_validation=False,  # a third of the CPU of a write, for requests whose shape is ours (decision 17)
)
CONCURRENCY = 8
"""Requests that a handler has under way at a time, where it writes batches of statements. Below the pool's size."""

_CLIENT_KEY_VARIABLES = (
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_EVENTBRIDGE",
    "AWS_ENDPOINT_URL_FIREHOSE",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ENDPOINT_URL_S3",
)
_lock = threading.Lock()


def read_settings(*needs: str, context: object = None) -> Settings:
    """Read the environment and configure the log lines.

    Args:
        needs: Variables the handler cannot do without.
        context: The Lambda context, whose function and request id every log line carries.

    Raises:
        SettingsError: One is missing or wrong.
    """
    settings = Settings.from_environment(os.environ, needs=needs)
    configure_logging(settings.log_level, context=context)
    return settings


def client(service: str) -> Any:
    """Give a client, made once for as long as region and endpoints stay the same.

    It is the client that boto3 gives, made without boto3: resources and S3 transfers need not be imported.
    """
    with _lock:  # one is enough, whoever asks first
        return _client(service, tuple(os.environ.get(name) for name in _CLIENT_KEY_VARIABLES))


@lru_cache(maxsize=16)
def _client(service: str, _variables: tuple[str | None, ...]) -> Any:
    made: Any = botocore.session.get_session().create_client(service, config=_CLIENT_CONFIG)
    if service == "dynamodb":
        take_items_as_they_come(made)
    return made


def session_table(settings: Settings) -> SessionTable:
    """Make the sessions table of a handler."""
    return SessionTable(
        client("dynamodb"),
        settings.sessions_table,
        lifetimes=settings.lifetimes,
        max_event_age=settings.max_event_age,
        batch_statements=settings.batch_statements,
        clock=clock.utc_now,
        concurrency=concurrency(settings),
        erased=_erased_customers(client("dynamodb"), settings.sessions_table),
    )


@lru_cache(maxsize=4)
def _erased_customers(dynamodb: Any, table_name: str) -> ErasedCustomers:
    """Return the list of erased customers, the same for all invocations of a container."""
    return ErasedCustomers(dynamodb, table_name, clock=lambda: clock.utc_now())  # noqa: PLW0108 # looked up when called


def projection_table(settings: Settings, sessions: SessionTable) -> ProjectionTable:
    """Make the projections table of a handler."""
    return ProjectionTable(
        client("dynamodb"),
        settings.projections_table,
        sessions=sessions,
        batch_statements=settings.batch_statements,
        clock=clock.utc_now,
        limit=settings.max_sessions_per_customer,
        concurrency=concurrency(settings),
    )


def message_queue(settings: Settings, url: str) -> MessageQueue:
    """Make a queue that a handler sends to."""
    return MessageQueue(client("sqs"), url, concurrency=concurrency(settings))


def failed_batches(settings: Settings, context: object) -> FailedBatches | None:
    """Return where unreadable stream records are set aside; None without `FAILED_BATCHES_BUCKET`."""
    if not settings.failed_batches_bucket:
        return None
    return FailedBatches(client("s3"), settings.failed_batches_bucket, context=context, clock=clock.utc_now)


def concurrency(settings: Settings) -> int:
    """How many requests may overlap: one where the engine takes single writes, as moto's state is not thread-safe."""
    return CONCURRENCY if settings.batch_statements else 1


def deadline(context: object, *, reserve: float = _RESERVE_SECONDS) -> Deadline:
    """Return when the handler must have answered, less a reserve; without a Lambda context it never comes."""
    return Deadline.of_context(context, reserve=reserve)
