"""The demo as a newcomer runs it, on a small day."""

from typing import TYPE_CHECKING

import pytest

from ops.demo.command import main

if TYPE_CHECKING:
    from ops.local_aws.stack import LocalStack


@pytest.fixture(autouse=True)
def clock_of_the_tests() -> None:
    """The real clock, by which the stack's functions go."""


def test_a_small_day_is_processed_and_every_projection_verified(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main(["--events", "200", "--seed", "7"])

    shown, errors = capsys.readouterr()
    assert exit_code == 0, shown + errors
    assert "VERIFIED" in shown
    assert "Rejected-events queue: 13" in shown
    assert "Dead-letter queues: 1" in shown
    assert "session-never-seen" in shown
    assert "Processed 216 of 216" in shown, "progress is said where output goes to no terminal"
    assert max(len(line) for line in shown.splitlines() if "ops.sessionctl" not in line) <= 80


def test_a_projection_that_lost_its_sessions_is_named_and_fails_the_demo(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tampered = []

    def tamper(stack: "LocalStack") -> None:
        client, table = stack.client("dynamodb"), stack.outputs["ProjectionsTableName"]
        item = next(item for item in client.scan(TableName=table)["Items"] if item["session_count"]["N"] != "0")
        client.put_item(TableName=table, Item=item | {"sessions": {"M": {}}})
        tampered.append(item["customer_id"]["S"])

    exit_code = main(["--events", "100"], before_verification=tamper)

    shown, _ = capsys.readouterr()
    assert exit_code == 1
    assert "Projections that are wrong (1 of 1)" in shown
    assert tampered[0] in shown
    assert "FAILED" in shown


def test_too_few_events_are_refused_with_what_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--events", "5"])

    _, errors = capsys.readouterr()
    assert exit_.value.code == 2
    assert "--events takes at least 100" in errors
