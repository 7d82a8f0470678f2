"""Run pollers in threads, and tell when all of them have nothing left to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Protocol

from ops.event_sources.invocation import Progress

_SHORTEST_WAIT_SECONDS = 0.01
_LONGEST_WAIT_SECONDS = 0.2
_GATHERING_WAIT_SECONDS = 0.1
"""After a poll that emptied its source: reading record by record would only keep the engine from everybody else."""
_LOCK_SECONDS = 0.1
_CHECK_SECONDS = 0.02
_JOIN_SECONDS = 60.0


class PollerError(Exception):
    """A poller's thread ended with an error, its cause, or does not end."""


class Poller(Protocol):
    """What a thread can run: the pollers of event sources, and the TTL sweeper."""

    @property
    def is_idle(self) -> bool:
        """Whether it holds nothing back for later."""

    @property
    def next_due_at(self) -> float | None:
        """When it has something to do at the latest, epoch seconds; None if that depends on others."""

    def poll_once(self) -> Progress:
        """Do what there is to do, or some of it."""


class PollerThread:
    """Polls over and over: at once while there is more to do, and ever less often while there is nothing."""

    def __init__(self, name: str, poller: Poller, clock: Callable[[], float] = time.time) -> None:
        self.name = name
        self.poller = poller
        self.lock = threading.Lock()  # held while polling, so whoever holds it sees the poller between two polls
        self.is_resting = False
        self.error: BaseException | None = None
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Let the poll that is under way be the last one."""
        self._stopping.set()

    def join(self) -> None:
        """Wait for the last poll.

        Raises:
            PollerError: It does not end.
        """
        if self._thread.ident is None:
            return
        self._thread.join(_JOIN_SECONDS)
        if self._thread.is_alive():
            raise PollerError(f"{self.name} is still busy {_JOIN_SECONDS:.0f} s after it was asked to stop.")

    def poll(self) -> Progress:
        """Poll once, in whatever thread; to be called with the lock held. An error is remembered, too."""
        try:
            return self.poller.poll_once()
        except BaseException as error:
            self.error = error
            raise

    def _run(self) -> None:
        wait = _SHORTEST_WAIT_SECONDS
        try:
            while not self._stopping.is_set():
                with self.lock:
                    progress = self.poll()
                self.is_resting = progress == Progress.NONE
                if progress == Progress.MORE:
                    wait = _SHORTEST_WAIT_SECONDS
                else:
                    wait = min(2 * wait, _LONGEST_WAIT_SECONDS) if self.is_resting else _GATHERING_WAIT_SECONDS
                    self._stopping.wait(min(wait, self._until_due()))
        except BaseException:  # noqa: BLE001 (`poll` kept it for the thread that waits for this one)
            return

    def _until_due(self) -> float:
        due_at = self.poller.next_due_at
        return _LONGEST_WAIT_SECONDS if due_at is None else max(due_at - self._clock(), 0.001)


class Pollers:
    """All pollers of a stack."""

    def __init__(self, threads: Sequence[PollerThread], is_source_empty: Callable[[], bool]) -> None:
        """Set up, without starting anything.

        Args:
            threads: The pollers.
            is_source_empty: Whether all queues that feed them are empty, messages in flight counted.
        """
        self._threads = threads
        self._is_source_empty = is_source_empty

    def start(self) -> None:
        """Start polling."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop polling; the polls under way are finished first.

        Raises:
            PollerError: A poller failed, now or before, or does not end.
        """
        for thread in self._threads:
            thread.ask_to_stop()
        for thread in self._threads:
            thread.join()
        self.raise_error()

    def wait_until_drained(self, timeout: float) -> bool:
        """Wait until nothing is left to process, provided that nobody publishes meanwhile.

        Args:
            timeout: Seconds.

        Returns:
            Whether it came to that in time.

        Raises:
            PollerError: A poller failed.
        """
        give_up_at = time.monotonic() + timeout
        while True:
            self.raise_error()
            if all(thread.is_resting for thread in self._threads) and self._is_drained():
                return True
            if time.monotonic() > give_up_at:
                return False
            time.sleep(_CHECK_SECONDS)

    def raise_error(self) -> None:
        """Raise what a poller failed with, if one did.

        Raises:
            PollerError: With the poller's error as its cause.
        """
        for thread in self._threads:
            if thread.error is not None:
                raise PollerError(f"{thread.name}: {type(thread.error).__name__}: {thread.error}") from thread.error

    def _is_drained(self) -> bool:
        """Stop the world and look.

        While all locks are held nothing moves, so if a round of polls finds nothing, no poller holds anything, and the
        queues are empty, then there is nothing: no poll, and no write of a handler, can be under way meanwhile.
        """
        with ExitStack() as held:
            for thread in self._threads:
                if not thread.lock.acquire(timeout=_LOCK_SECONDS):
                    return False
                held.callback(thread.lock.release)
            if any(self._poll(thread) is not Progress.NONE for thread in self._threads):
                return False
            return all(thread.poller.is_idle for thread in self._threads) and self._is_source_empty()

    def _poll(self, thread: PollerThread) -> Progress:
        """Poll once in this thread, with errors raised as those of the poller's own."""
        try:
            return thread.poll()
        except Exception:
            self.raise_error()
            raise
