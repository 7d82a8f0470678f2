"""Queues and the failed-batches bucket: what waits there."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ops.recovery.dead_letters import DeadLetterQueue
from ops.recovery.failed_batches import list_batches
from ops.recovery.grouping import kind_of
from ops.recovery.queue_messages import look
from ops.recovery.rejected import read_rejected
from ops.status.lines import Commands, Line, State, in_words

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_LOOK_AGAIN_AFTER_SECONDS = 2.5
"""Longer than the batching window of a function that takes from the queue."""

UNPUBLISHED = "life-cycle events not published"

_MOST_READ = 100
_SHOWN_REASONS = 3
_TOO_OLD = timedelta(minutes=5)


def flow_line(
    sqs: "SQSClient",
    name: str,
    url: str,
    commands: Commands,
    *,
    age: timedelta | None,
    function: str,
    sleep: Callable[[float], None],
) -> Line:
    """Say how many messages wait in a queue that a function consumes.

    Nothing is received: that would use up one of the receives after which a message is a dead letter. So the age comes
    from CloudWatch, where it is known.

    Args:
        sqs: A boto3 SQS client.
        name: What the queue is called.
        url: Its URL.
        commands: Writes the next commands.
        age: How long the oldest message has waited; None where that is not known.
        function: The function that consumes it.
        sleep: Waits for so many seconds.
    """
    visible, hidden, delayed = _counts(sqs, url)
    stands = False
    if visible and not hidden:
        sleep(_LOOK_AGAIN_AFTER_SECONDS)
        before = visible
        visible, hidden, delayed = _counts(sqs, url)
        stands = visible >= before and not hidden
    facts = {"visible": visible, "in_flight": hidden, "delayed": delayed, "oldest_seconds": age and age.total_seconds()}
    oldest = f", the oldest for {in_words(age)}" if age and visible + hidden else ""
    words = f"{visible:,} wait, {hidden:,} being processed{oldest}"
    if not visible and not hidden:
        return Line(name, State.OK, "empty", facts=facts)
    if stands or (age is not None and age > _TOO_OLD):
        why = "nobody takes them" if stands else "they wait too long"
        command = commands.aws("lambda", "list-event-source-mappings", "--function-name", function)
        return Line(name, State.WAITS, f"{words}: {why}", [command], facts)
    return Line(name, State.OK, words, facts=facts)


def dead_letters_line(sqs: "SQSClient", queue: DeadLetterQueue, commands: Commands, now: datetime) -> Line:
    """Say how many dead letters a queue holds, and since when."""
    name = f"dead letters: {queue.name}"
    seen = look(sqs, queue.url, most=_MOST_READ)
    if not seen.total:
        return Line(name, State.OK, "none", facts={"count": 0})
    longest = max((now - message.sent_at for message in seen.messages), default=None)
    since = (
        f", the oldest{' read' if seen.total > len(seen.messages) else ''} for {in_words(longest)}" if longest else ""
    )
    chosen = ("--filter", f"queue={queue.name}")
    return Line(
        name,
        State.WAITS,
        f"{seen.total:,}{since}",
        [commands.ours("dead-letters", "list", *chosen), commands.ours("dead-letters", "redrive", *chosen)],
        {"count": seen.total, "oldest_seconds": longest and longest.total_seconds()},
    )


def unpublished_line(sqs: "SQSClient", url: str, commands: Commands) -> Line:
    """Say how many life-cycle events the bus could not encrypt; they are told again, not redriven."""
    visible, hidden, _ = _counts(sqs, url)
    count = visible + hidden
    if not count:
        return Line(UNPUBLISHED, State.OK, "none", facts={"count": 0})
    words = f"{count:,} that the bus could not encrypt: check the key's policy, tell them again, then empty the queue"
    again = [commands.ours("rebuild", "register"), commands.aws("sqs", "purge-queue", "--queue-url", url)]
    return Line(UNPUBLISHED, State.WAITS, words, again, {"count": count})


def rejected_line(sqs: "SQSClient", url: str, commands: Commands, now: datetime) -> Line:
    """Say how many rejected events wait, how many of the last hour were read, and why they were rejected."""
    seen = look(sqs, url)
    if not seen.total:
        return Line("rejected events", State.OK, "none", facts={"count": 0, "last_hour": 0})
    recent = [
        each
        for each in map(read_rejected, seen.messages)
        if now - (each.rejected_at or each.message.sent_at) <= timedelta(hours=1)
    ]
    reasons = Counter(kind_of(each.reason) for each in recent)
    least = "at least " if seen.total > len(seen.messages) else ""
    words = (
        f"{seen.total:,}; {least}{len(recent):,} in the last hour" if seen.messages else f"{seen.total:,}, out of sight"
    )
    if reasons:
        words += ": " + ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common(_SHOWN_REASONS))
    return Line(
        "rejected events",
        State.WAITS,
        words,
        [
            commands.ours("rejected", "list"),
            commands.ours("rejected", "replay", "--list", "ask-publishers.jsonl", "--remove-listed"),
        ],
        {"count": seen.total, "last_hour": len(recent), "reasons": dict(reasons)},
    )


def failed_batches_line(s3: "S3Client", bucket: str, commands: Commands, now: datetime) -> Line:
    """Say how many failed batches there are, and since when."""
    listing = list_batches(s3, bucket, most=1, with_reasons=False)
    if not listing.total:
        return Line("failed batches", State.OK, "none", facts={"count": 0})
    age = now - listing.batches[0].stored_at
    return Line(
        "failed batches",
        State.WAITS,
        f"{listing.total:,}, the oldest for {in_words(age)}; they are kept for 30 days",
        [commands.ours("failed-batches", "list"), commands.ours("failed-batches", "replay")],
        {"count": listing.total, "oldest_seconds": age.total_seconds()},
    )


def oldest_ages(cloudwatch: Any, urls: Mapping[str, str], now: datetime) -> dict[str, timedelta]:
    """Read how long the oldest message of each queue has waited, by the queue's name; those that CloudWatch knows.

    Source: SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS": `ApproximateAgeOfOldestMessage`.
    """
    names = {f"q{number}": name for number, name in enumerate(urls)}
    queries = [
        {
            "Id": query,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SQS",
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{"Name": "QueueName", "Value": urls[name].rpartition("/")[2]}],
                },
                "Period": 60,
                "Stat": "Maximum",
            },
        }
        for query, name in names.items()
    ]
    found = cloudwatch.get_metric_data(
        MetricDataQueries=queries, StartTime=now - timedelta(minutes=5), EndTime=now, ScanBy="TimestampDescending"
    )
    return {
        names[result["Id"]]: timedelta(seconds=result["Values"][0])
        for result in found["MetricDataResults"]
        if result["Values"]
    }


def _counts(sqs: "SQSClient", url: str) -> tuple[int, int, int]:
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return (
        int(attributes["ApproximateNumberOfMessages"]),
        int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        int(attributes["ApproximateNumberOfMessagesDelayed"]),
    )
