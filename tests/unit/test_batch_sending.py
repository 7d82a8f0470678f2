"""Sending through requests of several: limits, partial failures, refusals, and the deadline."""

from collections.abc import Callable, Sequence

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from processors.aws.batch_sending import BatchSender, Failures, Limits
from processors.aws.deadline import NEVER, Deadline

LIMITS = Limits(entries=3, request_bytes=20, entry_bytes=10, overhead=1)


class Service:
    """Answers requests by a rule, and keeps them."""

    def __init__(self, code_of: Callable[[bytes], str | None] = lambda entry: None) -> None:
        self.code_of = code_of
        self.requests: list[list[bytes]] = []
        self.accepted: list[bytes] = []

    def __call__(self, entries: Sequence[bytes]) -> list[str | None]:
        self.requests.append(list(entries))
        codes = [self.code_of(entry) for entry in entries]
        self.accepted += [entry for entry, code in zip(entries, codes, strict=True) if code is None]
        return codes


def send(service: Service, *entries: bytes, deadline: Deadline = NEVER, waits: list[float] | None = None) -> Failures:
    waited: list[float] = [] if waits is None else waits
    return BatchSender(service, len, LIMITS, sleep=waited.append).send(entries, deadline)


def refusing(code: str) -> Callable[[bytes], str | None]:
    def code_of(entry: bytes) -> str | None:
        if entry.startswith(b"bad"):
            raise ClientError({"Error": {"Code": code, "Message": ""}}, "PutEvents")
        return None

    return code_of


@given(st.lists(st.binary(max_size=12), max_size=30))
def test_every_entry_that_fits_is_sent_once_within_the_limits(entries: list[bytes]) -> None:
    service = Service()

    failures = send(service, *entries)

    fitting = [entry for entry in entries if len(entry) <= 9]
    assert service.accepted == fitting
    assert failures.refused == {at: "EntryTooLarge" for at, entry in enumerate(entries) if len(entry) > 9}
    assert all(0 < len(request) <= 3 and sum(len(entry) + 1 for entry in request) <= 20 for request in service.requests)


def test_an_entry_that_was_throttled_is_sent_again_alone() -> None:
    answers = iter([None, "ThrottlingException", None, "InternalFailure", None])
    service, waits = Service(lambda entry: next(answers)), list[float]()

    failures = send(service, b"a", b"b", b"c", waits=waits)

    assert service.requests == [[b"a", b"b", b"c"], [b"b"], [b"b"]]
    assert failures == Failures()
    assert len(waits) == 2


def test_what_is_throttled_for_ever_is_unsent_and_what_is_refused_is_not_sent_again() -> None:
    codes = {b"a": "ThrottlingException", b"b": "MalformedDetail", b"c": None}
    service = Service(lambda entry: codes[entry])

    failures = send(service, b"a", b"b", b"c")

    assert failures == Failures(refused={1: "MalformedDetail"}, unsent={0: "ThrottlingException"})
    assert service.requests == [[b"a", b"b", b"c"], [b"a"], [b"a"], [b"a"], [b"a"]]


def test_a_request_that_is_wrong_in_itself_refuses_only_the_entry_that_makes_it_so() -> None:
    service = Service(refusing("ValidationException"))

    failures = send(service, b"a", b"bad", b"c")

    assert failures == Failures(refused={1: "ValidationException"})
    assert service.accepted == [b"a", b"c"]


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "ServiceUnavailable"])
def test_a_request_that_fails_may_succeed_later(code: str) -> None:
    failures = send(Service(refusing(code)), b"a", b"bad")

    assert failures == Failures(unsent={0: code, 1: code})


def test_a_service_that_does_not_answer_leaves_all_unsent() -> None:
    def time_out(entry: bytes) -> str | None:
        raise ReadTimeoutError(endpoint_url="x")

    assert send(Service(time_out), b"a") == Failures(unsent={0: "ReadTimeoutError"})


def test_nothing_is_sent_after_the_deadline() -> None:
    left = iter([1.0, 0.0])
    service = Service()

    failures = send(service, b"a", b"b", b"c", b"d", deadline=Deadline(lambda: next(left, 0.0)))

    assert service.requests == [[b"a", b"b", b"c"]]
    assert failures == Failures(unsent={3: "OutOfTime"})


def test_an_entry_that_was_refused_before_the_deadline_keeps_its_code() -> None:
    seconds = [1.0]

    def hang(entry: bytes) -> str | None:
        seconds[0] = 0.0
        raise ReadTimeoutError(endpoint_url="x")

    failures = send(Service(hang), b"a", b"b", b"c", b"d", deadline=Deadline(lambda: seconds[0]))

    assert failures == Failures(unsent=dict.fromkeys(range(3), "ReadTimeoutError") | {3: "OutOfTime"})
