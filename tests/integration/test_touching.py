"""A touch of the register: the version goes up, nothing else changes, and every reader of the stream sees it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from ops.rebuilding.touching import Touch, touch
from ops.validation.filters import FilterCriteria
from ops.validation.resolution import resolved
from processors import stream_projector
from processors.life_cycle.transitions import change_of, expiry_to_note, transition_of
from processors.session_table import SessionTable
from schemas.item_mapping import key_of
from schemas.keys import Key
from schemas.stream import read_record
from tests.conftest import Backend, at, login, logout, logout_all

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("clock_of_the_tests")]


def keys_of(backend: Backend) -> list[Key]:
    return [key_of(item) for item in backend.items()]


def without_version(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in item.items() if name != "version"} for item in items]


def put(backend: Backend, pk: str, sk: str, **attributes: dict[str, str]) -> None:
    item = {"PK": {"S": pk}, "SK": {"S": sk}, **attributes}
    backend.dynamodb.put_item(TableName=backend.sessions_table, Item=item)


def live_a_little(backend: Backend) -> None:
    backend.sessions.apply([login("a", client={"ip": "192.0.2.1"}), login("kid", minute=1, parent_session_id="a")])
    backend.sessions.apply([login("b"), logout("b"), logout_all(minute=-9)])
    put(backend, "suuid#old", "c#customer-1", last_login_time={"S": "2026-03-01T11:00:00"}, access_token={"S": "t"})


def test_a_touch_raises_every_version_and_changes_nothing_else(backend: Backend) -> None:
    live_a_little(backend)
    before = backend.items()

    counts = Counter(touch(backend.sessions, keys_of(backend)).values())

    after = backend.items()
    assert counts == {Touch.TOUCHED: 5}
    assert without_version(after) == without_version(before)
    versions = [(int(old.get("version", {"N": "0"})["N"]), int(new["version"]["N"])) for old, new in zip(before, after)]  # noqa: B905 # as many: compared above
    assert all(new > old for old, new in versions)


def test_what_is_not_ours_to_write_is_left_alone(backend: Backend) -> None:
    put(backend, "cart#1", "line#1", version={"N": "3"})
    put(backend, "erased", "2026-03-01T12:00:00.000Z#abc", ttl={"N": "1"})
    put(backend, "suuid#newer", "c#customer-1", item_format={"N": "2"}, version={"N": "3"})
    put(backend, "suuid#" + "x" * 1010, "c#customer-1", version={"N": "3"})
    put(backend, "suuid#p", "child#suuid#bare")
    before = backend.items()

    counts = Counter(touch(backend.sessions, [*keys_of(backend), Key("suuid#gone", "c#customer-1")]).values())

    assert backend.items() == before
    assert counts == {
        Touch.FOREIGN: 2,
        Touch.NEWER_FORMAT: 1,
        Touch.UNREADABLE: 1,
        Touch.WITHOUT_LOGIN_TIME: 1,
        Touch.GONE: 1,
    }


def test_a_change_between_read_and_touch_is_not_lost(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    backend.sessions.create_session(login("a"))
    toucher = SessionTable(
        backend.dynamodb, backend.sessions_table, batch_statements=backend.batch_statements, clock=lambda: at(0)
    )
    read = toucher.store._read_known  # the moment between read and write
    reads: list[Any] = []

    def read_then_lose_the_race(*arguments: Any) -> Any:
        found = read(*arguments)
        if not reads:
            backend.sessions.expire_session(logout("a", minute=1))
        reads.append(found)
        return found

    monkeypatch.setattr(toucher.store, "_read_known", read_then_lose_the_race)

    counts = Counter(touch(toucher, keys_of(backend)).values())

    [item] = backend.items()
    assert counts == {Touch.TOUCHED: 1}
    assert len(reads) == 2
    assert (item["session_state"]["S"], item["ended_at"]["S"]) == ("closing", "2026-03-01T12:01:00.000Z")


def test_the_stream_filters_pass_a_touch_and_the_present_state_is_told_again(backend: Backend) -> None:
    live_a_little(backend)
    seen = len(backend.stream_records())

    touch(backend.sessions, keys_of(backend))

    records = backend.stream_records()[seen:]
    assert len(records) == 5
    for criteria in stream_filters():
        assert all(criteria.accept(record) for record in records)
    changes = [change_of(read_record(record)) for record in records]
    assert all(change.is_touch for change in changes if change.session is not None)
    told = [transition for change in changes if (transition := transition_of(change)) is not None]
    assert sorted((transition.detail["session"]["session_id"], transition.detail["kind"]) for transition in told) == [
        ("a", "refreshed"),
        ("b", "ended"),
        ("kid", "refreshed"),
        ("old", "started"),
    ]
    assert not any(transition.is_optional for transition in told)
    noted = {session.session_id for change in changes if (session := expiry_to_note(change)) is not None}
    assert noted == {"a", "kid"}


def stream_filters() -> list[FilterCriteria]:
    """The filters of the two readers of the stream, from the template."""
    mappings = [
        resource["Properties"]
        for resource in resolved({"PublishSessionEvents": "true"}).values()
        if resource["Type"] == "AWS::Lambda::EventSourceMapping" and "StartingPosition" in resource["Properties"]
    ]
    assert len(mappings) == 2
    return [FilterCriteria(each["Pattern"] for each in mapping["FilterCriteria"]["Filters"]) for mapping in mappings]


def test_projections_that_were_lost_come_back_with_a_touch(backend: Backend) -> None:
    live_a_little(backend)
    seen = len(backend.stream_records())

    touch(backend.sessions, keys_of(backend))

    answer = stream_projector.lambda_handler({"Records": backend.stream_records()[seen:]}, None)
    assert answer == {"batchItemFailures": []}
    found = backend.projections.get_customer_activity("customer-1", now=at(2))
    assert (found.session_ids, found.last_login_session_id, found.is_exact) == (["a"], "kid", True)  # "old" was revoked
