"""`verify`, `repair` and `rebuild` as a person runs them, on a deployed stack. On moto."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from ops.sessionctl.app import app
from processors import stream_projector
from tests.conftest import NOW, Backend, login, logout_all

# without a function to ask, commands write items one by one: what they do on the engine the rooms' own tests show
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("backend", ["moto"], indirect=True)]

STACK = ("--stack-name", "prod")
RECENTLY = (datetime.now(UTC) - NOW) // timedelta(minutes=1) - 5
"""Minutes after the tests' noon: commands go by the real clock."""


@pytest.fixture(autouse=True)
def clock_of_the_tests() -> None:
    """The real clock: commands go by it."""


@pytest.fixture
def deployed(backend: Backend) -> Backend:
    """The backend's tables and queue, and a stack whose outputs name them."""
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
    backend.sessions.apply(
        [login(f"s-{number}", name, minute=RECENTLY) for number, name in enumerate(("one", "two", "two"), 1)]
    )
    assert stream_projector.lambda_handler({"Records": backend.stream_records()}, None) == {"batchItemFailures": []}
    return backend


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, *STACK])


def answer(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


def lose_projection(backend: Backend, customer_id: str) -> None:
    backend.dynamodb.delete_item(TableName=backend.projections_table, Key={"PK": {"S": f"c#{customer_id}"}})


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize("command", ["verify", "audit"])
def test_tables_that_agree_are_said_to_under_the_old_name_as_well(command: str) -> None:
    result = run(command)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("Verified 2 customers of stack prod: 3 session items, ")
    assert "Every projection agrees with the session items." in result.stdout


def test_what_differs_is_named_with_the_command_that_mends_it_and_that_command_mends_it(deployed: Backend) -> None:
    lose_projection(deployed, "two")

    found = run("verify")
    mend = found.stdout.partition("mend it: ")[2].splitlines()[0].partition("repair")[2].split()
    mended = CliRunner().invoke(app, ["repair", *mend])

    assert found.exit_code == 1
    assert (
        "two  missing: there is no projection\n    session items: 2, only here: s-2, s-3\n    projection: 0\n"
        in found.stdout
    )
    assert mend == ["--customer", "two", "--stack-name", "prod"]
    assert mended.exit_code == 0
    assert "Mended the projections of 1 customer, and verified again." in mended.stdout
    assert run("verify").exit_code == 0


def test_a_dry_run_says_what_it_would_mend_and_changes_nothing(deployed: Backend) -> None:
    lose_projection(deployed, "two")
    before = deployed.items(deployed.projections_table)

    people, programs = run("repair", "--dry-run"), answer("repair", "--dry-run")

    assert deployed.items(deployed.projections_table) == before
    assert (people.exit_code, programs["would_mend"]) == (0, ["two"])
    assert "Nothing was changed." in people.stdout


def test_a_certificate_is_written_and_one_that_cannot_be_is_said(deployed: Backend, tmp_path: Path) -> None:
    written = run("verify", "--certificate", str(tmp_path / "verified.json"))
    refused = run("verify", "--certificate", str(tmp_path / "nowhere" / "verified.json"))

    document = json.loads((tmp_path / "verified.json").read_text())
    assert f"The certificate is in {tmp_path / 'verified.json'}." in written.stderr
    assert document["tables"] == {"sessions": deployed.sessions_table, "projections": deployed.projections_table}
    assert document["result"] == "agrees"
    assert refused.exit_code == 2
    assert "the certificate cannot be written to " in refused.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sample", "1"], "'1' is not a share like 1% or 0.1%"),
        (["--sample", "0%"], "'0%' is not a share like 1% or 0.1%"),
        (["--sample", "100%"], "'100%' is not a share like 1% or 0.1%"),
        (["--sample", "1%", "--customer", "c"], "leave one of --customer and --sample out"),
        (["--wait", "soon"], "'soon' is not a duration like 90s, 30m, 8h or 2d"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_read(
    backend: Backend, options: list[str], said: str
) -> None:
    for command in ("verify", "repair"):
        result = CliRunner().invoke(app, [command, *options])

        assert result.exit_code == 2
        assert said in " ".join(result.stderr.replace("│", " ").split())


def test_a_policy_s_logouts_that_were_lost_are_sent_to_the_queue_of_events(deployed: Backend) -> None:
    deployed.sessions.apply([logout_all("two", minute=RECENTLY + 1)])

    rebuilt = answer("rebuild", "customer", "two")

    assert rebuilt["session_count"] == 0
    assert {body["session_id"] for body in deployed.messages(deployed.events_queue)} == {"s-2", "s-3"}


def test_all_projections_are_rebuilt_and_a_customer_that_cannot_be_is_named(deployed: Backend, tmp_path: Path) -> None:
    newer = {"PK": {"S": "c#one"}, "customer_id": {"S": "one"}, "sessions": {"M": {}}, "item_format": {"N": "2"}}
    deployed.dynamodb.put_item(TableName=deployed.projections_table, Item=newer)
    lose_projection(deployed, "two")
    options = ("--checkpoint", str(tmp_path / "state"), "--rate", "1000")

    failed = run("rebuild", "all", *options)
    document = answer("rebuild", "all", *options)
    lose_projection(deployed, "one")
    done = run("rebuild", "all", *options)

    assert failed.exit_code == 1
    assert failed.stderr.startswith("Rebuilt the projections of 1 customer of stack prod.\none could not be rebuilt: ")
    assert (document["customers"], document["rebuilt"], list(document["failed"])) == (2, 1, ["one"])
    assert document["failed"]["one"].endswith("a later release wrote it; update sessionctl")
    assert (done.exit_code, done.stderr) == (0, "Rebuilt the projections of 2 customers of stack prod.\n")
    assert not (tmp_path / "state").exists()
    assert run("verify").exit_code == 0


def test_the_register_is_touched_and_what_is_left_alone_is_said(deployed: Backend) -> None:
    item = {"PK": {"S": "cart#1"}, "SK": {"S": "line#1"}}
    deployed.dynamodb.put_item(TableName=deployed.sessions_table, Item=item)

    people, programs = run("rebuild", "register"), answer("rebuild", "register")

    assert people.exit_code == 0
    assert people.stderr.splitlines() == [
        "Touched 3 items of stack prod: the stream shows them once more.",
        "1 were left alone: they are another writer's.",
    ]
    assert (programs["touched"], programs["foreign"]) == (3, 1)


def test_a_checkpoint_of_another_command_is_refused(deployed: Backend, tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text("no checkpoint " * 500)

    result = run("rebuild", "all", "--checkpoint", str(path))

    assert result.exit_code == 2
    assert "cannot be used as a checkpoint" in result.stderr
    assert "name another file with --checkpoint" in result.stderr


def test_ctrl_c_says_what_is_done_and_the_checkpoint_goes_on(
    deployed: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_projection(deployed, "one")
    lose_projection(deployed, "two")
    rebuilt: list[str] = []

    def rebuild_until_ctrl_c(projections: Any, send: Any, customer_id: str) -> None:
        if rebuilt:
            raise KeyboardInterrupt
        rebuilt.append(customer_id)

    path = tmp_path / "state"
    monkeypatch.setattr("ops.rebuilding.projections.rebuild_one", rebuild_until_ctrl_c)
    stopped = run("rebuild", "all", "--rate", "1", "--checkpoint", str(path))
    monkeypatch.undo()

    assert stopped.exit_code == 130
    assert f"1 customers rebuilt; run it again with --checkpoint {path} to go on from there." in stopped.stderr
