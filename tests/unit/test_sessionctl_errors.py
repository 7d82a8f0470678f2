"""Whatever goes wrong is one line on standard error that says what to do; standard output stays empty."""

import errno
import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import exceptions as aws
from moto import mock_aws
from typer.testing import CliRunner, Result

from ops.sessionctl.app import app
from ops.sessionctl.failures import explain
from processors.aws.errors import ReadError, ThroughputError
from schemas.errors import MalformedItemError

pytestmark = pytest.mark.slow

TEMPLATE = {
    "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
    "Outputs": {"SessionsTableName": {"Value": "sessions"}, "EventBusName": {"Value": "bus"}},
}
"""A stack with two of the four outputs that are needed."""


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user without local stack, credentials or configuration, and moto in the place of AWS."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def line(result: Result) -> str:
    """The one line that was said."""
    assert result.stdout == ""
    assert result.exit_code == 2, result.stderr
    [said] = result.stderr.splitlines()
    return said


COMMANDS = [
    ("get", "customer", "c"),
    ("get", "session", "s", "--customer", "c"),
    ("get", "session", "s"),
    ("get", "children", "s"),
    ("get", "parent", "s"),
    ("list", "sessions"),
    ("list", "customers", "--live"),
    ("trace", "e"),
    ("revoke", "session", "s"),
    ("revoke", "customer", "c"),
    ("revoke", "--where", "country=XX"),
    ("get", "last-login", "c"),
    ("audit",),
    ("verify",),
    ("verify", "--customer", "c"),
    ("repair",),
    ("rebuild", "customer", "c"),
    ("rebuild", "all"),
    ("rebuild", "register"),
    ("erase", "c"),
    ("import", "sessions.jsonl"),
    ("export", "customer", "c"),
    ("publish", "login", "--customer", "c", "--session", "s"),
    ("publish", "logout", "--session", "s"),
    ("publish", "logout-all", "--customer", "c"),
    ("publish", "-"),
]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_without_a_local_stack_every_command_says_how_to_start_one(arguments: tuple[str, ...]) -> None:
    said = line(run(*arguments))

    assert re.match(r"no local stack is running: start one in another terminal with `.*local`, or name a", said)


def test_a_local_stack_that_was_killed_is_not_taken_for_one_that_runs(tmp_path: Path) -> None:
    folder = tmp_path / "session-event-processor" / "local-stacks"
    folder.mkdir(parents=True)
    (folder / "session-events.json").write_text(json.dumps({"process_id": 4711}))

    assert line(run("get", "customer", "c")).startswith("no local stack is running: ")


def test_a_stack_that_does_not_exist_is_named_with_its_region(somebody: None) -> None:
    with mock_aws():
        said = line(run("get", "customer", "c", "--stack-name", "nope"))

    assert said.startswith("there is no stack nope in eu-west-1 for these credentials: check --stack-name, --region")


def test_a_stack_of_something_else_is_told_by_the_outputs_it_lacks(somebody: None) -> None:
    with mock_aws():
        boto3.client("cloudformation").create_stack(StackName="other", TemplateBody=json.dumps(TEMPLATE))
        said = line(run("get", "customer", "c", "--stack-name", "other"))

    assert said == (
        "stack other (CREATE_COMPLETE) has no output SessionEventsQueueUrl or ProjectionsTableName: "
        "is it the stack of this project's template?"
    )


def test_without_credentials_it_says_how_to_get_some() -> None:
    said = line(run("get", "customer", "c", "--stack-name", "s", "--region", "eu-west-1"))

    assert said.startswith("no AWS credentials: log in (`aws sso login`, `aws configure`), or choose a --profile")


def test_a_profile_that_does_not_exist_is_named() -> None:
    assert "The config profile (nope)" in line(run("audit", "--stack-name", "s", "--profile", "nope"))


def test_without_a_region_it_asks_for_one(monkeypatch: pytest.MonkeyPatch, somebody: None) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    assert line(run("audit", "--stack-name", "s")) == "no AWS region: give --region, or set AWS_DEFAULT_REGION"


def test_an_endpoint_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch, somebody: None) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    said = line(run("audit", "--stack-name", "s"))

    assert said.startswith('Could not connect to the endpoint URL: "http://127.0.0.1:9/". Check the network, --region')


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--local", "--stack-name", "s"],
            "--stack-name is a deployed stack, --local and --name a local one: leave one out",
        ),
        (["--profile", "p"], "--profile and --region are for a deployed stack: name it with --stack-name"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: list[str], said: str) -> None:
    assert line(run("audit", *options)) == said


