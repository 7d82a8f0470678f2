"""The stack with every parameter at its other value: each way in and out, and a projector that loses its rights."""

import gzip
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from joserfc import jws
from joserfc.jwk import ECKey
from jsonschema import Draft202012Validator

from docs.examples.evict_cache.evict_cache import SessionCache
from ops.local_aws.deployment import DeploymentError, deploy
from ops.local_aws.logs import FunctionLogs
from ops.local_aws.stack import LocalStack
from ops.packaging.files import zip_folder
from ops.schema_export.life_cycle import event_schema
from ops.validation.translation import load_template
from processors.session_table import SessionTable
from schemas.events import parse_event
from schemas.times import format_rfc3339
from tests.alarm_states import Metric, embedded_metrics
from tests.bad_input import PARAMETERS, By, Together
from tests.deploy.conftest import ROOT, UNTIL_HUNG, eventually, sessionctl, settings_of

ISSUER = "https://op.example.com"
LIFE_CYCLE_EVENT = Draft202012Validator(event_schema())
KEY = ECKey.generate_key("P-256", {"kid": "op-1"})
OTHER = {
    "SessionTtlSeconds": "3600",
    "SessionMaxLifetimeSeconds": "86400",
    "MaxEventAgeSeconds": "86400",
    "CustomerNamespaces": '{"https://op.example.com": "oidc:example"}',
    "MaxSessionsPerCustomer": "2",
    "DynamoDbBatchStatements": "false",
    "InverseIndexProjection": "KEYS_ONLY",
    "BillingMode": "PROVISIONED",
    "MinWriteCapacity": "10",
    "MaxWriteCapacity": "100",
    "MinReadCapacity": "20",
    "MaxReadCapacity": "200",
    "WarmWriteUnits": "8000",
    "WarmReadUnits": "24000",
    "EnableEventBridgeDirect": "true",
    "Auth0EventBusName": "auth0",
    "OktaEventBusName": "okta",
    "CognitoEventBusName": "default",
    "AwsSignInEventBusName": "default",
    "SalesforceEventBusName": "salesforce",
    "TokenJwks": json.dumps({"key_sets": [{"issuer": ISSUER, "keys": [KEY.as_dict(private=False)]}]}),
    "PublishSessionEvents": "true",
    "PublishRefreshedSessions": "true",
    "ExpiryIntervalSeconds": "2",
    "ArchiveSessionEvents": "true",
    "ArchiveRetentionDays": "30",
    "AuthEventsArchiveDays": "30",
    "DirectMaxConcurrency": "2",
    "SessionEventsQueueName": "every-parameter-events",
    "QueuePublisherArns": "arn:aws:iam::000000000000:role/queue-publisher,arn:aws:iam::000000000000:role/other",
    "MaxReceiveCount": "6",
    "KmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "LogLevel": "DEBUG",
    "LogRetentionDays": "7",
    "AlarmTopicArn": "arn:aws:sns:us-east-1:000000000000:alarms",
    "SilenceAlarmMinutes": "30",
    "Tracing": "true",
}
LEFT = {
    "CustomerNamespace": "changes every id; tests/unit/test_template.py and tests/unit/test_namespaces.py cover it",
    "ProviderMappingsDirectory": "a layer would have to bring one; tests/unit/test_template.py covers it",
}


QUEUES = ("SessionEvents", "SessionCommands", "RejectedEvents")


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    class WithBuses(LocalStack):
        def deploy(self, template: Any, parameters: Any) -> None:
            for bus in ("auth0", "okta", "salesforce"):
                self.client("events").create_event_bus(Name=bus)
            super().deploy(template, parameters)

    with WithBuses("every-parameter", parameters=OTHER, is_authorising=True) as running:
        yield running


def now(minutes: float = 0) -> str:
    return format_rfc3339(datetime.now(UTC) + timedelta(minutes=minutes))


def login(name: str, customer: str = "", **further: Any) -> dict[str, Any]:
    event = {"event_id": f"e-{name}", "event_type": "login", "occurred_at": now(-1), "session_id": f"s-{name}"}
    return event | {"customer_id": customer or f"c-{name}"} | further


