"""`sessionctl report` and `sessionctl sql`: of a folder, of a bucket, of a report; what they refuse."""

import csv
import hmac
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import duckdb
import pytest
from moto import mock_aws
from typer.testing import CliRunner, Result

from ops.analytics.fetching import Copy
from ops.analytics.files import files_of
from ops.analytics.proof import Comparison, Difference
from ops.sessionctl.app import app
from ops.sessionctl.archives import Source, cache_folder
from ops.sessionctl.failures import explain
from tests.unit.test_analytics_reading import ended, started, write

FULL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
from ops.sessionctl.app import app
app(sys.argv[2:])
"""
"""Runs sessionctl where no file may grow beyond so many bytes: a write is refused as on a disk that is full."""

DIFFERENCE = Difference("c-7", "s-7", "live", "not live", "the session item is live")

TABLES = ["sessions.parquet", "transitions.parquet"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "archive", [started(), ended(30, session_id="t", customer_id="d", country="FR")])
    return tmp_path / "archive"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="archive")
        yield client


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin)


def rows(path: Path) -> list[Any]:
    return duckdb.connect().execute(f"SELECT session_id, customer_id FROM '{path}' ORDER BY ALL").fetchall()  # noqa: S608


def test_a_report_of_a_folder_hides_customers_under_a_key_beside_it(folder: Path) -> None:
    result = run("report", "--from", str(folder), "--out", "june", "--until", "2026-03-02")

    assert result.exit_code == 0, result.output
    key = Path("june.key").read_bytes()
    assert Path("june.key").stat().st_mode & 0o777 == 0o600
    assert set(TABLES) < {path.name for path in Path("june").iterdir()}
    assert rows(Path("june/sessions.parquet")) == [
        ("s", hmac.digest(key, b"c", "sha256").hex()),
        ("t", hmac.digest(key, b"d", "sha256").hex()),
    ]
    assert "nothing to compare" in result.output
    run("report", "--from", str(folder), "--out", "june", "--until", "2026-03-02")
    assert Path("june.key").read_bytes() == key


def test_a_report_shows_customers_where_it_is_asked_to(folder: Path) -> None:
    result = run("report", "--from", str(folder), "--out", "june", "--identify", "--json")

    assert json.loads(result.stdout)["is_identified"]
    assert rows(Path("june/sessions.parquet")) == [("s", "c"), ("t", "d")]
    assert not Path("june.key").exists()


def test_a_named_key_file_is_the_key(folder: Path) -> None:
    Path("key").write_bytes(b"of another report")

    assert run("report", "--from", str(folder), "--out", "june", "--key-file", "key").exit_code == 0

    assert rows(Path("june/sessions.parquet"))[0][1] == hmac.digest(b"of another report", b"c", "sha256").hex()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--from", "nowhere"], "nowhere: is not a folder"),
        (["--from", "archive", "--since", "yesterday"], "neither a duration"),
        (["--from", "archive", "--profile", "x"], "--profile and --region are for S3 or a stack"),
        (["--from", "archive", "--identify", "--key-file", "key"], "leave one out"),
        (["--from", "archive", "--key-file", "empty"], "empty is empty"),
        (["--from", "s3:///x"], "names no bucket"),
    ],
)
def test_what_a_report_cannot_do_is_said_in_a_line(folder: Path, arguments: list[str], says: str) -> None:
    Path("empty").touch()

    result = run("report", *arguments)

    assert result.exit_code == 2
    assert says in " ".join(result.output.replace("│", "").split())


def test_problems_are_told_and_fail_nothing(folder: Path) -> None:
    (folder / "bad.json").write_text("hello\n")

    result = run("report", "--from", str(folder))

    assert result.exit_code == 0
    assert "Lines that are not events (1): bad.json, line 1: it is not valid JSON." in result.stderr


@pytest.mark.parametrize(
    ("differences", "in_flight", "code"), [((), (), 0), ((), (DIFFERENCE,), 0), ((DIFFERENCE,), (), 1)]
)
def test_a_report_that_differs_from_the_projections_names_it_and_exits_1_and_what_is_in_flight_does_not(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    differences: tuple[Difference, ...],
    in_flight: tuple[Difference, ...],
    code: int,
) -> None:
    comparison = Comparison(datetime(2026, 3, 2, tzinfo=UTC), 1, 0, differences, in_flight)
    archive = Source("here", files_of(folder)[0], [], stack=SimpleNamespace())  # type: ignore[arg-type] # it is not asked
    monkeypatch.setattr("ops.sessionctl.report.open_archive", lambda *_: nullcontext(archive))
    monkeypatch.setattr("ops.sessionctl.report._compare", lambda *_: comparison)

    result = run("report", "--out", "june")

    assert result.exit_code == code
    named = "customer c-7, session s-7: live for the archive, not live for the projection; the session item is live"
    assert (named in result.stderr) == bool(differences)
    assert json.loads(Path("june/report.json").read_text())["is_right"] == (not differences)


def test_a_query_is_shown_as_a_table_csv_or_json(folder: Path) -> None:
    query = "SELECT country, count(*) AS logins, max(started_at) AS newest FROM sessions GROUP BY country ORDER BY 1"
    source = ("--from", str(folder), "--until", "2026-03-01T12:10:00Z")

    table, as_csv, as_json = (run("sql", query, *source, *form) for form in ((), ("-o", "csv"), ("--json",)))

    expected = [
        {"country": "DE", "logins": 1, "newest": "2026-03-01T12:00:00.000Z"},
        {"country": "FR", "logins": 1, "newest": "2026-03-01T12:00:00.000Z"},
    ]
    assert json.loads(as_json.stdout) == expected
    assert [row | {"logins": 1} for row in csv.DictReader(io.StringIO(as_csv.stdout))] == expected
    assert [line.split() for line in table.stdout.splitlines() if "DE" in line] == [
        ["DE", "1", "2026-03-01T12:00:00.000Z"]
    ]


def test_a_written_report_is_queried_as_it_stands(folder: Path) -> None:
    run("report", "--from", str(folder), "--out", "june", "--until", "2026-03-01T12:10:00Z")

    online = "SELECT count(*) AS n FROM online(TIMESTAMPTZ '2026-03-01 12:05:00Z')"
    result = run("sql", online, "--from", "june", "--json")
    refused = run("sql", online, "--from", "june", "--since", "1d")

    assert json.loads(result.stdout) == [{"n": 2}]
    assert (refused.exit_code, "is a report" in refused.stderr) == (2, True)


def test_queries_on_standard_input_run_one_by_one_until_one_is_wrong(folder: Path) -> None:
    queries = "SELECT 1 AS one;\nSELECT 2\n  AS two;\nSELECT nothing FROM sessions;\nSELECT 3 AS three;"

    result = run("sql", "--from", str(folder), "-o", "csv", stdin=queries)

    assert result.stdout == "one\n1\ntwo\n2\n"
    assert result.exit_code == 2
    assert "nothing" in result.stderr


def test_only_new_objects_of_a_bucket_are_fetched_and_what_is_gone_is_not_kept(s3: Any, tmp_path: Path) -> None:
    for key in ("year=2026/a", "year=2026/b", "../../../odd"):
        s3.put_object(Bucket="archive", Key=key, Body=b"{}")
    copy = Copy(s3, "archive", tmp_path / "copy")

    objects, missing = copy.missing()
    copy.fetch(missing, lambda _: None)
    s3.put_object(Bucket="archive", Key="year=2026/b", Body=b"{} ")
    s3.delete_object(Bucket="archive", Key="year=2026/a")
    after, missing_after = copy.missing()
    copy.fetch(missing_after, lambda _: None)
    files = copy.files(after)

    assert (len(objects), len(missing)) == (3, 3)
    assert [found.key for found in missing_after] == ["year=2026/b"]
    assert [(file.name, file.path.read_bytes()) for file in files] == [("../../../odd", b"{}"), ("year=2026/b", b"{} ")]
    kept = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert kept == sorted(file.path for file in files)


def test_a_report_of_a_bucket_reads_objects_of_any_name(folder: Path, s3: Any) -> None:
    for path in folder.rglob("*.gz"):
        s3.put_object(Bucket="archive", Key="of/us/year=2026/events-1", Body=path.read_bytes())
    s3.put_object(Bucket="archive", Key="of/others/x", Body=b"hello")

    result = run("report", "--from", "s3://archive/of/us", "--identify", "--json")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["counts"]["sessions"] == 2
    assert json.loads(result.stdout)["problems"] == []
    assert any(path.is_file() for path in cache_folder().rglob("*"))


def test_a_range_is_a_duration_a_date_or_a_time(folder: Path) -> None:
    result = run("report", "--from", str(folder), "--since", "30d", "--until", "2026-03-01T14:00:00+02:00", "--json")

    document = json.loads(result.stdout)
    assert document["until"] == "2026-03-01T12:00:00.000Z"
    assert abs((datetime.now(UTC) - datetime.fromisoformat(document["since"])).total_seconds() - 30 * 86400) < 60
    assert [problem["kind"] for problem in document["problems"]] == ["an empty range"]


@pytest.mark.slow
@pytest.mark.parametrize("limit", [5_000, 15_000, 400_000], ids=["DuckDB's head", "DuckDB's tables", "the page"])
def test_a_disk_that_is_full_is_told_in_a_line_and_the_report_before_stays(folder: Path, limit: int) -> None:
    assert run("report", "--from", str(folder), "--out", "june").exit_code == 0
    before = {path.name: path.read_bytes() for path in Path("june").iterdir()}

    found = subprocess.run(  # noqa: S603 # our own program
        [sys.executable, "-c", FULL_DISK, str(limit), "report", "--from", str(folder), "--out", "june"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (found.returncode, found.stdout) == (2, "")
    assert len(found.stderr.splitlines()) == 1
    assert "free some disk" in found.stderr
    assert {path.name: path.read_bytes() for path in Path("june").iterdir()} == before


@pytest.mark.parametrize("command", [["report"], ["sql", "SELECT count(*) FROM sessions"]])
def test_too_little_memory_is_told_in_a_line(folder: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    monkeypatch.setattr("ops.analytics.reading.MEMORY", "5MB")

    result = run(*command, "--from", str(folder))

    assert result.exit_code == 2
    assert "no room left" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_interrupted_query_says_that_nothing_is_changed() -> None:
    assert "running it again is safe" in str(explain(duckdb.InterruptException("INTERRUPT Error: Interrupted!")))
