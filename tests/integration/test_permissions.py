"""What the handlers call, recorded from their clients, is what their roles in template.yaml grant: no more, no less."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest

from ops.validation.translation import translate
from processors import eventbridge_consumer, expiry_sweeper, session_publisher, sqs_consumer, stream_projector
from processors.projections.state import CAPACITY
from processors.runtime import wiring
from tests.conftest import Backend, at, login, logout, logout_all, sqs_record
from tests.life_cycle_outlets import make_outlets

Grant = tuple[str, str]
"""An IAM action, and the resource by its logical id: `("dynamodb:Query", "SessionsTable/index/GSI1_inverse")`."""

OF_LAMBDA_ITSELF = {
    "SqsConsumerRole": {
        ("sqs:ReceiveMessage", "SessionEventsQueue"),
        ("sqs:DeleteMessage", "SessionEventsQueue"),
        ("sqs:GetQueueAttributes", "SessionEventsQueue"),
        ("sqs:ReceiveMessage", "SessionCommandsQueue"),
        ("sqs:DeleteMessage", "SessionCommandsQueue"),
        ("sqs:GetQueueAttributes", "SessionCommandsQueue"),
        ("logs:CreateLogStream", "SqsConsumerLogGroup"),
        ("logs:PutLogEvents", "SqsConsumerLogGroup"),
    },
    "StreamProjectorRole": {
        ("dynamodb:DescribeStream", "SessionsTable/stream/*"),
        ("dynamodb:GetRecords", "SessionsTable/stream/*"),
        ("dynamodb:GetShardIterator", "SessionsTable/stream/*"),
        ("dynamodb:ListStreams", "SessionsTable/stream/*"),
        ("s3:PutObject", "FailedBatchesBucket/*"),
        ("s3:ListBucket", "FailedBatchesBucket"),
        ("logs:CreateLogStream", "StreamProjectorLogGroup"),
        ("logs:PutLogEvents", "StreamProjectorLogGroup"),
    },
    "SessionPublisherRole": {
        ("dynamodb:DescribeStream", "SessionsTable/stream/*"),
        ("dynamodb:GetRecords", "SessionsTable/stream/*"),
        ("dynamodb:GetShardIterator", "SessionsTable/stream/*"),
        ("dynamodb:ListStreams", "SessionsTable/stream/*"),
        ("s3:ListBucket", "FailedBatchesBucket"),
        ("logs:CreateLogStream", "SessionPublisherLogGroup"),
        ("logs:PutLogEvents", "SessionPublisherLogGroup"),
    },
    "ExpirySweeperRole": {
        ("logs:CreateLogStream", "ExpirySweeperLogGroup"),
        ("logs:PutLogEvents", "ExpirySweeperLogGroup"),
    },
    "EventBridgeConsumerRole": {
        ("sqs:SendMessage", "DirectDeadLetterQueue"),
        ("logs:CreateLogStream", "EventBridgeConsumerLogGroup"),
        ("logs:PutLogEvents", "EventBridgeConsumerLogGroup"),
    },
}
"""Lambda polls, logs and gives up with the function's role; no handler makes these calls."""

# IAM knows no action of these names. Source: DynamoDB Developer Guide, "IAM security policies with PartiQL for
# DynamoDB"; SQS Developer Guide, "Amazon SQS API permissions".
_STATEMENT = re.compile(
    r'(?P<verb>INSERT INTO|UPDATE|SELECT) (?:[^\[]*?FROM )?"(?P<table>[^"]+)"(?:\."(?P<index>[^"]+)")?'
)
_ACTION_OF_VERB = {
    "INSERT INTO": "dynamodb:PartiQLInsert",
    "UPDATE": "dynamodb:PartiQLUpdate",
    "SELECT": "dynamodb:PartiQLSelect",
}
_ACTION_OF_BATCH = {"SendMessageBatch": "sqs:SendMessage"}


