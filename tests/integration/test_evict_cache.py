"""The sample consumer of docs/examples/evict_cache: its cache says what the reader's rule says."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from docs.examples.evict_cache import evict_cache
from docs.examples.evict_cache.evict_cache import KEPT, SessionCache, lambda_handler
from ops.schema_export.asyncapi import example_event
from ops.validation.checks import findings
from schemas.items import Session
from schemas.life_cycle import ENDED, STARTED, Over, detail_of, expired_detail, latest
from tests.conftest import REGION, at
from tests.unit.test_life_cycle_reader import history

TEMPLATE = Path(evict_cache.__file__).with_name("template.yaml")
LIVE = Session(session_id="s", customer_id="c", started_at=at(0), last_login_time=at(0), expires_at=at(60), version=1)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {"ACCESS_KEY_ID": "testing", "SECRET_ACCESS_KEY": "testing", "DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("CACHE_TABLE", "cache")
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="cache",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "session", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "session", "KeyType": "HASH"}],
        )
        yield client


@pytest.fixture
def cache(table: Any) -> SessionCache:
    return SessionCache(table, "cache")


def started(**changes: Any) -> dict[str, Any]:
    return detail_of(STARTED, replace(LIVE, **changes), occurred_at=at(0), over=Over())


def ended(**changes: Any) -> dict[str, Any]:
    session = replace(LIVE, ended_at=at(5), end_reason="user", **{"version": 2, **changes})
    return detail_of(ENDED, session, occurred_at=at(5), over=Over(at(5), "user"))


def test_a_session_is_cached_until_it_ends(cache: SessionCache) -> None:
    cache.apply(started(), now=at(0))
    before = cache.get("s", "c", now=at(1))
    cache.apply(ended(), now=at(5))

    assert before == started()["session"]
    assert cache.get("s", "c", now=at(6)) is None


@pytest.mark.parametrize("over", [ended(), expired_detail(LIVE)], ids=["ended", "expired"])
def test_a_late_start_does_not_bring_an_evicted_session_back(cache: SessionCache, over: dict[str, Any]) -> None:
    news = [cache.apply(detail, now=at(5)) for detail in (over, started(), over)]

    assert news == [True, False, False]
    assert cache.get("s", "c", now=at(6)) is None


def test_a_session_is_over_at_its_expiry_though_no_event_has_come_yet(cache: SessionCache) -> None:
    cache.apply(started(), now=at(0))

    assert cache.get("s", "c", now=at(60) - timedelta(milliseconds=1)) is not None
    assert cache.get("s", "c", now=at(60)) is None


def test_a_child_is_over_with_its_parent(cache: SessionCache) -> None:
    for detail in (started(), started(session_id="tab", parent_session_id="s", expires_at=None)):
        cache.apply(detail, now=at(0))
    before = cache.get_child("s", "tab", "c", now=at(59))
    runs_out = cache.get_child("s", "tab", "c", now=at(60))
    cache.apply(ended(), now=at(5))

    assert before is not None
    assert before["session_id"] == "tab"
    assert runs_out is None
    assert cache.get_child("s", "tab", "c", now=at(6)) is None


def test_sessions_that_are_named_alike_are_kept_apart(cache: SessionCache) -> None:
    cache.apply(started(), now=at(0))
    cache.apply(started(session_id="c", parent_session_id="s", customer_id="d"), now=at(0))

    found = cache.get("s", "c", now=at(1))

    assert found is not None
    assert found["parent_session_id"] is None
    assert cache.get("s", "d", now=at(1)) is None


@pytest.mark.parametrize("seed", range(6))
def test_what_is_cached_is_what_the_readers_rule_says(cache: SessionCache, seed: int) -> None:
    told = history(seed)
    chance = random.Random(seed)
    last = latest(told)
    last_ids = {detail["id"] for detail in last.values()}
    delivered = [detail for detail in told if detail["id"] in last_ids or chance.random() < 0.5]
    delivered += [chance.choice(delivered) for _ in range(10)]
    chance.shuffle(delivered)

    for detail in delivered:
        cache.apply(detail, now=at(10))

    for detail in last.values():
        session = detail["session"]
        names = (session["session_id"], session["customer_id"])
        parent_id = session["parent_session_id"]
        found = cache.get(*names, now=at(10)) if parent_id is None else cache.get_child(parent_id, *names, now=at(10))
        parent = last.get((parent_id, session["customer_id"]))
        is_live = detail["over_at"] is None and (
            parent_id is None or (parent is not None and parent["over_at"] is None)
        )
        assert found == (session if is_live else None)


def test_what_remains_of_an_evicted_session_is_gone_after_any_late_copy(table: Any, cache: SessionCache) -> None:
    cache.apply(started(), now=at(0))
    cache.apply(ended(), now=at(5))

    [item] = table.scan(TableName="cache")["Items"]
    assert item.keys() == {"session", "event_order", "ttl"}
    assert int(item["ttl"]["N"]) == (at(5) + KEPT).timestamp()


def record(message_id: str, body: Any) -> dict[str, Any]:
    return {"messageId": message_id, "body": body if isinstance(body, str) else json.dumps(body)}


def test_only_what_fails_is_delivered_again(
    table: Any, cache: SessionCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put_item = table.put_item

    def throttle_the_third(**request: Any) -> Any:
        if '"third"' in request["Item"]["session"]["S"]:
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, "PutItem")
        return put_item(**request)

    monkeypatch.setattr(table, "put_item", throttle_the_third)
    monkeypatch.setattr("boto3.client", lambda _: table)
    future = datetime.now(UTC) + timedelta(hours=1)
    bodies = {
        name: example_event(STARTED) | {"detail": started(session_id=name, expires_at=future)}
        for name in ("first", "third", "fifth")
    }

    answer = lambda_handler(
        {
            "Records": [
                record("1", bodies["first"]),
                record("2", "{not json, but with customer-1001"),
                record("3", bodies["third"]),
                record("4", {"detail": {"session": None}}),
                record("5", bodies["fifth"]),
            ]
        },
        None,
    )

    assert answer == {"batchItemFailures": [{"itemIdentifier": name} for name in ("2", "3", "4")]}
    assert cache.get("first", "c", now=datetime.now(UTC)) is not None
    assert cache.get("fifth", "c", now=datetime.now(UTC)) is not None
    assert len(caplog.messages) == 3
    assert "customer-1001" not in caplog.text


@pytest.mark.slow
def test_its_template_is_valid() -> None:
    assert findings(TEMPLATE) == []
