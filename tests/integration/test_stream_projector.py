"""The stream projector through its handler: real stream records of real writes."""

import json
import random
from typing import Any

import pytest

from processors import sqs_consumer, stream_projector
from processors.projections.activity import CustomerActivity
from tests.conftest import NOW, Backend, at, login, logout, logout_all, sqs_record

pytestmark = pytest.mark.usefixtures("clock_of_the_tests")

SEEDS = range(8)


def project(records: list[dict[str, Any]]) -> dict[str, Any]:
    return stream_projector.lambda_handler({"Records": records}, None)


def activity(backend: Backend, customer_id: str = "customer-1", minute: float = 1) -> CustomerActivity:
    return backend.projections.get_customer_activity(customer_id, now=at(minute))


def test_the_projection_counts_live_sessions_and_knows_the_last_login(backend: Backend) -> None:
    backend.sessions.apply(
        [
            login("a"),
            login("b", minute=2),
            logout("b"),
            login("c", minute=1, expires_at=at(60)),
            login("k", minute=3, parent_session_id="a"),
        ]
    )

    assert project(backend.stream_records()) == {"batchItemFailures": []}

    found = activity(backend, minute=4)
    assert (found.session_count, found.session_ids, found.is_exact) == (2, ["a", "c"], True)
    assert (found.last_login_time, found.last_login_session_id) == (at(3), "k")


def test_the_time_from_a_login_to_its_projection_is_measured_once_per_login_and_not_for_logouts(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    backend.sessions.apply([login("a", minute=-2), login("b", minute=-1)])
    backend.sessions.apply([logout("a")])

    project(backend.stream_records())

    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "projection_delay_seconds" in line]
    assert (line["service"], line["projection_delay_seconds"]) == ("stream_projector", [120.0, 60.0])


def test_of_many_logins_a_sample_with_the_longest_delay_is_measured(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    backend.sessions.apply([login(f"s-{number}", minute=-number) for number in range(41)])

    project(backend.stream_records())

    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "projection_delay_seconds" in line]
    assert max(line["projection_delay_seconds"]) == 2400
    assert 10 <= len(line["projection_delay_seconds"]) <= 20


def test_the_count_is_right_the_second_a_session_runs_out(backend: Backend) -> None:
    backend.sessions.apply([login("a", expires_at=at(60)), login("b", expires_at=at(90))])
    project(backend.stream_records())

    counts = [activity(backend, minute=minute).session_count for minute in (59.99, 60, 89.99, 90)]
    assert counts == [2, 1, 1, 0]
    [item] = backend.items(backend.projections_table)
    assert item["session_count"] == {"N": "2"}
    assert item["count_valid_until"] == {"N": str(int(at(60).timestamp()))}


def test_an_unknown_customer_has_nothing(backend: Backend) -> None:
    assert activity(backend, "nobody") == CustomerActivity("nobody", None, None, 0, True, [])


@pytest.mark.parametrize("seed", SEEDS)
def test_any_redelivery_in_any_batches_ends_in_the_same_projection(backend: Backend, seed: int) -> None:
    source = random.Random(seed)
    sessions = [f"s{number}" for number in range(6)]
    events: list[Any] = [login(name, minute=source.randrange(5)) for name in sessions]
    events += [login(name, minute=5 + source.randrange(5)) for name in sessions[:3]]
    events += [logout(name, minute=20) for name in sessions[::2]]
    source.shuffle(events)
    for event in events:
        backend.sessions.apply([event])
    records = backend.stream_records()

    for _ in range(12):
        start = source.randrange(len(records))
        assert project(records[start : start + source.randrange(1, 8)]) == {"batchItemFailures": []}
    project(records)
    for _ in range(6):
        start = source.randrange(len(records))
        project(records[start : start + source.randrange(1, 8)])

    found = activity(backend)
    assert found.session_ids == ["s1", "s3", "s5"]
    assert found.last_login_time == max(event.occurred_at for event in events if event.event_type == "login")


def test_an_older_image_is_read_again_after_an_end_was_merged(backend: Backend) -> None:
    backend.sessions.create_session(login("a"))
    backend.sessions.expire_session(logout("a"))
    born, ended = backend.stream_records()

    project([born, ended])
    project([born])

    assert activity(backend).session_count == 0


