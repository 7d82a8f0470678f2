"""Requests that overlap."""

import threading

import pytest

from processors.aws.parallel import run_all


def test_answers_come_in_the_order_of_the_jobs() -> None:
    released = threading.Event()

    def answer(job: int) -> int:
        if job == 0:
            assert released.wait(10)
        released.set()
        return job * 2

    assert run_all(answer, [0, 1, 2], concurrency=2) == [0, 2, 4]


def test_as_many_jobs_as_allowed_run_at_a_time_and_no_more() -> None:
    together = threading.Barrier(3, timeout=10)
    running, most = [], []

    def meet(job: int) -> None:
        running.append(job)
        most.append(len(running))
        together.wait()  # passes only where three have come
        running.remove(job)

    run_all(meet, range(9), concurrency=3)

    assert max(most) == 3


@pytest.mark.parametrize(("jobs", "concurrency"), [([1, 2, 3], 1), ([1], 8)])
def test_where_nothing_overlaps_no_thread_is_used(jobs: list[int], concurrency: int) -> None:
    threads = run_all(lambda job: threading.current_thread(), jobs, concurrency=concurrency)

    assert set(threads) == {threading.current_thread()}


def test_an_error_is_raised_after_the_other_jobs_have_ended() -> None:
    ended = []

    def fail_once(job: int) -> None:
        if job == 0:
            raise ValueError("the first")
        ended.append(job)

    with pytest.raises(ValueError, match="the first"):
        run_all(fail_once, [0, 1, 2, 3], concurrency=2)
    assert sorted(ended) == [1, 2, 3]
