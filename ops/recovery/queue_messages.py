"""Messages of a queue that nobody consumes: looked at and given back, or taken one by one until none is left.

Receiving hides a message. So every receipt is given back at the end, also where an error or Ctrl-C is the end; what
even that does not reach is visible again seconds later. Nothing here is for a queue that a function consumes: each look
would use up one of its receives.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from processors.aws.parallel import chunks
from schemas.times import from_epoch_milliseconds

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

MOST = 1_000
"""Messages that a look reads where nobody asks for more."""

_COUNTS: "Sequence[QueueAttributeNameType]" = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_PER_REQUEST = 10
_HIDDEN_SECONDS = 20
_MESSAGES_PER_HIDDEN_SECOND = 40
"""A larger look takes longer, and is to meet no message twice: so many messages are read in a second, and more."""

_MOST_HIDDEN_SECONDS = 900
_MORE_THAN_COUNTED = 100
"""SQS's counts are approximate."""


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message as it was received.

    Attributes:
        message_id: SQS's id.
        body: The text.
        sent_at: When it was sent to this queue's first queue, aware UTC. Source: SQS, `SentTimestamp`.
        receive_count: How often it was received, looks included.
        attributes: Its message attributes that are text, like EventBridge's `ERROR_CODE`.
        receipt: What gives it back or deletes it.
    """

    message_id: str
    body: str
    sent_at: datetime
    receive_count: int
    attributes: Mapping[str, str]
    receipt: str


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a queue found.

    Attributes:
        messages: The messages read; they stay in the queue.
        total: How many the queue says it holds, hidden and delayed ones included; approximate.
    """

    messages: Sequence[QueueMessage]
    total: int


@dataclass(slots=True)
class Worked:
    """What became of the messages of a queue.

    Attributes:
        total: How many the queue said it held at the beginning; approximate.
        done: Messages that were acted on and deleted.
        kept: Messages that were not meant, or could not be acted on, and are in the queue again.
        repeated: Messages that were acted on and could not be deleted: they will be acted on again, which is harmless.
    """

    total: int = 0
    done: int = 0
    kept: int = 0
    repeated: int = 0


def depth(sqs: "SQSClient", url: str) -> int:
    """Count a queue's messages: visible, hidden and delayed ones; approximate, as SQS says."""
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))["Attributes"]
    return sum(int(found.get(name, "0")) for name in _COUNTS)


def look(sqs: "SQSClient", url: str, *, most: int = MOST, on_read: Callable[[int], None] = lambda count: None) -> Look:
    """Read messages, and give them back.

    Args:
        sqs: A boto3 SQS client.
        url: A queue that nobody consumes.
        most: How many to read at most.
        on_read: Called with how many have been read so far.

    Raises:
        ClientError: SQS refused; what was read until then is given back.
        BotoCoreError: It could not be reached.
    """
    total = depth(sqs, url)
    known: dict[str, QueueMessage] = {}
    try:
        while len(known) < min(most, total):
            received = _receive(sqs, url, most - len(known), _hidden_seconds(min(most, total)))
            fresh = [message for message in received if message.message_id not in known]
            known |= {message.message_id: message for message in received}  # a later receipt replaces an earlier one
            on_read(len(known))
            if not fresh:
                break
    finally:
        _give_back(sqs, url, [message.receipt for message in known.values()])
    return Look(sorted(known.values(), key=lambda message: message.sent_at), max(total, len(known)))


def work_off(
    sqs: "SQSClient",
    url: str,
    act: Callable[[Sequence[QueueMessage]], Iterable[str]],
    *,
    worked: Worked | None = None,
    on_progress: Callable[[Worked], None] = lambda worked: None,
) -> Worked:
    """Take every message that is there now: act on it, then delete it; give back what was not acted on.

    A crash between the two repeats the act. Not many more are taken than the queue held at the beginning, so that what
    comes back from where it was sent to does not keep this going.

    Args:
        sqs: A boto3 SQS client.
        url: A queue that nobody consumes.
        act: Acts on up to ten messages; returns the ids of those that are done, which are deleted.
        worked: Where to count, so that a caller knows what is done when it is interrupted.
        on_progress: Called after each request.

    Raises:
        ClientError: SQS refused; what was received and not done is given back.
        BotoCoreError: It could not be reached.
    """
    worked = worked if worked is not None else Worked()
    worked.total = depth(sqs, url)
    left: dict[str, str] = {}
    held: list[QueueMessage] = []
    try:
        while worked.total and worked.done + worked.repeated + len(left) < worked.total + _MORE_THAN_COUNTED:
            held = _receive(sqs, url, _PER_REQUEST, _hidden_seconds(worked.total))
            meant = [message for message in held if message.message_id not in left]
            if not meant:
                break
            done = set(act(meant))
            receipts = {message.receipt for message in meant if message.message_id in done}
            deleted = _delete(sqs, url, sorted(receipts))
            worked.done += deleted
            worked.repeated += len(receipts) - deleted
            left |= {message.message_id: message.receipt for message in held if message.message_id not in done}
            worked.kept = len(left)
            held = []
            on_progress(worked)
    finally:
        _give_back(sqs, url, [*left.values(), *(message.receipt for message in held)])
    return worked


def _hidden_seconds(messages: int) -> int:
    return min(max(_HIDDEN_SECONDS, messages // _MESSAGES_PER_HIDDEN_SECOND), _MOST_HIDDEN_SECONDS)


def _receive(sqs: "SQSClient", url: str, most: int, hidden_seconds: int) -> list[QueueMessage]:
    response = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=min(most, _PER_REQUEST),
        VisibilityTimeout=hidden_seconds,
        WaitTimeSeconds=1,  # a poll without waiting asks some of SQS's servers only
        MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
        MessageAttributeNames=["All"],
    )
    return [_message(raw) for raw in response.get("Messages", ())]


def _message(raw: Mapping[str, Any]) -> QueueMessage:
    system = raw.get("Attributes", {})
    return QueueMessage(
        message_id=raw["MessageId"],
        body=raw["Body"],
        sent_at=from_epoch_milliseconds(int(system.get("SentTimestamp", 0))),
        receive_count=int(system.get("ApproximateReceiveCount", 0)),
        attributes={
            name: value["StringValue"]
            for name, value in raw.get("MessageAttributes", {}).items()
            if "StringValue" in value
        },
        receipt=raw["ReceiptHandle"],
    )


def _give_back(sqs: "SQSClient", url: str, receipts: Sequence[str]) -> None:
    """Make messages visible at once; those of a request that fails are visible again when their time is up."""
    for part in chunks(receipts, _PER_REQUEST):
        entries = [
            {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0} for number, receipt in enumerate(part)
        ]
        try:
            sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)  # type: ignore[arg-type] # dicts of that shape
        except (ClientError, BotoCoreError):
            return  # no permission, or no network: their time will be up


def _delete(sqs: "SQSClient", url: str, receipts: Sequence[str]) -> int:
    if not receipts:
        return 0
    entries = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(receipts)]
    response = sqs.delete_message_batch(QueueUrl=url, Entries=entries)  # type: ignore[arg-type] # dicts of that shape
    return len(receipts) - len(response.get("Failed", ()))
