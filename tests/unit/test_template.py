"""What template.yaml promises, read from the document that a deployment would make of it."""

import json
import re
import tomllib
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cfnlint.api import lint
from joserfc.jwk import ECKey, OctKey
from samtranslator.yaml_helper import yaml_parse

from ops.validation.checks import ALL_ON
from ops.validation.filters import FilterCriteria
from ops.validation.resolution import resolved
from ops.validation.translation import TEMPLATE_PATH, translate
from processors.life_cycle.sweeps import RUN_SECONDS
from processors.projections.state import CAPACITY
from processors.runtime.settings import Settings
from providers.mapping_files import read_mapping_file
from providers.provider_mappings import DIRECTORY as MAPPINGS
from schemas.item_mapping import write_item
from schemas.items import Session

KEYS = {"keys": [ECKey.generate_key("P-256", private=False).as_dict()]}
JWKS = json.dumps(KEYS)
CONSUMER_VARIABLES = {
    "CUSTOMER_NAMESPACE",
    "CUSTOMER_NAMESPACES",
    "DYNAMODB_BATCH_STATEMENTS",
    "MAX_EVENT_AGE_SECONDS",
    "PROVIDER_MAPPINGS_DIRECTORY",
    "TOKEN_JWKS",
    "SESSIONS_TABLE",
    "REJECTED_EVENTS_QUEUE_URL",
    "SESSION_TTL_SECONDS",
    "SESSION_MAX_LIFETIME_SECONDS",
    "LOG_LEVEL",
}
PROJECTOR_VARIABLES = {
    "SESSIONS_TABLE",
    "PROJECTIONS_TABLE",
    "SESSION_COMMANDS_QUEUE_URL",
    "FAILED_BATCHES_BUCKET",
    "MAX_SESSIONS_PER_CUSTOMER",
    "DYNAMODB_BATCH_STATEMENTS",
    "LOG_LEVEL",
}
SWEEPER_VARIABLES = {
    "SESSIONS_TABLE",
    "SESSIONS_BUS_NAME",
    "EXPIRY_AGENDA_TABLE",
    "EXPIRY_INTERVAL_SECONDS",
    "FAILED_BATCHES_BUCKET",
    "DYNAMODB_BATCH_STATEMENTS",
    "LOG_LEVEL",
}
PUBLISHER_VARIABLES = (SWEEPER_VARIABLES - {"EXPIRY_INTERVAL_SECONDS"}) | {
    "ARCHIVE_STREAM_NAME",
    "PUBLISH_REFRESHED_SESSIONS",
}
ROLES = [
    "SqsConsumerRole",
    "StreamProjectorRole",
    "EventBridgeConsumerRole",
    "SessionPublisherRole",
    "ExpirySweeperRole",
]


@cache
def document() -> dict[str, Any]:
    return translate(parameters=ALL_ON)


