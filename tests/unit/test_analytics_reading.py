"""An archive as tables: equal to the reader's rule in plain Python, whatever order, copies and gaps it comes in."""

import gzip
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ops.analytics.problems import Kind
from ops.analytics.pseudonyms import pseudonym
from ops.analytics.reading import Archive, Range, open_folder
from schemas.items import CLOSING, Session
from schemas.life_cycle import Over, detail_of, expired_detail, latest, over_as_of
from schemas.times import parse_rfc3339
from tests.conftest import at

KEYS = [("s", "c", None), ("s", "d", None), ("t", "c", None), ("s", "c", "p"), ("u", "c", "s"), ("v", "d", "s")]
SESSION_COLUMNS = [
    *("session_id", "customer_id", "parent_session_id", "version"),
    *("started_at", "last_login_time", "expires_at", "ended_at", "end_reason"),
    *("client_ip", "user_agent", "device_id", "country", "source", "over_at", "over_reason"),
]
TRANSITION_COLUMNS = ["id", "kind", "occurred_at", "session_id", "customer_id", "version", "over_at", "over_reason"]

Row = dict[str, Any]


def a_session(**changes: Any) -> Session:
    session = Session(
        session_id="s",
        customer_id="c",
        started_at=at(0),
        last_login_time=at(0),
        expires_at=at(60),
        client_ip="192.0.2.7",
        device_id="phone",
        country="DE",
        source="auth0",
        version=1,
    )
    return replace(session, **changes)


def started(**changes: Any) -> dict[str, Any]:
    return detail_of("started", a_session(**changes), occurred_at=at(0), over=Over())


def ended(minute: float, **changes: Any) -> dict[str, Any]:
    session = a_session(
        **{"session_state": CLOSING, "ended_at": at(minute), "end_reason": "user", "version": 9} | changes
    )
    return detail_of("ended", session, occurred_at=at(minute), over=over_as_of(session, at(minute)))


def write(folder: Path, details: Sequence[Mapping[str, Any]], name: str = "events.json.gz") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(detail) + "\n" for detail in details).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


def rows(archive: Archive, table: str) -> list[dict[str, Any]]:
    found = archive.connection.execute(f"SELECT * FROM {table}")  # noqa: S608 # a name of ours
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def table(
    folder: Path, name: str = "sessions", since: float | None = None, until: float = 10_000
) -> list[dict[str, Any]]:
    shown = Range(None if since is None else at(since), at(until))
    with open_folder(folder, shown, now=at(100_000)) as archive:
        return rows(archive, name)


def key_of(row: Mapping[str, Any]) -> tuple[str, str]:
    parent = row["parent_session_id"]
    return (row["session_id"], row["customer_id"]) if parent is None else (parent, row["session_id"])


def as_read(value: Any) -> Any:
    try:
        return parse_rfc3339(value) if isinstance(value, str) else value
    except ValueError:
        return value


def expected_sessions(details: Sequence[Mapping[str, Any]], since: datetime | None, until: datetime) -> list[Row]:
    """The reader's rule in Python: expiries before `until` count, ends after it do not; then parents are joined."""
    own = [_as_of(detail, until) for detail in _own_states(details)]
    shown = []
    for detail in latest(own).values():
        row = {name: as_read(value) for name, value in detail["session"].items()}
        row |= {"over_at": as_read(detail["over_at"]), "over_reason": detail["over_reason"]}
        over, start = row["over_at"], row["started_at"] or row["last_login_time"]
        if start < until and (over is None or (start < over and (since is None or since < over))):
            shown.append(row)
    return shown