def put(stack: LocalStack, bus: str, source: str, detail_type: str, detail: dict[str, Any]) -> None:
    entry = {"EventBusName": bus, "Source": source, "DetailType": detail_type, "Detail": json.dumps(detail)}
    assert stack.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def send(stack: LocalStack, body: str) -> None:
    stack.client("sqs").send_message(QueueUrl=stack.outputs["SessionEventsQueueUrl"], MessageBody=body)


def count_of(stack: LocalStack, customer: str) -> int:
    return int(sessionctl(stack, "get", "customer", customer).get("session_count", 0))


def test_no_parameter_is_forgotten() -> None:
    assert set(load_template()["Parameters"]) == {*OTHER, *LEFT}


AUTH0 = {
    "log_id": "900",
    "data": {"type": "s", "user_id": "auth0|u-1", "details": {"session_id": "s-auth0"}},
}
OKTA = {
    "eventType": "user.session.start",
    "uuid": "0b0c0d0e-1111-11f1-8a2b-0123456789ab",
    "outcome": {"result": "SUCCESS"},
    "actor": {"id": "00u-1", "type": "User"},
    "authenticationContext": {"externalSessionId": "102-1"},
}


SALESFORCE = {"EventIdentifier": "5a1f", "UserId": "005-1", "LoginKey": "key-1", "Status": "Success"}


def of_partner(bus: str, source: str, detail_type: str, detail: dict[str, Any]) -> dict[str, Any]:
    """An event as a rule hands it on. Only partners may put events with a source of theirs, here as on AWS."""
    envelope = {"version": "0", "id": f"partner-{bus}", "account": "0" * 12, "region": "us-east-1", "resources": []}
    return envelope | {"source": source, "detail-type": detail_type, "time": now(-1), "detail": detail}


def test_an_event_over_each_way_in_reaches_register_and_projection(stack: LocalStack) -> None:
    put(stack, stack.outputs["EventBusName"], "com.example.auth", "Login", login("bus"))
    send(stack, json.dumps(login("queue")))
    partners = {
        "auth0": of_partner(
            "auth0",
            "aws.partner/auth0.com/example-1/auth0.logs",
            "Auth0 log",
            AUTH0 | {"data": AUTH0["data"] | {"date": now(-1)}},  # type: ignore[operator] # a dict
        ),
        "okta": of_partner("okta", "aws.partner/okta.com/example/stream", "SystemLog", OKTA | {"published": now(-1)}),
        "salesforce": of_partner(
            "salesforce",
            "aws.partner/salesforce.com/00Dxx/0YLxx",
            "LoginEventStream",
            {"payload": SALESFORCE | {"EventDate": now(-1)}},
        ),
    }
    events = stack.client("events")
    for bus, event in partners.items():
        [rule] = events.list_rules(EventBusName=bus)["Rules"]
        assert events.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(event))["Result"]
        send(stack, json.dumps(event))

    for customer in ("c-bus", "c-queue", "auth0|u-1", "00u-1", "005-1"):

        def is_counted(customer: str = customer) -> bool:
            return count_of(stack, customer) == 1

        eventually(f"a session of {customer}", is_counted)


def test_the_direct_function_takes_what_is_put_on_the_bus(stack: LocalStack) -> None:
    logs = FunctionLogs(stack.client("logs"), [group for group in stack.log_groups() if "EventBridge" in group])

    put(stack, stack.outputs["EventBusName"], "com.example.auth", "Login", login("direct"))

    eventually("the direct function has an outcome", lambda: logs.read() is not None and logs.metrics.total() > 0)


def logout_token(session: str, issuer: str = ISSUER) -> str:
    claims = {
        "iss": issuer,
        "jti": f"lt-{session}",
        "iat": int(datetime.now(UTC).timestamp()),
        "sub": "u-1",
        "sid": session,
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    }
    return jws.serialize_compact({"alg": "ES256", "kid": "op-1"}, json.dumps(claims), KEY)