def test_a_word_that_is_neither_a_file_nor_a_command_is_named(somebody: None) -> None:
    outputs = {name: {"Value": "x"} for name in ("SessionEventsQueueUrl", "ProjectionsTableName")}
    template = TEMPLATE | {"Outputs": {**TEMPLATE["Outputs"], **outputs}}
    with mock_aws():
        boto3.client("cloudformation").create_stack(StackName="ours", TemplateBody=json.dumps(template))
        said = line(run("publish", "march.jsonl", "--stack-name", "ours"))

    assert said.startswith("there is no file march.jsonl, and no command of that name: `")


@pytest.mark.parametrize(("word", "meant"), [("lgin", "login"), ("logot", "logout"), ("logoutall", "logout-all")])
def test_a_mistyped_event_is_answered_with_the_one_that_was_meant(word: str, meant: str) -> None:
    said = line(run("publish", word, "--customer", "c", "--session", "s"))

    assert said.startswith(f"there is no command and no file {word}: did you mean `")
    assert said.endswith(f"publish {meant}`?")


def refusal(code: str, message: str = "a message\nof two lines") -> aws.ClientError:
    return aws.ClientError({"Error": {"Code": code, "Message": message}}, "PutEvents")


@pytest.mark.parametrize(
    ("error", "begins"),
    [
        (refusal("ExpiredTokenException"), "the AWS credentials have expired: renew them"),
        (refusal("UnrecognizedClientException"), "AWS does not know these credentials (UnrecognizedClientException)"),
        (refusal("AccessDeniedException"), "access denied for PutEvents: have events:PutEvents allowed for this role"),
        (refusal("ThrottlingException"), "AWS throttles PutEvents: try again in a moment"),
        (refusal("ResourceNotFoundException"), "PutEvents: what the stack's outputs name is not there"),
        (refusal("Strange"), "PutEvents was refused: Strange: a message of two lines"),
        (aws.UnauthorizedSSOTokenError(), "the AWS credentials cannot be fetched or have expired: renew them"),
        (aws.InvalidRegionError(region_name="a b"), "Provided region_name 'a b' doesn't match a supported format."),
        (aws.ReadTimeoutError(endpoint_url="http://x"), "Read timeout on endpoint URL"),
        (aws.DataNotFoundError(data_path="x"), "AWS cannot be called: Unable to load data for: x"),
        (ThroughputError("keys were left"), "the table is throttled: keys were left"),
        (MalformedItemError("item x breaks the schema"), "item x breaks the schema; repair or delete the item"),
        (PermissionError(13, "Permission denied", "env.json"), "env.json: Permission denied"),
    ],
)
def test_every_error_that_can_be_foreseen_has_its_line(error: Exception, begins: str) -> None:
    said = explain(error)

    assert said is not None
    assert said.startswith(begins)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("operation", "message", "action"),
    [
        (
            "Scan",
            "User: arn:aws:iam::1:user/x is not authorized to perform: dynamodb:Scan on resource: y",
            "dynamodb:Scan",
        ),
        ("PutEvents", "Access denied", "events:PutEvents"),
        ("ReceiveMessage", "", "sqs:ReceiveMessage"),
        ("SendMessageBatch", "", "sqs:SendMessage"),
        ("HeadObject", "Forbidden", "s3:GetObject"),
        ("ListObjectsV2", "Access Denied", "s3:ListBucket"),
        ("FilterLogEvents", "", "logs:FilterLogEvents"),
        ("GetFunctionConfiguration", "", "lambda:GetFunctionConfiguration"),
        ("DescribeStacks", "", "cloudformation:DescribeStacks"),
        ("GetRecords", "", "dynamodb:GetRecords"),
        ("NobodyKnows", "", "NobodyKnows"),
        ("Decrypt", "... not authorized to perform: kms:Decrypt on the resource", "kms:Decrypt"),
    ],
)
@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "403"])
def test_a_missing_permission_is_named_as_iam_names_it(operation: str, message: str, action: str, code: str) -> None:
    error = aws.ClientError({"Error": {"Code": code, "Message": message}}, operation)

    assert f"have {action} allowed for this role" in str(explain(error))


def test_a_read_that_failed_is_explained_by_its_cause() -> None:
    error = ReadError("AccessDeniedException")
    error.__cause__ = refusal("AccessDeniedException")

    assert explain(error) == explain(error.__cause__)


@pytest.mark.parametrize("error", [KeyError("x"), BrokenPipeError(32, "Broken pipe")])
def test_what_nobody_foresaw_and_a_reader_who_has_enough_are_left_to_others(error: Any) -> None:
    assert explain(error) is None


def test_a_copy_that_finds_no_room_names_the_file_that_has_none_and_not_the_one_it_was_made_of() -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "/installed/package.py", None, "/tmp/bundle/package.py")  # noqa: S108 # a name

    assert explain(error) == (
        "/tmp/bundle/package.py: No space left on device: free some disk, or write to another one"  # noqa: S108 # a name
    )