def _own_states(details: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    kept = latest(details)
    last = {key: (value["session"]["version"], value["kind"]) for key, value in kept.items()}
    return [
        detail
        for detail in details
        if last[key_of(detail["session"])] == (detail["session"]["version"], detail["kind"])
    ]


def _as_of(detail: Mapping[str, Any], until: datetime) -> Mapping[str, Any]:
    over_at, reason, expires_at = detail["over_at"], detail["over_reason"], detail["session"]["expires_at"]
    if over_at is None and expires_at is not None:
        over_at, reason = expires_at, "expired"
    if over_at is not None and (
        parse_rfc3339(over_at) > until or (reason == "expired" and parse_rfc3339(over_at) == until)
    ):
        over_at, reason = None, None
    return {**detail, "over_at": over_at, "over_reason": reason if over_at else None}


def history(seed: int) -> list[dict[str, Any]]:
    """Sessions that start, are refreshed, expire, come back and end, each change with a greater version."""
    source = random.Random(seed)
    details = []
    for session_id, customer_id, parent_id in KEYS:
        start = source.randrange(300)
        session = a_session(
            session_id=session_id, customer_id=customer_id, parent_session_id=parent_id, started_at=at(start)
        )
        for version in range(1, source.randrange(2, 6)):
            login = start + 20 * version
            expires_at = source.choice([at(login + source.randrange(1, 90)), at(login + 60), None])
            session = replace(session, version=version, last_login_time=at(login), expires_at=expires_at)
            kind = "started" if version == 1 else "refreshed"
            details.append(detail_of(kind, session, occurred_at=at(login), over=Over()))
            if expires_at and source.random() < 0.3:
                details.append(expired_detail(session))
        if source.random() < 0.5:
            over = at(start + source.randrange(200))
            session = replace(session, session_state=CLOSING, ended_at=over, end_reason="user", version=99)
            details.append(detail_of("ended", session, occurred_at=over, over=over_as_of(session, over)))
    return details


def sorted_rows(found: Sequence[Row]) -> list[Row]:
    return sorted(found, key=lambda row: repr(sorted(row.items(), key=lambda item: item[0])))


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 10_000),
    st.randoms(use_true_random=False),
    st.one_of(st.none(), st.integers(0, 500)),
    st.integers(0, 600),
)
def test_shuffled_doubled_and_thinned_lines_become_the_rows_of_the_readers_rule(
    tmp_path_factory: pytest.TempPathFactory, seed: int, chance: random.Random, since: int | None, until: int
) -> None:
    told = history(seed)
    last_ids = {detail["id"] for detail in latest(told).values()}
    thinned = [detail for detail in told if detail["id"] in last_ids or chance.random() < 0.5]
    lines = thinned + [chance.choice(thinned) for _ in range(10)]
    chance.shuffle(lines)
    folder = tmp_path_factory.mktemp("archive")
    write(folder, lines[::2], "year=2026/one.json.gz")
    write(folder, lines[1::2], "two.json")

    with open_folder(folder, Range(None if since is None else at(since), at(until)), now=at(100_000)) as archive:
        sessions, transitions = rows(archive, "sessions"), rows(archive, "transitions")

    since_at = None if since is None else at(since)
    assert sorted_rows(sessions) == sorted_rows(expected_sessions(told, since_at, at(until)))
    greatest: dict[str, Mapping[str, Any]] = {}
    for detail in lines:
        if detail["session"]["version"] >= greatest.get(detail["id"], detail)["session"]["version"]:
            greatest[detail["id"]] = detail
    assert sorted_rows(transitions) == sorted_rows(
        [
            {name: as_read(detail.get(name, detail["session"].get(name))) for name in TRANSITION_COLUMNS}
            for detail in greatest.values()
        ]
    )


def test_the_columns_and_their_types_are_those_of_the_contract(tmp_path: Path) -> None:
    write(tmp_path, [started()])

    with open_folder(tmp_path, Range(None, at(10)), now=at(10)) as archive:
        columns = {
            name: archive.connection.execute(f"DESCRIBE {name}").fetchall() for name in ("sessions", "transitions")
        }

    assert [row[0] for row in columns["sessions"]] == SESSION_COLUMNS
    assert [row[0] for row in columns["transitions"]] == TRANSITION_COLUMNS
    for row in (*columns["sessions"], *columns["transitions"]):
        is_time = row[0].endswith("_at") or row[0] == "last_login_time"
        assert row[1] == ("TIMESTAMP WITH TIME ZONE" if is_time else "BIGINT" if row[0] == "version" else "VARCHAR")


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        pytest.param(59, (None, None), id="before it ran out"),
        pytest.param(60, (None, None), id="just then: it was live in all of the range"),
        pytest.param(60.001, (at(60), "expired"), id="after it ran out, though nobody told"),
    ],
)
def test_an_expiry_counts_where_it_lies_before_the_end_of_the_range(
    tmp_path: Path, until: float, expected: tuple[Any, Any]
) -> None:
    write(tmp_path, [started()])

    [row] = table(tmp_path, until=until)

    assert (row["over_at"], row["over_reason"]) == expected


