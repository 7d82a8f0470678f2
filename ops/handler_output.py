"""What handlers print while they run in this process: keep it off the screen, and add up the metrics in it.

Lambda sends standard output to CloudWatch, which reads metrics out of it: lines of JSON in the embedded metric format
(EMF, "CloudWatch embedded metric format specification"). Here a file takes its place.
"""

import io
import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO


class HandlerOutput(io.TextIOBase):
    """A text stream that writes whole lines to a file and adds up the metrics among them.

    Lines of several threads never mix.

    Args:
        file: A file opened for writing, which is closed with this.

    Attributes:
        log_lines: How many lines were no metrics.
    """

    def __init__(self, file: TextIO) -> None:
        self.log_lines = 0
        self._file = file
        self._metrics: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._unfinished = threading.local()

    @classmethod
    def overwriting(cls, path: Path) -> "HandlerOutput":
        """Write to a file from its beginning.

        Raises:
            OSError: It cannot be opened.
        """
        return cls(path.open("w", encoding="utf-8"))

    @property
    def path(self) -> Path:
        """Where the file is."""
        return Path(self._file.name)

    def writable(self) -> bool:
        """Say that this stream takes text."""
        return True

    def write(self, text: str) -> int:
        """Take text; a line counts once it is complete."""
        *lines, rest = (getattr(self._unfinished, "text", "") + text).split("\n")
        self._unfinished.text = rest
        with self._lock:
            for line in lines:
                self._take(line)
        return len(text)

    def flush(self) -> None:
        """Let the file have everything so far."""
        with self._lock:
            if not self._file.closed:
                self._file.flush()

    def metrics(self) -> Counter[str]:
        """Sum of every metric so far, by name."""
        with self._lock:
            return self._metrics.copy()

    def close(self) -> None:
        """Close the file; what is printed later is dropped."""
        with self._lock:
            self._file.close()
        super().close()

    @contextmanager
    def captured(self) -> Iterator["HandlerOutput"]:
        """Take the place of standard output and standard error."""
        screen = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = self
        try:
            yield self
        finally:
            sys.stdout, sys.stderr = screen
            self.close()

    def _take(self, line: str) -> None:
        if not line or self._file.closed:
            return
        self._file.write(line + "\n")
        metrics = _metrics_of(line)
        self._metrics.update(metrics)
        self.log_lines += not metrics


def _metrics_of(line: str) -> Counter[str]:
    """Read the metrics of an EMF line; a value may be a number or a list of them."""
    if '"_aws"' not in line:
        return Counter()
    try:
        record = json.loads(line)
        names = [metric["Name"] for group in record["_aws"]["CloudWatchMetrics"] for metric in group["Metrics"]]
        return Counter({name: _sum(record[name]) for name in names})
    except (KeyError, TypeError, ValueError):
        return Counter()  # a log line that only looks like one


def _sum(value: Any) -> int:
    return round(sum(value)) if isinstance(value, list) else round(value)