def test_a_redelivered_live_image_writes_nothing(backend: Backend) -> None:
    backend.sessions.create_session(login("a"))
    records = backend.stream_records()
    project(records)
    before = backend.items(backend.projections_table)

    project(records)

    assert backend.items(backend.projections_table) == before


def test_revocations_are_merged_into_the_projection(backend: Backend) -> None:
    backend.sessions.apply([logout_all(minute=1, except_session_id="a"), logout_all(minute=2)])

    project(backend.stream_records())

    [item] = backend.items(backend.projections_table)
    assert item["revoked_at"] == {"S": "2026-03-01T12:02:00.000Z"}
    assert item["other_revoked_at"] == {"S": "2026-03-01T12:01:00.000Z"}
    assert item["other_except_session_id"] == {"S": "a"}


def test_a_tombstone_without_login_makes_no_projection(backend: Backend) -> None:
    backend.sessions.expire_session(logout("a"))

    project(backend.stream_records())

    assert backend.items(backend.projections_table) == []


def test_a_childs_logout_that_came_first_and_without_its_parent_ends_it_after_all(backend: Backend) -> None:
    backend.sessions.expire_session(logout("child", minute=1, reason="security"))
    backend.sessions.apply([login("s1"), login("child", minute=0, parent_session_id="s1")])

    project(backend.stream_records())
    commands = backend.messages(backend.commands_queue)
    sqs_consumer.lambda_handler({"Records": [sqs_record(command) for command in commands]}, None)

    [child] = backend.sessions.get_child_sessions_by_session_id("s1")
    assert (child.is_live(NOW), child.ended_at, child.end_reason) == (False, at(1), "security")
    assert len({json.dumps(command) for command in commands}) == 1


def test_commands_that_cannot_be_sent_fail_their_records(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    backend.sessions.expire_session(logout("child", minute=1))
    backend.sessions.apply([login("child", minute=0, parent_session_id="s1")])
    monkeypatch.setenv("SESSION_COMMANDS_QUEUE_URL", backend.commands_queue + "-gone")
    records = backend.stream_records()

    response = project(records)

    assert response["batchItemFailures"] == [{"itemIdentifier": records[0]["dynamodb"]["SequenceNumber"]}]


def test_a_record_of_a_later_format_fails_alone(backend: Backend) -> None:
    backend.sessions.create_session(login("first"))
    project(backend.stream_records())
    for name in ("a", "b", "c"):
        backend.sessions.create_session(login(name))
    records = backend.stream_records()[1:]
    records[1]["dynamodb"]["NewImage"]["item_format"] = {"N": "2"}

    response = project(records)

    assert response == {"batchItemFailures": [{"itemIdentifier": records[1]["dynamodb"]["SequenceNumber"]}]}
    assert activity(backend).session_ids == ["a", "c", "first"]


def test_items_of_others_in_the_table_are_passed_over(backend: Backend) -> None:
    backend.dynamodb.put_item(
        TableName=backend.sessions_table, Item={"PK": {"S": "config"}, "SK": {"S": "x"}, "n": {"N": "1"}}
    )

    assert project(backend.stream_records()) == {"batchItemFailures": []}
    assert backend.items(backend.projections_table) == []


def test_the_lowest_failed_sequence_number_is_compared_as_an_integer(backend: Backend) -> None:
    records = [
        {"eventName": "INSERT", "dynamodb": {"SequenceNumber": number, "NewImage": {}}} for number in ("1000", "0999")
    ]

    assert project(records) == {"batchItemFailures": [{"itemIdentifier": "0999"}]}


def test_customers_with_more_sessions_than_are_kept_are_counted_as_at_least(backend: Backend) -> None:
    backend.sessions.apply([login(f"s{number:03}", expires_at=at(60 + number)) for number in range(300)])

    project(backend.stream_records())

    found = activity(backend)
    assert (found.session_count, found.is_exact) == (256, False)
    later = activity(backend, minute=60 + 43)
    assert (later.session_count, later.is_exact) == (256, True)
    assert activity(backend, minute=60 + 44).session_count == 255