def test_an_end_after_the_range_is_null_and_told_later_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, [started(), ended(30)])

    assert [row["over_at"] for row in table(tmp_path, until=20)] == [None]
    assert [row["over_at"] for row in table(tmp_path, until=30)] == [at(30)]
    assert table(tmp_path, since=30, until=50) == []
    assert len(table(tmp_path, since=29, until=50)) == 1


def test_the_start_of_the_range_limits_what_is_shown_and_not_what_is_read(tmp_path: Path) -> None:
    write(tmp_path, [started(expires_at=at(600)), started(session_id="old", expires_at=at(5))])

    [row] = table(tmp_path, since=300, until=400)

    assert (row["session_id"], row["started_at"]) == ("s", at(0))


def test_a_child_is_over_with_a_parent_that_ran_out_untold(tmp_path: Path) -> None:
    child = started(session_id="k", parent_session_id="s", expires_at=at(500))
    write(tmp_path, [started(), child])

    found = {row["session_id"]: row for row in table(tmp_path, until=100)}

    assert (found["k"]["over_at"], found["k"]["over_reason"]) == (at(60), "parent")


def test_a_session_that_ended_before_it_started_was_never_live(tmp_path: Path) -> None:
    write(tmp_path, [ended(-5)])

    assert table(tmp_path) == []


def test_times_finer_than_a_millisecond_are_cut_and_other_zones_are_read(tmp_path: Path) -> None:
    detail = started()
    detail["session"] |= {"started_at": "2026-03-01T12:00:00.001999Z", "last_login_time": "2026-03-01T14:00:00+02:00"}
    write(tmp_path, [detail])

    [row] = table(tmp_path, until=10)

    assert row["started_at"] == datetime(2026, 3, 1, 12, 0, 0, 1000, tzinfo=UTC)
    assert row["last_login_time"] == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_late_events_change_the_numbers_of_yesterday_to_the_right_ones(tmp_path: Path) -> None:
    write(tmp_path, [started()], "day=01/a.json")
    before = table(tmp_path, until=100)

    write(tmp_path, [ended(30), started(session_id="late", expires_at=at(40))], "day=02/b.json")
    after = {row["session_id"]: row for row in table(tmp_path, until=100)}

    assert [(row["session_id"], row["over_at"]) for row in before] == [("s", at(60))]
    assert {name: row["over_at"] for name, row in after.items()} == {"s": at(30), "late": at(40)}


def test_nobody_is_named_unless_asked_for(tmp_path: Path) -> None:
    child = started(session_id="k", parent_session_id="s")
    odd = started(session_id="odd") | {"id": "made by hand for c"}
    write(tmp_path, [started(), child, odd, expired_detail(a_session())])

    with open_folder(tmp_path, Range(None, at(10)), key=b"secret", now=at(10)) as archive:
        sessions, transitions = rows(archive, "sessions"), rows(archive, "transitions")

    hidden = pseudonym(b"secret", "c")
    assert {row["customer_id"] for row in (*sessions, *transitions)} == {hidden}
    assert {row["client_ip"] for row in sessions} == {pseudonym(b"secret", "192.0.2.7")}
    assert {row["device_id"] for row in sessions} == {pseudonym(b"secret", "phone")}
    assert {row["id"] for row in transitions} == {
        f"suuid#s/c#{hidden}/1/started",
        f"suuid#s/c#{hidden}/{int(at(60).timestamp())}/expired",
        "suuid#s/child#suuid#k/1/started",
        pseudonym(b"secret", "made by hand for c"),
    }