def test_a_token_is_verified_with_the_keys_of_the_parameter(stack: LocalStack) -> None:
    for session in ("s-real", "s-forged"):
        names = {"session_id": f"oidc:example:{session}", "customer_id": "oidc:example:u-1"}
        send(stack, json.dumps(login(session) | names))
    eventually("both are logged in", lambda: count_of(stack, "oidc:example:u-1") == 2)

    header, payload, _ = logout_token("s-forged").split(".")
    send(stack, f"{header}.{payload}.{logout_token('another').split('.')[2]}")
    send(stack, logout_token("s-forged", issuer="https://evil.example"))
    send(stack, logout_token("s-real"))

    eventually("one is logged out", lambda: count_of(stack, "oidc:example:u-1") == 1)
    forged = sessionctl(stack, "get", "session", "oidc:example:s-forged", "--customer", "oidc:example:u-1")
    assert forged["session_state"] == "active"


def test_the_limit_of_the_parameter_ends_the_oldest_session(stack: LocalStack) -> None:
    for number in range(3):
        send(stack, json.dumps(login(f"limit-{number}", "c-limit") | {"occurred_at": now(number - 10)}))

    def ended() -> bool:
        session = sessionctl(stack, "get", "session", "s-limit-0", "--customer", "c-limit") or {}
        return session.get("end_reason") == "limit"

    eventually("the oldest of three sessions is ended", ended)
    assert count_of(stack, "c-limit") == 2


def test_what_was_decided_is_carried_out_while_nobody_takes_the_session_events(stack: LocalStack) -> None:
    functions = stack.client("lambda")
    queue_name = stack.outputs["SessionEventsQueueUrl"].rpartition("/")[2]
    [of_events] = [
        mapping["UUID"]
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]
        if mapping["EventSourceArn"].endswith(f":{queue_name}")
    ]
    functions.update_event_source_mapping(UUID=of_events, Enabled=False)
    try:
        send(stack, json.dumps(login("backlog")))
        register = SessionTable(stack.client("dynamodb"), stack.outputs["SessionsTableName"], batch_statements=False)
        revoked = {"event_id": "e-all", "event_type": "logout_all", "occurred_at": now(), "customer_id": "c-decided"}
        register.apply([event for event in map(parse_event, (login("decided"), revoked)) if event is not None])

        def reason() -> bool:
            session = sessionctl(stack, "get", "session", "s-decided", "--customer", "c-decided") or {}
            return session.get("end_reason") == "revoked"

        eventually("the revoked session is ended", reason)
        assert sessionctl(stack, "get", "session", "s-backlog", "--customer", "c-backlog") is None
    finally:
        functions.update_event_source_mapping(UUID=of_events, Enabled=True)


def test_nobody_but_the_projector_may_send_commands(stack: LocalStack) -> None:
    anybody = stack.client("sqs")  # by IAM it may do everything

    with pytest.raises(ClientError, match="AccessDenied"):
        anybody.send_message(QueueUrl=stack.outputs["SessionCommandsQueueUrl"], MessageBody=json.dumps(login("forged")))


def as_role(stack: LocalStack, name: str, policy_arn: str = "") -> Callable[[str], Any]:
    """Make a role and assume it; gives its boto3 clients by the service's name."""
    iam = stack.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    if policy_arn:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy_arn)
    keys = stack.client("sts").assume_role(RoleArn=role, RoleSessionName=name)["Credentials"]
    session: Any = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], stack.region)
    return lambda service: session.client(service, endpoint_url=stack.endpoint)


def test_a_publisher_that_the_queues_policy_names_needs_no_other(stack: LocalStack) -> None:
    named, unknown = (as_role(stack, name)("sqs") for name in ("queue-publisher", "unknown-publisher"))
    message = {"QueueUrl": stack.outputs["SessionEventsQueueUrl"], "MessageBody": json.dumps(login("named"))}

    named.send_message(**message)

    with pytest.raises(ClientError, match="AccessDenied"):
        unknown.send_message(**message)
    with pytest.raises(ClientError, match="AccessDenied"):
        named.receive_message(QueueUrl=message["QueueUrl"])


