"""The drill: break each thing, find it with `status`, mend it with what it printed. And each command of the runbook."""

import contextlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ops.erasure.erasing import Erasure
from ops.local_aws.environment import aws_settings, process_environment
from ops.local_aws.stack import LocalStack
from ops.recovery.queue_messages import depth
from ops.sessionctl.app import app
from processors.projection_table import ProjectionTable
from processors.session_table import SessionTable
from schemas.times import format_rfc3339
from tests.deploy.conftest import ROOT, TOOLS, eventually, settings_of

NAME = "session-events"


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack(NAME, is_authorising=True) as running:
        yield running


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to work in, with the programs that the runbook names."""
    folder = tmp_path_factory.mktemp("desk")
    programs = {
        "sessionctl": f'exec {sys.executable} -m ops.sessionctl "$@"',
        # version 1 of the AWS CLI ignores the variable for SQS
        "aws": f'exec {TOOLS / "aws"} --endpoint-url "$AWS_ENDPOINT_URL" "$@"',
    }
    (folder / "bin").mkdir()
    for name, text in programs.items():
        program = folder / "bin" / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    return folder


def shell(stack: LocalStack, desk: Path, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = settings_of(stack.endpoint, stack.region) | variables
    environment |= {"PATH": f"{desk / 'bin'}:{environment['PATH']}", "PYTHONPATH": str(ROOT)}
    command = command.replace(f"{sys.executable} -m ops.sessionctl", "sessionctl")
    return subprocess.run(  # noqa: S603 # ours, and what our own command printed
        ["/bin/bash", "-c", command], env=environment, cwd=desk, capture_output=True, text=True, check=False
    )


def status(stack: LocalStack, desk: Path, **variables: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the lines by their names."""
    done = shell(stack, desk, f"sessionctl status --stack-name {NAME} --json", **variables)
    assert done.stdout, done.stderr
    return done.returncode, {line["name"]: line for line in json.loads(done.stdout)["lines"]}


def waiting(lines: dict[str, Any]) -> set[str]:
    return {name for name, line in lines.items() if line["state"] in ("waits", "unknown")}


def event(kind: str, name: str, **further: Any) -> str:
    at = format_rfc3339(datetime.now(UTC) - timedelta(minutes=1))
    named = {"event_id": f"{kind}-{name}", "event_type": kind, "occurred_at": at, "session_id": f"s-{name}"}
    return json.dumps(named | {"customer_id": f"c-{name}"} | further)


def send(stack: LocalStack, output: str, *bodies: str) -> None:
    for body in bodies:
        stack.client("sqs").send_message(QueueUrl=stack.outputs[output], MessageBody=body)


def activity(stack: LocalStack, name: str) -> Any:
    table = ProjectionTable(stack.client("dynamodb"), stack.outputs["ProjectionsTableName"])
    return table.get_customer_activity(f"c-{name}")


def counts(stack: LocalStack, name: str, number: int) -> bool:
    return bool(activity(stack, name).session_count == number)


