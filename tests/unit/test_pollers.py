"""When everything is drained, and where a poller's error comes out."""

from dataclasses import dataclass, field

import pytest

from ops.event_sources.invocation import Progress
from ops.local_stack.pollers import PollerError, Pollers, PollerThread


@dataclass
class Poller:
    """Polls as told: progress, or an error; then there is nothing more."""

    told: list[Progress | Exception] = field(default_factory=list)
    is_idle: bool = True
    next_due_at: float | None = None

    def poll_once(self) -> Progress:
        step = self.told.pop(0) if self.told else Progress.NONE
        if isinstance(step, Exception):
            raise step
        return step


def resting(poller: Poller) -> PollerThread:
    """A thread that is not started: only the look of `wait_until_drained` polls."""
    thread = PollerThread("consumer", poller)
    thread.is_resting = True
    return thread


def is_drained(*threads: PollerThread, is_source_empty: bool = True) -> bool:
    return Pollers(threads, lambda: is_source_empty).wait_until_drained(timeout=0)


def test_it_is_drained_when_a_round_of_polls_finds_nothing_and_nothing_is_held() -> None:
    assert is_drained(resting(Poller()), resting(Poller()))


def test_it_is_not_drained_while_a_poller_holds_something_back() -> None:
    assert not is_drained(resting(Poller()), resting(Poller(is_idle=False)))


def test_it_is_not_drained_while_a_source_queue_holds_a_message() -> None:
    assert not is_drained(resting(Poller()), is_source_empty=False)


@pytest.mark.parametrize("progress", [Progress.SOME, Progress.MORE])
def test_it_is_not_drained_when_the_look_itself_finds_work(progress: Progress) -> None:
    assert not is_drained(resting(Poller()), resting(Poller([progress])))


def test_it_is_not_drained_while_a_poll_is_under_way() -> None:
    busy = resting(Poller())

    with busy.lock:
        drained = is_drained(busy)

    assert not drained


def test_all_pollers_go_on_after_a_look() -> None:
    threads = [resting(Poller()), resting(Poller([Progress.MORE]))]

    is_drained(*threads)

    assert [thread.lock.locked() for thread in threads] == [False, False]


def test_an_error_that_the_look_meets_is_the_pollers() -> None:
    thread = resting(Poller([ConnectionError("gone")]))

    with pytest.raises(PollerError, match="consumer: ConnectionError: gone"):
        is_drained(thread)
    with pytest.raises(PollerError, match="consumer: ConnectionError: gone"):
        Pollers([thread], lambda: True).stop()


def test_an_error_in_a_thread_is_raised_where_one_waits_for_it_and_at_the_end() -> None:
    pollers = Pollers([PollerThread("consumer", Poller([ConnectionError("gone")]))], lambda: True)
    pollers.start()

    with pytest.raises(PollerError, match="consumer: ConnectionError: gone"):
        pollers.wait_until_drained(timeout=10)
    with pytest.raises(PollerError, match="consumer: ConnectionError: gone"):
        pollers.stop()


def test_a_thread_polls_on_until_it_is_stopped() -> None:
    poller = Poller([Progress.MORE, Progress.SOME, Progress.NONE, Progress.MORE])
    pollers = Pollers([PollerThread("consumer", poller)], lambda: True)

    pollers.start()
    drained = pollers.wait_until_drained(timeout=10)
    pollers.stop()

    assert drained
    assert poller.told == []