def test_a_publisher_may_send_to_bus_and_queue_and_do_nothing_else(stack: LocalStack) -> None:
    outputs = stack.outputs
    publisher = as_role(stack, "publisher", outputs["PublisherPolicyArn"])
    sqs, events, dynamodb = (publisher(service) for service in ("sqs", "events", "dynamodb"))
    queue, commands, rejected = (outputs[f"{name}QueueUrl"] for name in QUEUES)

    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(login("publisher")))
    entry = {"EventBusName": outputs["EventBusName"], "Source": "com.example.auth", "DetailType": "Login"}
    put = events.put_events(Entries=[entry | {"Detail": json.dumps(login("publisher-bus"))}])

    assert put["FailedEntryCount"] == 0
    refusals: list[Callable[[], Any]] = [
        lambda: sqs.receive_message(QueueUrl=queue),
        lambda: sqs.send_message(QueueUrl=commands, MessageBody=json.dumps(login("forged"))),
        lambda: sqs.receive_message(QueueUrl=rejected),
        lambda: sqs.send_message(QueueUrl=outputs["SessionEventsDeadLetterQueueUrl"], MessageBody="{}"),
        lambda: events.put_events(Entries=[entry | {"EventBusName": outputs["SessionsEventBusName"], "Detail": "{}"}]),
        lambda: dynamodb.scan(TableName=outputs["SessionsTableName"]),
    ]
    for refused in refusals:
        with pytest.raises(ClientError, match="AccessDenied"):
            refused()


@pytest.mark.parametrize("name", PARAMETERS)
def test_cloudformation_refuses_a_wrong_parameter_and_one_that_contradicts_another(
    stack: LocalStack, name: str
) -> None:
    row = PARAMETERS[name]

    for value in row.wrong:
        with pytest.raises(DeploymentError, match=name):
            deploy(stack.client, "wrong", b"", parameters={name: value})
    for together in row.together:
        if isinstance(together, Together) and together.by is By.CLOUDFORMATION:
            # The local AWS publishes unless it is told otherwise.
            parameters = {"PublishSessionEvents": "false", "ArchiveSessionEvents": "false", **together.parameters}
            with pytest.raises(DeploymentError, match=re.escape(together.says)):
                deploy(stack.client, "contradiction", b"", parameters=parameters)


def test_what_no_retry_can_fix_is_rejected_and_what_is_never_processed_becomes_a_dead_letter(stack: LocalStack) -> None:
    sqs = stack.client("sqs")
    send(stack, "{not json")
    send(stack, json.dumps(login("x") | {"event_type": "logout", "customer_id": None, "session_id": "never-seen"}))

    def bodies(output: str) -> list[str]:
        found = sqs.receive_message(QueueUrl=stack.outputs[output], VisibilityTimeout=0, MaxNumberOfMessages=10)
        return [message["Body"] for message in found.get("Messages", ())]

    rejected = eventually("a rejected event", lambda: bodies("RejectedEventsQueueUrl"))
    dead = eventually("a dead letter", lambda: bodies("SessionEventsDeadLetterQueueUrl"))

    assert "reason" in json.loads(rejected[0])
    assert json.loads(dead[0])["session_id"] == "never-seen"


def test_what_becomes_of_a_session_is_published_and_archived_and_its_expiry_is_on_time(
    stack: LocalStack, tmp_path: Path
) -> None:
    events, sqs, bus = stack.client("events"), stack.client("sqs"), stack.outputs["SessionsEventBusName"]
    queue = sqs.create_queue(QueueName="life-cycle")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="all", EventBusName=bus, EventPattern=json.dumps({"source": ["session-events"]}))
    events.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "queue", "Arn": queue_arn}])
    told: dict[str, Any] = {}

    def tell(kind: str) -> Any:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", ())
        for event in (json.loads(message["Body"]) for message in found):
            assert [error.message for error in LIFE_CYCLE_EVENT.iter_errors(event)] == []
            if event["detail"]["session"]["customer_id"] == "c-told":
                told[event["detail-type"]] = event["time"], event["detail"]
        return told.get(kind)

    send(stack, json.dumps(login("told", expires_at=now(1 / 3))))
    send(stack, json.dumps(login("told", expires_at=now(1 / 3)) | {"event_id": "again", "occurred_at": now()}))
    eventually("the start", lambda: tell("Session Started"))
    eventually("the expiry", lambda: tell("Session Expired"))

    published_at, detail = told["Session Expired"]
    assert detail["id"].startswith("suuid#s-told/c#c-told/")
    assert datetime.fromisoformat(published_at) > datetime.fromisoformat(detail["over_at"])

    def archived() -> bool:
        s3, bucket = stack.client("s3"), stack.outputs["ArchiveBucketName"]
        keys = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
        texts = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
        plain = [gzip.decompress(text) if text[:2] == b"\x1f\x8b" else text for text in texts]
        return any(b'"session_id":"s-told"' in text for text in plain)

    eventually("the session is in the archive", archived)
    report = sessionctl(stack, "report", "--identify", "--out", str(tmp_path / "report"))

    assert report["comparison"]["differences"] == []
    assert report["is_right"]
    assert report["counts"]["sessions"] >= 1
    assert (tmp_path / "report" / "report.html").stat().st_size > 100_000


