"""Projections made from the register: at birth, after a deletion by hand, and rebuilt while the system runs."""

from typing import Any

import pytest

from processors import stream_projector
from processors.projection_table import ProjectionTable
from processors.projections import register_reads
from processors.projections.activity import CustomerActivity
from schemas.errors import MalformedItemError, NewerFormatError
from schemas.projection_items import projection_key
from tests.conftest import NOW, Backend, at, login, logout, logout_all

pytestmark = pytest.mark.usefixtures("clock_of_the_tests")


def project(records: list[dict[str, Any]]) -> None:
    assert stream_projector.lambda_handler({"Records": records}, None) == {"batchItemFailures": []}


def activity(backend: Backend, customer_id: str = "customer-1") -> CustomerActivity:
    return backend.projections.get_customer_activity(customer_id, now=at(1))


def delete_projection(backend: Backend, customer_id: str = "customer-1") -> None:
    backend.dynamodb.delete_item(TableName=backend.projections_table, Key={"PK": {"S": projection_key(customer_id).pk}})


def delete_session(backend: Backend, session_id: str, customer_id: str = "customer-1") -> None:
    key = {"PK": {"S": f"suuid#{session_id}"}, "SK": {"S": f"c#{customer_id}"}}
    backend.dynamodb.delete_item(TableName=backend.sessions_table, Key=key)


def version(backend: Backend) -> int:
    [item] = backend.items(backend.projections_table)
    return int(item["version"]["N"])


def test_a_projection_that_was_deleted_heals_at_the_next_touch(backend: Backend) -> None:
    backend.sessions.apply([login("a"), login("b"), login("c"), login("kid", minute=9, parent_session_id="a")])
    backend.sessions.apply([logout_all(minute=-9), logout("c")])
    seen = backend.stream_records()
    project(seen)
    delete_projection(backend)
    backend.sessions.create_session(login("d", minute=1))

    project(backend.stream_records()[len(seen) :])

    found = activity(backend)
    assert (found.session_ids, found.is_exact) == (["a", "b", "d"], True)
    assert found.last_login_time == at(1)  # the child's is no session of the customer's partition
    [item] = backend.items(backend.projections_table)
    assert item["revoked_at"] == {"S": "2026-03-01T11:51:00.000Z"}


def test_a_customer_with_270_tombstones_is_born_exact(backend: Backend) -> None:
    names = [f"s{number:03}" for number in range(270)]
    backend.sessions.apply([login(name) for name in names] + [logout(name) for name in names])
    seen = len(backend.stream_records())
    backend.sessions.apply([login("live"), login("next")])

    project(backend.stream_records()[seen:])

    found = activity(backend)
    assert (found.session_ids, found.is_exact) == (["live", "next"], True)


@pytest.mark.parametrize(("most", "is_exact"), [(2, False), (3, True), (4, True)], ids=["below", "at", "above"])
def test_a_birth_that_reads_only_a_part_says_at_least_until_it_is_rebuilt(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, most: int, is_exact: bool
) -> None:
    monkeypatch.setattr(register_reads, "MOST_SESSIONS_AT_BIRTH", most)
    backend.sessions.apply([login("a"), login("b")])
    seen = len(backend.stream_records())
    backend.sessions.create_session(login("c"))

    project(backend.stream_records()[seen:])

    born = activity(backend)
    assert (born.session_ids, born.is_exact) == (["a", "b", "c"] if is_exact else ["c"], is_exact)
    rebuilt = backend.projections.rebuild("customer-1", now=at(1))
    assert (rebuilt.session_ids, rebuilt.is_exact) == (["a", "b", "c"], True)


def test_a_birth_beside_a_session_of_a_later_release_says_at_least_until_it_is_rebuilt(backend: Backend) -> None:
    backend.sessions.apply([login("a"), login("b")])
    [stored, _] = backend.items()
    seen = len(backend.stream_records())
    backend.dynamodb.put_item(TableName=backend.sessions_table, Item=stored | {"item_format": {"N": "2"}})
    backend.sessions.create_session(login("c"))
    records = backend.stream_records()[seen:]

    project([record for record in records if record["dynamodb"]["Keys"]["PK"] != stored["PK"]])

    born = activity(backend)
    assert (born.session_ids, born.is_exact) == (["b", "c"], False)
    with pytest.raises(MalformedItemError):
        backend.projections.rebuild("customer-1")
    backend.dynamodb.put_item(TableName=backend.sessions_table, Item=stored)  # as where that release is back
    rebuilt = backend.projections.rebuild("customer-1", now=at(1))
    assert (rebuilt.session_ids, rebuilt.is_exact) == (["a", "b", "c"], True)


def test_a_child_that_nobody_can_read_takes_nothing_from_a_birth(backend: Backend) -> None:
    backend.sessions.apply([login("a"), login("kid", parent_session_id="a")])
    [stored] = [item for item in backend.items() if item["SK"]["S"].startswith("child#")]
    seen = len(backend.stream_records())
    backend.dynamodb.put_item(TableName=backend.sessions_table, Item=stored | {"item_format": {"N": "2"}})
    backend.sessions.create_session(login("b"))

    project([record for record in backend.stream_records()[seen:] if record["dynamodb"]["Keys"]["PK"] != stored["PK"]])

    found = activity(backend)
    assert (found.session_ids, found.is_exact) == (["a", "b"], True)


def test_a_removed_session_leaves_the_count_and_old_records_do_not_bring_it_back(backend: Backend) -> None:
    backend.sessions.apply([login("a"), login("b")])
    project(backend.stream_records())
    delete_session(backend, "a")
    records = backend.stream_records()

    project(records[2:])
    removed = activity(backend).session_ids
    project(records)

    assert removed == ["b"]
    assert activity(backend).session_ids == ["b"]