def properties(logical_id: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["Resources"][logical_id]["Properties"]
    return found


def of_type(resource_type: str) -> dict[str, dict[str, Any]]:
    return {
        logical_id: resource["Properties"]
        for logical_id, resource in document()["Resources"].items()
        if resource["Type"] == resource_type
    }


def statements(role: str) -> list[dict[str, Any]]:
    [policy] = properties(role)["Policies"]
    return switched_on(policy["PolicyDocument"]["Statement"])


def switched_on(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Statements of a policy, those as well that are there under a condition only."""
    return [statement["Fn::If"][1] if "Fn::If" in statement else statement for statement in found]


@pytest.mark.slow
def test_cfn_lint_finds_nothing_in_the_sam_source() -> None:
    findings = lint(TEMPLATE_PATH.read_text())

    assert [str(finding) for finding in findings] == []


@pytest.mark.slow
def test_cfn_lint_finds_nothing_in_the_translated_document_where_mistakes_in_sam_events_show() -> None:
    findings = lint(json.dumps(document()))

    assert [str(finding) for finding in findings] == []


def test_every_handler_is_a_module_of_the_checkout() -> None:
    handlers = {function["Handler"] for function in of_type("AWS::Lambda::Function").values()}

    modules = {handler.rpartition(".")[0] for handler in handlers}

    assert handlers == {
        "processors.sqs_consumer.lambda_handler",
        "processors.eventbridge_consumer.lambda_handler",
        "processors.stream_projector.lambda_handler",
        "processors.session_publisher.lambda_handler",
        "processors.expiry_sweeper.lambda_handler",
    }
    assert all(_module_file(module).is_file() for module in modules)


def test_every_handler_can_be_imported() -> None:
    for function in of_type("AWS::Lambda::Function").values():
        module, _, name = function["Handler"].rpartition(".")
        assert callable(getattr(import_module(module), name))


def test_every_function_is_built_by_its_target_of_the_makefile() -> None:
    source = yaml_parse(TEMPLATE_PATH.read_text())["Resources"]
    functions = {name for name in source if source[name]["Type"] == "AWS::Serverless::Function"}

    [targets] = [
        line for line in (TEMPLATE_PATH.parent / "Makefile").read_text().splitlines() if line.startswith("build-")
    ]

    assert all(source[name].get("Metadata") == {"BuildMethod": "makefile"} for name in functions)
    assert set(targets.rstrip(":").split()) == {f"build-{name}" for name in functions}


def variables_of(function: str) -> set[str]:
    """Names of the variables a deployed function has; what is `AWS::NoValue` is for `sam local invoke`."""
    variables = properties(function)["Environment"]["Variables"]
    return {name for name, value in variables.items() if value != {"Ref": "AWS::NoValue"}}


def test_the_functions_together_are_told_all_that_the_settings_read_and_nothing_else() -> None:
    class Environment(dict[str, str]):
        read: ClassVar[set[str]] = set()

        def get(self, name: str, default: Any = None) -> Any:
            self.read.add(name)
            return super().get(name, default)

    given = [variables_of(function) for function in of_type("AWS::Lambda::Function")]

    Settings.from_environment(Environment(), needs=())

    stands_in_where_a_stack_has_one_queue = {"SESSION_EVENTS_QUEUE_URL"}
    assert Environment.read - stands_in_where_a_stack_has_one_queue == set().union(*given)


@pytest.mark.parametrize(
    ("function", "variables"),
    [
        ("SqsConsumerFunction", CONSUMER_VARIABLES),
        ("EventBridgeConsumerFunction", CONSUMER_VARIABLES),
        ("StreamProjectorFunction", PROJECTOR_VARIABLES),
        ("SessionPublisherFunction", PUBLISHER_VARIABLES),
        ("ExpirySweeperFunction", SWEEPER_VARIABLES),
    ],
)
def test_a_function_gets_the_variables_it_reads_and_no_others(function: str, variables: set[str]) -> None:
    assert variables_of(function) == variables


def test_functions_run_python_3_13_on_arm_and_log_json() -> None:
    for function in of_type("AWS::Lambda::Function").values():
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == ["arm64"]
        assert function["LoggingConfig"]["LogFormat"] == "JSON"


SOURCES = ["SessionEvents", "SessionCommands"]
"""What the consumer polls: a queue each, and a mapping of the same name."""


@pytest.mark.parametrize("source", SOURCES)
def test_a_message_stays_invisible_for_six_timeouts_and_the_window(source: str) -> None:
    mapping = properties(f"SqsConsumerFunction{source}")

    shortest = 6 * properties("SqsConsumerFunction")["Timeout"] + mapping["MaximumBatchingWindowInSeconds"]

    assert mapping["EventSourceArn"] == {"Fn::GetAtt": [f"{source}Queue", "Arn"]}
    assert properties(f"{source}Queue")["VisibilityTimeout"] >= shortest


@pytest.mark.parametrize("source", SOURCES)
def test_a_queue_mapping_reports_partial_failures_and_waits_for_its_large_batches(source: str) -> None:
    mapping = properties(f"SqsConsumerFunction{source}")

    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == 100
    assert mapping["MaximumBatchingWindowInSeconds"] >= 1
    assert mapping["ScalingConfig"]["MaximumConcurrency"] >= 2
    assert "FilterCriteria" not in mapping, "messages that a filter leaves out are deleted, not rejected"


@pytest.mark.parametrize("source", SOURCES)
def test_a_poison_message_is_tried_at_least_five_times_and_then_outlives_its_source_queue(source: str) -> None:
    queue = properties(f"{source}Queue")

    dead_letter_queue = queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
    dead_letters = properties(dead_letter_queue)

    assert dead_letter_queue == f"{source}DeadLetterQueue"
    assert queue["RedrivePolicy"]["maxReceiveCount"] == {"Ref": "MaxReceiveCount"}
    assert dead_letters["MessageRetentionPeriod"] == 14 * 86400
    assert dead_letters["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]


SIX_HOURS = 6 * 3600


@pytest.mark.parametrize("source", SOURCES)
def test_no_message_becomes_a_dead_letter_within_six_hours_of_an_outage_nor_expires_before_it_does(source: str) -> None:
    queue, allowed = properties(f"{source}Queue"), document()["Parameters"]["MaxReceiveCount"]

    shortest = queue["VisibilityTimeout"] * allowed["Default"]
    longest = queue["VisibilityTimeout"] * allowed["MaxValue"]

    assert SIX_HOURS <= shortest < longest < queue["MessageRetentionPeriod"]
    # AWS Lambda Developer Guide, "Configuring an SQS queue to use with Lambda": at least 5. SQS API: at most 1,000.
    assert (allowed["MinValue"], allowed["MaxValue"]) == (5, 1000)


def test_a_message_that_fails_each_time_is_seen_by_an_alarm_long_before_it_is_a_dead_letter() -> None:
    alarm, queue = properties("RetriedEventsAlarm"), properties("SessionEventsQueue")
    attempts = document()["Parameters"]["MaxReceiveCount"]["Default"]

    rings_after = alarm["Period"] * alarm["EvaluationPeriods"]

    assert (alarm["MetricName"], alarm["Threshold"], alarm["ComparisonOperator"]) == (
        "retry",
        0,
        "GreaterThanThreshold",
    )
    # SQS leaves what was received three times out of ApproximateAgeOfOldestMessage, so the count of retries has to do.
    assert queue["VisibilityTimeout"] < alarm["Period"], "each period sees an attempt"
    assert rings_after <= attempts * queue["VisibilityTimeout"] / 10


@pytest.mark.parametrize("function", ["StreamProjectorFunction", "SessionPublisherFunction"])
def test_a_stream_record_is_tried_for_six_hours_too_and_is_set_aside_before_the_stream_drops_it(function: str) -> None:
    mapping = properties(f"{function}SessionsStream")

    assert mapping["MaximumRetryAttempts"] == -1, (
        "Lambda names no pause between attempts, so a count says nothing of time"
    )
    assert SIX_HOURS <= mapping["MaximumRecordAgeInSeconds"] < 24 * 3600


QUEUE_RULES = {
    "SessionEventsRule": None,
    "Auth0EventsRule": "HasAuth0EventBus",
    "OktaEventsRule": "HasOktaEventBus",
    "CognitoEventsRule": "HasCognitoEventBus",
    "AwsSignInEventsRule": "HasAwsSignInEventBus",
    "SalesforceEventsRule": "HasSalesforceEventBus",
}
"""Rules that send to the session-events queue, and the condition under which each is there."""


def admitted_by(policy: dict[str, Any]) -> dict[str, str | None]:
    """Rules that a queue's policy admits, and the condition under which it does."""
    [statement] = [each for each in policy["PolicyDocument"]["Statement"] if each.get("Effect") == "Allow"]
    assert statement["Action"] == "sqs:SendMessage"
    sources = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    admitted: dict[str, str | None] = {}
    for source in sources if isinstance(sources, list) else [sources]:
        condition, arn, otherwise = source.get("Fn::If", (None, source, {"Ref": "AWS::NoValue"}))
        rule, attribute = arn["Fn::GetAtt"]
        assert (attribute, otherwise) == ("Arn", {"Ref": "AWS::NoValue"})
        admitted[rule] = condition
    return admitted


def policies_for_rules() -> dict[str, dict[str, Any]]:
    """Queue policies that admit a rule or a bus: not that of the commands, which no rule sends."""
    policies = of_type("AWS::SQS::QueuePolicy")
    return {name: each for name, each in policies.items() if name not in (COMMANDS_POLICY, "InnerQueuesPolicy")}


COMMANDS_POLICY = "SessionCommandsQueuePolicy"


def test_the_commands_queue_admits_the_projector_and_refuses_everybody_else() -> None:
    policy = properties(COMMANDS_POLICY)
    projector, queue = ({"Fn::GetAtt": [name, "Arn"]} for name in ("StreamProjectorRole", "SessionCommandsQueue"))

    admits, refuses, _tls_only = policy["PolicyDocument"]["Statement"]

    assert policy["Queues"] == [{"Ref": "SessionCommandsQueue"}]
    assert (admits["Effect"], admits["Principal"]) == ("Allow", {"AWS": projector})
    assert (refuses["Effect"], refuses["Principal"]) == ("Deny", "*")
    assert refuses["Condition"] == {
        "ArnNotEquals": {"aws:PrincipalArn": projector},
        "BoolIfExists": {"aws:ViaAWSService": "false"},
    }
    assert [(each["Action"], each["Resource"]) for each in (admits, refuses)] == [("sqs:SendMessage", queue)] * 2


def test_no_role_or_policy_but_the_projectors_mentions_sending_to_the_commands_queue() -> None:
    sending = {
        logical_id
        for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy")
        for logical_id, each in of_type(kind).items()
        for document in [each.get("PolicyDocument"), *(policy["PolicyDocument"] for policy in each.get("Policies", ()))]
        for statement in switched_on((document or {}).get("Statement", []))
        if "sqs:SendMessage" in statement["Action"] and "SessionCommands" in json.dumps(statement["Resource"])
    }

    assert sending == {"StreamProjectorRole"}


def test_the_dead_letter_queue_of_commands_takes_them_from_no_other_queue() -> None:
    name = properties("SessionCommandsQueue")["QueueName"]["Fn::Sub"]

    allowed = properties("SessionCommandsDeadLetterQueue")["RedriveAllowPolicy"]

    [source] = allowed["sourceQueueArns"]
    assert allowed["redrivePermission"] == "byQueue"
    assert source["Fn::Sub"].endswith(f":{name}")


def test_every_queue_policy_admits_the_rules_it_is_for_and_nobody_else() -> None:
    admitted = {name: admitted_by(policy) for name, policy in policies_for_rules().items()}

    assert admitted == {
        "SessionEventsQueuePolicy": QUEUE_RULES,
        "RuleDeadLetterQueuePolicy": QUEUE_RULES | {"AuthEventBus": "HasKmsKey"},
        "SessionsBusDeadLetterQueuePolicy": {"SessionsEventBus": None},
        "DirectDeadLetterQueuePolicy": {"EventBridgeConsumerFunctionAuthEvents": None},
    }


def test_every_rule_has_a_dead_letter_queue_that_admits_it_and_those_of_ours_take_the_three_detail_types() -> None:
    rules = {name: rule for name, rule in of_type("AWS::Events::Rule").items() if "EventPattern" in rule}
    writable = {
        (policy["Queues"][0]["Ref"], rule) for policy in policies_for_rules().values() for rule in admitted_by(policy)
    }

    dead_letters = {
        (rule["Targets"][0]["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0], logical_id)
        for logical_id, rule in rules.items()
    }

    assert rules.keys() == {*QUEUE_RULES, "EventBridgeConsumerFunctionAuthEvents"}
    assert dead_letters <= writable
    for logical_id in ("SessionEventsRule", "EventBridgeConsumerFunctionAuthEvents"):
        assert rules[logical_id]["EventPattern"] == {"detail-type": ["Login", "Logout", "LogoutAll"]}


@pytest.mark.parametrize(
    ("rule", "parameter", "providers"),
    [
        ("Auth0EventsRule", "Auth0EventBusName", ["auth0"]),
        ("OktaEventsRule", "OktaEventBusName", ["okta"]),
        ("CognitoEventsRule", "CognitoEventBusName", ["cognito"]),
        ("AwsSignInEventsRule", "AwsSignInEventBusName", ["aws_signin", "aws_identity_center"]),
        ("SalesforceEventsRule", "SalesforceEventBusName", ["salesforce"]),
    ],
)
def test_a_rule_of_an_identity_system_is_there_with_its_bus_and_takes_the_types_of_its_mapping(
    rule: str, parameter: str, providers: list[str]
) -> None:
    pattern = properties(rule)["EventPattern"]

    detail = pattern.get("detail", {"detail-type": pattern.get("detail-type")})
    taken = detail["data"]["type"] if "data" in detail else next(iter(detail.values()))
    files = [read_mapping_file(MAPPINGS / f"{provider}.toml") for provider in providers]
    types = {kind for file in files for event in file.events for kind in event.types or ()}
    assert set(taken) == types - {"PostAuthentication_Authentication"}, "a trigger is not on CloudTrail's bus"
    assert properties(rule)["EventBusName"] == {"Ref": parameter}
    assert document()["Resources"][rule]["Condition"] == QUEUE_RULES[rule]
    assert document()["Parameters"][parameter]["Default"] == ""


def test_with_all_buses_named_the_queue_admits_their_rules_and_by_default_only_ours() -> None:
    buses = dict.fromkeys(
        (
            *("Auth0EventBusName", "OktaEventBusName", "CognitoEventBusName"),
            *("AwsSignInEventBusName", "SalesforceEventBusName"),
        ),
        "default",
    )

    def admitted(parameters: dict[str, str]) -> list[str]:
        statement, _tls_only = resolved(parameters)["SessionEventsQueuePolicy"]["Properties"]["PolicyDocument"][
            "Statement"
        ]
        return [source["Fn::GetAtt"][0] for source in statement["Condition"]["ArnEquals"]["aws:SourceArn"]]

    assert admitted(buses) == list(QUEUE_RULES)
    assert admitted({}) == ["SessionEventsRule"]


def test_the_sessions_table_has_the_keys_index_ttl_stream_and_recovery_of_the_design() -> None:
    table = properties("SessionsTable")

    assert [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]] == [("PK", "HASH"), ("SK", "RANGE")]
    [index] = table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "GSI1_inverse"
    assert [(key["AttributeName"], key["KeyType"]) for key in index["KeySchema"]] == [("SK", "HASH"), ("PK", "RANGE")]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_the_attribute_that_ttl_goes_by_is_the_one_that_sessions_carry() -> None:
    session = Session(session_id="s", customer_id="c", session_state="active", ttl=1_800_000_000)

    item = write_item(session)

    assert item[properties("SessionsTable")["TimeToLiveSpecification"]["AttributeName"]] == {"N": "1800000000"}


def test_the_projections_table_has_one_item_a_customer_and_recovery_but_no_index_and_no_stream() -> None:
    table = properties("ProjectionsTable")

    assert [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]] == [("PK", "HASH")]
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table.keys().isdisjoint({"GlobalSecondaryIndexes", "StreamSpecification"})


@pytest.mark.parametrize("logical_id", ["SessionsTable", "ProjectionsTable", "FailedBatchesBucket", "ArchiveBucket"])
def test_data_outlives_the_stack(logical_id: str) -> None:
    resource = document()["Resources"][logical_id]

    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


@pytest.mark.parametrize("function", ["StreamProjectorFunction", "SessionPublisherFunction"])
def test_a_stream_mapping_starts_at_the_oldest_record_and_never_blocks_a_shard_for_a_day(function: str) -> None:
    mapping = properties(f"{function}SessionsStream")

    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["BatchSize"] >= 100
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": ["FailedBatchesBucket", "Arn"]}


TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
OURS = {"session_state": {"S": "active"}, "expires_at": {"N": "1"}}
OF_THE_ORIGINAL_SCHEMA = {"session_state": {"S": "active"}}


@pytest.mark.parametrize("function", ["StreamProjectorFunction", "SessionPublisherFunction"])
@pytest.mark.parametrize(
    ("event_name", "old_image", "identity", "passes"),
    [
        ("INSERT", None, None, True),
        ("MODIFY", OURS, None, True),
        ("REMOVE", OURS, None, True),
        ("REMOVE", OURS, TTL, False),
        ("REMOVE", OF_THE_ORIGINAL_SCHEMA, TTL, True),
        ("REMOVE", {"session_state": {"S": "closing"}}, TTL, False),
    ],
)
def test_no_reader_of_the_stream_is_invoked_for_ttls_removals_of_our_own_items(
    function: str, event_name: str, old_image: dict[str, Any] | None, identity: dict[str, Any] | None, passes: bool
) -> None:
    filters = properties(f"{function}SessionsStream")["FilterCriteria"]["Filters"]
    criteria = FilterCriteria(each["Pattern"] for each in filters)
    record: dict[str, Any] = {"eventName": event_name, "dynamodb": {"NewImage": {}} if old_image is None else {}}
    if old_image is not None:
        record["dynamodb"]["OldImage"] = old_image
    if identity is not None:
        record["userIdentity"] = identity

    assert criteria.accept(record) is passes


def test_the_bucket_of_failed_batches_is_private_and_emptied_in_time() -> None:
    bucket = properties("FailedBatchesBucket")

    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == 30


def test_the_direct_function_gives_up_into_a_queue_that_it_may_send_to() -> None:
    config = properties("EventBridgeConsumerFunctionEventInvokeConfig")

    destination = config["DestinationConfig"]["OnFailure"]["Destination"]

    assert destination == {"Fn::GetAtt": ["DirectDeadLetterQueue", "Arn"]}
    [sends] = [s for s in statements("EventBridgeConsumerRole") if s["Action"] == "sqs:SendMessage"]
    assert destination in sends["Resource"]
    assert config["MaximumRetryAttempts"] == 2


@pytest.mark.parametrize(
    "resource_type", ["AWS::Lambda::Function", "AWS::Events::Rule", "AWS::Lambda::EventInvokeConfig"]
)
def test_nothing_of_the_direct_path_exists_unless_it_is_enabled(resource_type: str) -> None:
    by_default, enabled = (
        {logical_id for logical_id, resource in resources.items() if resource["Type"] == resource_type}
        for resources in (resolved(), resolved({"EnableEventBridgeDirect": "true"}))
    )

    direct = {logical_id for logical_id in enabled if logical_id.startswith("EventBridgeConsumer")}

    assert len(direct) == 1
    assert by_default == enabled - direct


def test_every_function_has_a_role_of_its_own_without_managed_policies() -> None:
    roles = [function["Role"]["Fn::GetAtt"][0] for function in of_type("AWS::Lambda::Function").values()]

    assert sorted(roles) == sorted(ROLES)
    assert {*roles, "ArchiveStreamRole"} == set(of_type("AWS::IAM::Role"))
    assert all("ManagedPolicyArns" not in role for role in of_type("AWS::IAM::Role").values())


@pytest.mark.parametrize("role", [*ROLES, "ArchiveStreamRole"])
def test_no_permission_is_for_every_action_or_every_resource(role: str) -> None:
    # X-Ray knows no resources: what grants tracing is tests/unit/test_alarms.py's.
    granted = json.dumps([(s["Action"], s["Resource"]) for s in statements(role) if s.get("Sid") != "Trace"])

    assert '"*"' not in granted
    assert ":*" not in granted


@pytest.mark.parametrize("role", ["SqsConsumerRole", "StreamProjectorRole", "EventBridgeConsumerRole"])
def test_writing_in_batches_is_allowed_through_the_transport_in_use_only(role: str) -> None:
    [write] = [statement for statement in statements(role) if statement["Sid"].startswith("Write")]

    with_batches, one_by_one = (
        ["dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"],
        ["dynamodb:PutItem", "dynamodb:UpdateItem"],
    )

    assert write["Action"] == {"Fn::If": ["IsBatchStatements", with_batches, one_by_one]}


@pytest.mark.parametrize("limit", ["0", str(CAPACITY)])
@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
def test_every_function_takes_the_environment_that_it_is_given(level: str, limit: str) -> None:
    chosen = {"LogLevel": level, "MaxSessionsPerCustomer": limit}
    further = {"ProviderMappingsDirectory": "/opt/mappings", "TokenJwks": JWKS}
    resources = resolved(ALL_ON | chosen | further).values()

    for function in (resource for resource in resources if resource["Type"] == "AWS::Lambda::Function"):
        variables = {
            name: value if isinstance(value, str) else f"https://queue/{value['Ref']}"[0 if "URL" in name else 14 :]
            for name, value in function["Properties"]["Environment"]["Variables"].items()
        }
        settings = Settings.from_environment(variables, needs=tuple(variables))

        assert settings.sessions_table == "SessionsTable"
        assert settings.log_level == level


@pytest.mark.parametrize(
    "value", ["", JWKS, json.dumps({"key_sets": [{"issuer": "https://op.example.com", **json.loads(JWKS)}]})]
)
def test_public_keys_can_be_deployed(value: str) -> None:
    assert re.fullmatch(document()["Parameters"]["TokenJwks"]["AllowedPattern"], value)


@pytest.mark.parametrize(
    "value",
    [
        "{}",
        '{"keys": []}',
        '{"key_sets": []}',
        json.dumps({"keys": [ECKey.generate_key("P-256").as_dict(private=True)]}),
        json.dumps({"keys": [OctKey.generate_key(256).as_dict()]}),
    ],
    ids=["nothing", "no keys", "no key sets", "a private key", "a shared secret"],
)
def test_keys_that_verify_nothing_or_are_secret_cannot_be_deployed(value: str) -> None:
    assert not re.fullmatch(document()["Parameters"]["TokenJwks"]["AllowedPattern"], value)


def test_no_limit_is_offered_that_a_projection_cannot_enforce() -> None:
    assert document()["Parameters"]["MaxSessionsPerCustomer"]["MaxValue"] == CAPACITY


def test_the_projector_may_write_projections_but_not_sessions() -> None:
    verbs = ("dynamodb:Put", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate")
    writes = [s for s in statements("StreamProjectorRole") if any(verb in json.dumps(s["Action"]) for verb in verbs)]

    assert [s["Resource"] for s in writes] == [{"Fn::GetAtt": ["ProjectionsTable", "Arn"]}]


LIFE_CYCLE_TYPES = (
    "AWS::Lambda::Function",
    "AWS::Events::EventBus",
    "AWS::DynamoDB::Table",
    "AWS::S3::Bucket",
    "AWS::KinesisFirehose::DeliveryStream",
    "AWS::Lambda::EventSourceMapping",
)
PUBLISHING = {"SessionsEventBus", "ExpiryAgendaTable", "ExpirySweeperFunction"}
ARCHIVING = {"ArchiveStream", "ArchiveBucket"}
PUBLISHER = {"SessionPublisherFunction", "SessionPublisherFunctionSessionsStream"}


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, set()),
        ({"PublishSessionEvents": "true"}, PUBLISHING | PUBLISHER),
        ({"ArchiveSessionEvents": "true"}, ARCHIVING | PUBLISHER),
        ({"PublishSessionEvents": "true", "ArchiveSessionEvents": "true"}, PUBLISHING | ARCHIVING | PUBLISHER),
    ],
)
def test_what_publishes_and_archives_is_there_only_where_it_is_wanted(
    parameters: dict[str, str], expected: set[str]
) -> None:
    by_default, resources = resolved(), resolved(parameters)

    added = {name for name in resources.keys() - by_default if resources[name]["Type"] in LIFE_CYCLE_TYPES}

    assert added == expected
    if expected:
        variables = resources["SessionPublisherFunction"]["Properties"]["Environment"]["Variables"]
        assert ("SESSIONS_BUS_NAME" in variables, "EXPIRY_AGENDA_TABLE" in variables) == (
            "SessionsEventBus" in expected,
            "SessionsEventBus" in expected,
        )
        assert ("ARCHIVE_STREAM_NAME" in variables) == ("ArchiveStream" in expected)
        dangling = json.dumps(resources["SessionPublisherRole"])
        assert ("SessionsEventBus" in dangling, "ArchiveStream" in dangling) == (
            "SessionsEventBus" in expected,
            "ArchiveStream" in expected,
        )


