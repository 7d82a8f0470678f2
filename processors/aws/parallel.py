"""Requests that overlap: bounded, and in the caller's thread where there is nothing to overlap."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Job = TypeVar("Job")
Answer = TypeVar("Answer")


def run_all(function: Callable[[Job], Answer], jobs: Sequence[Job], *, concurrency: int) -> list[Answer]:
    """Call a function for each job, and wait for all of them.

    Args:
        function: Makes one request, and calls `run_all` for no more than one job itself.
        jobs: What to call it with.
        concurrency: Most calls at a time. With 1, as with a single job, no thread is used.

    Returns:
        The answers, in the order of the jobs. The first error is raised, after the others have ended.
    """
    if concurrency == 1 or len(jobs) < 2:
        return [function(job) for job in jobs]
    futures = [_pool(concurrency).submit(function, job) for job in jobs]
    errors = [error for future in futures if (error := future.exception()) is not None]
    if errors:
        raise errors[0]
    return [future.result() for future in futures]


def chunks(elements: Sequence[Job], size: int) -> list[Sequence[Job]]:
    """Cut a sequence into parts of at most `size` elements."""
    return [elements[start : start + size] for start in range(0, len(elements), size)]


@cache
def _pool(concurrency: int) -> "ThreadPoolExecutor":
    """Return a pool that is kept: starting its threads for each batch costs more than the requests."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 # not at a cold start

    return ThreadPoolExecutor(concurrency, thread_name_prefix="request")