def break_everything(stack: LocalStack) -> None:
    functions, iam = stack.client("lambda"), stack.client("iam")
    projector = stack.outputs["StreamProjectorFunctionName"]
    role = functions.get_function_configuration(FunctionName=projector)["Role"].rpartition("/")[2]
    iam.delete_role_policy(RoleName=role, PolicyName="what-it-calls")
    [mapping] = functions.list_event_source_mappings(FunctionName=projector)["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    send(stack, "SessionEventsQueueUrl", "{garbage", event("login", "unseen"))
    send(stack, "SessionEventsDeadLetterQueueUrl", *(event("login", f"dead-{number}") for number in range(12)))
    send(stack, "SessionCommandsDeadLetterQueueUrl", event("logout", "two", reason="revoked"))
    stack.client("dynamodb").delete_item(TableName=stack.outputs["ProjectionsTableName"], Key={"PK": {"S": "c#c-one"}})
    put_failed_batch(stack, projector)


def put_failed_batch(stack: LocalStack, function: str) -> None:
    """An object as Lambda writes it: the stream record of a session that is in the register."""
    table = stack.outputs["SessionsTableName"]
    key = {"PK": {"S": "suuid#s-one"}, "SK": {"S": "c#c-one"}}
    image = stack.client("dynamodb").get_item(TableName=table, Key=key)["Item"]
    change = {"SequenceNumber": "1" * 21, "Keys": key, "NewImage": image, "ApproximateCreationDateTime": 1}
    payload = {"Records": [{"eventName": "INSERT", "dynamodb": change, "eventSourceARN": "arn"}]}
    context = {"functionArn": f"arn:aws:lambda:{stack.region}:0:function:{function}", "condition": "EventAgeExceeded"}
    stack.client("s3").put_object(
        Bucket=stack.outputs["FailedBatchesBucketName"],
        Key="aws/lambda/uuid/shard/2026/03/02/batch",
        Body=json.dumps({"requestContext": context, "payload": json.dumps(payload)}).encode(),
    )


def test_what_breaks_is_found_by_status_and_mended_by_what_it_prints(stack: LocalStack, desk: Path) -> None:
    send(stack, "SessionEventsQueueUrl", *(event("login", name) for name in ("one", "two", "gone")))
    for name in ("one", "two", "gone"):
        eventually(f"{name} is counted", partial(counts, stack, name, 1))
    before, _ = status(stack, desk)

    break_everything(stack)
    eventually("the garbage is rejected", lambda: depth(stack.client("sqs"), stack.outputs["RejectedEventsQueueUrl"]))
    code, lines = status(stack, desk)
    found = waiting(lines)
    ran = []
    for _ in range(6):  # what is mended lets the next be seen: a projector that runs again catches up
        if not code:
            break
        for name in sorted(waiting(lines), key=["permissions", "mappings: projector"].__contains__, reverse=True):
            for command in lines[name]["commands"]:
                done = shell(stack, desk, command)
                ran.append((command, done.returncode, done.stderr))
        code, lines = status(stack, desk)
    told = [f"{line['name']}: {line['words']}" for line in lines.values() if line["state"] != "ok"]

    assert before == 0
    assert found >= {
        "permissions",
        "mappings: projector",
        "rejected events",
        "dead letters: events",
        "dead letters: commands",
        "failed batches",
        "projections",
    }
    assert code == 0, (told, ran)
    assert "garbage" not in (desk / "ask-publishers.jsonl").read_text()
    for name in ("one", "unseen", *(f"dead-{number}" for number in range(12))):
        eventually(f"{name} is counted", partial(counts, stack, name, 1))
    eventually("the command is carried out", partial(counts, stack, "two", 0))


def test_an_erased_customer_is_gone_and_status_and_verify_find_nothing_wrong(stack: LocalStack, desk: Path) -> None:
    sessions = SessionTable(stack.client("dynamodb"), stack.outputs["SessionsTableName"], batch_statements=False)
    projections = ProjectionTable(
        stack.client("dynamodb"), stack.outputs["ProjectionsTableName"], sessions=sessions, batch_statements=False
    )
    # without its four minutes: nobody writes of this customer
    Erasure(sessions, projections, sleep=lambda _: None).erase("c-gone")

    verified = shell(stack, desk, f"sessionctl verify --stack-name {NAME}")
    code, lines = status(stack, desk)

    assert sessions.get_session_by_session_id("s-gone", "c-gone") is None
    assert activity(stack, "gone").last_login_time is None
    assert verified.returncode == 0, verified.stderr
    assert code == 0, waiting(lines)


def test_who_may_not_look_at_everything_is_told_the_action_and_sees_the_rest(stack: LocalStack, desk: Path) -> None:
    iam = stack.client("iam")
    iam.create_user(UserName="on-call")
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "lambda:GetFunctionConfiguration", "Resource": "*"},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="on-call", PolicyName="most", PolicyDocument=policy)
    key = iam.create_access_key(UserName="on-call")["AccessKey"]

    code, lines = status(
        stack, desk, AWS_ACCESS_KEY_ID=key["AccessKeyId"], AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"]
    )

    assert code == 1
    assert waiting(lines) == {name for name in lines if name.startswith("function: ")}
    assert "lambda:GetFunctionConfiguration" in lines["function: consumer"]["words"]
    assert lines["failed batches"]["state"] == "ok"


def commands_of_the_runbook() -> list[str]:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```bash\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return list(dict.fromkeys(line.strip() for block in blocks for line in block.splitlines() if line.strip()))


def exit_code_of(stack: LocalStack, desk: Path, command: str) -> tuple[int, str]:
    """Run a command as a terminal would; ours in this process, which takes a second less."""
    if "$(" in command or not command.startswith("sessionctl "):
        done = shell(stack, desk, command)
        return done.returncode, done.stderr
    variables = aws_settings(region=stack.region, endpoint=stack.endpoint)
    with process_environment(variables, without_prefix="AWS_"), contextlib.chdir(desk):
        result = CliRunner().invoke(app, shlex.split(command)[1:])
    return result.exit_code, result.stderr


def test_each_command_of_the_runbook_runs(stack: LocalStack, desk: Path) -> None:
    (desk / "sessions.jsonl").write_text(event("login", "imported") + "\n")

    failed = []
    for command in commands_of_the_runbook():
        code, stderr = exit_code_of(stack, desk, command)
        # 1: nothing found, or something waits; 2 and more: it does not run
        if code not in ((0, 1) if command.startswith("sessionctl") else (0,)):
            failed.append((command, code, stderr[-400:]))

    assert len(commands_of_the_runbook()) > 25
    assert failed == []
