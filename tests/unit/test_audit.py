"""The audit: a recount of the session items against the projections."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ops.inspection.audit import Audit, Recount, audit, compare, recount
from processors.projections.activity import CustomerActivity
from schemas.item_mapping import write_item
from schemas.items import CLOSING, Session
from schemas.projection_items import Entry, Projection, write_projection
from schemas.times import to_epoch_seconds

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_session(session_id: str = "session-1", **changes: Any) -> Session:
    session = Session(
        session_id=session_id,
        customer_id="customer-1",
        started_at=NOW - HOUR,
        last_login_time=NOW - HOUR,
        expires_at=NOW + HOUR,
        version=1,
    )
    return replace(session, **changes)


def an_activity(*session_ids: str, **changes: Any) -> CustomerActivity:
    activity = CustomerActivity(
        customer_id="customer-1",
        last_login_time=NOW - HOUR,
        last_login_session_id="session-1",
        session_count=len(session_ids),
        is_exact=True,
        session_ids=list(session_ids),
    )
    return replace(activity, **changes)


def counted(*session_ids: str, last_login_time: datetime | None = NOW - HOUR) -> Recount:
    return Recount(live_session_ids=set(session_ids), last_login_time=last_login_time)


def test_a_live_session_counts() -> None:
    recounts = recount([a_session("session-1"), a_session("session-2")], NOW)

    assert recounts == {"customer-1": counted("session-1", "session-2")}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"session_state": CLOSING}, id="logged out"),
        pytest.param({"expires_at": NOW}, id="runs out this second"),
        pytest.param({"parent_session_id": "session-0"}, id="a child session"),
    ],
)
def test_a_session_that_is_over_or_a_child_does_not_count_but_its_login_does(changes: dict[str, Any]) -> None:
    recounts = recount([a_session(**changes)], NOW)

    assert recounts == {"customer-1": counted()}


def test_a_tombstone_whose_login_has_not_come_tells_nothing() -> None:
    tombstone = a_session(session_state=CLOSING, started_at=None, last_login_time=None)

    recounts = recount([tombstone], NOW)

    assert recounts == {"customer-1": counted(last_login_time=None)}


def test_an_item_of_the_original_schema_without_expiry_is_live_while_active() -> None:
    legacy = a_session(expires_at=None, version=None, last_login_time=datetime(2023, 5, 12, 11, 30, tzinfo=UTC))

    recounts = recount([legacy], NOW)

    assert recounts["customer-1"].live_session_ids == {"session-1"}


def test_the_last_login_is_the_latest_of_top_level_and_child_sessions() -> None:
    child = a_session("session-2", parent_session_id="session-1", last_login_time=NOW - HOUR / 2)

    recounts = recount([child, a_session()], NOW)

    assert recounts["customer-1"].last_login_time == NOW - HOUR / 2


def test_a_child_of_the_original_schema_that_names_no_customer_is_left_out() -> None:
    child = a_session(customer_id=None, parent_session_id="session-0", last_login_time=None)

    assert recount([child], NOW) == {}


@pytest.mark.parametrize(
    ("items", "activity"),
    [
        pytest.param(counted("session-1"), an_activity("session-1"), id="equal"),
        pytest.param(counted("session-1"), an_activity("session-1", last_login_time=NOW), id="a newer last login"),
        pytest.param(counted(last_login_time=None), an_activity(last_login_time=None), id="nothing on either side"),
        pytest.param(counted("a", "b", "c"), an_activity("a", "b", is_exact=False), id="at least two, and it is three"),
        pytest.param(counted("a", "b"), an_activity("a", "b", is_exact=False), id="at least two, and it is two"),
    ],
)
def test_projections_that_hold_pass(items: Recount, activity: CustomerActivity) -> None:
    assert list(compare(items, activity)) == []


@pytest.mark.parametrize(
    ("items", "activity", "problem"),
    [
        pytest.param(counted("a", "b"), an_activity("a"), "number of live sessions differs", id="too few"),
        pytest.param(counted(), an_activity("a"), "number of live sessions differs", id="too many"),
        pytest.param(counted("a"), an_activity("b"), "these are other sessions", id="others"),
        pytest.param(counted("a"), an_activity("a", "b", is_exact=False), "too many", id="at least too many"),
        pytest.param(
            counted("a"), an_activity("a", last_login_time=NOW - 2 * HOUR), "last login is older", id="older login"
        ),
        pytest.param(counted("a"), an_activity("a", last_login_time=None), "last login is older", id="no login"),
    ],
)
def test_projections_that_do_not_hold_are_named(items: Recount, activity: CustomerActivity, problem: str) -> None:
    (mismatch,) = compare(items, activity)

    assert mismatch.customer_id == "customer-1"
    assert problem in mismatch.problem


def test_a_mismatch_shows_both_sides_and_the_sessions_that_make_the_difference() -> None:
    (mismatch,) = compare(counted("a", "b", "c", "d", "e", "z"), an_activity("y", "z"))

    assert mismatch.items == "6, only here: a, b, c, …"
    assert mismatch.projection == "2, only here: y"


def test_a_mismatch_of_last_logins_shows_both_times() -> None:
    (mismatch,) = compare(counted(), an_activity(last_login_time=NOW - 2 * HOUR))

    assert (mismatch.items, mismatch.projection) == ("2026-03-02T08:30:00.000Z", "2026-03-02T07:30:00.000Z")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "example")
    monkeypatch.delenv("AWS_ENDPOINT_URL_DYNAMODB", raising=False)
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        for table, keys in {"sessions": {"PK": "HASH", "SK": "RANGE"}, "projections": {"PK": "HASH"}}.items():
            client.create_table(
                TableName=table,
                KeySchema=[{"AttributeName": name, "KeyType": role} for name, role in keys.items()],  # type: ignore[typeddict-item] # str where a literal is asked
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
                BillingMode="PAY_PER_REQUEST",
            )
        yield client


def put_session(client: Any, session: Session, **attributes: Any) -> None:
    client.put_item(TableName="sessions", Item=write_item(session) | {"version": {"N": "1"}} | attributes)


def put_projection(client: Any, customer_id: str, *session_ids: str) -> None:
    entry = Entry(started_at=0, expires_at=to_epoch_seconds(NOW + HOUR))
    projection = Projection(customer_id=customer_id, last_login_time=NOW, sessions=dict.fromkeys(session_ids, entry))
    client.put_item(TableName="projections", Item=write_projection(projection))


def run_audit(client: Any) -> Audit:
    return audit(client, sessions_table="sessions", projections_table="projections", now=NOW)


def test_tables_that_agree_are_clean(client: Any) -> None:
    put_session(client, a_session("session-1"))
    put_session(client, a_session("session-2", parent_session_id="session-1"))
    put_projection(client, "customer-1", "session-1")

    result = run_audit(client)

    assert result.is_clean
    assert (result.customers, result.session_items, result.live_sessions) == (1, 2, 1)


def test_a_customer_without_projection_and_a_projection_without_items_are_both_found(client: Any) -> None:
    put_session(client, a_session("session-1", customer_id="customer-1#eu"))
    put_projection(client, "customer-2#eu", "session-2")

    result = run_audit(client)

    assert not result.is_clean
    assert {mismatch.customer_id for mismatch in result.mismatches} == {"customer-1#eu", "customer-2#eu"}


def test_every_page_of_the_scan_is_read(client: Any) -> None:
    session_ids = [f"session-{number}" for number in range(5)]
    for session_id in session_ids:
        put_session(client, a_session(session_id), user_agent={"S": "x" * 390_000})
    put_projection(client, "customer-1", *session_ids)

    result = run_audit(client)

    assert result.is_clean
    assert result.session_items == 5


def test_items_that_cannot_be_read_are_named_and_the_rest_is_compared(client: Any) -> None:
    put_session(client, a_session("session-1"))
    put_session(client, a_session("session-2"), item_format={"N": "2"})
    put_projection(client, "customer-1", "session-1")
    client.put_item(TableName="projections", Item={"PK": {"S": "c#customer-2"}, "sessions": {"S": "none"}})

    result = run_audit(client)

    assert not result.is_clean
    assert result.mismatches == ()
    assert [text for text in result.unreadable if "session-2" in text or "customer-2" in text] == list(
        result.unreadable
    )
    assert len(result.unreadable) == 2


def test_items_of_other_applications_in_the_table_are_passed_over(client: Any) -> None:
    client.put_item(TableName="sessions", Item={"PK": {"S": "cart#1"}, "SK": {"S": "line#1"}})

    result = run_audit(client)

    assert result.is_clean
    assert result.session_items == 0