def test_the_sample_consumer_evicts_a_session_from_its_cache_when_it_is_logged_out(stack: LocalStack) -> None:
    folder = ROOT / "docs" / "examples" / "evict_cache"
    outputs = deploy(
        stack.client,
        "evict-cache",
        zip_folder(folder),
        parameters={"SessionsEventBusName": stack.outputs["SessionsEventBusName"]},
        template=folder / "template.yaml",
    )
    cache = SessionCache(stack.client("dynamodb"), outputs["CacheTableName"])

    def cached() -> Any:
        return cache.get("s-cached", "c-cached", now=datetime.now(UTC))

    send(stack, json.dumps(login("cached")))
    session = eventually("the session is cached", cached)
    send(stack, json.dumps(login("cached") | {"event_id": "out", "event_type": "logout", "occurred_at": now()}))
    eventually("it is evicted", lambda: cached() is None)

    assert session["source"] is None
    assert session["customer_id"] == "c-cached"
    attributes = stack.client("sqs").get_queue_attributes(
        QueueUrl=outputs["EvictionsDeadLetterQueueUrl"], AttributeNames=["All"]
    )["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "0"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_tail_shows_a_start_and_a_logout_and_removes_its_queue_and_rule(stack: LocalStack, how: signal.Signals) -> None:
    customer = f"c-tail-{how.value}"
    command = [sys.executable, "-m", "ops.sessionctl", "tail", "--customer", customer, "--json"]
    with subprocess.Popen(  # noqa: S603 # ours
        [*command, "--kind", "started", "--kind", "ended", "--stack-name", stack.name],
        env=settings_of(stack.endpoint, stack.region),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Following the sessions of stack every-parameter")
        event = login(f"tail-{how.value}", customer)

        send(stack, json.dumps(event))
        started = json.loads(process.stdout.readline())
        send(stack, json.dumps(event | {"event_id": "out", "event_type": "logout", "occurred_at": now()}))
        ended = json.loads(process.stdout.readline())
        process.send_signal(how)
        process.wait(UNTIL_HUNG)

    assert (started["kind"], ended["kind"], ended["over_reason"]) == ("started", "ended", "user")
    assert started["session"]["session_id"] == ended["session"]["session_id"] == event["session_id"]
    assert process.returncode == 0
    rules = stack.client("events").list_rules(EventBusName=stack.outputs["SessionsEventBusName"])["Rules"]
    queues = stack.client("sqs").list_queues(QueueNamePrefix="sessionctl-tail").get("QueueUrls", [])
    assert ([rule["Name"] for rule in rules if rule["Name"].startswith("sessionctl-tail")], queues) == ([], [])


def test_a_failing_function_and_a_rejected_event_ring_and_the_topic_hears_of_it_and_when_all_is_well(
    stack: LocalStack,
) -> None:
    cloudwatch, pager = stack.client("cloudwatch"), _pager(stack)
    errors, rejected = (_alarm(stack, name) for name in ("SqsConsumerErrorsAlarm", "RejectedEventsAlarm"))
    heard: list[Any] = []

    def hears(alarm: Any, state: str) -> Any:
        heard.extend(_taken(stack, pager))
        said = [each for each in heard if (each["AlarmName"], each["NewStateValue"]) == (alarm["AlarmName"], state)]
        return said[0] if said else None

    failed = stack.client("lambda").invoke(
        FunctionName=stack.outputs["SqsConsumerFunctionName"], Payload=json.dumps({"Records": ["not a record"]})
    )
    send(stack, "{not json either")
    metric, values = eventually("the rejected event is counted in the log", lambda: _logged(stack, "rejected"))
    cloudwatch.put_metric_data(  # as CloudWatch does by itself with such a line, and then looks at all alarms
        Namespace=metric.namespace,
        MetricData=[{"MetricName": metric.name, "Dimensions": _dimensions(metric), "Values": values}],
    )
    rung = eventually("the topic is told of the failing function", lambda: hears(errors, "ALARM"))
    eventually("the topic is told of the rejected event", lambda: hears(rejected, "ALARM"))
    status = json.dumps(sessionctl(stack, "status"))
    cloudwatch.set_alarm_state(AlarmName=rejected["AlarmName"], StateValue="OK", StateReason="none for five minutes")
    eventually("the topic is told that no event is rejected any more", lambda: hears(rejected, "OK"))

    assert "FunctionError" in failed
    found = {(each["Namespace"], each["MetricName"], str(each["Dimensions"])) for each in _metrics(stack)}
    for alarm in (errors, rejected):
        assert (alarm["Namespace"], alarm["MetricName"], str(alarm["Dimensions"])) in found
    assert "Runbook: docs/operations.md, A function fails." in " ".join(rung["AlarmDescription"].split())
    assert "SqsConsumerErrorsAlarm" in status


def _alarm(stack: LocalStack, name: str) -> Any:
    resource = stack.client("cloudformation").describe_stack_resource(StackName=stack.name, LogicalResourceId=name)
    physical = resource["StackResourceDetail"]["PhysicalResourceId"]
    return stack.client("cloudwatch").describe_alarms(AlarmNames=[physical])["MetricAlarms"][0]


def _pager(stack: LocalStack) -> str:
    """Subscribe a queue to the topic of the parameter."""
    sqs, sns = stack.client("sqs"), stack.client("sns")
    topic = sns.create_topic(Name=OTHER["AlarmTopicArn"].rpartition(":")[2])["TopicArn"]
    queue = sqs.create_queue(QueueName="pager")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    assert topic == OTHER["AlarmTopicArn"]
    return str(queue)


def _metrics(stack: LocalStack) -> list[Any]:
    pages = stack.client("cloudwatch").get_paginator("list_metrics").paginate()
    return [metric for page in pages for metric in page["Metrics"]]


def _dimensions(metric: Metric) -> Any:
    return [{"Name": name, "Value": value} for name, value in sorted(metric.dimensions)]


def _logged(stack: LocalStack, name: str) -> tuple[Metric, list[float]] | None:
    """A metric of the consumer, as its log has it."""
    function = stack.client("lambda").get_function_configuration(FunctionName=stack.outputs["SqsConsumerFunctionName"])
    events = stack.client("logs").filter_log_events(logGroupName=function["LoggingConfig"]["LogGroup"])["events"]
    lines = [event["message"] for event in events if '"_aws"' in event["message"]]
    found = embedded_metrics(lines)
    return next(((metric, values) for metric, values in found.items() if metric.name == name), None)


def _taken(stack: LocalStack, queue: str) -> Iterator[Any]:
    """Take what a topic sent off a queue."""
    sqs = stack.client("sqs")
    for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", ()):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        yield json.loads(json.loads(message["Body"])["Message"])


def test_a_projector_without_its_permission_loses_nothing(stack: LocalStack) -> None:
    iam, role = stack.client("iam"), _role_of(stack, "StreamProjectorFunctionName")
    [policy_name] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=role, PolicyName=policy_name)["PolicyDocument"]

    iam.delete_role_policy(RoleName=role, PolicyName=policy_name)
    send(stack, json.dumps(login("denied")))
    eventually(
        "the session is in the register",
        lambda: sessionctl(stack, "get", "session", "s-denied", "--customer", "c-denied"),
    )
    logs = stack.logs()
    eventually("the projector is refused", lambda: any("AccessDenied" in line for line in logs.read()))
    before = count_of(stack, "c-denied")
    iam.put_role_policy(RoleName=role, PolicyName=policy_name, PolicyDocument=json.dumps(policy))

    assert before == 0
    eventually("the projection has caught up", lambda: count_of(stack, "c-denied") == 1)
    eventually("all projections agree", lambda: sessionctl(stack, "audit")["is_clean"])


def _role_of(stack: LocalStack, output: str) -> str:
    function = stack.client("lambda").get_function_configuration(FunctionName=stack.outputs[output])
    return str(function["Role"].rpartition("/")[2])
