"""Errors of the boundary."""


class RejectedEventError(ValueError):
    """An event that no retry can fix.

    Args:
        reason: What is wrong and what to do about it, without any value of the event: it may be logged.
        event_id: The event's id, where it could be read.
    """

    def __init__(self, reason: str, *, event_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.event_id = event_id


class MalformedItemError(ValueError):
    """A stored item or stream image that breaks the table's schema; the message names the item and the attribute."""


class NewerFormatError(MalformedItemError):
    """A stored item or image that a later release wrote: it is not written here, and not guessed at."""