def test_who_is_online_at_a_moment_is_who_had_started_and_was_not_over(tmp_path: Path) -> None:
    write(tmp_path, [started(), ended(30, session_id="b"), started(session_id="later", started_at=at(50))])

    with open_folder(tmp_path, Range(None, at(55)), now=at(55)) as archive:
        online = {
            minute: sorted(
                row[0]
                for row in archive.connection.execute("SELECT session_id FROM online(?)", [at(minute)]).fetchall()
            )
            for minute in (-1, 0, 29, 30, 50)
        }

    assert online == {-1: [], 0: ["b", "s"], 29: ["b", "s"], 30: ["s"], 50: ["later", "s"]}


def test_nobody_is_online_who_runs_out_at_the_end_of_the_range_or_after_it(tmp_path: Path) -> None:
    child = started(session_id="child", parent_session_id="s", expires_at=at(90))
    write(tmp_path, [started(), child, started(session_id="always", expires_at=None)])

    with open_folder(tmp_path, Range(None, at(60)), now=at(60)) as archive:
        online = {
            minute: sorted(
                row[0]
                for row in archive.connection.execute("SELECT session_id FROM online(?)", [at(minute)]).fetchall()
            )
            for minute in (59, 60, 100)
        }

    assert online == {59: ["always", "child", "s"], 60: ["always"], 100: ["always"]}


NOT_EVENTS = [
    b"hello",
    b"[1]",
    b"5",
    b"null",
    b"{}",
    b'{"format": 1}',
    b"\xff\xfe",
    json.dumps(started() | {"kind": "paused"}).encode(),
    json.dumps(started() | {"occurred_at": "yesterday"}).encode(),
    json.dumps(started() | {"session": "s"}).encode(),
    json.dumps(started())[:200].encode(),
]


@pytest.mark.parametrize("line", NOT_EVENTS)
def test_a_line_that_is_not_an_event_is_counted_named_and_left_out(tmp_path: Path, line: bytes) -> None:
    path = write(tmp_path, [started()], "a.json")
    path.write_bytes(path.read_bytes() + line + b"\n\n" + json.dumps(started(session_id="t")).encode())

    with open_folder(tmp_path, Range(None, at(10)), now=at(10)) as archive:
        assert {row["session_id"] for row in rows(archive, "sessions")} == {"s", "t"}
        [problem] = archive.problems

    assert (problem.kind, problem.count) == (Kind.NOT_AN_EVENT, 1)
    assert problem.examples[0].startswith("a.json, line 2: ")


def test_an_event_of_a_newer_format_is_counted_and_named(tmp_path: Path) -> None:
    write(tmp_path, [started(), {"format": 2, "new": True}, started(session_id="t") | {"format": 3}])

    with open_folder(tmp_path, Range(None, at(10)), now=at(10)) as archive:
        assert len(rows(archive, "sessions")) == 1
        [problem] = archive.problems

    assert (problem.kind, problem.count) == (Kind.NEWER_FORMAT, 2)
    assert problem.examples[0] == "events.json.gz, line 2: format 2; this program reads 1"


