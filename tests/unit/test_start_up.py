"""What counts as start-up."""

import sys
import sysconfig
from pathlib import Path

import pytest

from ops.packaging.package import BuildError
from ops.packaging.start_up import start_up

pytestmark = pytest.mark.slow

READING = """
import boto3

def lambda_handler(event, context):
    key = {":a": {"S": "a"}}
    found = boto3.client("dynamodb").query(
        TableName="sessions", KeyConditionExpression="pk = :a", ExpressionAttributeValues=key
    )
    if found["Items"]:
        raise ValueError(found)
"""


def test_a_read_at_the_first_event_is_answered_so_that_no_pause_between_retries_is_measured(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(READING)

    measured = start_up("handler.lambda_handler", tmp_path, sys.executable, Path(sysconfig.get_path("purelib")))

    assert 0 < measured.next_ms < measured.answer_ms


def test_a_handler_that_fails_is_not_measured(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text("def lambda_handler(event, context):\n    raise ValueError('broken')\n")

    with pytest.raises(BuildError, match="broken"):
        start_up("handler.lambda_handler", tmp_path, sys.executable, Path(sysconfig.get_path("purelib")))
