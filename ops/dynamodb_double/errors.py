"""How the double refuses a request."""

from __future__ import annotations

from typing import Any


class ServiceError(Exception):
    """What the service would refuse, with its code.

    Args:
        code: As in `__type`, for example `ValidationException`.
        message: For humans.
        fields: What else the answer holds.
    """

    def __init__(self, code: str, message: str = "", **fields: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = fields


class NotSimulatedError(Exception):
    """A request that the double does not know: add it as the service answers it, and compare both engines.

    No answer is made up here: one that is too kind would let pass what the service refuses.
    """


class ConditionFailedError(Exception):
    """The condition of a write does not hold."""


def invalid(message: str) -> ServiceError:
    """Make the error of a request that breaks the rules of the service."""
    return ServiceError("ValidationException", message)
