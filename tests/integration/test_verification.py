"""Verify, repair and rebuild, over real tables: what is in flight is told from what is wrong, which is mended."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ops.rebuilding import projections
from ops.rebuilding.checkpoint import Checkpoint, CheckpointError
from ops.rebuilding.projections import RebuildAll, touch_all
from ops.rebuilding.scanning import Pace, scan_pages
from ops.rebuilding.touching import Touch, touch
from ops.verification.certificate import certificate, write_document
from ops.verification.comparing import Kind
from ops.verification.repairing import Repair, repair
from ops.verification.verifying import Verification, Verifier
from processors import stream_projector
from processors.projection_table import ProjectionTable
from processors.session_table import SessionTable
from schemas.item_mapping import key_of
from schemas.keys import Key
from tests.conftest import Backend, at, login, logout, logout_all

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("clock_of_the_tests")]


@dataclass
class World:
    """The tables, with a clock that moves where somebody waits."""

    backend: Backend
    now: datetime = field(default_factory=lambda: at(30))
    waits: list[float] = field(default_factory=list)
    wait: timedelta = timedelta(seconds=10)
    meanwhile: Callable[[], object] = lambda: None
    sent: list[str] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += timedelta(seconds=seconds)
        self.meanwhile()

    @property
    def sessions(self) -> SessionTable:
        return SessionTable(
            self.backend.dynamodb,
            self.backend.sessions_table,
            batch_statements=self.backend.batch_statements,
            clock=lambda: self.now,
        )

    @property
    def projections(self) -> ProjectionTable:
        return ProjectionTable(
            self.backend.dynamodb,
            self.backend.projections_table,
            sessions=self.sessions,
            batch_statements=self.backend.batch_statements,
            clock=lambda: self.now,
        )

    def verifier(self) -> Verifier:
        return Verifier(self.sessions, self.projections, wait=self.wait, clock=lambda: self.now, sleep=self.sleep)

    def verify(self) -> Verification:
        return self.verifier().verify_all()

    def repair(self, result: Verification) -> Repair:
        return repair(result.mismatches, self.sessions, self.projections, self.sent.extend)

    def project(self, since: int = 0) -> None:
        records = self.backend.stream_records()[since:]
        assert stream_projector.lambda_handler({"Records": records}, None) == {"batchItemFailures": []}

    def delete(self, table: str, pk: str, sk: str | None = None) -> None:
        key = {"PK": {"S": pk}} | ({} if sk is None else {"SK": {"S": sk}})
        self.backend.dynamodb.delete_item(TableName=table, Key=key)

    def set(self, customer_id: str, **attributes: dict[str, Any]) -> None:
        """Damage a projection."""
        table, key = self.backend.projections_table, {"PK": {"S": f"c#{customer_id}"}}
        item = self.backend.dynamodb.get_item(TableName=table, Key=key)["Item"]
        self.backend.dynamodb.put_item(TableName=table, Item=item | attributes)

    def rebuild_all(self, checkpoint: Checkpoint, pace: Pace | None = None) -> RebuildAll:
        return RebuildAll(
            sessions=self.sessions,
            projections=self.projections,
            send=self.sent.extend,
            checkpoint=checkpoint,
            pace=pace or Pace(),
        )


@pytest.fixture
def world(backend: Backend) -> World:
    return World(backend)


def live_a_day(world: World) -> None:
    world.backend.sessions.apply(
        [
            login("a", "one"),
            login("b", "one"),
            logout("b", "one"),
            login("a", "two"),
            login("kid", "two", minute=5, parent_session_id="a"),
            login("c#ü", "three#"),
        ]
    )
    world.project()


def kinds(result: Verification) -> dict[str, set[Kind]]:
    found: dict[str, set[Kind]] = {}
    for mismatch in result.mismatches:
        found.setdefault(mismatch.customer_id, set()).add(mismatch.kind)
    return found


def test_tables_that_agree_are_clean(world: World) -> None:
    live_a_day(world)

    result = world.verify()

    assert result.is_clean
    assert (result.customers, result.session_items, result.live_sessions, result.settled) == (3, 5, 3, 0)
    assert world.waits == []


def test_each_kind_of_error_is_named_and_a_repair_mends_it(world: World) -> None:
    live_a_day(world)
    world.backend.sessions.apply([login("a", "old-login"), login("a", "ghost"), login("a", "inexact")])
    world.backend.sessions.apply([login("a", "broken")])
    world.project(since=5)
    world.delete(world.backend.projections_table, "c#one")
    world.set("two", last_login_time={"S": "2026-03-01T12:00:00.000Z"}, last_login_session_id={"S": "a"})
    world.set("old-login", last_login_time={"S": "2026-03-01T11:00:00.000Z"})
    entry = {"L": [{"N": "0"}, {"N": "9999999999"}]}
    world.set("ghost", sessions={"M": {"a": entry, "never": entry}})
    world.set("inexact", dropped_until={"N": "253402300799"})
    world.set("broken", sessions={"S": "none"})

    result = world.verify()
    done = world.repair(result)
    again = world.verifier().verify_customers(done.customers)

    assert kinds(result) == {
        "one": {Kind.MISSING},
        "two": {Kind.LAST_LOGIN_TOO_LOW},
        "old-login": {Kind.LAST_LOGIN_TOO_LOW},
        "ghost": {Kind.GHOST},
        "inexact": {Kind.INEXACT},
        "broken": {Kind.UNREADABLE},
    }
    assert (len(done.rebuilt), done.touched, done.failed) == (6, ["two"], {})
    assert kinds(again) == {"two": {Kind.LAST_LOGIN_TOO_LOW}} or kinds(again) == {"two": {Kind.IN_FLIGHT}}
    world.project(since=9)  # the touch of the child session
    assert world.verify().is_clean


def test_what_agrees_at_a_later_look_was_in_flight(world: World) -> None:
    live_a_day(world)
    world.sessions.create_session(login("new", "one", minute=29))
    world.meanwhile = lambda: world.project(since=5)

    result = world.verify()

    assert result.is_clean
    assert (result.settled, len(world.waits)) == (1, 1)


def test_a_change_of_a_moment_ago_that_does_not_arrive_becomes_an_error_after_the_wait(world: World) -> None:
    live_a_day(world)
    world.sessions.create_session(login("new", "one", minute=29))

    result = world.verify()

    assert kinds(result) == {"one": {Kind.MISSING, Kind.LAST_LOGIN_TOO_LOW}}
    assert sum(world.waits) == pytest.approx(10, abs=1)


def test_a_customer_that_never_stops_changing_is_in_flight_and_the_run_ends(world: World) -> None:
    live_a_day(world)

    def change() -> None:
        number = len(world.waits)
        world.sessions.create_session(login(f"new-{number}", "one", minute=number))

    change()
    world.meanwhile, world.wait = change, timedelta(seconds=2)

    result = world.verify()

    assert kinds(result) == {"one": {Kind.IN_FLIGHT}}
    assert not result.is_clean
    assert sum(world.waits) <= 7


def test_an_end_that_a_policy_decided_and_whose_logout_was_lost_is_named_and_sent_again(world: World) -> None:
    live_a_day(world)
    world.backend.sessions.apply([logout_all("one", minute=10)])
    world.project(since=5)

    result = world.verify()
    world.repair(result)

    assert kinds(result) == {"one": {Kind.NOT_ENDED}}
    assert [(body["session_id"], body["reason"]) for body in map(json.loads, world.sent)] == [("a", "revoked")]


def test_an_item_that_cannot_be_read_is_named_and_the_rest_compared(world: World) -> None:
    live_a_day(world)
    item = {"PK": {"S": "suuid#z"}, "SK": {"S": "c#one"}, "item_format": {"N": "2"}}
    world.backend.dynamodb.put_item(TableName=world.backend.sessions_table, Item=item)
    world.backend.dynamodb.put_item(
        TableName=world.backend.sessions_table, Item={"PK": {"S": "cart#1"}, "SK": {"S": "line#1"}}
    )

    everything, one = world.verify(), world.verifier().verify_customers(["one"])

    assert [("suuid#z" in problem) for problem in everything.unreadable] == [True]
    assert [("suuid#z" in problem) for problem in one.unreadable] == [True]
    assert everything.session_items == 5
    assert not everything.is_clean
    assert not everything.mismatches


def test_one_customer_and_a_sample_are_compared_like_all_of_them(world: World) -> None:
    live_a_day(world)
    world.delete(world.backend.projections_table, "c#two")

    one, two = (world.verifier().verify_customers([name]) for name in ("one", "two"))
    half = world.verifier().verify_sample(0.99)

    assert (one.is_clean, one.session_items, two.session_items) == (True, 2, 2)
    assert kinds(two) == {"two": {Kind.MISSING}}
    assert half.scope == "sample 99%"
    assert half.customers <= 3


def test_sessions_of_an_erased_customer_that_are_not_deleted_yet_are_no_error(world: World) -> None:
    live_a_day(world)
    world.sessions.erased.add("one", at(29))
    world.delete(world.backend.projections_table, "c#one")

    assert world.verify().is_clean
    assert world.verifier().verify_customers(["one"]).is_clean


def test_a_certificate_says_what_was_compared_when_by_which_release_and_the_result(
    world: World, tmp_path: Path
) -> None:
    live_a_day(world)
    world.delete(world.backend.projections_table, "c#one")
    path = tmp_path / "verified.json"

    document = certificate(world.verify(), sessions_table="s", projections_table="p", stack="stack prod")
    write_document(path, document)

    read = json.loads(path.read_text())
    assert read == document
    assert (read["certificate"], read["format"], read["result"], read["stack"]) == (
        "verification",
        1,
        "differs",
        "stack prod",
    )
    assert read["release"][0].isdigit()
    assert (read["customers"], read["differences"]) == (3, {"missing": 1})
    assert {mismatch["customer_id"] for mismatch in read["mismatches"]} == {"one"}
    assert list(tmp_path.iterdir()) == [path]


def test_rebuilding_all_brings_a_lost_table_back(world: World, tmp_path: Path) -> None:
    live_a_day(world)
    world.backend.sessions.apply([logout_all("only-revoked", minute=-5)])
    for customer_id in ("one", "two", "three%23"):
        world.delete(world.backend.projections_table, f"c#{customer_id}")
    entry = {"L": [{"N": "0"}, {"N": "9999999999"}]}
    ghost = {"PK": {"S": "c#nobody"}, "customer_id": {"S": "nobody"}, "sessions": {"M": {"x": entry}}}
    world.backend.dynamodb.put_item(TableName=world.backend.projections_table, Item=ghost)
    path = tmp_path / "checkpoint"

    with Checkpoint(path, "test") as checkpoint:
        world.rebuild_all(checkpoint).run()
        done, problems = checkpoint.done_count, checkpoint.problems()
        checkpoint.finish()

    assert (done, problems, path.exists()) == (5, {}, False)
    result = world.verify()
    assert kinds(result) == {"two": {Kind.LAST_LOGIN_TOO_LOW}}  # the child's login: a touch tells it
    assert world.repair(result).touched == ["two"]


def test_rebuilding_goes_on_after_an_end_in_the_middle_and_tries_again_what_failed(
    world: World, tmp_path: Path
) -> None:
    live_a_day(world)
    newer = {"PK": {"S": "c#one"}, "customer_id": {"S": "one"}, "sessions": {"M": {}}, "item_format": {"N": "2"}}
    world.backend.dynamodb.put_item(TableName=world.backend.projections_table, Item=newer)
    path = tmp_path / "checkpoint"

    class EndedError(Exception):
        pass

    def end(what: str, done: int) -> None:
        raise EndedError

    with Checkpoint(path, "test") as checkpoint, pytest.raises(EndedError):
        RebuildAll(
            sessions=world.sessions,
            projections=world.projections,
            send=world.sent.extend,
            checkpoint=checkpoint,
            pace=Pace(1, sleep=lambda _seconds: None),
            on_progress=end,
        ).run()
    with Checkpoint(path, "test") as checkpoint:
        assert checkpoint.done_count == 1
        world.rebuild_all(checkpoint).run()
        assert list(checkpoint.problems()) == ["one"]
    world.delete(world.backend.projections_table, "c#one")
    with Checkpoint(path, "test") as checkpoint:
        world.rebuild_all(checkpoint).run()
        assert checkpoint.problems() == {}
        assert checkpoint.done_count == 3

    assert world.projections.get_customer_activity("one", now=at(31)).session_ids == ["a"]


def test_a_touch_of_the_whole_register_goes_on_where_it_stopped(world: World, tmp_path: Path) -> None:
    live_a_day(world)
    before = {item["PK"]["S"] + item["SK"]["S"]: item["version"]["N"] for item in world.backend.items()}

    with Checkpoint(tmp_path / "checkpoint", "touch") as checkpoint:
        counts = touch_all(world.sessions, checkpoint, pace=Pace(2, sleep=lambda _seconds: None))
    with Checkpoint(tmp_path / "checkpoint", "touch") as checkpoint:
        repeated = touch_all(world.sessions, checkpoint)

    after = {item["PK"]["S"] + item["SK"]["S"]: item["version"]["N"] for item in world.backend.items()}
    assert (counts, repeated) == ({Touch.TOUCHED: 5}, {})
    assert all(int(after[key]) > int(before[key]) for key in before)


def test_an_item_that_a_touch_could_not_write_is_the_only_one_that_the_next_run_touches(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_a_day(world)
    [busy, *others] = [key_of(item) for item in world.backend.items()]

    def touch_others(sessions: SessionTable, keys: Sequence[Key]) -> dict[Key, Touch]:
        return dict.fromkeys(keys, Touch.NOT_WRITTEN) | touch(sessions, [key for key in keys if key != busy])

    with monkeypatch.context() as patch, Checkpoint(tmp_path / "checkpoint", "touch") as checkpoint:
        patch.setattr(projections, "touch", touch_others)
        counts = touch_all(world.sessions, checkpoint)
    after_first = versions(world)
    with Checkpoint(tmp_path / "checkpoint", "touch") as checkpoint:
        repeated = touch_all(world.sessions, checkpoint)
        assert checkpoint.problems() == {}

    assert (counts, repeated) == ({Touch.TOUCHED: len(others), Touch.NOT_WRITTEN: 1}, {Touch.TOUCHED: 1})
    assert {key for key, version in versions(world).items() if version != after_first[key]} == {busy}


def test_a_touch_that_is_interrupted_within_a_page_goes_on_from_its_last_part(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_a_day(world)
    parts: list[Sequence[Key]] = []

    def die_at_the_third(sessions: SessionTable, keys: Sequence[Key]) -> dict[Key, Touch]:
        parts.append(keys)
        if len(parts) == 3:
            raise KeyboardInterrupt
        return touch(sessions, keys)

    monkeypatch.setattr(projections, "touch", die_at_the_third)
    with Checkpoint(tmp_path / "checkpoint", "touch") as checkpoint:
        with pytest.raises(KeyboardInterrupt):
            touch_all(world.sessions, checkpoint, pace=Pace(1, sleep=lambda _seconds: None))
        rest = touch_all(world.sessions, checkpoint, pace=Pace(1, sleep=lambda _seconds: None))

    assert rest == {Touch.TOUCHED: len(versions(world)) - 2}
    assert parts[2] == parts[3]


def versions(world: World) -> dict[Key, int]:
    return {key_of(item): int(item["version"]["N"]) for item in world.backend.items()}


def test_a_checkpoint_of_another_run_or_another_file_is_refused(tmp_path: Path) -> None:
    with Checkpoint(tmp_path / "one", "rebuild all of table-1"):
        pass
    (tmp_path / "text").write_text("notes " * 1000)

    with pytest.raises(CheckpointError, match=r"the checkpoint of another run \(rebuild all of table-1\)"):
        Checkpoint(tmp_path / "one", "rebuild all of table-2").__enter__()
    with pytest.raises(CheckpointError, match="name another file with --checkpoint"):
        Checkpoint(tmp_path / "text", "rebuild all of table-1").__enter__()
    assert (tmp_path / "text").read_text() == "notes " * 1000


def test_a_scan_goes_on_after_the_position_of_a_page(world: World) -> None:
    world.backend.sessions.apply([login(f"s-{number}", user_agent="") for number in range(3)])
    for number in range(4):
        item = {"PK": {"S": f"big#{number}"}, "SK": {"S": "x"}, "text": {"S": "x" * 390_000}}
        world.backend.dynamodb.put_item(TableName=world.backend.sessions_table, Item=item)

    pages = list(scan_pages(world.sessions.store, "PK", "SK"))
    rest = list(scan_pages(world.sessions.store, "PK", "SK", after=pages[0].position))

    assert len(pages) > 1
    assert rest == pages[1:]
    assert len({item["PK"]["S"] for page in pages for item in page.items}) == 7


def test_a_pace_keeps_its_rate_and_without_one_nothing_waits() -> None:
    now, waits = [100.0], []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    paced, free = Pace(10, clock=lambda: now[0], sleep=sleep), Pace(None, clock=lambda: now[0], sleep=sleep)
    for _ in range(5):
        paced.take(paced.batch)
        free.take(1000)

    assert paced.batch == 10
    assert sum(waits) == pytest.approx(4)
