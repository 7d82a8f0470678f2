"""The deadline that a handler keeps: no request is begun after it."""

import math
import time
from collections.abc import Callable


class Deadline:
    """The end of the time that work may take.

    Args:
        left: Returns the seconds left; zero or less once the deadline has passed.
    """

    __slots__ = ("left",)

    def __init__(self, left: Callable[[], float]) -> None:
        self.left = left
        """Return the seconds left; infinite without a deadline."""

    @property
    def expired(self) -> bool:
        """Whether no further request may be begun."""
        return self.left() <= 0

    @classmethod
    def never(cls) -> "Deadline":
        """Return a deadline that does not come."""
        return cls(lambda: math.inf)

    @classmethod
    def of_context(cls, context: object, *, reserve: float) -> "Deadline":
        """Return the deadline of a Lambda invocation; without a Lambda context it never comes.

        Two clocks are asked and the earlier deadline counts. Lambda's own (`get_remaining_time_in_millis`) is computed
        from the wall clock, which may be set back meanwhile and would then promise time that is not there; the
        monotonic clock stands still while the execution environment is frozen, and would promise it as well.

        Args:
            context: The Lambda context, or anything else.
            reserve: Seconds kept back at the end of the invocation, to answer in.
        """
        remaining = getattr(context, "get_remaining_time_in_millis", None)
        if remaining is None:
            return cls.never()
        end = time.monotonic() + remaining() / 1000 - reserve
        return cls(lambda: min(end - time.monotonic(), remaining() / 1000 - reserve))


NEVER = Deadline.never()
"""No deadline: the default of everything that takes one."""