def test_sweepers_start_each_minute_overlap_and_are_not_repeated() -> None:
    [schedule] = [rule for rule in of_type("AWS::Events::Rule").values() if "ScheduleExpression" in rule]

    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert properties("ExpirySweeperFunction")["Timeout"] > RUN_SECONDS > 60
    assert properties("ExpirySweeperFunctionEventInvokeConfig")["MaximumRetryAttempts"] == 0


def test_the_archive_is_private_and_kept_for_as_long_as_is_wanted() -> None:
    bucket = properties("ArchiveBucket")

    assert bucket["PublicAccessBlockConfiguration"] == dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )
    rules = {
        days: resolved({"ArchiveSessionEvents": "true", "ArchiveRetentionDays": days})["ArchiveBucket"]["Properties"]
        for days in ("0", "400")
    }
    expiries = {
        days: [rule.get("ExpirationInDays") for rule in found["LifecycleConfiguration"]["Rules"]]
        for days, found in rules.items()
    }
    assert expiries == {"0": [None], "400": [None, "400"]}


def test_the_archive_is_lines_of_json_by_day() -> None:
    destination = properties("ArchiveStream")["ExtendedS3DestinationConfiguration"]

    assert destination["CompressionFormat"] == "GZIP"
    assert destination["Prefix"] == "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/"