def test_a_removal_creates_no_projection(backend: Backend) -> None:
    backend.sessions.create_session(login("a"))
    delete_session(backend, "a")

    project(backend.stream_records()[1:])

    assert backend.items(backend.projections_table) == []


def test_an_item_of_the_original_schema_that_its_writers_ttl_takes_leaves_the_count(backend: Backend) -> None:
    item = {
        "PK": {"S": "suuid#old"},
        "SK": {"S": "c#customer-1"},
        "session_state": {"S": "active"},
        "last_login_time": {"S": "2026-03-01T11:00:00.000Z"},
        "ttl": {"N": "1772370000"},
    }
    backend.dynamodb.put_item(TableName=backend.sessions_table, Item=item)
    project(backend.stream_records())
    assert activity(backend).session_ids == ["old"]
    delete_session(backend, "old")
    [removal] = backend.stream_records()[1:]
    removal["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}

    project([removal])

    assert activity(backend).session_count == 0


def test_an_item_restored_to_an_older_state_is_read_again(backend: Backend) -> None:
    backend.sessions.create_session(login("a", expires_at=at(600)))
    [image] = backend.items()
    backend.sessions.expire_session(logout("a"))
    project(backend.stream_records())
    seen = len(backend.stream_records())
    backend.dynamodb.put_item(TableName=backend.sessions_table, Item=image)

    project(backend.stream_records()[seen:])

    assert activity(backend).session_ids == ["a"]


def test_a_tombstone_of_before_the_login_that_is_put_back_over_a_live_session_ends_it(backend: Backend) -> None:
    backend.sessions.expire_session(logout("a", minute=-1))
    [tombstone] = backend.items()
    delete_session(backend, "a")
    backend.sessions.create_session(login("a", expires_at=at(600)))
    project(backend.stream_records())
    seen = len(backend.stream_records())
    assert activity(backend).session_ids == ["a"]

    backend.dynamodb.put_item(TableName=backend.sessions_table, Item=tombstone)
    project(backend.stream_records()[seen:])

    assert activity(backend).session_count == 0


def test_a_rebuild_corrects_a_projection_that_is_wrong_either_way(backend: Backend) -> None:
    backend.sessions.apply([login("a"), login("b"), login("c")])
    project(backend.stream_records())
    delete_session(backend, "a")  # its record never comes
    backend.sessions.create_session(login("d", minute=2))  # nor does this one

    before = version(backend)
    found = backend.projections.rebuild("customer-1", now=at(1))

    assert (found.session_ids, found.last_login_time, found.is_exact) == (["b", "c", "d"], at(2), True)
    assert activity(backend) == found
    assert version(backend) > before


def test_a_rebuild_needs_the_sessions_table(backend: Backend) -> None:
    with pytest.raises(TypeError, match="sessions"):
        ProjectionTable(backend.dynamodb, backend.projections_table).rebuild("customer-1")


def test_a_rebuild_of_a_customer_never_seen_writes_nothing(backend: Backend) -> None:
    found = backend.projections.rebuild("nobody", now=NOW)

    assert found == CustomerActivity("nobody", None, None, 0, True, [])
    assert backend.items(backend.projections_table) == []


def test_a_rebuild_heals_a_projection_that_cannot_be_read(backend: Backend) -> None:
    backend.sessions.create_session(login("a"))
    backend.dynamodb.put_item(
        TableName=backend.projections_table,
        Item={"PK": {"S": "c#customer-1"}, "sessions": {"S": "x"}, "note": {"S": "not ours"}},
    )

    found = backend.projections.rebuild("customer-1", now=NOW)

    assert found.session_ids == ["a"]


def test_a_projection_of_a_later_release_is_neither_rebuilt_nor_written(backend: Backend) -> None:
    backend.sessions.create_session(login("a"))
    project(backend.stream_records())
    [item] = backend.items(backend.projections_table)
    newer = item | {"item_format": {"N": "2"}, "of_a_later_release": {"S": "kept"}}
    backend.dynamodb.put_item(TableName=backend.projections_table, Item=newer)
    backend.sessions.create_session(login("b"))
    [_, record] = backend.stream_records()

    with pytest.raises(NewerFormatError):
        backend.projections.rebuild("customer-1", now=NOW)
    answer = stream_projector.lambda_handler({"Records": [record]}, None)

    assert backend.items(backend.projections_table) == [newer]
    # without a bucket to set it aside in, the record fails
    assert answer == {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}


@pytest.mark.parametrize("is_sent", [True, False])
def test_what_a_rebuild_decides_is_sent_where_it_can_be(backend: Backend, is_sent: bool) -> None:
    backend.sessions.apply([login("a", minute=-9), login("b", minute=-1), logout_all(minute=-5)])
    sent: list[str] = []

    found = backend.projections.rebuild("customer-1", now=NOW, send=sent.extend if is_sent else None)

    assert found.session_ids == (["b"] if is_sent else ["a", "b"])
    assert [body for body in sent if '"session_id": "a"' in body and "revoked" in body] == sent
    assert len(sent) == is_sent


def test_a_rebuild_keeps_who_is_ending_and_sends_their_logouts_again(backend: Backend) -> None:
    backend.sessions.apply([login("a", minute=-9), logout_all(minute=-5)])
    project(backend.stream_records())
    sent: list[str] = []

    backend.projections.rebuild("customer-1", now=NOW)
    kept = activity(backend).session_count
    backend.projections.rebuild("customer-1", now=NOW, send=sent.extend)

    assert (kept, len(sent)) == (0, 1)
