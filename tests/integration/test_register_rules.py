"""What the register keeps of others, how long it keeps its own, and whom it has forgotten."""

from datetime import timedelta
from typing import Any

import pytest

from processors.register.erased import ErasedCustomers, erased_entry
from processors.register.sessions import GRACE, RETENTION, Lifetimes
from processors.session_table import SessionTable
from schemas.outcomes import Outcome
from tests.conftest import NOW, Backend, at, create_tables, login, logout, logout_all

MAX_EVENT_AGE = timedelta(days=1)


def table(backend: Backend, **more: Any) -> SessionTable:
    return SessionTable(
        backend.dynamodb,
        backend.sessions_table,
        batch_statements=backend.batch_statements,
        **{"clock": lambda: NOW, **more},
    )


def put_foreign(backend: Backend, **attributes: Any) -> None:
    key = {"PK": {"S": "suuid#s1"}, "SK": {"S": "c#customer-1"}}
    backend.dynamodb.put_item(TableName=backend.sessions_table, Item=key | attributes)


def test_attributes_of_others_survive_every_write_and_those_of_ours_with_a_foreign_type_give_way(
    backend: Backend,
) -> None:
    put_foreign(
        backend,
        cart={"M": {"total": {"N": "3"}}},
        access_token={"S": "secret"},
        source={"SS": ["a", "b"]},
        country={"N": "49"},
        version={"S": "v1"},
        session_state={"S": "active"},
    )

    outcomes = [*table(backend).apply([login(client={"country": "DE"})]), *table(backend).apply([logout()])]

    assert outcomes == [Outcome.APPLIED, Outcome.APPLIED]
    [item] = backend.items()
    assert item["cart"] == {"M": {"total": {"N": "3"}}}
    assert item["source"] == {"SS": ["a", "b"]}  # we have no value for it
    assert item["country"] == {"S": "DE"}
    assert "access_token" not in item
    assert item["session_state"] == {"S": "closing"}


def test_a_change_that_another_writer_makes_between_our_read_and_our_write_is_kept(backend: Backend) -> None:
    table(backend).create_session(login())
    sessions = table(backend)

    def write_first(**_: Any) -> None:
        backend.dynamodb.meta.events.unregister("before-call.dynamodb.UpdateItem", write_first)
        backend.dynamodb.meta.events.unregister("before-call.dynamodb.BatchExecuteStatement", write_first)
        backend.dynamodb.update_item(
            TableName=backend.sessions_table,
            Key={"PK": {"S": "suuid#s1"}, "SK": {"S": "c#customer-1"}},
            UpdateExpression="SET note = :note",
            ExpressionAttributeValues={":note": {"S": "theirs"}},
        )

    for operation in ("UpdateItem", "BatchExecuteStatement"):
        backend.dynamodb.meta.events.register(f"before-call.dynamodb.{operation}", write_first)
    outcome = sessions.expire_session(logout())

    assert outcome is Outcome.APPLIED
    [item] = backend.items()
    assert (item["note"], item["session_state"]) == ({"S": "theirs"}, {"S": "closing"})


def test_an_unknown_state_is_over_and_kept(backend: Backend) -> None:
    put_foreign(backend, session_state={"S": "suspended"}, ended_at={"S": "2026-03-01T15:00:00Z"}, version={"N": "1"})

    table(backend).apply([login(), logout()])

    [item] = backend.items()
    assert item["session_state"] == {"S": "suspended"}
    assert item["ended_at"] == {"S": "2026-03-01T12:30:00.000Z"}


def test_an_item_of_a_later_format_is_not_written(backend: Backend) -> None:
    put_foreign(backend, item_format={"N": "2"}, version={"N": "5"})
    before = backend.items()

    assert table(backend).apply([login(), login("s2")]) == [Outcome.RETRY, Outcome.APPLIED]
    assert [item for item in backend.items() if item["PK"] == {"S": "suuid#s1"}] == before


def test_versions_are_the_milliseconds_of_the_write_and_always_rise(backend: Backend) -> None:
    milliseconds = int(NOW.timestamp() * 1000)

    table(backend).create_session(login())
    [born] = backend.items()
    table(backend).expire_session(logout())
    [ended] = backend.items()

    assert (born["version"], ended["version"]) == ({"N": str(milliseconds)}, {"N": str(milliseconds + 1)})


def test_retention_follows_the_facts_and_the_write_and_no_setting(backend: Backend) -> None:
    kept = int((NOW + RETENTION + GRACE).timestamp())

    for days in (7, 30):
        lifetimes = Lifetimes(maximum=timedelta(days=days))
        table(backend, lifetimes=lifetimes).apply([login(f"s{days}"), logout(f"s{days}", minute=-5)])

    assert {item["ttl"]["N"] for item in backend.items()} == {str(kept)}


def test_a_session_that_outlives_the_retention_is_kept_until_it_runs_out(backend: Backend) -> None:
    table(backend, lifetimes=Lifetimes(maximum=timedelta(days=90))).create_session(
        login(expires_at=NOW + timedelta(days=60))
    )

    [item] = backend.items()
    assert item["ttl"] == item["expires_at"] == {"N": str(int((NOW + timedelta(days=60)).timestamp()))}


