"""The clock, and waiting. Handlers look both up when they are called, so that a simulation can replace them."""

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Read the wall clock: aware UTC."""
    return datetime.now(UTC)


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)
