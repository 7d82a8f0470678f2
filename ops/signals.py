"""Ending in order: a signal becomes an exception."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndedBySignalError(BaseException):
    """Ctrl-C, a request to end, or a closed terminal.

    Like `KeyboardInterrupt` it is none of the errors that libraries catch: botocore would wrap it, and try again.
    """


@contextmanager
def ending_by_signal() -> Iterator[None]:
    """Turn the first signal to end into an exception, so that everything is taken down in order."""

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # once is enough: taking down is under way
        raise EndedBySignalError

    before = {number: signal.signal(number, end) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