@pytest.mark.parametrize("customer_id", ["customer-1", None])
@pytest.mark.parametrize(
    ("beyond", "outcome"), [(timedelta(seconds=-1), None), (timedelta(0), None), (timedelta(seconds=1), Outcome.STALE)]
)
def test_a_logout_too_old_to_meet_its_login_is_stale_and_leaves_nothing(
    backend: Backend, customer_id: str | None, beyond: timedelta, outcome: Outcome | None
) -> None:
    minutes = (MAX_EVENT_AGE + GRACE + beyond).total_seconds() / 60

    found = table(backend, max_event_age=MAX_EVENT_AGE).apply([logout(customer_id=customer_id, minute=-minutes)])

    not_stale = Outcome.APPLIED if customer_id else Outcome.RETRY
    assert found == [outcome or not_stale]
    assert len(backend.items()) == (1 if found == [Outcome.APPLIED] else 0)


def test_an_old_logout_ends_what_it_finds_and_an_old_logout_all_counts(backend: Backend) -> None:
    sessions = table(backend, max_event_age=MAX_EVENT_AGE)
    sessions.create_session(login())

    assert sessions.apply([logout(minute=-60 * 24 * 9), logout_all(minute=-60 * 24 * 9)]) == ["applied", "applied"]


def test_events_of_an_erased_customer_are_ignored_up_to_the_erasure_and_taken_after(backend: Backend) -> None:
    table(backend).create_session(login("named-by-id-alone", minute=-60))
    backend.dynamodb.put_item(TableName=backend.sessions_table, Item=erased_entry("customer-1", at(0)))
    erased = ErasedCustomers(backend.dynamodb, backend.sessions_table, clock=lambda: NOW)

    outcomes = table(backend, erased=erased).apply(
        [
            login(minute=0),
            logout_all(minute=-1),
            logout("named-by-id-alone", None, minute=-30),
            login("s1", "customer-2"),
            login("s2", minute=0.001),
        ]
    )

    assert outcomes == ["ignored", "ignored", "ignored", "applied", "applied"]


def test_a_childs_logout_that_names_no_customer_is_ignored_up_to_the_erasure_of_the_childs(backend: Backend) -> None:
    table(backend).apply(
        [
            login("p1", minute=-60),
            login("kid", minute=-60, parent_session_id="p1"),
            login("kid", "customer-2", minute=-60, parent_session_id="p2"),
        ]
    )
    backend.dynamodb.put_item(TableName=backend.sessions_table, Item=erased_entry("customer-1", at(0)))

    outcomes = table(backend).apply(
        [logout("kid", None, minute=0, parent_session_id="p1"), logout("kid", None, minute=0, parent_session_id="p2")]
    )
    later = table(backend).apply([logout("kid", None, minute=0.001, parent_session_id="p1")])

    assert outcomes + later == ["ignored", "applied", "applied"]


def test_the_list_of_the_erased_is_read_once_a_minute_and_nothing_is_written_without_it(backend: Backend) -> None:
    now = [NOW]
    erased = ErasedCustomers(backend.dynamodb, backend.sessions_table, clock=lambda: now[0])
    assert table(backend, erased=erased).create_session(login("s1")) is Outcome.APPLIED
    backend.dynamodb.put_item(TableName=backend.sessions_table, Item=erased_entry("customer-1", at(5)))

    now[0] = NOW + timedelta(seconds=59)
    assert table(backend, erased=erased).create_session(login("s2")) is Outcome.APPLIED
    now[0] = NOW + timedelta(seconds=60)
    assert table(backend, erased=erased).create_session(login("s3")) is Outcome.IGNORED

    unreadable = ErasedCustomers(backend.dynamodb, "no-such-table", clock=lambda: NOW)
    assert table(backend, erased=unreadable).create_session(login("s4", "customer-2")) is Outcome.RETRY


def test_lists_are_the_same_over_an_index_of_keys_only(backend: Backend) -> None:
    names = (f"{backend.sessions_table}-keys", f"{backend.projections_table}-keys")
    create_tables(backend.dynamodb, *names, index_projection="KEYS_ONLY")
    over_keys = SessionTable(backend.dynamodb, names[0], batch_statements=backend.batch_statements, clock=lambda: NOW)
    both = (table(backend), over_keys)
    for sessions in both:
        sessions.apply([login("s1"), login("s2", minute=5), login("k", parent_session_id="s1")])
        sessions.apply([logout("s2"), logout("tombstone")])

    answers = [
        (
            sessions.get_session_ids_by_customer_id("customer-1"),
            sessions.get_last_login_time_by_customer_id("customer-1"),
            [session.session_id for session in sessions.get_sessions_by_customer_id("customer-1")],
            sessions.get_session_id_by_customer_id("customer-1", "s2"),
            sessions.get_session_by_child_session_id("k"),
        )
        for sessions in both
    ]

    assert answers[0] == answers[1]
    assert answers[1][:4] == (["s1", "s2"], at(5), ["s1"], "s2")
