"""The status of a stack: what waits, what is not as the template says, and what cannot be looked at."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from ops.recovery.dead_letters import DeadLetterQueue
from ops.sessionctl.failures import explain
from ops.status import functions, tables, waiting
from ops.status.alarms import alarms_line
from ops.status.lines import Commands, Line, State, in_words, waits
from ops.status.looking import Looker
from ops.status.policies import Deployed, missing_statements
from ops.status.roles import permissions_line
from ops.validation.parameters import contradictions, notes
from ops.validation.translation import translate
from processors.intake.rejections import rejection
from processors.intake.vocabulary import vocabulary
from processors.life_cycle.agenda import AgendaItem, Entry, remainder, write_agenda_item
from schemas.errors import RejectedEventError
from schemas.keys import Key
from tests.conftest import create_tables

COMMANDS = Commands(lambda *arguments: " ".join(("sessionctl", *arguments)), ("--region", "eu-west-1"))
STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/prod/0b0c"
DEFAULTS = {name: str(definition.get("Default", "")) for name, definition in translate()["Parameters"].items()}
IDLE = {"State": "Active", "LastUpdateStatus": "Successful", "Environment": {"Variables": {}}}


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "example")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield


def client(service: str) -> Any:
    return boto3.client(service, region_name="eu-west-1")  # type: ignore[call-overload] # the name is a variable


def queue_with(*bodies: str) -> str:
    url: str = client("sqs").create_queue(QueueName="queue")["QueueUrl"]
    for body in bodies:
        client("sqs").send_message(QueueUrl=url, MessageBody=body)
    return url


def deployed(**parameters: str) -> Deployed:
    """A stack as CloudFormation describes it, with made-up physical ids."""
    values = DEFAULTS | parameters
    template = translate(parameters=values)
    resources = {
        name: f"https://sqs.eu-west-1.amazonaws.com/123456789012/{name}"
        if "Queue" in resource["Type"]
        else f"prod-{name}"
        for name, resource in template["Resources"].items()
    }
    return Deployed(STACK_ID, template, values, resources)


# ---------------------------------------------------------------- what waits


def test_dead_letters_wait_for_a_person_and_the_next_commands_are_named(aws: None) -> None:
    queue = DeadLetterQueue("rule", queue_with("a", "b"), "events")

    line = waiting.dead_letters_line(client("sqs"), queue, COMMANDS, now() + timedelta(hours=2))

    assert line.state is State.WAITS
    assert line.words == "2, the oldest for 2 h"
    assert line.commands[-1] == "sessionctl dead-letters redrive --filter queue=rule"


def test_an_empty_dead_letter_queue_is_well(aws: None) -> None:
    line = waiting.dead_letters_line(client("sqs"), DeadLetterQueue("rule", queue_with(), "events"), COMMANDS, now())

    assert (line.state, line.words, list(line.commands)) == (State.OK, "none", [])


def test_life_cycle_events_that_the_bus_could_not_encrypt_wait_for_a_person(aws: None) -> None:
    none, two = (waiting.unpublished_line(client("sqs"), queue_with(*bodies), COMMANDS) for bodies in ((), ("a", "b")))

    assert (none.state, none.words) == (State.OK, "none")
    assert (two.state, two.facts) == (State.WAITS, {"count": 2})
    assert [command.split()[:3] for command in two.commands] == [
        ["sessionctl", "rebuild", "register"],
        ["aws", "sqs", "purge-queue"],
    ]


def test_rejected_events_are_counted_by_the_reasons_of_the_last_hour(aws: None) -> None:
    moments = [now() - timedelta(minutes=5), now() - timedelta(minutes=6), now() - timedelta(hours=3)]
    bodies = [
        rejection(
            RejectedEventError(f"session_id is {number} characters long"),
            message_id="m",
            body="{}",
            now=moment,
            vocabulary=vocabulary(),
        )
        for number, moment in enumerate(moments)
    ]

    line = waiting.rejected_line(client("sqs"), queue_with(*bodies), COMMANDS, now())

    assert line.state is State.WAITS
    assert line.words == "3; 2 in the last hour: 2 session_id is … characters long"


def test_failed_batches_wait_for_a_person(aws: None) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="batches", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    empty = waiting.failed_batches_line(s3, "batches", COMMANDS, now())
    s3.put_object(Bucket="batches", Key="bus/2026/03/02/a.json", Body=b"{}")

    line = waiting.failed_batches_line(s3, "batches", COMMANDS, now() + timedelta(days=3))

    assert empty.state is State.OK
    assert line.state is State.WAITS
    assert line.words.startswith("1, the oldest for 3 d")


class Draining:
    """An SQS client whose queue holds what each look is told."""

    def __init__(self, *looks: tuple[int, int]) -> None:
        self._looks = list(looks)
        self.received = 0

    def get_queue_attributes(self, **_: Any) -> Mapping[str, Any]:
        visible, hidden = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        return {
            "Attributes": {
                "ApproximateNumberOfMessages": str(visible),
                "ApproximateNumberOfMessagesNotVisible": str(hidden),
                "ApproximateNumberOfMessagesDelayed": "0",
            }
        }


@pytest.mark.parametrize(
    ("looks", "age", "state"),
    [
        ([(0, 0)], None, State.OK),
        ([(5, 3)], None, State.OK),
        ([(5, 0), (0, 5)], None, State.OK),
        ([(5, 0), (5, 0)], None, State.WAITS),
        ([(5, 3)], timedelta(minutes=5), State.OK),
        ([(5, 3)], timedelta(minutes=5, seconds=1), State.WAITS),
    ],
)
def test_a_queue_waits_for_a_person_where_nobody_takes_from_it_or_it_stands_too_long(
    looks: list[tuple[int, int]], age: timedelta | None, state: State
) -> None:
    slept: list[float] = []
    sqs: Any = Draining(*looks)  # it cannot receive: a look uses up no receive

    line = waiting.flow_line(sqs, "queue", "url", COMMANDS, age=age, function="consumer-1", sleep=slept.append)

    assert line.state is state
    assert bool(slept) == (looks[0] == (5, 0))


# ---------------------------------------------------------------- functions


class Functions:
    """A Lambda client."""

    def __init__(self, configuration: Any = None, reserved: int | None = None, mappings: Any = ()) -> None:
        self._configuration = configuration or IDLE
        self._reserved = reserved
        self._mappings = list(mappings)

    def get_function_configuration(self, **_: Any) -> Any:
        return self._configuration

    def get_function_concurrency(self, **_: Any) -> Any:
        return {} if self._reserved is None else {"ReservedConcurrentExecutions": self._reserved}

    def get_paginator(self, _: str) -> Any:
        return SimpleNamespace(paginate=lambda: [{"EventSourceMappings": [each]} for each in self._mappings])


CONSUMER = functions.Part("consumer", "consumer-1", "/logs", (("session events", "https://sqs/1/events"),))
PROJECTOR = functions.Part("projector", "projector-1", "/logs", reads_stream=True)


def mapping(arn: str, state: str = "Enabled", last: str = "OK", function: str = "") -> dict[str, str]:
    function = function or ("projector-1" if "stream" in arn else "consumer-1")
    named = {"FunctionArn": f"arn:aws:lambda:eu-west-1:1:function:{function}", "EventSourceArn": arn}
    return named | {"UUID": "uuid-1", "State": state, "LastProcessingResult": last}


def test_a_function_that_can_run_is_well() -> None:
    assert functions.function_line(Functions(), CONSUMER, COMMANDS).state is State.OK


@pytest.mark.parametrize(
    ("settings", "words", "command"),
    [
        ({"reserved": 0}, "its concurrency is 0", "aws lambda delete-function-concurrency --function-name consumer-1"),
        (
            {"configuration": IDLE | {"State": "Failed", "StateReason": "no image"}},
            "no image",
            "get-function-configuration",
        ),
        (
            {"configuration": IDLE | {"Environment": {"Variables": {"MAX_EVENT_AGE_SECONDS": "99999999"}}}},
            "logouts are remembered for",
            "get-function-configuration",
        ),
    ],
)
def test_a_function_that_cannot_run_says_why(settings: dict[str, Any], words: str, command: str) -> None:
    line = functions.function_line(Functions(**settings), CONSUMER, COMMANDS)

    assert line.state is State.WAITS
    assert words in line.words
    assert command in line.commands[0]


@pytest.mark.parametrize(
    ("part", "found", "words"),
    [
        (CONSUMER, [mapping("arn:aws:sqs:eu-west-1:1:events")], ""),
        (CONSUMER, [mapping("arn:aws:sqs:eu-west-1:1:events", function="consumer-1:live")], ""),
        (CONSUMER, [], "nothing invokes it with session events"),
        (
            CONSUMER,
            [mapping("arn:aws:sqs:eu-west-1:1:events", function="another-stacks")],
            "nothing invokes it with session events",
        ),
        (
            CONSUMER,
            [mapping("arn:aws:sqs:eu-west-1:1:events", "Disabled")],
            "session events is switched off (Disabled)",
        ),
        (PROJECTOR, [mapping("arn:stream/2")], ""),
        (PROJECTOR, [mapping("arn:stream/1")], "nothing invokes it with the sessions table's stream"),
        (PROJECTOR, [mapping("arn:stream/2", last="PROBLEM: Function call failed")], "the last batch of"),
    ],
)
def test_a_mapping_that_is_missing_off_or_failing_waits_for_a_person(part: Any, found: Any, words: str) -> None:
    line = functions.mappings_line(Functions(mappings=found), part, "arn:stream/2", COMMANDS)

    assert line.state is (State.WAITS if words else State.OK)
    assert words in line.words


def test_a_mapping_that_is_off_is_switched_on_by_the_command_that_is_named() -> None:
    off = mapping("arn:stream/2", "Disabled")

    line = functions.mappings_line(Functions(mappings=[off]), PROJECTOR, "arn:stream/2", COMMANDS)

    assert list(line.commands) == ["aws lambda update-event-source-mapping --uuid uuid-1 --enabled --region eu-west-1"]


def test_a_rule_that_is_switched_off_waits_for_a_person(aws: None) -> None:
    events = client("events")
    events.create_event_bus(Name="auth")
    events.put_rule(Name="r-1", EventBusName="auth", EventPattern='{"source": ["x"]}')
    rule = functions.Rule("SessionEventsRule", "r-1", "auth")
    on = functions.rules_line(events, [rule], COMMANDS)
    events.disable_rule(Name="r-1", EventBusName="auth")

    off = functions.rules_line(events, [rule], COMMANDS)

    assert on.state is State.OK
    assert off.state is State.WAITS
    assert off.commands[0].startswith("aws events enable-rule --name r-1 --event-bus-name auth")


# ---------------------------------------------------------------- permissions


@pytest.mark.parametrize(
    "role", ["SqsConsumerRole", "StreamProjectorRole", "SessionPublisherRole", "ExpirySweeperRole"]
)
def test_a_roles_policy_is_read_from_the_template_with_nothing_left_open(role: str) -> None:
    stack = deployed(PublishSessionEvents="true", ArchiveSessionEvents="true")

    [policy] = stack.policies(role).values()

    text = json.dumps(policy)
    assert "Fn::" not in text
    assert '"Ref"' not in text
    assert "${" not in text
    assert "arn:aws:dynamodb:eu-west-1:123456789012:table/prod-SessionsTable" in text


def test_conditions_of_the_template_decide_which_statements_a_policy_has() -> None:
    def sids(**parameters: str) -> set[str]:
        [policy] = deployed(**parameters).policies("SessionPublisherRole").values()
        return {statement["Sid"] for statement in policy["Statement"]}

    assert sids(PublishSessionEvents="true") - sids(ArchiveSessionEvents="true") == {"Publish", "NoteExpiries"}
    assert sids(ArchiveSessionEvents="true") - sids(PublishSessionEvents="true") == {"Archive"}


STATEMENT = {"Sid": "A", "Effect": "Allow", "Action": ["x:B", "x:A"], "Resource": "arn:1"}


@pytest.mark.parametrize(
    ("actual", "missing"),
    [
        ({"Statement": [STATEMENT]}, []),
        ({"Statement": STATEMENT}, []),
        ({"Statement": [STATEMENT | {"Action": ["x:A", "x:B"], "Resource": ["arn:1"]}]}, []),
        ({"Statement": [STATEMENT | {"Action": "x:A"}]}, ["A"]),
        ({"Statement": [STATEMENT | {"Effect": "Deny"}]}, ["A"]),
        ({"Statement": []}, ["A"]),
        (None, ["A"]),
    ],
)
def test_a_statement_that_is_gone_or_changed_is_named(actual: Any, missing: list[str]) -> None:
    assert missing_statements({"Statement": [STATEMENT]}, actual) == missing


def test_a_permission_taken_from_a_role_is_found_and_the_command_puts_it_back(aws: None) -> None:
    stack, iam = deployed(), client("iam")
    for role in stack.roles():
        iam.create_role(RoleName=stack.resources[role], AssumeRolePolicyDocument="{}")
        for name, document in stack.policies(role).items():
            iam.put_role_policy(RoleName=stack.resources[role], PolicyName=name, PolicyDocument=json.dumps(document))
    whole = permissions_line(iam, stack, COMMANDS)
    [policy] = stack.policies("StreamProjectorRole").values()
    less = policy | {"Statement": [each for each in policy["Statement"] if each["Sid"] != "WriteProjections"]}
    named = {"RoleName": "prod-StreamProjectorRole", "PolicyName": "what-it-calls"}
    iam.put_role_policy(**named, PolicyDocument=json.dumps(less))
    without_one = permissions_line(iam, stack, COMMANDS)
    iam.delete_role_policy(**named)
    without_all = permissions_line(iam, stack, COMMANDS)

    assert whole.state is State.OK
    assert without_one.words == "StreamProjectorRole lacks WriteProjections"
    assert without_one.commands[0].startswith(
        "aws iam put-role-policy --role-name prod-StreamProjectorRole --policy-name what-it-calls --policy-document "
        '"$(sessionctl status --policy StreamProjectorRole)"'
    )
    assert "ReadStream" in without_all.words


# ---------------------------------------------------------------- tables


def test_a_restored_table_says_what_it_lacks_and_how_to_switch_it_on(aws: None) -> None:
    dynamodb = client("dynamodb")
    create_tables(dynamodb, "sessions", "projections")
    dynamodb.update_table(TableName="sessions", StreamSpecification={"StreamEnabled": False})

    line = tables.sessions_table_line(dynamodb, "sessions", COMMANDS)

    assert line.state is State.WAITS
    assert line.words == "no stream with both images; no TTL on ttl; no point-in-time recovery"
    assert "update-time-to-live --table-name sessions" in line.commands[1]


def test_a_table_that_has_all_is_well(aws: None) -> None:
    dynamodb = client("dynamodb")
    create_tables(dynamodb, "sessions", "projections")
    dynamodb.update_time_to_live(
        TableName="sessions", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"}
    )
    for name in ("sessions", "projections"):
        dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )

    assert tables.sessions_table_line(dynamodb, "sessions", COMMANDS).state is State.OK
    assert tables.projections_table_line(dynamodb, "projections", COMMANDS).state is State.OK


@pytest.mark.parametrize(("seconds_ago", "state"), [(-600, State.OK), (100, State.OK), (600, State.WAITS)])
def test_expiries_wait_for_a_person_where_an_old_slot_is_still_on_the_agenda(
    aws: None, seconds_ago: int, state: State
) -> None:
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName="agenda",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")],
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
    )
    slot = int(now().timestamp()) - seconds_ago
    entry = Entry("suuid#s-1", "c#c-1", slot)
    dynamodb.put_item(TableName="agenda", Item=write_agenda_item(remainder(AgendaItem(Key("", ""), slot, ()), [entry])))

    line = tables.expiry_line(dynamodb, "agenda", "/logs", COMMANDS, now())

    assert line.state is state
    assert line.facts["lag_seconds"] == pytest.approx(max(0, seconds_ago - 5), abs=3)


# ---------------------------------------------------------------- parameters and alarms


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"SessionTtlSeconds": "86400", "SessionMaxLifetimeSeconds": "3600"}, "is above SessionMaxLifetimeSeconds"),
        ({"PublishRefreshedSessions": "true"}, "PublishRefreshedSessions does nothing without"),
        ({"ExpiryIntervalSeconds": "60"}, "ExpiryIntervalSeconds does nothing without"),
        ({"ArchiveRetentionDays": "30"}, "ArchiveRetentionDays does nothing without"),
        ({"CustomerNamespace": "provider"}, "CustomerNamespaces is empty"),
        ({"SilenceAlarmMinutes": "60", "MaxEventAgeSeconds": "1000", "MaxReceiveCount": "5"}, "would be rejected"),
    ],
)
def test_parameters_that_contradict_each_other_are_named(parameters: dict[str, str], words: str) -> None:
    [found] = contradictions(DEFAULTS | parameters)

    assert words in found


def test_the_defaults_contradict_nothing_and_an_alarm_that_nobody_hears_is_worth_a_note() -> None:
    assert list(contradictions(DEFAULTS)) == []
    assert list(contradictions({})) == []
    assert list(notes(DEFAULTS)) == ["AlarmTopicArn is empty: the alarms notify nobody"]


@pytest.mark.parametrize(
    ("alarm", "state"), [("ProjectorLagAlarm", State.WAITS), ("FailedBatchesAlarm", State.NOTE), (None, State.OK)]
)
def test_an_alarm_that_rings_is_named_and_one_that_is_looked_at_here_only_noted(
    aws: None, alarm: str | None, state: State
) -> None:
    cloudwatch = client("cloudwatch")
    names = ("ProjectorLagAlarm", "FailedBatchesAlarm")
    for name in names:
        cloudwatch.put_metric_alarm(
            AlarmName=f"prod-{name}",
            AlarmDescription="It lags. Runbook: docs/operations.md.",
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=1,
            MetricName="m",
            Namespace="n",
            Period=60,
            Statistic="Sum",
            Threshold=0,
        )
    if alarm is not None:
        cloudwatch.set_alarm_state(AlarmName=f"prod-{alarm}", StateValue="ALARM", StateReason="test")

    line = alarms_line(
        cloudwatch,
        {name: f"prod-{name}" for name in names},
        dict.fromkeys(names, "AWS::CloudWatch::Alarm"),
        COMMANDS,
    )

    assert line.state is state
    assert "Runbook" not in line.words


# ---------------------------------------------------------------- all of it


class Denied:
    """A client that may do nothing."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __getattr__(self, operation: str) -> Any:
        def refuse(**_: Any) -> Any:
            name = "".join(word.title() for word in operation.split("_"))
            message = f"User: x is not authorized to perform: {self._service}:{name} on resource: y"
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": message}}, name)

        return refuse


