"""The report: it proves itself against the projections, tells apart what is in flight, and names what is wrong."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ops.analytics.comparing import Projections, compare
from ops.analytics.files import files_of
from ops.analytics.proof import Comparison, Proof, Sum
from ops.analytics.reading import Range, reading
from ops.analytics.report import Plan, make_report
from schemas.item_mapping import write_item
from schemas.items import CLOSING, Session
from schemas.life_cycle import detail_of, over_as_of
from schemas.projection_items import Entry, Projection, write_projection
from schemas.times import to_epoch_seconds
from tests.conftest import at
from tests.unit.test_analytics_reading import write

NOW = at(30)


def a_session(session_id: str = "a", **changes: Any) -> Session:
    session = Session(
        session_id=session_id,
        customer_id="c-1",
        started_at=at(0),
        last_login_time=at(0),
        expires_at=at(60),
        version=1_000,
    )
    return replace(session, **changes)


def ended(session: Session, minute: float = 10, version: int = 2_000) -> Session:
    return replace(session, session_state=CLOSING, ended_at=at(minute), end_reason="user", version=version)


def told(session: Session) -> dict[str, Any]:
    kind = "ended" if session.session_state == CLOSING else "started"
    return detail_of(kind, session, occurred_at=session.ended_at or at(0), over=over_as_of(session, at(10)))


class Stack:
    """The tables of a stack."""

    def __init__(self) -> None:
        self.client = boto3.client("dynamodb", region_name="eu-west-1")
        self._create("sessions", "PK", "SK")
        self._create("projections", "PK")
        self.slept: list[float] = []
        self.while_asleep: list[Projection] = []

    def _create(self, name: str, *keys: str) -> None:
        self.client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[{"AttributeName": key, "KeyType": "RANGE" if key == "SK" else "HASH"} for key in keys],
        )

    def put(self, *sessions: Session) -> None:
        for session in sessions:
            self.client.put_item(
                TableName="sessions", Item=write_item(session) | {"version": {"N": str(session.version)}}
            )

    def project(self, *session_ids: str, customer_id: str = "c-1", **changes: Any) -> Projection:
        entry = Entry(0, to_epoch_seconds(at(60)))
        projection = Projection(
            customer_id=customer_id, sessions=dict.fromkeys(session_ids, entry), session_count=len(session_ids)
        )
        projection = replace(projection, **changes)
        self.client.put_item(TableName="projections", Item=write_projection(projection))
        return projection

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        for projection in self.while_asleep:
            self.client.put_item(TableName="projections", Item=write_projection(projection))

    def compare(self, folder: Path, now: datetime = NOW) -> Comparison:
        stack = Projections(self.client, "sessions", "projections", clock=lambda: now, sleep=self.sleep)
        with reading(files_of(folder)[0], folder) as archive:
            return compare(archive, stack, lambda customer_id: customer_id.upper())


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield Stack()


def archived(folder: Path, *sessions: Session) -> Path:
    write(folder, [told(session) for session in sessions], "events.json")
    return folder


def test_an_archive_that_agrees_with_the_projections_is_right(stack: Stack, tmp_path: Path) -> None:
    child = a_session("k", parent_session_id="a")
    other = a_session("z", customer_id="c-2")
    stack.put(a_session(), other)
    stack.project("a")
    stack.project("z", customer_id="c-2")

    found = stack.compare(archived(tmp_path, a_session(), other, child, ended(a_session("b"))))

    assert found == Comparison(NOW, customers=2, live_sessions=2, differences=(), in_flight=())
    assert stack.slept == []


def test_what_has_run_out_is_live_for_neither(stack: Stack, tmp_path: Path) -> None:
    stack.put(a_session())
    stack.project("a")

    found = stack.compare(archived(tmp_path, a_session()), now=at(60))

    assert (found.customers, found.live_sessions, found.differences, found.in_flight) == (1, 0, (), ())


def test_an_end_that_the_archive_lost_is_named(stack: Stack, tmp_path: Path) -> None:
    later = a_session("later", version=3_000)
    stack.put(ended(a_session()), later)
    stack.project("later")

    found = stack.compare(archived(tmp_path, a_session(), later))

    [difference] = found.differences
    assert (difference.customer_id, difference.session_id) == ("C-1", "a")
    assert (difference.archive, difference.projection) == ("live", "not live")
    assert difference.why == "the session item has ended (version 2000)"
    assert not Proof(found).is_right


def test_a_session_that_the_projection_lost_is_named(stack: Stack, tmp_path: Path) -> None:
    stack.put(a_session(), a_session("b"))
    stack.project("a")

    found = stack.compare(archived(tmp_path, a_session(), a_session("b")))

    assert [(one.session_id, one.why) for one in found.differences] == [
        ("b", "the session item is live (version 1000)")
    ]
    assert found.live_sessions == 1


def test_a_session_that_only_the_projection_knows_and_nobody_can_explain_is_named(stack: Stack, tmp_path: Path) -> None:
    stack.put(a_session())
    stack.project("a", "ghost")

    found = stack.compare(archived(tmp_path, a_session()))

    assert [(one.session_id, one.archive, one.why) for one in found.differences] == [
        ("ghost", "not live", "the session item is not in the table")
    ]


def test_a_change_after_the_newest_line_is_in_flight(stack: Stack, tmp_path: Path) -> None:
    stack.put(ended(a_session(), version=1_001), a_session("new", version=1_001))
    stack.project("new")

    found = stack.compare(archived(tmp_path, a_session()))

    assert [one.session_id for one in found.in_flight] == ["a", "new"]
    assert {one.why for one in found.in_flight} == {"the session changed after the newest line of the archive"}
    assert Proof(found).is_right
    assert stack.slept == []


def test_a_change_of_the_newest_line_itself_is_not_in_flight(stack: Stack, tmp_path: Path) -> None:
    stack.put(ended(a_session(), version=1_000))
    stack.project()

    assert len(stack.compare(archived(tmp_path, a_session())).differences) == 1


def test_a_session_that_a_policy_ends_is_in_flight(stack: Stack, tmp_path: Path) -> None:
    stack.put(a_session())
    stack.project(sessions={"a": Entry(0, to_epoch_seconds(at(60)), "limit", 1)})

    [found] = stack.compare(archived(tmp_path, a_session())).in_flight

    assert found.why == "a policy ends it, and its logout is on its way"


def test_a_difference_of_an_at_least_is_in_flight_until_the_count_is_exact_again(stack: Stack, tmp_path: Path) -> None:
    stack.put(a_session(), a_session("b"))
    stack.project("a", dropped_until=to_epoch_seconds(at(40)))
    folder = archived(tmp_path, a_session(), a_session("b"))

    assert [one.session_id for one in stack.compare(folder).in_flight] == ["b"]
    assert [one.session_id for one in stack.compare(folder, now=at(40)).differences] == ["b"]


def test_a_projection_that_was_written_after_it_was_read_is_in_flight(stack: Stack, tmp_path: Path) -> None:
    stack.put(a_session(), a_session("b"))
    stack.while_asleep = [stack.project("a", "b")]
    stack.project("a")

    found = stack.compare(archived(tmp_path, a_session(), a_session("b")))

    assert found.differences == ()
    assert [one.why for one in found.in_flight] == ["the projection was written after it was read"]


def plan(folder: Path, out: Path, **changes: Any) -> Plan:
    files, found = files_of(folder)
    return replace(Plan(files, Range(None, NOW), out, key=None, now=NOW, found=found), **changes)


def test_of_a_folder_alone_there_is_nothing_to_compare(tmp_path: Path) -> None:
    folder = archived(tmp_path / "archive", a_session(), ended(a_session("b")), a_session("k", parent_session_id="a"))

    document = make_report(plan(folder, tmp_path / "out"))

    assert document["comparison"] is None
    assert document["is_right"]
    assert document["counts"] == {
        "files": 1,
        "bytes": document["counts"]["bytes"],
        "events": 3,
        "ids": 3,
        "transitions": 3,
        "sessions": 3,
    }
    assert [(one["name"], set(one["values"].values())) for one in document["sums"]] == [
        ("sessions", {3}),
        ("sessions over", {1}),
        ("events", {3}),
    ]
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == document
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "report.json",
        "sessions.parquet",
        "transitions.parquet",
    ]


@pytest.mark.parametrize("since", [None, 15])
def test_sums_are_equal_of_any_range(tmp_path: Path, since: int | None) -> None:
    sessions = [a_session(f"s-{number}", started_at=at(number)) for number in range(30)]
    folder = archived(tmp_path / "archive", *sessions[::2], *(ended(one, 14) for one in sessions[1::2]))

    document = make_report(plan(folder, tmp_path / "out", shown=Range(None if since is None else at(since), at(20))))

    assert document["is_right"], document["sums"]
    assert document["counts"]["sessions"] == {None: 17, 15: 10}[since]


def test_sums_that_differ_make_a_report_wrong(tmp_path: Path) -> None:
    folder = archived(tmp_path / "archive", a_session())

    def write_page(archive: Any, proof: Proof, path: Path) -> tuple[Sum, ...]:
        path.write_text("page")
        return (Sum("logins", {"by day": 1, "by source": 2}),)

    document = make_report(plan(folder, tmp_path / "out", write_page=write_page))

    assert not document["is_right"]
    assert (tmp_path / "out" / "report.html").read_text() == "page"


def test_a_report_is_written_again_with_what_came_late(tmp_path: Path) -> None:
    folder = archived(tmp_path / "archive", a_session())
    first = make_report(plan(folder, tmp_path / "out"))

    write(folder, [told(a_session("late")), told(ended(a_session(), 5))], "later.json.gz")
    second = make_report(plan(folder, tmp_path / "out", now=NOW + timedelta(hours=1)))

    def over(document: dict[str, Any]) -> Sequence[int]:
        return [one["values"]["rows of sessions"] for one in document["sums"] if one["name"].startswith("sessions")]

    assert (over(first), over(second)) == ([1, 0], [2, 1])
