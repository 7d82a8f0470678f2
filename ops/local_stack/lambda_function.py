"""A Lambda function that runs in this process."""

from __future__ import annotations

import importlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import uuid4

from ops.event_sources.invocation import Event, FunctionError, Json

Handler: TypeAlias = Callable[[dict[str, Any], Any], Any]

_logger = logging.getLogger(__name__)


class HandlerError(Exception):
    """A function's handler cannot be imported; the message says why."""


@dataclass(frozen=True)
class LambdaContext:
    """What a handler may ask of its invocation. Source: AWS Lambda Developer Guide, "Lambda context object, Python"."""

    function_name: str
    invoked_function_arn: str
    aws_request_id: str
    deadline: float
    memory_limit_in_mb: str = "512"
    function_version: str = "$LATEST"
    log_group_name: str = "local"
    log_stream_name: str = "local"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds left until the function times out, 0 at least."""
        return max(0, int((self.deadline - time.monotonic()) * 1000))


@dataclass(frozen=True)
class LambdaFunction:
    """A function, invoked by calling it: an `Invoke`.

    Attributes:
        name: The function's name.
        arn: Its ARN.
        handler: What to call.
        timeout_seconds: A handler that takes longer has failed, though nothing interrupts it.
    """

    name: str
    arn: str
    handler: Handler
    timeout_seconds: float

    def __call__(self, event: Event) -> Json:
        """Run the handler on a copy of the event, as JSON would carry it, and return what JSON carries back.

        Raises:
            FunctionError: The handler raised, returned what is not JSON, or took too long.
        """
        deadline = time.monotonic() + self.timeout_seconds
        context = LambdaContext(self.name, self.arn, str(uuid4()), deadline)
        try:
            response = json.loads(json.dumps(self.handler(json.loads(json.dumps(event)), context)))
        except Exception as error:
            _logger.warning("%s failed", self.name, exc_info=True)
            raise FunctionError(f"{type(error).__name__}: {error}") from error
        if time.monotonic() > deadline:
            raise FunctionError(f"Task timed out after {self.timeout_seconds:.2f} seconds")
        return response


def load_handler(path: str) -> Handler:
    """Import a handler.

    Args:
        path: As in the template, `package.module.function`.

    Raises:
        HandlerError: There is no such module or function.
    """
    module_name, _, function_name = path.rpartition(".")
    try:
        handler: Handler = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise HandlerError(f"handler {path!r} cannot be imported: {error}") from error
    return handler
