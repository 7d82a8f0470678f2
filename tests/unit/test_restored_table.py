"""The template that works on a restored table, instead of the one that it makes."""

import json
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint

from ops.packaging.__main__ import main
from ops.validation.checks import ALL_ON
from ops.validation.translation import translate

TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/session-events-restored"
STREAM = f"{TABLE}/stream/2026-11-28T06:00:00.123"


def written(folder: Path, *options: str) -> dict[str, Any]:
    path = folder / "template.json"
    main(["template", str(path), "--sessions-stream", STREAM, *options])
    return translate(path, ALL_ON)


def test_everything_is_about_the_restored_table_and_the_lost_one_stays_in_the_stack(tmp_path: Path) -> None:
    document, usual = written(tmp_path), translate(parameters=ALL_ON)
    table = document["Resources"].pop("SessionsTable")

    text = json.dumps(document)
    streams = [
        each["Properties"]["EventSourceArn"]
        for name, each in document["Resources"].items()
        if each["Type"] == "AWS::Lambda::EventSourceMapping" and name.endswith("SessionsStream")
    ]
    variables = [
        each["Properties"]["Environment"]["Variables"]["SESSIONS_TABLE"]
        for each in document["Resources"].values()
        if each["Type"] == "AWS::Lambda::Function"
    ]

    assert table == usual["Resources"]["SessionsTable"]
    assert '"SessionsTable"' not in text
    assert "SessionsTable." not in text
    assert "${SessionsTable" not in text
    assert streams == [STREAM, STREAM]
    assert variables == ["session-events-restored"] * 5
    assert {name: document["Outputs"][name]["Value"] for name in ("SessionsTableArn", "SessionsStreamArn")} == {
        "SessionsTableArn": TABLE,
        "SessionsStreamArn": STREAM,
    }
    assert f"{TABLE}/index/GSI1_inverse" in text


def test_it_may_be_deployed_step_by_step_too(tmp_path: Path) -> None:
    resources = written(tmp_path, "--gradual", "Canary10Percent15Minutes")["Resources"]

    assert resources["StreamProjectorFunctionSessionsStream"]["Properties"]["EventSourceArn"] == STREAM
    assert "StreamProjectorFunctionAliaslive" in resources


@pytest.mark.slow
def test_cfn_lint_finds_nothing_wrong_in_it(tmp_path: Path) -> None:
    found = {finding.rule.id for finding in lint(json.dumps(written(tmp_path)))}

    assert found == {"W1020"}, "an Fn::Sub of a name that is written out is not needed"


@pytest.mark.parametrize(
    "arn", ["", "session-events-restored", TABLE, f"{TABLE}/stream/", f"{STREAM} ", STREAM.replace("dynamodb", "sqs")]
)
def test_what_is_not_the_arn_of_a_tables_stream_is_refused_with_where_to_find_it(arn: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="take LatestStreamArn of `aws dynamodb describe-table`"):
        main(["template", str(tmp_path / "template.json"), "--sessions-stream", arn])

    assert not (tmp_path / "template.json").exists()