@pytest.mark.parametrize("damage", ["cut", "without trailer", "rubbish after", "empty", "head alone"])
def test_of_a_file_cut_off_the_whole_lines_are_used(tmp_path: Path, damage: str) -> None:
    write(tmp_path, [started(session_id="whole")], "a.json.gz")
    path = write(tmp_path, [started(session_id=f"s-{number}") for number in range(400)], "b.json.gz")
    whole = path.read_bytes()
    path.write_bytes(
        {
            "cut": whole[: len(whole) // 2],
            "without trailer": whole[:-4],
            "rubbish after": whole + b"rubbish",
            "empty": b"",
            "head alone": whole[:2],
        }[damage]
    )

    with open_folder(tmp_path, Range(None, at(10)), now=at(10)) as archive:
        sessions, problems = rows(archive, "sessions"), archive.problems

    assert "whole" in {row["session_id"] for row in sessions}
    assert [(problem.kind, problem.count) for problem in problems] == [(Kind.CUT_OFF, 1)]
    assert problems[0].examples[0].startswith("b.json.gz")
    assert len(sessions) == {"without trailer": 401, "rubbish after": 401}.get(damage, len(sessions))
    assert len(sessions) > (1 if damage == "cut" else 0)


def test_two_archives_in_one_folder_are_named_and_so_are_ids_with_two_contents(tmp_path: Path) -> None:
    unique = "1-2026-11-27-10-05-00-1b4e28ba-2fa1-11d2-883f-0016d3cca427"
    write(tmp_path, [started()], f"year=2026/one-{unique}.gz")
    write(tmp_path, [started(started_at=at(3))], f"year=2026/other-{unique}.gz")

    with open_folder(tmp_path, Range(None, at(10)), now=at(10)) as archive:
        problems = {problem.kind: problem for problem in archive.problems}

    assert set(problems) == {Kind.MIXED, Kind.TWO_CONTENTS}
    assert problems[Kind.MIXED].examples == ("stream one", "stream other")
    assert problems[Kind.TWO_CONTENTS].examples == ("suuid#s/c#c/1/started",)


@pytest.mark.parametrize(
    "members",
    [{"country": "FR"}, {"country": None}, {"source": "other"}, {"started_at": None}],
    ids=["another value", "a value that is missing", "another source", "a time that is missing"],
)
def test_of_an_id_with_two_contents_one_is_kept_whole_whichever_line_comes_first(
    tmp_path: Path, members: dict[str, Any]
) -> None:
    one = {**ended(5), "over_reason": "user"}
    other = {**ended(5), "over_reason": None}
    other["session"] = one["session"] | {"country": "DE", "end_reason": None}
    other["session"] |= members
    kept = []
    for name, lines in (("here", [one, other, one]), ("there", [other, one])):
        write(tmp_path / name, lines)
        with open_folder(tmp_path / name, Range(None, at(10)), now=at(10)) as archive:
            kept.append((rows(archive, "sessions"), rows(archive, "transitions"), archive.problems))

    assert kept[0] == kept[1]
    [[session], [transition], [problem]] = kept[0]
    assert problem.kind == Kind.TWO_CONTENTS
    [told] = [detail for detail in (one, other) if detail["over_reason"] == transition["over_reason"]]
    as_told = {name: as_read(value) for name, value in told["session"].items()}
    assert session == as_told | {"over_at": as_read(told["over_at"]), "over_reason": told["over_reason"]}


def test_an_empty_range_and_files_of_other_kinds_are_named(tmp_path: Path) -> None:
    write(tmp_path, [started()], "a.json")
    (tmp_path / "readme.txt").write_text("hello")
    (tmp_path / ".hidden").write_text("hello")
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere.json")

    with open_folder(tmp_path, Range(at(5000), at(6000)), now=at(6000)) as archive:
        assert {problem.kind: problem.examples for problem in archive.problems} == {
            Kind.UNREADABLE_FILE: ("gone.json: it is not a file, or a link to nothing",),
            Kind.OTHER_FILE: ("readme.txt",),
            Kind.EMPTY_RANGE: ("2026-03-04T23:20:00.000Z to 2026-03-05T16:00:00.000Z",),
        }


def test_clocks_that_are_ahead_are_named(tmp_path: Path) -> None:
    version = int(at(0).timestamp() * 1000)
    right = started(version=version)
    ahead = detail_of("started", a_session(session_id="a", version=version), occurred_at=at(2), over=Over())
    not_yet = ended(30, session_id="b")
    write(
        tmp_path, [right, ahead, not_yet, expired_detail(a_session(session_id="e", version=version, expires_at=at(9)))]
    )

    with open_folder(tmp_path, Range(None, at(20)), now=at(20)) as archive:
        [problem] = archive.problems

    assert (problem.kind, problem.count) == (Kind.CLOCK_AHEAD, 2)
    assert problem.examples == (ahead["id"], not_yet["id"])


def test_a_folder_without_files_is_an_empty_range(tmp_path: Path) -> None:
    with open_folder(tmp_path, Range(None, at(10)), now=at(10)) as archive:
        assert [problem.kind for problem in archive.problems] == [Kind.EMPTY_RANGE]
        assert archive.counts["events"] == 0
