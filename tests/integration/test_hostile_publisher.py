"""What a publisher that lies can do and cannot: the rows of docs/security.md that no other test shows."""

import json
from typing import Any

import pytest

from processors import sqs_consumer
from processors.session_table import SessionTable
from tests.conftest import Backend, at, login, logout, logout_all, sqs_record


class Context:
    """A Lambda context, as far as the handlers look at it."""

    function_name = "consumer"
    aws_request_id = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def consume(*events: Any) -> None:
    answer = sqs_consumer.lambda_handler({"Records": [sqs_record(event) for event in events]}, Context())
    assert answer == {"batchItemFailures": []}


def reasons(backend: Backend) -> list[str]:
    return [message["reason"] for message in backend.messages(backend.rejected_queue)]


def test_a_backdated_login_moves_the_start_back_and_neither_last_login_nor_an_end(backend: Backend) -> None:
    table: SessionTable = backend.sessions
    consume(login("s1", minute=10), login("s2", minute=10), logout("s2", minute=11))

    consume(login("s1", minute=-600, event_id="forged"), login("s2", minute=-600, event_id="forged-2"))

    live, ended = (table.get_session_by_session_id(name, "customer-1") for name in ("s1", "s2"))
    assert live is not None
    assert ended is not None
    assert (live.started_at, live.last_login_time) == (at(-600), at(10))
    assert (ended.session_state, ended.ended_at) == ("closing", at(11))


def test_a_login_beyond_the_largest_age_is_rejected_and_says_so(backend: Backend) -> None:
    consume(login("s1", minute=-60 * 24 * 15 - 60))

    [reason] = reasons(backend)
    assert reason.startswith("occurred_at lies more than 1,296,000 seconds back")
    assert backend.items() == []


def test_a_session_is_the_pair_of_session_and_customer_so_another_customers_id_ends_nothing_of_it(
    backend: Backend,
) -> None:
    consume(login("s1", "victim"))

    consume(logout("s1", "attacker"), login("s1", "attacker"), logout_all("attacker"))

    victim = backend.sessions.get_session_by_session_id("s1", "victim")
    assert victim is not None
    assert victim.session_state == "active"


def test_a_publisher_that_names_a_customer_logs_it_out_and_gives_the_reason_that_it_likes(backend: Backend) -> None:
    consume(login("s1", "victim"))

    consume(logout("s1", "victim", minute=1, reason="revoked"))

    ended = backend.sessions.get_session_by_session_id("s1", "victim")
    assert ended is not None
    assert (ended.session_state, ended.end_reason) == ("closing", "revoked")


def test_an_earlier_logout_gives_another_reason_and_time_but_never_another_state(backend: Backend) -> None:
    consume(login("s1", minute=0), logout("s1", minute=20, reason="security"))

    consume(logout("s1", minute=5, reason="user", event_id="forged"))

    ended = backend.sessions.get_session_by_session_id("s1", "customer-1")
    assert ended is not None
    assert (ended.session_state, ended.ended_at, ended.end_reason) == ("closing", at(5), "user")


def test_an_event_id_that_was_used_before_hides_no_event(backend: Backend) -> None:
    consume(login("s1", event_id="e-1"), login("s2", "victim", event_id="e-2"))

    consume(logout("s1", event_id="e-1"), logout("s2", "victim", event_id="e-1"))

    states = [
        backend.sessions.get_session_by_session_id(session, customer)
        for session, customer in (("s1", "customer-1"), ("s2", "victim"))
    ]
    assert [state and state.session_state for state in states] == ["closing", "closing"]


def test_every_line_of_the_log_says_when_where_and_what_and_is_one_line(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = '"}\n{"level": "INFO", "message": "all is well"}'

    consume({"event_id": forged, "event_type": "login", "customer_id": forged, "session_id": "s1"}, "{" + forged)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    said = [line for line in lines if "_aws" not in line]
    assert len(said) == len(reasons(backend)) == 2
    for line in said:
        assert {"level", "message", "timestamp", "message_id"} <= line.keys()
        assert (line["service"], line["function_request_id"]) == ("consumer", "request-1")
        assert line["message"] != "all is well"
        assert line["timestamp"].endswith(("Z", "+0000"))
        assert forged not in json.dumps(line, ensure_ascii=False)
