"""Each parameter of the template and each setting of the functions, wrong alone and together with another.

`tests/unit/test_bad_input.py` fails where one has no row here; `tests/deploy/test_every_parameter.py` has an engine
refuse what CloudFormation is to refuse.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
BOUNDS = dict.fromkeys(("MinWriteCapacity", "MaxWriteCapacity", "MinReadCapacity", "MaxReadCapacity"), "100")
PROVISIONED = {"BillingMode": "PROVISIONED", **BOUNDS}


class By(StrEnum):
    """Who refuses it first."""

    CLOUDFORMATION = "CloudFormation, before it deploys anything; `make validate` says the same"
    VALIDATION = "`make validate`, before the deployment; `sessionctl status` after it"


@dataclass(frozen=True)
class Together:
    """Parameters that contradict each other.

    Attributes:
        parameters: What is deployed with, in us-east-1.
        says: Words of the refusal.
        by: Who refuses it.
    """

    parameters: dict[str, str]
    says: str
    by: By = By.VALIDATION


@dataclass(frozen=True)
class Row:
    """What is refused of one parameter.

    Attributes:
        wrong: Values that are refused whatever the others are.
        says: Words of the refusal.
        together: Contradictions with another parameter, or why there can be none.
        unfit: Values whose content the functions would refuse at their start, and words of it: `make validate` says so
            before the deployment.
    """

    wrong: tuple[str, ...]
    says: str
    together: tuple[Together, ...] | str
    unfit: tuple[tuple[str, str], ...] = ()


def _rule(says: str, parameters: dict[str, str]) -> tuple[Together, ...]:
    return (Together(parameters, says, By.CLOUDFORMATION),)


_TRUTH = "must be one of true, false"
_BUS = Row(("two words", "*", "b" * 257), "The name of an event bus, or empty.", "each bus has a rule of its own")
_TTL = (Together({"SessionTtlSeconds": "604801"}, "SessionTtlSeconds (604801) is above SessionMaxLifetimeSeconds"),)
_TRIED = "is shorter than a message is tried"
_ISSUERS = (Together({"CustomerNamespace": "provider"}, "CustomerNamespaces is empty"),)
_REFRESHES = _rule(
    "PublishRefreshedSessions does nothing without PublishSessionEvents", {"PublishRefreshedSessions": "true"}
)
_SWEEPS = _rule("ExpiryIntervalSeconds does nothing without PublishSessionEvents", {"ExpiryIntervalSeconds": "60"})
_RETENTION = _rule("ArchiveRetentionDays does nothing without ArchiveSessionEvents", {"ArchiveRetentionDays": "30"})
_DIRECT = _rule("DirectMaxConcurrency does nothing without EnableEventBridgeDirect", {"DirectMaxConcurrency": "5"})


def _bounds(name: str) -> tuple[Together, ...]:
    kind = "Write" if "Write" in name else "Read"
    crossed = PROVISIONED | {f"Min{kind}Capacity": "200"}
    return (
        *_rule(f"{name} does nothing without BillingMode PROVISIONED", {name: "100"}),
        *_rule(f"{name} is 0: BillingMode PROVISIONED needs", PROVISIONED | {name: "0"}),
        Together(crossed, f"Min{kind}Capacity (200) is above Max{kind}Capacity (100)"),
    )


def _warm(kind: str, warm: str, least: str) -> tuple[Together, ...]:
    parameters = {f"Warm{kind}Units": warm, f"Min{kind}Capacity": least, f"Max{kind}Capacity": least}
    return (Together(PROVISIONED | parameters, f"Warm{kind}Units ({warm}) is below Min{kind}Capacity ({least})"),)


_UNITS = "must lie between 0 and 1000000"
_SECONDS = "must lie between 60 and 31536000"

PARAMETERS: dict[str, Row] = {
    "SessionTtlSeconds": Row(("59", "31536001"), _SECONDS, _TTL),
    "SessionMaxLifetimeSeconds": Row(
        ("59", "31536001"),
        _SECONDS,
        (Together({"SessionMaxLifetimeSeconds": "3600"}, "is above SessionMaxLifetimeSeconds (3600)"),),
    ),
    "MaxEventAgeSeconds": Row(
        ("59", "1296001"),
        "must lie between 60 and 1296000",
        (Together({"MaxEventAgeSeconds": "3600"}, f"MaxEventAgeSeconds (3600) {_TRIED}"),),
    ),
    "CustomerNamespace": Row(("tenant", ""), "must be one of none, provider", _ISSUERS),
    "CustomerNamespaces": Row(
        ("[]", "", "provider:tenant"),
        "A JSON object on one line.",
        _ISSUERS,
        unfit=(
            ('{"https://op.example.com": 1}', "would not start: the environment variable CUSTOMER_NAMESPACES gives"),
            ("{1}", "would not start: the environment variable CUSTOMER_NAMESPACES is not valid JSON"),
        ),
    ),
    "MaxSessionsPerCustomer": Row(("-1", "257"), "must lie between 0 and 256", "no other limits sessions"),
    "DynamoDbBatchStatements": Row(("yes",), _TRUTH, "permissions follow it"),
    "InverseIndexProjection": Row(("INCLUDE",), "must be one of ALL, KEYS_ONLY", "both forms serve every pattern"),
    "BillingMode": Row(
        ("ON_DEMAND",),
        "must be one of PAY_PER_REQUEST, PROVISIONED",
        _rule("MinWriteCapacity is 0: BillingMode PROVISIONED needs", {"BillingMode": "PROVISIONED"}),
    ),
    **{name: Row(("-1", "1000001"), _UNITS, _bounds(name)) for name in BOUNDS},
    "WarmWriteUnits": Row(("3999", "1000001"), "must lie between 4000 and 1000000", _warm("Write", "5000", "6000")),
    "WarmReadUnits": Row(("11999", "1000001"), "must lie between 12000 and 1000000", _warm("Read", "15000", "20000")),
    "EnableEventBridgeDirect": Row(("yes",), _TRUTH, _DIRECT),
    **dict.fromkeys(("Auth0EventBusName", "OktaEventBusName", "CognitoEventBusName"), _BUS),
    **dict.fromkeys(("AwsSignInEventBusName", "SalesforceEventBusName"), _BUS),
    "ProviderMappingsDirectory": Row(
        ("opt/mappings", "/opt/my mappings"),
        "An absolute path, or empty.",
        "what lies there only the function knows: it refuses a wrong file at its start (PROVIDER_MAPPINGS_DIRECTORY)",
    ),
    "TokenJwks": Row(
        ("keys", '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', '{"kty": "EC", "d": "c2VjcmV0"}'),
        "A JSON object on one line with public keys and nothing secret",
        "they verify whatever comes in",
        unfit=(('{"keys": [{"kty": "none"}]}', "TokenJwks: key 1"),),
    ),
    "PublishSessionEvents": Row(("yes",), _TRUTH, _REFRESHES + _SWEEPS),
    "PublishRefreshedSessions": Row(("yes",), _TRUTH, _REFRESHES),
    "ExpiryIntervalSeconds": Row(("0", "61"), "must lie between 1 and 60", _SWEEPS),
    "ArchiveSessionEvents": Row(("yes",), _TRUTH, _RETENTION),
    "ArchiveRetentionDays": Row(("-1", "36501"), "must lie between 0 and 36500", _RETENTION),
    "AuthEventsArchiveDays": Row(("-1", "3651"), "must lie between 0 and 3650", "the auth bus is always there"),
    "DirectMaxConcurrency": Row(("-1", "1001"), "must lie between 0 and 1000", _DIRECT),
    "MaxReceiveCount": Row(
        ("4", "1001"),
        "must lie between 5 and 1000",
        (Together({"MaxReceiveCount": "1000", "MaxEventAgeSeconds": "86400"}, f"MaxEventAgeSeconds (86400) {_TRIED}"),),
    ),
    "SessionEventsQueueName": Row(
        ("events.fifo", "two words", "q" * 81),
        "Up to 80 letters, digits, hyphens and underscores, or empty.",
        "the queue's policy, not its name, says who may send",
    ),
    "QueuePublisherArns": Row(
        ("*", "123456789012", "arn:aws:iam::123456789012:role/*"),
        "ARNs of roles, users or accounts",
        "they may send whatever else is switched on",
    ),
    "KmsKeyArn": Row(
        ("alias/sessions", "arn:aws:kms:us-east-1:123456789012:alias/sessions"),
        "The ARN of a KMS key (no alias), or empty.",
        (Together({"KmsKeyArn": KEY.replace("us-east-1", "eu-west-1")}, "KmsKeyArn names a key of another region"),),
    ),
    "LogLevel": Row(("LOUD", "info"), "must be one of DEBUG, INFO, WARNING, ERROR", "it goes with every retention"),
    "LogRetentionDays": Row(("0", "8"), "must be one of 1, 3, 5", "it goes with every level"),
    "Tracing": Row(("yes",), _TRUTH, "it goes with everything"),
    "SilenceAlarmMinutes": Row(
        ("-1", "1441"),
        "must lie between 0 and 1440",
        (
            Together(
                {"SilenceAlarmMinutes": "1440", "MaxEventAgeSeconds": "80000"}, "is longer than MaxEventAgeSeconds"
            ),
        ),
    ),
    "AlarmTopicArn": Row(
        ("alarms", "arn:aws:sqs:us-east-1:123456789012:alarms"),
        "The ARN of an SNS topic, or empty.",
        (
            Together(
                {"AlarmTopicArn": TOPIC.replace("us-east-1", "eu-west-1")}, "AlarmTopicArn names a topic of another"
            ),
        ),
    ),
}

_WHOLE = "must be a whole number"
_NAME = "must be a name or an ARN"
_URL = "must be a URL"
_JSON = "is not valid JSON"
SETTINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "SESSIONS_TABLE": (("", "is not set"), ("two words", _NAME)),
    "PROJECTIONS_TABLE": (("", "is not set"), ("a\nb", _NAME)),
    "REJECTED_EVENTS_QUEUE_URL": (("", "is not set"), ("rejected-events", _URL)),
    "SESSION_COMMANDS_QUEUE_URL": (("", "is not set, nor is SESSION_EVENTS_QUEUE_URL"), ("ftp://q.example.com", _URL)),
    "SESSION_EVENTS_QUEUE_URL": (("session-events", _URL), ("https://", _URL)),
    "FAILED_BATCHES_BUCKET": (("failed batches", _NAME),),
    "SESSION_TTL_SECONDS": (("12h", _WHOLE), ("0", _WHOLE), ("1" * 11, _WHOLE)),
    "SESSION_MAX_LIFETIME_SECONDS": (("-1", _WHOLE), ("1.5", _WHOLE)),
    "MAX_EVENT_AGE_SECONDS": (("0", _WHOLE), ("1296001", "set at most 1296000")),
    "CUSTOMER_NAMESPACE": (("tenant", "must be none or provider"),),
    "CUSTOMER_NAMESPACES": (("{", _JSON), ("[]", "must be a JSON object"), ('{"i": "none"}', "a wrong namespace")),
    "MAX_SESSIONS_PER_CUSTOMER": (("many", _WHOLE), ("257", "set at most 256")),
    "DYNAMODB_BATCH_STATEMENTS": (("yes", "must be true or false"),),
    "PROVIDER_MAPPINGS_DIRECTORY": (("/no/such/directory", "no such directory"),),
    "TOKEN_JWKS": (("keys", "TOKEN_JWKS: "), ('{"keys": [{"kty": "none"}]}', "key 1")),
    "SESSIONS_BUS_NAME": (("two words", _NAME),),
    "PUBLISH_REFRESHED_SESSIONS": (("1", "must be true or false"),),
    "ARCHIVE_STREAM_NAME": (("two words", _NAME),),
    "EXPIRY_AGENDA_TABLE": (("two words", _NAME),),
    "EXPIRY_INTERVAL_SECONDS": (("0", _WHOLE), ("five", _WHOLE)),
    "LOG_LEVEL": (("loud", "must be DEBUG, INFO"),),
}
"""Values of each environment variable that are refused, and words of the refusal."""
