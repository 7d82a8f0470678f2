"""Sessions are ended deliberately: shown, asked for, ended by ordinary logouts, and seen to have ended."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from ops.publishing.publisher import Channel, Publisher
from ops.revocation.choosing import AmbiguousSessionError, choose, choose_customer, choose_session
from ops.revocation.revoking import Order, Published, publish, wait_until_ended
from ops.sessionctl.app import app
from processors.sqs_consumer import lambda_handler as consume
from processors.stream_projector import lambda_handler as project
from schemas.events import Client, Event
from schemas.items import Session
from tests.conftest import Backend, at, login, logout, sqs_record
from tests.deployed_stack import NAME, deploy
from tests.deployed_stack import on_moto_alone as pytest_generate_tests  # noqa: F401 # pytest calls it

NOW = at(60)
START = datetime.now(UTC) - timedelta(hours=1)


def recent(session_id: str, customer_id: str = "one", **fields: Any) -> Event:
    """A login an hour ago by the real clock, which the command line goes by."""
    return login(session_id, customer_id, **fields).model_copy(update={"occurred_at": START})


@pytest.fixture
def stack(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Backend:
    monkeypatch.setattr("processors.runtime.clock.utc_now", lambda: datetime.now(UTC))
    deploy(backend)
    backend.sessions.apply(
        [
            recent("s-1", client=Client(country="XX")),
            recent("s-2", client=Client(country="GB")),
            recent("tab", parent_session_id="s-1", client=Client(country="XX")),
            recent("s-3", "two", client=Client(country="xx")),
            recent("shared", "one"),
            recent("shared", "two"),
            recent("out", client=Client(country="XX")),
            logout("out", "one", minute=1),
        ]
    )
    project({"Records": backend.stream_records()}, None)
    return backend


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["revoke", *arguments, "--stack-name", NAME])


QUIETLY = ("--yes", "--no-wait", "--via", "sqs")


def record(event: Any) -> dict[str, Any]:
    """A record of an SQS batch that was sent now, by the real clock."""
    sent_at = str(int(datetime.now(UTC).timestamp() * 1000))
    return sqs_record(event) | {"attributes": {"SentTimestamp": sent_at}}


def carry_out(stack: Backend) -> list[dict[str, Any]]:
    """Give what was published to the consumer."""
    bodies = stack.messages(stack.events_queue)
    assert consume({"Records": [record(body) for body in bodies]}, None) == {"batchItemFailures": []}
    return bodies


def live(stack: Backend) -> set[str]:
    sessions = [
        each
        for customer_id in ("one", "two")
        for each in stack.sessions.get_sessions_by_customer_id(customer_id, now=datetime.now(UTC))
    ]
    return {f"{session.session_id} of {session.customer_id}" for session in sessions}


def test_a_dry_run_shows_what_would_end_and_publishes_nothing(stack: Backend) -> None:
    result = run("--where", "country=XX", "--dry-run")

    assert result.exit_code == 0, result.stderr
    assert "This would end 3 sessions of 2 customers. Nothing was changed." in result.stderr
    assert all(session_id in result.stdout for session_id in ("s-1", "tab", "s-3"))
    assert "s-2" not in result.stdout
    assert stack.messages(stack.events_queue) == []


def test_a_dry_run_lists_all_of_them_for_programs(stack: Backend) -> None:
    names = run("--where", "country=XX", "--dry-run", "-o", "name").stdout.split()
    document = json.loads(run("--where", "country=XX", "--dry-run", "--json").stdout)

    assert sorted(names) == ["s-1", "s-3", "tab"]
    assert [each["session_id"] for each in document["sessions"]] == names
    assert (document["dry_run"], document["published"], document["still_live"]) == (True, 0, None)


def test_all_live_sessions_that_meet_every_condition_end_with_the_reason(stack: Backend) -> None:
    result = run("--where", "country=XX", "--where", "customer=one", "--reason", "stolen", *QUIETLY)
    bodies = carry_out(stack)

    assert "Published 2 of 2 logouts to stack prod over SQS." in result.stderr
    assert {(body["event_type"], body["reason"], body["source"]) for body in bodies} == {
        ("logout", "stolen", "sessionctl")
    }
    assert live(stack) == {"s-2 of one", "s-3 of two", "shared of one", "shared of two"}


def test_a_session_ends_with_its_children_by_its_id_alone(stack: Backend) -> None:
    run("session", "s-1", *QUIETLY)
    bodies = carry_out(stack)

    assert {(body["session_id"], body.get("parent_session_id")) for body in bodies} == {("s-1", None), ("tab", "s-1")}
    child = stack.sessions.get_session_by_child_session_id("tab")
    assert child is not None
    assert (child.end_reason, child.is_live(datetime.now(UTC))) == ("security", False)


def test_a_child_session_ends_alone(stack: Backend) -> None:
    run("session", "tab", *QUIETLY)
    carry_out(stack)

    child = stack.sessions.get_session_by_child_session_id("tab")
    assert child is not None
    assert child.end_reason == "security"
    assert "s-1 of one" in live(stack)


def test_of_customers_who_share_a_session_id_one_has_to_be_named(stack: Backend) -> None:
    refused = run("session", "shared", *QUIETLY)
    run("session", "shared", "--customer", "two", *QUIETLY)
    carry_out(stack)

    assert refused.exit_code == 2
    assert "2 customers have a session shared: say whose with --customer" in refused.stderr
    assert "shared of one" in live(stack)
    assert "shared of two" not in live(stack)


def test_everything_of_a_customer_ends_also_what_nobody_sees_yet(stack: Backend) -> None:
    run("customer", "one", *QUIETLY)
    late = recent("late", "one")
    bodies = carry_out(stack)
    consume({"Records": [record(late)]}, None)
    project({"Records": stack.stream_records()}, None)
    commands = stack.messages(stack.commands_queue)

    assert bodies[-1]["event_type"] == "logout_all"
    assert "late" in {command["session_id"] for command in commands}
    [ended] = list(stack.sessions.reader.find_parents("s-2").values())
    assert ended.end_reason == "security", "the chosen reason, not the revocation's"


def test_one_session_of_a_customer_can_stay(stack: Backend) -> None:
    run("customer", "one", "--except", "s-1", *QUIETLY)
    bodies = carry_out(stack)

    assert {body.get("session_id") for body in bodies} == {"s-2", "shared", None}
    assert bodies[-1]["except_session_id"] == "s-1"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("session", "out", *QUIETLY), 0, "Session out is over already."),
        (("session", "nope", *QUIETLY), 1, "There is no session nope."),
        (("--where", "country=ZZ", *QUIETLY), 1, "No live session meets the condition, of "),
        (("--where", "country"), 2, "'country' is not NAME=VALUE"),
        (("--where", "colour=red"), 2, "'colour' is not one of"),
        (("--where", "country=XX", "--where", "country=GB"), 2, "country is given twice"),
        (("--where", "country=XX"), 2, "Nobody can be asked here: repeat the command with --yes"),
    ],
)
def test_what_ends_nothing_says_so(stack: Backend, arguments: tuple[str, ...], code: int, said: str) -> None:
    result = run(*arguments)

    assert (result.exit_code, stack.messages(stack.events_queue)) == (code, [])
    assert said in " ".join(result.stderr.replace("│", " ").split())


def test_options_before_the_command_are_refused_as_they_would_mean_another_stack() -> None:
    result = CliRunner().invoke(app, ["revoke", "--stack-name", NAME, "session", "s-1", "--yes"])

    assert result.exit_code == 2
    assert "give --stack-name there" in result.stderr


def test_running_it_again_ends_nobody_twice(stack: Backend) -> None:
    run("--where", "country=XX", *QUIETLY)
    carry_out(stack)

    again = run("--where", "country=XX", *QUIETLY)

    assert again.exit_code == 1
    assert stack.messages(stack.events_queue) == []


def test_sessions_are_seen_to_end_and_those_that_do_not_are_named(backend: Backend) -> None:
    backend.sessions.apply([login("a"), login("b"), login("short", expires_at=at(61))])
    chosen = choose(backend.sessions.get_sessions_by_customer_id("customer-1", now=NOW))
    clock = iter(NOW + timedelta(seconds=10 * number) for number in range(1, 100))
    ended: list[int] = []

    def pause(_: float) -> None:
        backend.sessions.apply([logout("a", minute=60)])

    live_still = wait_until_ended(
        backend.sessions.reader,
        chosen.targets,
        timeout_seconds=60,
        now=lambda: next(clock),
        on_ended=ended.append,
        pause=pause,
    )

    assert [target.session_id for target in live_still] == ["b"]
    assert sum(ended) == 2, "one was logged out, one ran out"


@pytest.fixture
def order() -> Order:
    return Order(reason="security", occurred_at=NOW, channel=Channel.QUEUE)


def test_ctrl_c_in_the_middle_leaves_the_number_of_those_that_were_published(backend: Backend, order: Order) -> None:
    sessions = [Session(session_id=f"s-{number}", customer_id="c") for number in range(35)]
    publisher = Publisher(events=boto3.client("events"), sqs=backend.sqs, bus_name="", queue_url=backend.events_queue)
    report, seen = Published(0, []), 0

    def interrupt(count: int) -> None:
        nonlocal seen
        seen += count
        if seen == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(publisher, order.logouts(choose(sessions).targets), report, interrupt)

    assert report.count == 20
    assert len(backend.messages(backend.events_queue)) == 20


def test_the_logout_of_everything_comes_after_the_logouts_so_that_their_reason_counts(order: Order) -> None:
    [target] = choose([Session(session_id="s", customer_id="c")]).targets
    [one] = order.logouts([target])
    everything = order.logout_all("c")

    assert json.loads(one.body)["occurred_at"] < json.loads(everything.body)["occurred_at"]
    assert one.detail_type == ""


def test_a_child_of_the_original_schema_that_names_no_customer_is_left_to_its_parent() -> None:
    child = Session(session_id="tab", customer_id=None, parent_session_id="s")

    assert choose([child]).targets == []


def test_choosing_names_what_is_live_and_only_that(backend: Backend) -> None:
    backend.sessions.apply(
        [login("a"), login("b"), logout("b"), login("a", "customer-2"), login("tab", parent_session_id="a")]
    )
    project({"Records": backend.stream_records()}, None)

    with pytest.raises(AmbiguousSessionError, match="2 customers have a session a"):
        choose_session(backend.sessions, "a", None, NOW)
    family = choose_session(backend.sessions, "a", "customer-1", NOW)
    over = choose_session(backend.sessions, "b", None, NOW)
    every = choose_customer(backend.sessions, backend.projections, "customer-1", NOW)

    assert [target.session_id for target in family.targets] == ["a", "tab"]
    assert (over.targets, over.is_known) == ([], True)
    assert every.in_words() == "2 sessions of 1 customer"
