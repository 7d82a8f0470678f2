"""Who may send, read and decrypt what: keys, policies and caps of template.yaml."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from ops.validation.checks import ALL_ON
from ops.validation.resolution import resolved
from ops.validation.translation import load_template

KEY = ALL_ON["KmsKeyArn"]
WITHOUT_KEY = ALL_ON | {"KmsKeyArn": ""}
UNDELIVERED = {"RuleDeadLetterQueue", "DirectDeadLetterQueue", "SessionsBusDeadLetterQueue"}
"""They take what EventBridge could not deliver: by the same key, what its policy lacks would lose the event."""
PLAIN_HTTP = {"Bool": {"aws:SecureTransport": "false"}}


def of_type(kind: str, parameters: dict[str, str] = ALL_ON) -> dict[str, dict[str, Any]]:
    return {name: found["Properties"] for name, found in resolved(parameters).items() if found["Type"] == kind}


def keys_of(kind: str, properties: dict[str, Any]) -> Any:
    """The key that a resource names, wherever its type has it; None where it names none."""
    match kind:
        case "AWS::DynamoDB::Table":
            return properties.get("SSESpecification", {}).get("KMSMasterKeyId")
        case "AWS::SQS::Queue":
            return properties.get("KmsMasterKeyId")
        case "AWS::S3::Bucket":
            [rule] = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            return rule["ServerSideEncryptionByDefault"].get("KMSMasterKeyID")
        case "AWS::Logs::LogGroup":
            return properties.get("KmsKeyId")
        case "AWS::Events::EventBus" | "AWS::Events::Archive":
            return properties.get("KmsKeyIdentifier")
    return properties["DeliveryStreamEncryptionConfigurationInput"].get("KeyARN")


ENCRYPTED = [
    *("AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::S3::Bucket", "AWS::Logs::LogGroup"),
    *("AWS::Events::EventBus", "AWS::Events::Archive", "AWS::KinesisFirehose::DeliveryStream"),
]


@pytest.mark.parametrize("kind", ENCRYPTED)
def test_the_key_encrypts_everything_but_what_takes_events_where_the_key_fails(kind: str) -> None:
    found = {name: keys_of(kind, properties) for name, properties in of_type(kind).items()}

    assert found
    assert found == {name: None if name in UNDELIVERED else KEY for name in found}


@pytest.mark.parametrize("kind", ENCRYPTED)
def test_without_a_key_nothing_names_one(kind: str) -> None:
    assert {keys_of(kind, properties) for properties in of_type(kind, WITHOUT_KEY).values()} == {None}


@pytest.mark.parametrize("parameters", [{}, WITHOUT_KEY, ALL_ON], ids=["default", "everything", "with a key"])
def test_every_queue_and_bucket_is_encrypted_by_one_way_or_the_other(parameters: dict[str, str]) -> None:
    for queue in of_type("AWS::SQS::Queue", parameters).values():
        assert queue.get("SqsManagedSseEnabled", False) is not ("KmsMasterKeyId" in queue)
    for bucket in of_type("AWS::S3::Bucket", parameters).values():
        [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        algorithm = "aws:kms" if parameters.get("KmsKeyArn") else "AES256"
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == algorithm
        assert rule.get("BucketKeyEnabled", False) is (algorithm == "aws:kms")


def statements(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for document in [
        resource.get("PolicyDocument"),
        *(each["PolicyDocument"] for each in resource.get("Policies", [])),
    ]:
        yield from (document or {"Statement": []})["Statement"]


def services_of(statement: dict[str, Any]) -> set[str]:
    via = statement["Condition"]["StringEquals"]["kms:ViaService"]
    return {each["Fn::Sub"].partition(".")[0] for each in (via if isinstance(via, list) else [via])}


def test_each_role_may_use_the_key_through_the_services_that_it_calls_and_the_key_alone() -> None:
    used: dict[str, set[str]] = {}
    for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
        for name, role in of_type(kind).items():
            [use] = [each for each in statements(role) if "kms:" in json.dumps(each["Action"])]
            assert (use["Effect"], use["Resource"]) == ("Allow", KEY)
            assert {"kms:Decrypt"} < set(use["Action"])
            used[name] = services_of(use)
    calls = {
        name: {action.partition(":")[0] for each in statements(role) for action in _list(each["Action"])}
        for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy")
        for name, role in of_type(kind).items()
    }

    encrypting = {"dynamodb", "sqs", "s3"}
    assert used == {name: services & encrypting for name, services in calls.items()}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_without_a_key_nobody_may_use_any() -> None:
    assert "kms:" not in json.dumps(resolved(WITHOUT_KEY))


@pytest.mark.parametrize("parameters", [{}, ALL_ON], ids=["default", "everything"])
def test_no_queue_or_bucket_takes_a_request_without_tls(parameters: dict[str, str]) -> None:
    guarded: list[str] = []
    for kind, names in (("AWS::SQS::QueuePolicy", "Queues"), ("AWS::S3::BucketPolicy", "Bucket")):
        for policy in of_type(kind, parameters).values():
            targets = [each["Ref"] for each in _list(policy[names])]
            [denied] = [each for each in statements(policy) if each.get("Sid") == "TlsOnly"]
            assert (denied["Effect"], denied["Principal"], denied["Condition"]) == ("Deny", "*", PLAIN_HTTP)
            assert denied["Action"] == ("sqs:*" if kind == "AWS::SQS::QueuePolicy" else "s3:*")
            assert denied["Resource"] == "*" or {_target(each) for each in _list(denied["Resource"])} == set(targets)
            guarded += targets

    there = of_type("AWS::SQS::Queue", parameters).keys() | of_type("AWS::S3::Bucket", parameters).keys()
    assert sorted(guarded) == sorted(there), "a second policy of one queue would replace the first"


def _target(resource: dict[str, Any]) -> str:
    match resource:
        case {"Fn::GetAtt": [str(name), "Arn"]}:
            return name
        case {"Fn::Sub": str(text)}:
            return text.removeprefix("${").removesuffix(".Arn}/*")
    raise AssertionError(resource)


def test_dead_letter_queues_take_dead_letters_of_their_own_queue_and_the_other_queues_of_none() -> None:
    queues = of_type("AWS::SQS::Queue")
    allowed = {name: queue.get("RedriveAllowPolicy") for name, queue in queues.items()}

    by_queue = {name: policy["sourceQueueArns"] for name, policy in allowed.items() if policy and len(policy) == 2}
    sources = {
        queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]: name
        for name, queue in queues.items()
        if "RedrivePolicy" in queue
    }

    assert {name: policy for name, policy in allowed.items() if name not in {*by_queue, *sources.values()}} == {
        name: {"redrivePermission": "denyAll"} for name in (*sorted(UNDELIVERED), "RejectedEventsQueue")
    }
    assert by_queue.keys() == sources.keys()
    for dead_letters, [arn] in by_queue.items():
        name = queues[sources[dead_letters]]["QueueName"]
        chosen = name["Fn::Sub"] if isinstance(name, dict) else "${SessionEventsQueueName}"
        assert arn["Fn::Sub"] == "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:" + chosen


def test_publishers_that_are_named_may_send_to_the_session_events_queue_and_by_default_none_is() -> None:
    named, by_default = (
        list(statements(of_type("AWS::SQS::QueuePolicy", chosen)["SessionEventsQueuePolicy"]))
        for chosen in (ALL_ON, {})
    )

    [admits] = [each for each in named if each["Sid"] == "PublishersSend"]
    assert (admits["Effect"], admits["Action"]) == ("Allow", "sqs:SendMessage")
    assert admits["Principal"] == {"AWS": {"Fn::Split": [",", ALL_ON["QueuePublisherArns"]]}}
    assert [each["Sid"] for each in by_default] == ["RuleDelivers", "TlsOnly"]


def test_by_default_the_session_events_queue_keeps_the_name_that_it_has() -> None:
    queues = of_type("AWS::SQS::Queue", {})

    assert "QueueName" not in queues["SessionEventsQueue"], "a name would make a new queue at the next update"
    assert "RedriveAllowPolicy" not in queues["SessionEventsDeadLetterQueue"]
    assert resolved()["SessionEventsQueue"]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize(("chosen", "limit"), [("10", "10"), ("1", "1"), ("0", None)])
def test_the_direct_function_takes_no_more_concurrency_than_is_chosen(chosen: str, limit: str | None) -> None:
    functions = of_type("AWS::Lambda::Function", ALL_ON | {"DirectMaxConcurrency": chosen})

    found = {name: function.get("ReservedConcurrentExecutions") for name, function in functions.items()}

    assert found == dict.fromkeys(functions) | {"EventBridgeConsumerFunction": limit}


def test_the_cap_of_the_direct_function_is_there_unless_it_is_taken_away() -> None:
    functions = of_type("AWS::Lambda::Function", {"EnableEventBridgeDirect": "true"})

    assert functions["EventBridgeConsumerFunction"]["ReservedConcurrentExecutions"] == "10"


def test_the_auth_bus_is_archived_for_as_long_as_is_chosen_or_not_at_all() -> None:
    [archive] = of_type("AWS::Events::Archive", {"AuthEventsArchiveDays": "30"}).values()

    assert archive["SourceArn"] == {"Fn::GetAtt": ["AuthEventBus", "Arn"]}
    assert archive["RetentionDays"] == "30"
    assert of_type("AWS::Events::Archive", {}) == {}


@pytest.mark.parametrize("bus", ["AuthEventBus", "SessionsEventBus"])
def test_what_a_bus_cannot_encrypt_goes_to_a_queue_that_needs_no_key_and_admits_the_bus(bus: str) -> None:
    resources = resolved(ALL_ON)
    queue = resources[bus]["Properties"]["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]

    [policy] = [each for each in of_type("AWS::SQS::QueuePolicy").values() if {"Ref": queue} in each["Queues"]]

    [admits] = [each for each in statements(policy) if each["Effect"] == "Allow"]
    assert queue in UNDELIVERED
    assert {"Fn::GetAtt": [bus, "Arn"]} in _list(admits["Condition"]["ArnEquals"]["aws:SourceArn"])
    assert "DeadLetterConfig" not in resolved(WITHOUT_KEY)[bus]["Properties"]


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        (
            "KmsKeyArn",
            ["", KEY, "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab"],
            [
                "1234abcd-12ab-34cd-56ef-1234567890ab",
                "alias/sessions",
                "arn:aws:kms:us-east-1:123456789012:alias/sessions",
                KEY.replace("123456789012", "1234"),
                f"{KEY} ",
                f"{KEY}\n",
            ],
        ),
        (
            "QueuePublisherArns",
            ["", "arn:aws:iam::123456789012:root", ALL_ON["QueuePublisherArns"]],
            ["*", "123456789012", "arn:aws:iam::123456789012:role/*", f"{ALL_ON['QueuePublisherArns']},"],
        ),
        ("SessionEventsQueueName", ["", "session-events", "a" * 80], ["a" * 81, "events.fifo", "two words", "a/b"]),
    ],
)
def test_a_wrong_value_is_refused_before_anything_is_deployed(parameter: str, good: list[str], bad: list[str]) -> None:
    pattern = load_template()["Parameters"][parameter]["AllowedPattern"]

    assert [value for value in good if not re.fullmatch(pattern, value)] == []
    assert [value for value in bad if re.fullmatch(pattern, value)] == []


@pytest.mark.parametrize("parameter", ["AuthEventsArchiveDays", "DirectMaxConcurrency"])
def test_a_number_has_both_its_bounds_and_a_default_between_them(parameter: str) -> None:
    definition = load_template()["Parameters"][parameter]

    assert definition["Type"] == "Number"
    assert 0 == definition["MinValue"] <= definition["Default"] <= definition["MaxValue"]
