"""The clock. Handlers look it up when they are called, so that a simulation can put its own in its place."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Read the wall clock: aware UTC."""
    return datetime.now(UTC)
