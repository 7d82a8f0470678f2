"""Failures of AWS requests, named without their messages, which may quote values."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError


class ThroughputError(Exception):
    """DynamoDB left keys unprocessed, again and again."""


class ReadError(Exception):
    """A table could not be read; trying again later is always safe.

    Args:
        code: The service's error code, or the name of the client's exception.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def error_code(error: Exception) -> str:
    """Return the code of a failed request, without its message."""
    if isinstance(error, ReadError):
        return error.code
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__


@contextmanager
def raising_read_errors() -> Iterator[None]:
    """Turn every failure of a read into a `ReadError`."""
    try:
        yield
    except (ClientError, BotoCoreError, ThroughputError) as error:
        raise ReadError(error_code(error)) from error
