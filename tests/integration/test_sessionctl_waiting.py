"""Dead letters, rejected events and failed batches on the command line, on a deployed stack. On moto."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from ops.recovery import dead_letters
from ops.recovery.replay import Replayer
from ops.sessionctl.app import app
from ops.sessionctl.stacks import Stack
from processors.intake.rejections import rejection
from processors.intake.vocabulary import vocabulary
from schemas.errors import RejectedEventError
from tests.conftest import NOW, Backend

pytestmark = pytest.mark.parametrize("backend", ["moto"], indirect=True)

STACK = ("--stack-name", "prod")
LOGOUT = {"event_type": "logout", "occurred_at": "2026-03-01T11:00:00.000Z"}


class Functions:
    """A Lambda client of a consumer with the default settings."""

    def get_function_configuration(self, **_: Any) -> Any:
        return {"Environment": {"Variables": {}}}


@pytest.fixture
def deployed(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """A stack whose outputs name the backend's queues, two dead-letter queues and a bucket."""
    dead = {name: backend.sqs.create_queue(QueueName=f"dead-{name}")["QueueUrl"] for name in ("events", "commands")}
    boto3.client("s3").create_bucket(Bucket="batches", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    outputs = {
        "EventBusName": "auth",
        "SessionEventsQueueUrl": backend.events_queue,
        "SessionEventsDeadLetterQueueUrl": dead["events"],
        "SessionCommandsDeadLetterQueueUrl": dead["commands"],
        "RejectedEventsQueueUrl": backend.rejected_queue,
        "FailedBatchesBucketName": "batches",
        "SessionsTableName": backend.sessions_table,
        "ProjectionsTableName": backend.projections_table,
        "SqsConsumerFunctionName": "consumer-1",
    }
    template = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(StackName="prod", TemplateBody=json.dumps(template))
    client = Stack.client

    def client_of(stack: Stack, service: str, **options: Any) -> Any:
        return Functions() if service == "lambda" else client(stack, service, **options)

    monkeypatch.setattr(Stack, "client", client_of)
    return backend


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, *STACK])


def url_of(backend: Backend, name: str) -> str:
    url: str = backend.sqs.get_queue_url(QueueName=f"dead-{name}")["QueueUrl"]
    return url


def fill(backend: Backend, queue: str, *events: Any) -> None:
    for event in events:
        body = event if isinstance(event, str) else json.dumps(event)
        backend.sqs.send_message(QueueUrl=queue, MessageBody=body)


def logouts(source: str, count: int) -> list[Any]:
    return [
        LOGOUT | {"event_id": f"{source}-{number}", "session_id": f"s-{source}-{number}", "source": source}
        for number in range(count)
    ]


def rejected(event: Any, reason: str) -> str:
    error = RejectedEventError(reason, event_id="e-1")
    return rejection(error, message_id="m-0", body=json.dumps(event), now=NOW, vocabulary=vocabulary())


def test_dead_letters_of_all_queues_are_listed_by_reason_and_source(deployed: Backend) -> None:
    fill(deployed, url_of(deployed, "events"), *logouts("auth-1", 3), *logouts("auth-2", 1))
    fill(deployed, url_of(deployed, "commands"), "{cut")

    document = json.loads(run("dead-letters", "list", "--json").stdout)
    table = run("dead-letters", "list")

    assert (document["total"], document["read"]) == (5, 5)
    assert [(group["count"], group["source"]) for group in document["groups"]] == [
        (3, "auth-1"),
        (1, "unknown"),
        (1, "auth-2"),
    ]
    assert "5 dead letters." in table.stderr
    assert "dead-letters redrive --stack-name prod" in table.stderr


def test_a_list_that_reads_less_says_of_how_many(deployed: Backend) -> None:
    fill(deployed, url_of(deployed, "events"), *logouts("auth-1", 12))

    result = run("dead-letters", "list", "--most", "5")

    assert "The 5 read of 12 dead letters." in result.stderr
    assert "--most 12" in result.stderr


def test_a_redrive_sends_what_the_filter_names_and_a_dry_run_sends_nothing(deployed: Backend) -> None:
    fill(deployed, url_of(deployed, "events"), *logouts("auth-1", 2), *logouts("auth-2", 1))

    dry = run("dead-letters", "redrive", "--filter", "source=auth-1", "--dry-run")
    after_dry = json.loads(run("dead-letters", "list", "--json").stdout)["total"]
    done = run("dead-letters", "redrive", "--filter", "source=auth-1")

    assert (dry.exit_code, done.exit_code) == (0, 0)
    assert "2 dead letters would be sent again, 1 left." in dry.stderr
    assert after_dry == 3
    assert "2 dead letters sent again, 1 left." in done.stderr
    assert {body["source"] for body in deployed.messages(deployed.events_queue)} == {"auth-1"}
    assert {body["source"] for body in deployed.messages(url_of(deployed, "events"))} == {"auth-2"}


