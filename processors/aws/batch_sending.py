"""Sending many entries through requests of several, where a request may accept some and refuse others.

What may succeed later is sent again, with back-off; what is refused for good is not.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from processors.aws.deadline import Deadline
from processors.aws.errors import error_code
from processors.aws.parallel import run_all

Entry = TypeVar("Entry")

_PASSING_CODES = ("Throttl", "Internal", "Unavailable", "SlowDown", "Timeout", "LimitExceeded")
"""In the codes of entries that another attempt may bring through. Sources: EventBridge API, PutEventsResultEntry
(InternalFailure, InternalException, ThrottlingException); Firehose API, PutRecordBatch (ServiceUnavailableException,
InternalFailure)."""

_INVALID_CODES = ("ValidationException", "ValidationError", "InvalidArgument", "EntityTooLarge", "MalformedDetail")
"""In the codes of requests that are wrong in themselves; any other refused request may succeed later."""

_BACK_OFF_BASE_SECONDS = 0.05
_BACK_OFF_CAP_SECONDS = 2.0

TOO_LARGE = "EntryTooLarge"
OUT_OF_TIME = "OutOfTime"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a service takes in one request.

    Args:
        entries: Most entries.
        request_bytes: Most bytes of them all.
        entry_bytes: Most bytes of one.
        overhead: Bytes that count for each entry beside its own.
    """

    entries: int
    request_bytes: int
    entry_bytes: int
    overhead: int = 0


@dataclass(slots=True)
class Failures:
    """What was not accepted: error codes by position.

    Args:
        refused: Entries that are refused for good.
        unsent: Entries that another attempt may bring through, but retries or time ran out. `OUT_OF_TIME` says that
            they were never tried; else it is the code of the last attempt.
    """

    refused: dict[int, str] = field(default_factory=dict)
    unsent: dict[int, str] = field(default_factory=dict)

    def all(self) -> dict[int, str]:
        """Return both."""
        return self.refused | self.unsent


class BatchSender(Generic[Entry]):
    """Sends entries in as few requests as the service's limits allow.

    Args:
        request: Makes one request, and returns the error code of each entry; None where it was accepted.
        size_of: Returns the bytes of an entry.
        limits: What the service takes in one.
        concurrency: Most requests under way at a time.
        rounds: How often an entry is sent at most.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        request: Callable[[Sequence[Entry]], list[str | None]],
        size_of: Callable[[Entry], int],
        limits: Limits,
        *,
        concurrency: int = 1,
        rounds: int = 5,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._request = request
        self._size_of = size_of
        self._limits = limits
        self._concurrency = concurrency
        self._rounds = rounds
        self._sleep = sleep

    def send(self, entries: Sequence[Entry], deadline: Deadline) -> Failures:
        """Send entries; nothing is begun after the deadline, and nothing is raised.

        Returns:
            What was not accepted. Entries that were may have been sent twice, where an answer was lost.
        """
        failures = Failures()
        pending = []
        for position, entry in enumerate(entries):
            if self._size_of(entry) + self._limits.overhead > self._limits.entry_bytes:
                failures.refused[position] = TOO_LARGE
            else:
                pending.append(position)
        for attempt in range(self._rounds):
            if not pending:
                break
            if attempt:
                self._back_off(attempt, deadline)
            chunks = self._chunks(entries, pending)
            send = partial(self._send_chunk, entries, deadline)
            before, failures.unsent = failures.unsent, {}
            for found in run_all(send, chunks, concurrency=self._concurrency):
                failures.refused |= found.refused
                failures.unsent |= {
                    position: before.get(position, code) if code == OUT_OF_TIME else code
                    for position, code in found.unsent.items()
                }
            pending = sorted(failures.unsent)
        return failures

    def _send_chunk(self, entries: Sequence[Entry], deadline: Deadline, chunk: Sequence[int]) -> Failures:
        if deadline.expired:
            return Failures(unsent=dict.fromkeys(chunk, OUT_OF_TIME))
        try:
            codes = self._request([entries[position] for position in chunk])
        except (ClientError, BotoCoreError) as error:
            return self._refused_request(error_code(error), entries, deadline, chunk)
        failures = Failures()
        for position, code in zip(chunk, codes, strict=True):
            if code is not None:
                kind = failures.unsent if _has(code, _PASSING_CODES) else failures.refused
                kind[position] = code
        return failures

    def _refused_request(
        self, code: str, entries: Sequence[Entry], deadline: Deadline, chunk: Sequence[int]
    ) -> Failures:
        """Tell whose fault a refused request is: where it is wrong in itself, its entries are sent one by one."""
        if not _has(code, _INVALID_CODES):
            return Failures(unsent=dict.fromkeys(chunk, code))
        if len(chunk) == 1:
            return Failures(refused={chunk[0]: code})
        failures = Failures()
        for position in chunk:
            alone = self._send_chunk(entries, deadline, [position])
            failures.refused |= alone.refused
            failures.unsent |= alone.unsent
        return failures

    def _chunks(self, entries: Sequence[Entry], positions: Sequence[int]) -> list[list[int]]:
        chunks: list[list[int]] = []
        room = 0
        for position in positions:
            size = self._size_of(entries[position]) + self._limits.overhead
            if not chunks or len(chunks[-1]) == self._limits.entries or size > room:
                chunks.append([])
                room = self._limits.request_bytes
            chunks[-1].append(position)
            room -= size
        return chunks

    def _back_off(self, attempt: int, deadline: Deadline) -> None:
        """Wait with full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/."""
        longest = min(_BACK_OFF_BASE_SECONDS * 4**attempt, _BACK_OFF_CAP_SECONDS, max(deadline.left(), 0))
        self._sleep(random.uniform(0, longest))  # noqa: S311 # jitter, no secret


def _has(code: str, parts: Sequence[str]) -> bool:
    return any(part in code for part in parts)
