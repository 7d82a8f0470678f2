"""The sessions table: every access pattern, on every engine, whichever way it writes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from processors.session_table import SessionTable
from schemas.items import Session
from schemas.outcomes import Outcome
from tests.conftest import NOW, Backend, at, login, logout, logout_all


def test_a_login_makes_a_live_session_that_holds_no_token(backend: Backend) -> None:
    outcome = backend.sessions.create_session(
        login(access_token="very-secret", client={"ip": "192.0.2.1", "user_agent": "Browser/1"}, source="idp")
    )

    assert outcome is Outcome.APPLIED
    session = backend.sessions.get_session_by_session_id("s1", "customer-1")
    assert session is not None
    assert session.is_live(NOW)
    assert session.started_at == session.last_login_time == NOW
    assert session.expires_at == at(12 * 60)
    assert (session.client_ip, session.user_agent, session.source) == ("192.0.2.1", "Browser/1", "idp")
    assert session.access_token_sha256 is not None
    assert "very-secret" not in str(backend.items())


def test_the_same_login_again_is_a_duplicate_and_writes_nothing(backend: Backend) -> None:
    backend.sessions.create_session(login())
    before = backend.items()

    assert backend.sessions.create_session(login()) is Outcome.DUPLICATE
    assert backend.items() == before


def test_an_older_login_is_stale_once_its_start_is_known(backend: Backend) -> None:
    backend.sessions.apply([login(minute=0), login(minute=5), login(minute=2)])

    assert backend.sessions.create_session(login(minute=2)) is Outcome.STALE


def test_a_logged_out_session_is_never_revived(backend: Backend) -> None:
    backend.sessions.create_session(login())
    backend.sessions.expire_session(logout())

    backend.sessions.create_session(login(minute=40))

    session = backend.sessions.get_session_by_session_id("s1", "customer-1")
    assert session is not None
    assert not session.is_live(NOW)
    assert (session.ended_at, session.end_reason, session.last_login_time) == (at(30), "user", at(40))


def test_a_logout_before_its_login_leaves_a_tombstone_that_is_never_listed(backend: Backend) -> None:
    assert backend.sessions.expire_session(logout()) is Outcome.APPLIED

    assert backend.sessions.get_session_ids_by_customer_id("customer-1") == []
    assert backend.sessions.get_session_id_by_customer_id("customer-1", "s1") is None
    assert backend.sessions.create_session(login()) is Outcome.APPLIED
    session = backend.sessions.get_session_by_session_id("s1", "customer-1")
    assert session is not None
    assert not session.is_live(NOW)


def test_one_batch_gives_one_outcome_per_event_in_order(backend: Backend) -> None:
    outcomes = backend.sessions.apply(
        [login("a"), login("b"), login("a"), logout("b"), logout_all(), logout("c"), logout_all()]
    )

    assert outcomes == ["applied", "applied", "duplicate", "applied", "applied", "applied", "duplicate"]


def test_a_batch_of_hundreds_is_applied_whole(backend: Backend) -> None:
    events = [login(f"s{number}", f"customer-{number % 7}") for number in range(260)]

    assert set(backend.sessions.apply(events)) == {Outcome.APPLIED}
    assert set(backend.sessions.apply(events)) == {Outcome.DUPLICATE}
    assert len(backend.items()) == 260


def test_a_batch_may_be_any_iterable(backend: Backend) -> None:
    assert backend.sessions.apply(login(name) for name in ("s1", "s2")) == ["applied", "applied"]


def test_a_logout_without_customer_ends_everything_of_the_session(backend: Backend) -> None:
    backend.sessions.apply([login("s1"), login("child", parent_session_id="s1"), login("s1", "customer-2")])

    assert backend.sessions.expire_session(logout("s1", None)) is Outcome.APPLIED

    states = {item["SK"]["S"]: item["session_state"]["S"] for item in backend.items()}
    assert states == {"c#customer-1": "closing", "c#customer-2": "closing", "child#suuid#child": "closing"}


def test_a_logout_without_customer_is_a_retry_until_its_login_is_here(backend: Backend) -> None:
    assert backend.sessions.expire_session(logout("s1", None)) is Outcome.RETRY
    assert backend.items() == []

    assert backend.sessions.apply([logout("s1", None), login("s1")]) == ["applied", "applied"]


def test_a_logout_without_customer_is_a_retry_while_only_children_of_the_session_are_here(backend: Backend) -> None:
    backend.sessions.create_session(login("child", parent_session_id="s1"))

    assert backend.sessions.expire_session(logout("s1", None)) is Outcome.RETRY


@pytest.mark.parametrize("customer_id", ["customer-1", None])
def test_a_logout_that_names_a_child_without_its_parent_ends_the_child(
    backend: Backend, customer_id: str | None
) -> None:
    backend.sessions.apply([login("s1"), login("child", parent_session_id="s1")])

    assert backend.sessions.expire_session(logout("child", customer_id)) is Outcome.APPLIED

    [child] = backend.sessions.get_child_sessions_by_session_id("s1")
    assert not child.is_live(NOW)
    assert len(backend.items()) == 2
    assert backend.sessions.expire_session(logout("child", customer_id)) is Outcome.DUPLICATE


def test_a_logout_ends_no_child_of_another_customer_that_has_the_same_session_id(backend: Backend) -> None:
    backend.sessions.apply([login("p", "customer-2"), login("same", "customer-2", parent_session_id="p")])

    backend.sessions.expire_session(logout("same", "customer-1"))

    [child] = backend.sessions.get_child_sessions_by_session_id("p")
    assert child.is_live(NOW)


def test_a_child_session_belongs_to_the_first_customer_who_logs_in(backend: Backend) -> None:
    backend.sessions.expire_session(logout("other", "customer-2", parent_session_id="s1"))

    outcomes = backend.sessions.apply(
        [
            login("child", parent_session_id="s1"),
            login("child", "customer-2", parent_session_id="s1"),
            login("other", "customer-1", parent_session_id="s1"),
        ]
    )

    assert outcomes == ["applied", "rejected", "applied"]
    assert {child.customer_id for child in backend.sessions.get_child_sessions_by_session_id("s1")} == {"customer-1"}


def test_children_are_read_with_their_parent_and_are_over_when_it_is(backend: Backend) -> None:
    backend.sessions.apply([login("s1", expires_at=at(60)), login("child", parent_session_id="s1")])

    [child] = backend.sessions.get_child_sessions_by_session_id("s1")
    same = backend.sessions.get_session_by_child_session_id("child")
    assert same == child
    assert child.parent_session_id == "s1"
    assert child.is_live(at(59))
    assert not child.is_live(at(60))

    backend.sessions.expire_session(logout("s1"))

    [child] = backend.sessions.get_child_sessions_by_session_id("s1")
    assert not child.is_live(NOW)
    assert backend.sessions.get_session_by_child_session_id("nowhere") is None


def test_the_sessions_of_a_customer_are_found_with_the_latest_login(backend: Backend) -> None:
    backend.sessions.apply(
        [login("a", minute=1), login("b", minute=3), login("c", minute=2, expires_at=at(4)), logout("b")]
    )
    table = backend.sessions

    assert table.get_last_login_time_by_customer_id("customer-1") == at(3)
    assert table.get_session_ids_by_customer_id("customer-1") == ["a", "b", "c"]
    assert table.get_session_id_by_customer_id("customer-1", "b") == "b"
    assert table.get_session_id_by_customer_id("customer-2", "b") is None
    assert [session.session_id for session in table.get_sessions_by_customer_id("customer-1", now=at(3))] == ["a", "c"]
    assert [session.session_id for session in table.get_sessions_by_customer_id("customer-1", now=at(4))] == ["a"]
    everything = table.get_sessions_by_customer_id("customer-1", live_only=False, limit=2)
    assert [session.session_id for session in everything] == ["a", "b"]
    assert table.get_last_login_time_by_customer_id("nobody") is None


def test_reads_go_through_all_pages(backend: Backend) -> None:
    wide = {"user_agent": "x" * 250, "device_id": "d" * 250}
    ids = [f"{'s' * 200}{number:04}" for number in range(1100)]  # above the megabyte of a page
    backend.sessions.apply([login(session_id, client=wide, source="i" * 100) for session_id in ids])

    assert backend.sessions.get_session_ids_by_customer_id("customer-1") == ids


@pytest.mark.parametrize(
    "identifier", ["a#b", "c#customer-1", "50%", "naïve", "a|b:c@d/e=f", "日本", "child#suuid#x", " "]
)
def test_no_id_can_forge_a_key(backend: Backend, identifier: str) -> None:
    backend.sessions.apply([login(identifier, identifier), login("child", identifier, parent_session_id=identifier)])

    session = backend.sessions.get_session_by_session_id(identifier, identifier)
    assert session is not None
    assert (session.session_id, session.customer_id) == (identifier, identifier)
    assert backend.sessions.get_session_ids_by_customer_id(identifier) == [identifier]
    assert [child.session_id for child in backend.sessions.get_child_sessions_by_session_id(identifier)] == ["child"]


def test_an_expiry_is_clipped_to_the_longest_life_login_by_login(backend: Backend) -> None:
    forever = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    backend.sessions.apply([login(expires_at=forever), login(minute=60, expires_at=forever)])

    session = backend.sessions.get_session_by_session_id("s1", "customer-1")
    assert session is not None
    assert session.expires_at == at(60 + 7 * 24 * 60)


def put_original(backend: Backend, pk: str, sk: str, **texts: str) -> None:
    item: Any = {"PK": {"S": pk}, "SK": {"S": sk}, **{name: {"S": text} for name, text in texts.items()}}
    backend.dynamodb.put_item(TableName=backend.sessions_table, Item=item)


@pytest.fixture
def original(backend: Backend) -> Backend:
    """A table that holds nothing but what the original AWS session-management schema has."""
    live, over = (
        {"access_token": "t0k3n", "session_state": "active"},
        {"access_token": "t0k3n", "session_state": "closing"},
    )
    put_original(backend, "suuid#s1", "c#A", last_login_time="2024-05-01T11:30:00", **live)
    put_original(backend, "suuid#s1", "child#suuid#k1", **live)
    put_original(backend, "suuid#s1", "child#suuid#k2", **over)
    put_original(backend, "suuid#s2", "c#A", last_login_time="2024-05-02T09:00:00", **over)
    put_original(backend, "suuid#s3", "c#B", last_login_time="2024-04-30T15:22:09", **live)
    return backend


def test_every_access_pattern_answers_on_a_table_of_the_original_schema(original: Backend) -> None:
    table = original.sessions

    session = table.get_session_by_session_id("s1", "A")
    assert session is not None
    assert session.is_live(NOW)
    assert session.last_login_time == datetime(2024, 5, 1, 11, 30, tzinfo=UTC)
    children = table.get_child_sessions_by_session_id("s1")
    assert [(child.session_id, child.customer_id, child.is_live(NOW)) for child in children] == [
        ("k1", "A", True),
        ("k2", "A", False),
    ]
    child = table.get_session_by_child_session_id("k2")
    assert child is not None
    assert child.parent_session_id == "s1"
    assert table.get_last_login_time_by_customer_id("A") == datetime(2024, 5, 2, 9, 0, tzinfo=UTC)
    assert table.get_session_ids_by_customer_id("A") == ["s1", "s2"]
    assert table.get_session_id_by_customer_id("A", "s2") == "s2"
    assert table.get_session_id_by_customer_id("A", "s3") is None
    assert [session.session_id for session in table.get_sessions_by_customer_id("A")] == ["s1"]


def test_a_touch_of_every_item_of_the_original_schema_changes_no_answer(original: Backend) -> None:
    table = original.sessions
    before = _answers(table)

    for item in original.items():
        original.dynamodb.update_item(
            TableName=original.sessions_table,
            Key={"PK": item["PK"], "SK": item["SK"]},
            UpdateExpression="SET version = :version",
            ExpressionAttributeValues={":version": {"N": "1795600000000"}},
        )

    assert _answers(table) == before


def _answers(table: SessionTable) -> list[object]:
    children = table.get_child_sessions_by_session_id("s1")
    by_id = [table.get_session_by_child_session_id(name) for name in ("k1", "k2")]
    return [
        [(child.session_id, child.is_live(NOW)) for child in children],
        [child and (child.parent_session_id, child.is_live(NOW)) for child in by_id],
        [session.session_id for session in table.get_sessions_by_customer_id("A")],
        table.get_session_ids_by_customer_id("A"),
    ]


def test_a_logout_that_names_a_child_of_the_original_schema_ends_it_where_its_parent_is_the_customers(
    original: Backend,
) -> None:
    original.sessions.expire_session(logout("k1", "B"))

    assert _live_children(original) == ["k1"]

    assert original.sessions.expire_session(logout("k1", "A")) is Outcome.APPLIED

    assert _live_children(original) == []


def _live_children(backend: Backend) -> list[str]:
    children = backend.sessions.get_child_sessions_by_session_id("s1")
    return [child.session_id for child in children if child.is_live(NOW)]


def test_an_item_of_the_original_schema_is_carried_on_without_its_token(original: Backend) -> None:
    outcomes = original.sessions.apply([login("s1", "A"), logout("s3", "B"), login("s2", "A")])

    assert outcomes == ["applied", "applied", "applied"]
    session = original.sessions.get_session_by_session_id("s1", "A")
    assert session is not None
    assert (session.started_at, session.last_login_time) == (datetime(2024, 5, 1, 11, 30, tzinfo=UTC), NOW)
    assert session.expires_at == at(12 * 60)
    assert original.sessions.get_sessions_by_customer_id("B") == []
    assert not _live(original.sessions.get_session_by_session_id("s2", "A"))
    touched = [item for item in original.items() if "version" in item]
    assert len(touched) == 3
    assert not any("access_token" in item for item in touched)


def _live(session: Session | None) -> bool:
    assert session is not None
    return session.is_live(NOW)


def test_the_children_of_many_sessions_are_found_at_once(backend: Backend) -> None:
    parents = [f"p{number:03}" for number in range(60)]
    backend.sessions.apply([login(parent) for parent in parents])
    backend.sessions.apply([login(f"kid-of-{parent}", parent_session_id=parent) for parent in parents[::7]])

    found = backend.sessions.reader.find_children([*parents, "without-any-item"], most=10)

    assert {parent: [child.session_id for child in children or ()] for parent, children in found.items()} == {
        parent: [f"kid-of-{parent}"] for parent in parents[::7]
    }