def test_a_redrive_that_is_interrupted_says_what_is_done_and_the_rest_is_still_there(
    deployed: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(deployed, url_of(deployed, "events"), *logouts("auth-1", 15))
    sender = dead_letters.sender
    sent = 0

    def interrupted(*arguments: Any) -> Callable[..., list[str]]:
        send = sender(*arguments)

        def act(messages: Any) -> list[str]:
            nonlocal sent
            if sent:
                raise KeyboardInterrupt
            sent += len(messages)
            return send(messages)

        return act

    monkeypatch.setattr(dead_letters, "sender", interrupted)

    result = run("dead-letters", "redrive")
    left = len(deployed.messages(url_of(deployed, "events")))

    assert result.exit_code == 130
    assert "10 of 15 are done. Run it again for the others." in result.stderr
    assert left == 5


def test_dead_letters_are_deleted_by_filter_only_and_never_without_being_asked(deployed: Backend) -> None:
    fill(deployed, url_of(deployed, "events"), *logouts("auth-1", 2))

    without_filter = run("dead-letters", "delete", "--yes")
    without_yes = run("dead-letters", "delete", "--filter", "event=auth-1-0")
    done = run("dead-letters", "delete", "--filter", "event=auth-1-0", "--yes")
    bodies = deployed.messages(url_of(deployed, "events"))

    assert (without_filter.exit_code, without_yes.exit_code, done.exit_code) == (2, 2, 0)
    assert [body["event_id"] for body in bodies] == ["auth-1-1"]


def test_one_is_shown_by_the_events_id_without_its_token_and_an_unknown_one_is_not_found(deployed: Backend) -> None:
    login = {
        "event_id": "e-7",
        "event_type": "login",
        "occurred_at": "2026-03-01T11:00:00.000Z",
        "customer_id": "c-1",
        "session_id": "s-1",
        "access_token": "example-token-1",
    }
    fill(deployed, url_of(deployed, "events"), login)

    shown = run("dead-letters", "show", "e-7")
    unknown = run("dead-letters", "show", "e-8")

    assert shown.exit_code == 0
    assert "c-1" in shown.stdout
    assert "example-token" not in shown.output
    assert unknown.exit_code == 1
    assert "among the 1 read of 1" in unknown.stderr


def test_rejected_events_that_are_not_valid_are_written_down_before_they_leave_the_queue(
    deployed: Backend, tmp_path: Path
) -> None:
    fill(deployed, deployed.rejected_queue, rejected({"event_type": "login"}, "customer_id is missing"))
    file = tmp_path / "ask.jsonl"

    without_file = run("rejected", "replay", "--remove-listed")
    kept = run("rejected", "replay", "--list", str(file))
    left = json.loads(run("rejected", "list", "--json").stdout)["total"]
    removed = run("rejected", "replay", "--list", str(file), "--remove-listed")
    after = json.loads(run("rejected", "list", "--json").stdout)["total"]

    assert (without_file.exit_code, kept.exit_code, removed.exit_code) == (2, 1, 0)
    assert (left, after) == (1, 0)
    first, second = map(json.loads, file.read_text().splitlines())
    assert first == second
    assert first["reason"] == "customer_id is missing"


def test_a_rejected_event_that_is_valid_now_is_published_again(deployed: Backend) -> None:
    event = {"event_id": "e-1", "session_id": "s-1", **LOGOUT}
    fill(deployed, deployed.rejected_queue, rejected(event, "a rule of yesterday"))

    dry = run("rejected", "replay", "--dry-run")
    done = run("rejected", "replay")

    assert "1 of 1 rejected events would be published again." in dry.stderr
    assert "1 of 1 rejected events published again." in done.stderr
    assert done.exit_code == 0
    assert deployed.messages(deployed.events_queue) == [event]
    assert deployed.messages(deployed.rejected_queue) == []


def test_a_file_that_cannot_be_written_leaves_everything_in_the_queue(deployed: Backend, tmp_path: Path) -> None:
    fill(deployed, deployed.rejected_queue, rejected({}, "event_type is missing"))

    result = run("rejected", "replay", "--list", str(tmp_path), "--remove-listed")

    assert result.exit_code == 2
    assert "Is a directory" in result.stderr
    assert len(deployed.messages(deployed.rejected_queue)) == 1


def test_failed_batches_that_fail_again_stay_and_name_one(deployed: Backend) -> None:
    boto3.client("s3").put_object(Bucket="batches", Key="bus/2026/03/01/a.json", Body=b'{"kind": "ended"}')

    listed = json.loads(run("failed-batches", "list", "--json").stdout)
    shown = run("failed-batches", "show", "bus/2026/03/01/a.json")
    replayed = run("failed-batches", "replay")

    assert listed["groups"][0]["reason"] == "life-cycle events that the bus refused"
    assert "ended" in shown.stdout
    assert replayed.exit_code == 1
    assert "0 of 1 failed batches are replayed" in replayed.stderr
    assert "(bus/2026/03/01/a.json)" in replayed.stderr


def test_a_replay_of_failed_batches_that_is_interrupted_says_what_is_done(
    deployed: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    boto3.client("s3").put_object(Bucket="batches", Key="bus/2026/03/01/a.json", Body=b"{}")

    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Replayer, "replay", interrupt)

    result = run("failed-batches", "replay")

    assert result.exit_code == 130
    assert "0 of 1 are replayed. Run it again for the others." in result.stderr


@pytest.mark.parametrize("command", ["dead-letters list", "rejected list", "failed-batches replay"])
def test_a_filter_that_names_nothing_known_says_what_there_is(deployed: Backend, command: str) -> None:
    result = run(*command.split(), "--filter", "colour=red")

    assert result.exit_code == 2
    assert "reason" in result.stderr
