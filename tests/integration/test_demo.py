"""The demo as a newcomer runs it, on a small day."""

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from ops.demo.command import main
from ops.sessionctl.app import app
from tests.page.browser import DESKTOP, PHONE, assert_looks_right, chromium, opened

if TYPE_CHECKING:
    from ops.local_aws.stack import LocalStack


@pytest.fixture(autouse=True)
def clock_of_the_tests() -> None:
    """The real clock, by which the stack's functions go."""


def test_a_small_day_is_processed_verified_reported_and_stays_up_for_the_commands_that_it_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    told: list[str] = []
    answers: dict[str, tuple[int, str]] = {}

    def in_a_second_terminal(_console: object, _stack: object) -> None:
        told.append(capsys.readouterr().out)
        for command in re.findall(r"ops\.sessionctl (.+)", told[0].partition("In a second terminal:")[2]):
            result = CliRunner().invoke(app, shlex.split(command))
            answers[command] = result.exit_code, result.stdout

    monkeypatch.setattr("ops.demo.command.serve", in_a_second_terminal)

    exit_code = main(["--events", "200", "--seed", "7", "--keep", "--report", str(tmp_path)])

    shown, errors = "".join(told), capsys.readouterr().err
    assert answers["get customer customer-1001 --all"][0] == 0
    assert "session-7002" in answers["get customer customer-1001 --all"][1]
    assert "live" in answers["list sessions --live"][1]
    assert answers["status"][0] == 1, "rejected events and a dead letter wait"
    assert answers["env"][0] == 0
    assert exit_code == 0, shown + errors
    assert "VERIFIED" in shown
    rejected = re.search(r"Rejected-events queue: (\d+)", shown)
    assert rejected is not None
    assert int(rejected[1]) >= 13, "one that is delivered twice is rejected twice"
    assert "Dead-letter queues: 1" in shown
    assert "session-never-seen" in shown
    assert "Processed 216 of 216" in shown, "progress is said where output goes to no terminal"
    others = [line for line in shown.splitlines() if "ops.sessionctl" not in line and str(tmp_path) not in line]
    assert max(map(len, others)) <= 80
    assert f"{tmp_path / 'report.html'}\n" in shown
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["is_right"]
    assert report["counts"]["sessions"] > 50
    assert report["comparison"]["live_sessions"] > 10
    with chromium() as browser:
        for width in (PHONE, DESKTOP):
            with opened(browser, tmp_path / "report.html", width=width) as (page, complaints):
                assert_looks_right(page, complaints)
                assert "The archive agrees with the projections" in page.inner_text(".proof")


def test_a_projection_that_lost_its_sessions_is_named_and_fails_the_demo(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tampered = []

    def tamper(stack: "LocalStack") -> None:
        client, table = stack.client("dynamodb"), stack.outputs["ProjectionsTableName"]
        item = next(item for item in client.scan(TableName=table)["Items"] if item["session_count"]["N"] != "0")
        client.put_item(TableName=table, Item=item | {"sessions": {"M": {}}})
        tampered.append(item["customer_id"]["S"])

    exit_code = main(["--events", "100", "--report", str(tmp_path)], before_verification=tamper)

    shown, _ = capsys.readouterr()
    assert exit_code == 1
    assert "Projections that are wrong (1 of 1)" in shown
    assert tampered[0] in shown
    assert "FAILED" in shown
    assert not json.loads((tmp_path / "report.json").read_text())["is_right"]


def test_too_few_events_are_refused_with_what_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--events", "5"])

    _, errors = capsys.readouterr()
    assert exit_.value.code == 2
    assert "--events takes at least 100" in errors
