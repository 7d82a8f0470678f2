"""`import` as a person runs it, on a deployed stack. On moto."""

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from ops.sessionctl.app import app
from processors.session_table import SessionTable
from schemas.item_mapping import write_item
from schemas.items import Session
from schemas.outcomes import Outcome
from schemas.times import format_rfc3339
from tests.conftest import Backend

# without a function to ask, commands write items one by one: what they do on the engine the rooms' own tests show
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("backend", ["moto"], indirect=True)]

STACK = ("--stack-name", "prod")
NOW = datetime.now(UTC).replace(microsecond=0)
RECENTLY = format_rfc3339(NOW - timedelta(hours=1))


@pytest.fixture(autouse=True)
def clock_of_the_tests() -> None:
    """The real clock: commands go by it."""


@pytest.fixture
def deployed(backend: Backend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Backend:
    outputs = {
        "EventBusName": "auth",
        "SessionEventsQueueUrl": backend.events_queue,
        "SessionsTableName": backend.sessions_table,
        "ProjectionsTableName": backend.projections_table,
    }
    template = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(StackName="prod", TemplateBody=json.dumps(template))
    monkeypatch.chdir(tmp_path)
    return backend


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["import", *arguments, *STACK])


def session(number: int, **fields: Any) -> dict[str, Any]:
    return {"session_id": f"s-{number}", "customer_id": f"c-{number % 7}", "last_login_time": RECENTLY, **fields}


def write(path: Path, values: Sequence[Any]) -> Path:
    path.write_text("".join((value if isinstance(value, str) else json.dumps(value)) + "\n" for value in values))
    return path


def ids(backend: Backend) -> list[str]:
    return sorted(item["session_id"]["S"] for item in backend.items())


def test_sessions_are_imported_wrong_lines_are_set_aside_and_importing_again_changes_nothing(
    deployed: Backend, tmp_path: Path
) -> None:
    old = format_rfc3339(NOW - timedelta(days=400))
    lines = [session(1), "{broken", session(2, ended_at=RECENTLY), {"session_id": "x"}, session(3, last_login_time=old)]
    path = write(tmp_path / "sessions.jsonl", lines)

    result = run(str(path))
    before = deployed.items()
    aside = tmp_path / "sessions.jsonl.rejected.jsonl"
    set_aside = [json.loads(line) for line in aside.read_text().splitlines()]
    aside.unlink()
    again = json.loads(run(str(path), "--json").stdout)

    assert result.exit_code == 1
    assert "Imported 3 of 5 lines into stack prod: 3 changed the register, 0 it knew already; 1 are" in result.stdout
    assert "1 wrong: not valid JSON (first: line 2)" in result.stdout
    assert f"2 wrong lines went to {aside}: mend and import that again." in result.stdout
    assert set_aside == [
        {"place": "line 2", "reason": "not valid JSON", "line": "{broken"},
        {"place": "line 4", "reason": "started_at or last_login_time is missing", "line": '{"session_id": "x"}'},
    ]
    assert ids(deployed) == ["s-1", "s-2", "s-3"]  # of any age: the age rule is the intake's
    assert (again["unchanged"], again["applied"], again["wrong"]) == (3, 0, 2)
    assert deployed.items() == before


def test_a_dry_run_reads_everything_says_what_is_wrong_and_writes_nothing(deployed: Backend, tmp_path: Path) -> None:
    path = write(tmp_path / "sessions.jsonl", [session(1), {"customer_id": "c"}, {"customer_id": "d"}])

    result = run(str(path), "--dry-run")

    assert result.exit_code == 1
    assert "Read 3 lines: 1 are right, 1 of them live sessions." in result.stdout
    assert "2 wrong: started_at or last_login_time is missing (first: line 2)" in result.stdout
    assert "Nothing was changed." in result.stdout
    assert deployed.items() == []
    assert list(tmp_path.iterdir()) == [path]


def test_a_csv_file_is_read_by_its_columns(deployed: Backend, tmp_path: Path) -> None:
    path = tmp_path / "sessions.csv"
    path.write_bytes(
        "\ufeffuser,session_id,since,country\r\n"
        f'"c ""1""","s,1",{int(NOW.timestamp()) - 60},NL\r\n'
        f"c-2,s-2,{int(NOW.timestamp()) - 60}\r\n"
        f"c-3,s-3,2026-01-01T00:00:00,\r\n".encode()
        + b"c-\xff,s-4,1,\r\n"
    )
    columns = ("--column", "customer_id=user", "--column", "last_login_time=since")

    result = run(str(path), *columns)

    [item] = deployed.items()
    assert (item["session_id"]["S"], item["customer_id"]["S"], item["country"]["S"]) == ("s,1", 'c "1"', "NL")
    assert "1 wrong: has 3 fields, and the header 4 (first: line 3)" in result.stdout
    assert "1 wrong: last_login_time is a time without zone" in result.stdout
    assert "1 wrong: not UTF-8 (first: line 5)" in result.stdout
    aside = [json.loads(line) for line in (tmp_path / "sessions.csv.rejected.jsonl").read_text().splitlines()]
    assert aside[0]["line"].startswith("c-2,s-2,")