@dataclass
class Calls:
    """Every request of the handlers' clients: the permissions it takes, and the attributes of the keys it names."""

    logical_ids: dict[str, str]
    grants: set[Grant] = field(default_factory=set)
    keys: dict[str, set[frozenset[str]]] = field(default_factory=dict)

    def record(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        """A botocore event handler of `before-parameter-build`."""
        service, operation = model.service_model.service_name, model.name
        if operation in ("BatchExecuteStatement", "ExecuteStatement"):
            for statement in params.get("Statements", [params]):
                found = _STATEMENT.match(statement["Statement"])
                assert found, statement["Statement"]
                index = f"/index/{found['index']}" if found["index"] else ""
                self.grants.add((_ACTION_OF_VERB[found["verb"]], self.logical_ids[found["table"]] + index))
            return
        if operation == "PutObject":
            self.grants.add(("s3:PutObject", self.logical_ids[params["Bucket"]] + "/*"))
            return
        action = _ACTION_OF_BATCH.get(operation, f"{service}:{operation}")
        for name in _resources_of(params):
            index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
            self.grants.add((action, self.logical_ids[name] + index))
            requests = params.get("RequestItems", {}).get(name, {})
            for key in requests.get("Keys", ()) if isinstance(requests, dict) else ():
                self.keys.setdefault(self.logical_ids[name], set()).add(frozenset(key))


def _resources_of(params: dict[str, Any]) -> list[str]:
    """The tables, the queue, the bus, the stream or the bucket that a request names."""
    if "Entries" in params and "QueueUrl" not in params:
        return sorted({entry["EventBusName"] for entry in params["Entries"]})
    names = ("TableName", "QueueUrl", "DeliveryStreamName", "Bucket")
    return list(params.get("RequestItems") or [next(params[name] for name in names if name in params)])


@pytest.fixture
def calls(backend: Backend) -> Iterator[Calls]:
    logical_ids = {
        backend.sessions_table: "SessionsTable",
        backend.projections_table: "ProjectionsTable",
        backend.commands_queue: "SessionCommandsQueue",
        backend.rejected_queue: "RejectedEventsQueue",
    }
    calls = Calls(logical_ids)
    hooks = [(wiring.client(service).meta.events, f"before-parameter-build.{service}") for service in SERVICES]
    for events, name in hooks:
        events.register(name, calls.record)
    yield calls
    for events, name in hooks:
        events.unregister(name, calls.record)


SERVICES = ("dynamodb", "sqs", "events", "firehose", "s3")


def granted(role: str, *, batch_statements: bool) -> set[Grant]:
    """What a role grants to the handler."""
    [policy] = translate()["Resources"][role]["Properties"]["Policies"]
    grants = {
        (action, _logical_id(resource))
        for statement in map(_chosen_statement, policy["PolicyDocument"]["Statement"])
        if statement.get("Effect") == "Allow"  # what is off has none
        for action in _list(_chosen(statement["Action"], batch_statements=batch_statements))
        for resource in _list(statement["Resource"])
    }
    assert grants >= OF_LAMBDA_ITSELF[role]
    return grants - OF_LAMBDA_ITSELF[role]


def _chosen(value: Any, *, batch_statements: bool) -> Any:
    match value:
        case {"Fn::If": ["IsBatchStatements", yes, no]}:
            return yes if batch_statements else no
    return value


def _chosen_statement(statement: Any) -> Any:
    """A statement, with every part switched on."""
    match statement:
        case {"Fn::If": ["IsPublishing" | "IsArchiving", yes, _]}:
            return yes
    return statement


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _logical_id(resource: Any) -> str:
    match resource:
        case {"Fn::GetAtt": [str(logical_id), "Arn"]}:
            return logical_id
        case {"Fn::Sub": str(text)}:
            return re.sub(r"^\$\{(\w+)\.Arn\}", r"\1", text)
    raise AssertionError(f"not an ARN of ours: {resource}")


EVENTS: list[Any] = [
    login("s1", minute=0),
    login("s1", minute=5),  # an update of what is stored
    login("child", parent_session_id="s1"),
    logout("child"),  # names no parent: found through the index
    logout("s1", None, minute=40),  # names no customer: found in its partition
    logout("large", None, minute=40),  # the family is larger than what one request reads of many
    logout("shared"),  # a child's id under more parents than one SELECT is read to
    logout_all("customer-2"),
    {"event_type": "login"},  # rejected
]
"""Between them they take the consumers through every call they have."""


def put_large_family(backend: Backend) -> None:
    backend.sessions.apply([login("large"), *(login(f"k{n}", parent_session_id="large") for n in range(201))])
    backend.sessions.apply([login("shared", parent_session_id=f"p{n}") for n in range(201)])


def consume_queue(backend: Backend) -> None:
    put_large_family(backend)
    for event in EVENTS:
        assert sqs_consumer.lambda_handler({"Records": [sqs_record(event)]}, None) == {"batchItemFailures": []}


def consume_bus(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    put_large_family(backend)
    monkeypatch.setattr("processors.runtime.clock.utc_now", lambda: at(60))
    for event in EVENTS:
        detail = event if isinstance(event, dict) else event.model_dump(mode="json", exclude_none=True)
        sent_at = at(60).isoformat()
        envelope = {"id": "e", "source": "idp", "detail-type": "Login", "time": sent_at, "version": "0"}
        if detail["event_type"] != "login":
            envelope["detail-type"] = {"logout": "Logout", "logout_all": "LogoutAll"}[detail["event_type"]]
        eventbridge_consumer.lambda_handler(envelope | {"detail": detail}, None)


def project(backend: Backend) -> None:
    backend.sessions.apply([logout("child"), logout("late"), login("s1"), login("s2", "customer-2")])
    backend.sessions.apply([login("child", parent_session_id="s1"), logout("s1"), login("s3")])
    # A child of the original schema names no customer: the parent's whole partition tells whose it is.
    old = {"PK": "suuid#s1", "SK": "child#suuid#old", "session_id": "old", "session_state": "active"}
    backend.dynamodb.put_item(TableName=backend.sessions_table, Item={name: {"S": text} for name, text in old.items()})
    records = backend.stream_records()
    # In a second batch the stored projection knows of an end, so older live images are read again.
    for batch in (records, records):
        assert stream_projector.lambda_handler({"Records": batch}, None) == {"batchItemFailures": []}
    backend.sessions.create_session(login("s4"))
    # More sessions than a projection keeps, then revoked: those that it does not keep are paged from the index.
    many = [login(f"many-{number}", "customer-3") for number in range(CAPACITY + 1)]
    with mock.patch("processors.runtime.clock.utc_now", return_value=at(60)):
        for events in (many, [logout_all("customer-3")]):
            known = len(backend.stream_records())
            backend.sessions.apply(events)
            stream_projector.lambda_handler({"Records": backend.stream_records()[known:]}, None)


def publish(backend: Backend, monkeypatch: pytest.MonkeyPatch, calls: Calls) -> None:
    """Take the publisher through every call: to bus, archive, agenda and, for what nobody can read, the bucket."""
    outlets = make_outlets(backend, monkeypatch)
    calls.logical_ids |= outlets.logical_ids()
    backend.sessions.apply([login("s1", expires_at=at(5)), login("s2", expires_at=at(5))])
    records = backend.stream_records()
    records[0]["dynamodb"]["NewImage"]["item_format"] = {"N": "2"}
    assert session_publisher.lambda_handler({"Records": records}, None) == {"batchItemFailures": []}


def sweep(backend: Backend, monkeypatch: pytest.MonkeyPatch, calls: Calls) -> None:
    publish(backend, monkeypatch, calls)
    calls.grants.clear()
    backend.dynamodb.put_item(
        TableName=os.environ["EXPIRY_AGENDA_TABLE"], Item={"PK": {"S": "due#0"}, "SK": {"S": "!"}}
    )
    with mock.patch("processors.runtime.clock.utc_now", return_value=at(60)):
        assert expiry_sweeper.lambda_handler({}, None)["published"] == 1


@pytest.mark.parametrize(("role", "scenario"), [("SessionPublisherRole", publish), ("ExpirySweeperRole", sweep)])
def test_a_role_of_the_life_cycle_grants_exactly_the_calls_its_function_makes(
    backend: Backend, calls: Calls, role: str, scenario: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario(backend, monkeypatch, calls)

    assert calls.grants == granted(role, batch_statements=backend.batch_statements)


@pytest.mark.parametrize(
    ("role", "scenario"),
    [
        ("SqsConsumerRole", lambda backend, _patch: consume_queue(backend)),
        ("EventBridgeConsumerRole", consume_bus),
        ("StreamProjectorRole", lambda backend, _patch: project(backend)),
    ],
    ids=["sqs-consumer", "eventbridge-consumer", "stream-projector"],
)
def test_a_role_grants_exactly_the_calls_its_function_makes(
    backend: Backend,
    calls: Calls,
    role: str,
    scenario: Callable[[Backend, pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scenario(backend, monkeypatch)

    assert calls.grants == granted(role, batch_statements=backend.batch_statements)


def test_keys_are_named_as_in_the_key_schemas_of_the_tables(backend: Backend, calls: Calls) -> None:
    resources = translate()["Resources"]

    project(backend)

    assert calls.keys == {
        table: {frozenset(key["AttributeName"] for key in resources[table]["Properties"]["KeySchema"])}
        for table in ("SessionsTable", "ProjectionsTable")
    }