def test_what_may_not_be_looked_at_names_the_iam_action_and_the_other_lines_still_show(aws: None) -> None:
    queue = queue_with()
    s3 = client("s3")
    s3.create_bucket(Bucket="batches", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    outputs = {
        "SessionEventsQueueUrl": queue,
        "SessionEventsDeadLetterQueueUrl": queue,
        "RejectedEventsQueueUrl": queue,
        "FailedBatchesBucketName": "batches",
        "SessionsTableName": "sessions",
        "ProjectionsTableName": "projections",
        "SqsConsumerFunctionName": "consumer-1",
    }

    def client_of(service: str) -> Any:
        return client(service) if service in ("sqs", "s3") else Denied(service)

    looker = Looker(client_of, "prod", outputs, COMMANDS, explain, now)

    lines = {line.name: line for line in looker.look()}

    assert lines["dead letters: events"].state is State.OK
    assert lines["failed batches"].state is State.OK
    assert lines["function: consumer"].state is State.UNKNOWN
    assert "lambda:GetFunctionConfiguration" in lines["function: consumer"].words
    assert lines["permissions"].state is State.UNKNOWN
    assert lines["alarms"].state is State.NOTE
    assert waits(list(lines.values()))


def test_only_what_is_well_or_worth_a_note_waits_for_nobody() -> None:
    def line(state: State) -> Line:
        return Line("x", state, "")

    assert not waits([line(State.OK), line(State.NOTE)])
    assert waits([line(State.OK), line(State.UNKNOWN)])
    assert waits([line(State.OK), line(State.WAITS)])


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "1 h"), (86400 * 3, "3 d"), (-5, "0 s")]
)
def test_durations_are_written_in_their_largest_unit(seconds: int, words: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == words