def test_the_folder_of_a_dynamodb_export_is_read_and_its_manifests_are_not(deployed: Backend, tmp_path: Path) -> None:
    folder = tmp_path / "AWSDynamoDB" / "01700000000000-abcdef"
    (folder / "data").mkdir(parents=True)
    write(folder / "manifest-files.json", [{"itemCount": 2, "dataFileS3Key": "x"}])
    stored = [
        Session(session_id=name, customer_id="c", last_login_time=NOW - timedelta(hours=1), last_login_event_id="e")
        for name in ("a", "b")
    ]
    items = [{"Item": write_item(each)} for each in stored] + [{"Item": {"PK": {"S": "x"}, "SK": {"S": "y"}}}]
    for number, part in enumerate((items[:1], items[1:])):
        text = "".join(json.dumps(item) + "\n" for item in part)
        (folder / "data" / f"{number}.json.gz").write_bytes(gzip.compress(text.encode()))

    result = json.loads(run(str(folder), "--json").stdout)

    assert (result["lines"], result["applied"], result["not_sessions"], result["wrong"]) == (3, 2, 1, 0)
    assert ids(deployed) == ["a", "b"]


def test_a_run_that_was_interrupted_goes_on_where_it_was_and_sets_each_wrong_line_aside_once(
    deployed: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [session(number) if number % 10 else "wrong" for number in range(250)]
    path, state = write(tmp_path / "sessions.jsonl", lines), tmp_path / "checkpoint"
    apply, steps = SessionTable.apply, []

    def apply_until_ctrl_c(self: SessionTable, events: Any, **options: Any) -> Any:
        steps.append(len(events))
        if len(steps) == 2:
            raise KeyboardInterrupt
        return apply(self, events, **options)

    monkeypatch.setattr(SessionTable, "apply", apply_until_ctrl_c)
    stopped = run(str(path), "--checkpoint", str(state))
    done = run(str(path), "--checkpoint", str(state))

    assert stopped.exit_code == 130
    assert f"100 lines imported; run it again with --checkpoint {state} to import the others." in stopped.stderr
    assert steps == [90, 90, 90, 45]
    assert "Imported 225 of 250 lines into stack prod: 225 changed the register" in done.stdout
    assert len(deployed.items()) == 225
    aside = (tmp_path / "sessions.jsonl.rejected.jsonl").read_text().splitlines()
    assert [json.loads(line)["place"] for line in aside] == [f"line {number}" for number in range(1, 251, 10)]
    assert not state.exists()


def test_a_table_that_does_not_answer_stops_the_run_and_loses_nothing(
    deployed: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "sessions.jsonl", [session(1)])
    monkeypatch.setattr("ops.importing.importing._BACK_OFF_SECONDS", 0)
    monkeypatch.setattr(SessionTable, "apply", lambda self, events, **_options: [Outcome.RETRY] * len(events))

    result = run(str(path), "--checkpoint", str(tmp_path / "state"))

    assert result.exit_code == 2
    assert (
        "the table does not answer, or is throttled, after line 1. Nothing is imported; run it again" in result.stderr
    )


def test_a_child_of_another_customer_and_a_logout_of_nobodys_session_are_wrong_lines(
    deployed: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.importing.importing._BACK_OFF_SECONDS", 0)
    logout = {"event_type": "logout", "event_id": "e", "occurred_at": RECENTLY, "session_id": "nobody"}
    child = {"parent_session_id": "p", "session_id": "kid"}
    path = write(tmp_path / "sessions.jsonl", [session(1) | child, logout, session(2) | child])

    result = run(str(path))

    assert "Imported 1 of 3 lines into stack prod: 1 changed the register" in result.stdout
    assert "1 wrong: the child session belongs to another customer" in result.stdout
    assert "1 wrong: its session is not in the register: give its customer_id (first: line 2)" in result.stdout


@pytest.mark.parametrize(
    ("name", "content", "options", "said"),
    [
        ("none.jsonl", None, [], "there is no file "),
        ("folder", "", [], "there is no file of sessions in "),
        ("array.json", b"[{}]\n", [], "is a JSON array, and not lines: write `jq -c '.[]' array.json` to a file"),
        ("damaged.json.gz", gzip.compress(b"{}\n" * 5000, mtime=0)[:40], [], "is damaged after line "),
        ("plain.csv", b"a,b\n1,2\n", [], "has no column of a known name: its columns are a, b"),
        ("plain.csv", b"session_id,b\n1,2\n", ["--column", "customer_id=user"], "has no column user: its columns are"),
        (
            "x.jsonl",
            b"{}\n",
            ["--column", "customer=user"],
            "is not FIELD=COLUMN with a field of session_id, customer_id",
        ),
        ("x.jsonl", b"{}\n", ["--namespace", "okta"], "'okta' is not PROVIDER:TENANT"),
    ],
)
def test_files_and_options_that_cannot_be_used_are_said(
    deployed: Backend, tmp_path: Path, name: str, content: Any, options: list[str], said: str
) -> None:
    path = tmp_path / name
    if content == "":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)

    result = run(str(path), *options)

    assert result.exit_code == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert deployed.items() == []


def test_an_old_file_of_wrong_lines_is_never_overwritten(deployed: Backend, tmp_path: Path) -> None:
    path = write(tmp_path / "sessions.jsonl", ["wrong"])
    (tmp_path / "sessions.jsonl.rejected.jsonl").write_text("kept")

    result = run(str(path))

    assert result.exit_code == 2
    assert "is there already: move it away, or name another file with --rejected" in result.stderr
    assert (tmp_path / "sessions.jsonl.rejected.jsonl").read_text() == "kept"


def test_what_is_clipped_and_who_was_erased_is_said(deployed: Backend, tmp_path: Path) -> None:
    deployed.sessions.erased.add("c-1", NOW)
    years = format_rfc3339(NOW + timedelta(days=900))
    path = write(tmp_path / "sessions.jsonl", [session(1), session(2, expires_at=years)])

    result = run(str(path))

    assert result.exit_code == 0
    assert "1 are of customers who were erased since, and are ignored." in result.stdout
    assert "1 would live longer than SessionMaxLifetimeSeconds allows, and are shortened." in result.stdout
    assert "verify --stack-name prod" in result.stdout
