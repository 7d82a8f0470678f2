"""One envelope taken off: what stands around events on their way through AWS and between systems.

Sources: EventBridge "AWS event structure"; SNS "message formats"; CloudWatch Logs "subscription filters" (decoded
batch, `messageType`); Lambda "SQS/Kinesis/function URL events"; EventBridge Pipes "sources"; Firehose "HTTP endpoint
delivery" and "data transformation"; CloudEvents 1.0 JSON format; RFC 8936 (`sets`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from providers.texts import Budget, Text, from_base64
from schemas.errors import RejectedEventError

_STARTS_OF_EVENTS = ("{", "[{", '["', "eyJ", "H4sI")
"""How a log's message starts that holds JSON, a JWT or base64 of gzip; any other is a plain line."""


@dataclass(frozen=True, slots=True)
class Member:
    """One thing in an envelope.

    Attributes:
        content: A JSON value, or a `Text`.
        envelope: What stands in for an `id` and `time` that it lacks; None leaves what is around it in place.
    """

    content: Any
    envelope: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """What was in an envelope.

    Attributes:
        members: The contents.
        is_list: Whether each member is an event of its own, with its own outcome.
        family: The kind of envelope, by which an empty one or a foreign text in it is counted.
    """

    members: Sequence[Member]
    is_list: bool = False
    family: str = ""


def is_eventbridge_event(content: dict[str, Any]) -> bool:
    """True for an EventBridge event; its `detail` is an object or, where somebody wrote it so, a JSON text."""
    return "source" in content and "detail-type" in content and isinstance(content.get("detail"), dict | str)


def opened(content: dict[str, Any], budget: Budget) -> Opened | None:
    """Take one envelope off an object; None where it is in none.

    Raises:
        RejectedEventError: It is an envelope without an event, or its content cannot be decoded.
    """
    for open_envelope in (_notification, _eventbridge, _log_batch, _request, _record):
        if (found := open_envelope(content, budget)) is not None:
            return found
    if (token := _token_in(content)) is not None:
        return Opened([Member(token)])
    if isinstance(content.get("event_type"), str):
        return None
    for name in ("Records", "records"):
        if isinstance(content.get(name), list):
            return _several(content[name])
    sets = content.get("sets")
    return _several(list(sets.values())) if isinstance(sets, dict) else None


def cloud_event(content: dict[str, Any], budget: Budget) -> Opened | None:
    """Take the envelope off a CloudEvent 1.0; None for anything else. Asked after mappings: some systems send these."""
    if content.get("specversion") != "1.0" or not isinstance(content.get("type"), str):
        return None
    envelope = {"id": content.get("id"), "time": content.get("time"), "detail-type": content["type"]}
    if isinstance(content.get("data_base64"), str):
        return Opened([Member(from_base64(content["data_base64"], budget, "data of the CloudEvent"), envelope)])
    data = content.get("data")
    if isinstance(data, str):
        return Opened([Member(Text(data, "data of the CloudEvent"), envelope)])
    return Opened([Member(data, envelope)]) if isinstance(data, dict) else None


def _token_in(content: dict[str, Any]) -> str | None:
    """Return the signed token that a webhook's object holds, if any.

    Sources: OpenID Connect Back-Channel Logout 1.0, 2.5; Sign in with Apple, "Processing changes for Sign in with Apple
    accounts"; teamhanko/hanko, backend/webhooks/worker.go.
    """
    names = content.keys()
    name = "payload" if names == {"payload"} else "token" if names == {"token", "event"} else "logout_token"
    token = content.get(name)
    return token if isinstance(token, str) and (name == "logout_token" or token.startswith("eyJ")) else None


def _several(members: Sequence[Any], family: str = "") -> Opened:
    return Opened([Member(member) for member in members], is_list=True, family=family)


def _notification(content: dict[str, Any], _: Budget) -> Opened | None:
    kind = content.get("Type")
    if kind == "Notification" and isinstance(content.get("Message"), str):
        return Opened([Member(Text(content["Message"], "SNS notification's Message"))])
    if kind in ("SubscriptionConfirmation", "UnsubscribeConfirmation") and "SubscribeURL" in content:
        raise RejectedEventError(f"an SNS {kind}, not an event; confirm the subscription at the topic")
    if content.get("Event") == "s3:TestEvent" and "Bucket" in content:
        raise RejectedEventError("an S3 test notification (s3:TestEvent), not an event; S3 sends it once")
    return None


def _eventbridge(content: dict[str, Any], _: Budget) -> Opened | None:
    if not is_eventbridge_event(content):
        return None
    detail = content["detail"]
    return Opened([Member(Text(detail, "detail") if isinstance(detail, str) else detail, content)])


def _log_batch(content: dict[str, Any], budget: Budget) -> Opened | None:
    awslogs = content.get("awslogs")
    if isinstance(awslogs, dict) and isinstance(awslogs.get("data"), str):
        return Opened([Member(from_base64(awslogs["data"], budget, "CloudWatch Logs data"))])
    if "logGroup" not in content or not isinstance(content.get("logEvents"), list):
        return None
    if content.get("messageType") == "CONTROL_MESSAGE":
        return _several((), "cloudwatch_logs")
    return Opened([_log_event(event) for event in content["logEvents"]], is_list=True, family="cloudwatch_logs")


def _log_event(event: Any) -> Member:
    if not isinstance(event, dict) or not isinstance(event.get("message"), str):
        return Member(event)
    envelope = {"id": event.get("id"), "time": event.get("timestamp")}
    message = event["message"]
    if message.lstrip().startswith(_STARTS_OF_EVENTS):
        return Member(Text(message, "log event's message"), envelope)
    return Member({"message": message}, envelope)  # a plain line of a log, for a mapping that reads such


def _request(content: dict[str, Any], budget: Budget) -> Opened | None:
    if "body" not in content or not isinstance(content.get("requestContext"), dict):
        return None
    body = content["body"]
    if not isinstance(body, str) or not body:
        raise RejectedEventError("an HTTP request without a body")
    if content.get("isBase64Encoded") is True:
        return Opened([Member(from_base64(body, budget, "request's body"))])
    return Opened([Member(Text(body, "request's body"))])


def _record(content: dict[str, Any], budget: Budget) -> Opened | None:
    """Open a record of SQS, SNS, Kinesis or Firehose, as Lambda, Pipes and Firehose hand it over."""
    if isinstance(content.get("body"), str) and content.get("eventSource") == "aws:sqs":
        return Opened([Member(Text(content["body"], "SQS record's body"))])
    if isinstance(content.get("Sns"), dict) and content.get("EventSource") == "aws:sns":
        return Opened([Member(content["Sns"])])
    kinesis = content.get("kinesis")
    data = kinesis.get("data") if isinstance(kinesis, dict) else content.get("data")
    is_record = isinstance(kinesis, dict) or "partitionKey" in content or "recordId" in content or len(content) == 1
    if isinstance(data, str) and data and is_record:
        return Opened([Member(from_base64(data, budget, "record's data"))])
    return None
