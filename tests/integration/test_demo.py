"""The demo as a newcomer runs it, on a small day."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ops.demo.command import main

if TYPE_CHECKING:
    from ops.local_stack.stack import LocalStack


def test_a_small_day_is_processed_and_every_projection_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "handlers.log"

    exit_code = main(["--events", "200", "--seed", "7", "--log", str(log)])

    shown, errors = capsys.readouterr()
    assert exit_code == 0, shown + errors
    assert "VERIFIED" in shown
    assert "Rejected-events queue: 13" in shown
    assert "Dead-letter queue: 1" in shown
    assert "session-never-seen" in shown
    assert "event rejected" in log.read_text()
    assert "event rejected" not in shown
    paths = (str(log), "-m ops.demo")
    assert max(len(line) for line in shown.splitlines() if not any(path in line for path in paths)) <= 80


def test_a_projection_that_lost_its_sessions_is_named_and_fails_the_demo(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tampered = []

    def tamper(stack: "LocalStack") -> None:
        client, table = stack.client("dynamodb"), stack.outputs["ProjectionsTableName"]
        item = next(item for item in client.scan(TableName=table)["Items"] if item["session_count"]["N"] != "0")
        client.put_item(TableName=table, Item=item | {"sessions": {"M": {}}})
        tampered.append(item["customer_id"]["S"])

    arguments = ["--events", "100", "--log", str(tmp_path / "log")]
    exit_code = main(arguments, before_verification=tamper)

    shown, _ = capsys.readouterr()
    assert exit_code == 1
    assert "Projections that are wrong (1 of 1)" in shown
    assert tampered[0] in shown
    assert "FAILED" in shown


def test_a_log_that_cannot_be_written_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "missing" / "handlers.log"

    exit_code = main(["--log", str(log)])

    _, errors = capsys.readouterr()
    assert exit_code == 2
    assert errors.count("\n") == 1
    assert str(log) in errors


def test_too_few_events_are_refused_with_what_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--events", "5"])

    _, errors = capsys.readouterr()
    assert exit_.value.code == 2
    assert "--events takes at least 100" in errors