def test_the_outputs_name_every_queue_table_function_and_bucket() -> None:
    named = {output["Value"].get("Ref") for output in document()["Outputs"].values()}

    for resource_type in ("AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::Lambda::Function", "AWS::S3::Bucket"):
        assert named >= set(of_type(resource_type))
    assert {"AuthEventBus", "PublisherPolicy"} <= named


def _module_file(module: str) -> Path:
    return TEMPLATE_PATH.parent / Path(*module.split(".")).with_suffix(".py")


def test_the_repository_of_applications_is_told_the_packages_version_and_files_that_exist() -> None:
    source = yaml_parse(TEMPLATE_PATH.read_text(encoding="utf-8"))
    application = source["Metadata"]["AWS::ServerlessRepo::Application"]
    root = TEMPLATE_PATH.parent
    package = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert application["SemanticVersion"] == package["version"]
    assert application["SpdxLicenseId"] == package["license"]
    assert all((root / application[name]).is_file() for name in ("LicenseUrl", "ReadmeUrl"))


@pytest.mark.parametrize(
    ("chosen", "projection"), [({}, "ALL"), ({"InverseIndexProjection": "KEYS_ONLY"}, "KEYS_ONLY")]
)
def test_the_inverted_index_holds_what_is_chosen(chosen: dict[str, str], projection: str) -> None:
    [index] = resolved(chosen)["SessionsTable"]["Properties"]["GlobalSecondaryIndexes"]

    assert index["Projection"] == {"ProjectionType": projection}
