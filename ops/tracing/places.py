"""Where an event may be: the register, the queues of failures, the queues on the way, the functions' logs."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ops.inspection.customers import children_of, find_sessions
from ops.inspection.scans import Scan
from ops.recovery.dead_letters import dead_letter_queues
from ops.recovery.queue_messages import QueueMessage, depth, look
from ops.recovery.rejected import read_rejected
from ops.tracing.evidence import Verdict
from processors.intake.masking import mask_id
from processors.session_table import SessionTable
from providers.envelopes import IgnoredEvent, RejectedEvent, read_events
from schemas.attributes import Attributes
from schemas.item_mapping import read_item
from schemas.items import Session
from schemas.times import format_rfc3339, to_epoch_milliseconds

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

_FED_QUEUES = {"session events": "SessionEventsQueueUrl", "session commands": "SessionCommandsQueueUrl"}
_CONSUMERS = ("SqsConsumerFunctionName", "EventBridgeConsumerFunctionName")


@dataclass(frozen=True, slots=True)
class Finding:
    """A place where an event is, or left a trace.

    Attributes:
        verdict: What that place says became of it.
        place: Which place.
        text: What stands there, in a sentence.
    """

    verdict: Verdict
    place: str
    text: str


def in_sessions(event_id: str, sessions: Iterable[Session]) -> Iterator[Finding]:
    """Name the sessions in which an event is the newest login or the earliest end."""
    for session in sessions:
        of = f"session {session.session_id} of customer {session.customer_id}"
        if session.last_login_event_id == event_id and session.last_login_time is not None:
            text = f"the last login of {of}, at {format_rfc3339(session.last_login_time)}"
            yield Finding(Verdict.APPLIED, "register", text)
        if session.ended_event_id == event_id:
            at = f" at {format_rfc3339(session.ended_at)}" if session.ended_at is not None else ""
            text = f"it ended {of}{at} ({session.end_reason or 'no reason given'})"
            yield Finding(Verdict.APPLIED, "register", text)


def sessions_under(sessions: SessionTable, session_id: str, customer_id: str | None) -> list[Session]:
    """Read all sessions of an id, and their children: tombstones too."""
    found = find_sessions(sessions, session_id, customer_id)
    return found + [child for top in found if top.parent_session_id is None for child in children_of(sessions, top)]


def sessions_of(sessions: SessionTable, customer_id: str, on_read: Callable[[], object]) -> Iterator[Session]:
    """Read all sessions of a customer that have a login, and their children."""
    for top in sessions.page_sessions(customer_id, live_only=False):
        yield top
        yield from children_of(sessions, top)
        on_read()


def scan_for(
    client: "DynamoDBClient", table_name: str, event_id: str, on_page: Callable[[int], object]
) -> tuple[Scan, Iterator[Session]]:
    """Search the whole register: the pass, and the sessions that name an event, as they are found."""
    scan = Scan(
        client,
        table_name,
        FilterExpression="last_login_event_id = :event OR ended_event_id = :event",
        ExpressionAttributeValues={":event": {"S": event_id}},
    )
    return scan, scan.rows(_read_session, on_page)


def _read_session(attributes: Attributes) -> Session | None:
    item = read_item(attributes)
    return item if isinstance(item, Session) else None


def in_rejected(sqs: "SQSClient", url: str, event_ids: Mapping[str, str | None], *, most: int) -> dict[str, Finding]:
    """Look for events in the rejected-events queue; the messages stay in it.

    Args:
        sqs: A boto3 SQS client.
        url: The queue.
        event_ids: The ids of the events, each with the text that was sent; None where nobody knows it.
        most: Messages to read at most.

    Returns:
        By event id.
    """
    by_id = {shown: event_id for event_id in event_ids for shown in (event_id, mask_id(event_id))}
    by_hash = {sha256(text.encode()).hexdigest(): event_id for event_id, text in event_ids.items() if text is not None}
    found: dict[str, Finding] = {}
    for message in look(sqs, url, most=most).messages:
        rejected = read_rejected(message)
        event_id = by_id.get(rejected.event_id or "") or by_hash.get(rejected.body_sha256)
        if event_id is not None:
            found[event_id] = Finding(Verdict.REJECTED, "rejected-events queue", rejected.reason)
    return found


def in_dead_letters(
    sqs: "SQSClient", outputs: Mapping[str, str], event_ids: Iterable[str], *, most: int
) -> dict[str, Finding]:
    """Look for events in the dead-letter queues, as `in_rejected` does."""
    wanted = set(event_ids)
    found: dict[str, Finding] = {}
    for queue in dead_letter_queues(outputs):
        if depth(sqs, queue.url) == 0:
            continue
        for message in look(sqs, queue.url, most=most).messages:
            for event_id in wanted & set(_ids_in(message)):
                text = f"sent at {format_rfc3339(message.sent_at)}, and failed every attempt"
                found[event_id] = Finding(Verdict.DEAD_LETTER, f"dead-letter queue {queue.name}", text)
    return found


def _ids_in(message: QueueMessage) -> Iterator[str]:
    """Name the events in a message; those of a message that nobody can read are not known."""
    for reading in read_events(message.body, sent_at=None):
        if isinstance(reading, RejectedEvent):
            if reading.error.event_id is not None:
                yield reading.error.event_id
        elif not isinstance(reading, IgnoredEvent):
            yield reading.event_id


def waiting(sqs: "SQSClient", outputs: Mapping[str, str]) -> dict[str, int]:
    """Count what waits in the queues that feed the consumers: hidden and delayed messages, too.

    Nothing is received from them: that would use up an attempt of the consumer's.
    """
    return {name: depth(sqs, outputs[output]) for name, output in _FED_QUEUES.items() if output in outputs}


def in_logs(
    functions: Any, logs: Any, outputs: Mapping[str, str], event_id: str, *, since: datetime
) -> Iterator[Finding]:
    """Search what the consumers logged: they name the events that they reject, or fail to set aside; no other.

    Args:
        functions: A boto3 Lambda client.
        logs: A boto3 CloudWatch Logs client.
        outputs: The stack's outputs.
        event_id: The event.
        since: How far back, aware UTC: CloudWatch Logs charges for what it searches.

    Raises:
        ClientError: One of them refused.
    """
    for output in _CONSUMERS:
        if output not in outputs:
            continue
        function = functions.get_function_configuration(FunctionName=outputs[output])
        group = function.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{function['FunctionName']}"
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group,
            startTime=to_epoch_milliseconds(since),
            filterPattern=f'"{mask_id(event_id)}"',
        )
        for page in pages:
            for line in page["events"]:
                yield from _in_line(line["message"], event_id, f"log of {outputs[output]}")


def _in_line(line: str, event_id: str, place: str) -> Iterator[Finding]:
    try:
        record = json.loads(line)
    except ValueError:
        return
    if isinstance(record, dict) and record.get("event_id") in (event_id, mask_id(event_id)):
        verdict = Verdict.REJECTED if record.get("message") == "event rejected" else Verdict.UNKNOWN
        text = f"{record.get('timestamp', '')} {record.get('message', '')}: {record.get('reason', '')}"
        yield Finding(verdict, place, " ".join(text.split()).removesuffix(":"))


def most_telling(findings: Sequence[Finding]) -> Verdict:
    """Say what became of an event by all that was found: an effect counts more than a copy that failed."""
    order = (Verdict.APPLIED, Verdict.DEAD_LETTER, Verdict.REJECTED)
    found = {finding.verdict for finding in findings}
    return next((verdict for verdict in order if verdict in found), Verdict.UNKNOWN)
