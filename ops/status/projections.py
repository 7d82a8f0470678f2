"""Whether the projections keep up with the register: customers that change right now, and some at random, compared."""

import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ops.status.lines import Commands, Line, State, in_words, several
from ops.verification.comparing import Kind, Mismatch
from ops.verification.verifying import Verification, Verifier
from processors.projection_table import ProjectionTable
from processors.session_table import SessionTable
from schemas.keys import CUSTOMER_PREFIX, decode_id

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_MOST = 25
_OPEN_SHARDS = 8
_LISTEN_SECONDS = 1.0


def projections_line(verifier: Verifier, customers: set[str], commands: Commands) -> Line:
    """Compare some customers' projections with the register.

    Args:
        verifier: Compares them, and looks again at what may be under way.
        customers: Whom to compare.
        commands: Writes the next commands.

    Raises:
        ReadError: A table could not be read.
    """
    result = verifier.verify_customers(sorted(customers)[:_MOST])
    facts: dict[str, float] = {
        "customers": result.customers,
        "wrong": len(result.mismatches),
        "settled": result.settled,
    }
    looked = several(result.customers, "customer")
    if result.is_clean:
        settled = f", {result.settled} of them after a moment" if result.settled else ""
        return Line("projections", State.OK, f"those of {looked} agree with the register{settled}", facts=facts)
    words = f"{_in_words(result)} of {looked} compared"
    behind = _lag(result.mismatches, result.finished_at)
    if behind is not None:
        words += f"; changes of {in_words(behind)} ago are not in them"
        facts["lag_seconds"] = behind.total_seconds()
    mending = [commands.ours("verify")]
    if any(each.kind is not Kind.IN_FLIGHT for each in result.mismatches):
        mending.append(commands.ours("repair"))
    return Line("projections", State.WAITS, words, mending, facts)


def some_customers(
    client: "DynamoDBClient", streams: Any, sessions: str, projections: str, stream_arn: str
) -> set[str]:
    """Choose customers: those whose sessions change while this listens to the stream, and some of both tables.

    Raises:
        ClientError: A request was refused.
        BotoCoreError: One was not answered.
    """
    found = set(_changing(streams, stream_arn))
    for table in (sessions, projections):
        found |= _of_table(client, table)
    return found


def _of_table(client: "DynamoDBClient", table: str) -> set[str]:
    """Read a page of a table, beginning anywhere."""
    count = client.describe_table(TableName=table)["Table"].get("ItemCount", 0)
    total = max(1, min(1_000_000, count // 100))
    page = client.scan(
        TableName=table,
        ProjectionExpression="customer_id",
        Limit=100,
        TotalSegments=total,
        Segment=random.randrange(total),  # noqa: S311 # a sample, no secret
    )
    names = [item["customer_id"]["S"] for item in page["Items"] if "S" in item.get("customer_id", {})]
    return set(names[:: max(1, len(names) // (_MOST // 2))])


def _changing(streams: Any, stream_arn: str, *, sleep: Callable[[float], None] = time.sleep) -> Iterator[str]:
    """Listen to the stream's open shards for a moment."""
    shards = streams.describe_stream(StreamArn=stream_arn)["StreamDescription"]["Shards"]
    is_open = [shard for shard in shards if "EndingSequenceNumber" not in shard.get("SequenceNumberRange", {})]
    iterators = [
        streams.get_shard_iterator(StreamArn=stream_arn, ShardId=shard["ShardId"], ShardIteratorType="LATEST")[
            "ShardIterator"
        ]
        for shard in is_open[-_OPEN_SHARDS:]
    ]
    sleep(_LISTEN_SECONDS)
    for iterator in iterators:
        for record in streams.get_records(ShardIterator=iterator, Limit=_MOST)["Records"]:
            image = record["dynamodb"].get("NewImage") or record["dynamodb"].get("OldImage") or {}
            key = image.get("SK", {}).get("S", "")
            if key.startswith(CUSTOMER_PREFIX):
                yield decode_id(key.removeprefix(CUSTOMER_PREFIX))


def _in_words(result: Verification) -> str:
    kinds = sorted(
        {each.kind.value.replace("_", " ") for each in result.mismatches}
        | ({"unreadable"} if result.unreadable else set())
    )
    return (
        f"{len({each.customer_id for each in result.mismatches}) + len(result.unreadable)} wrong ({', '.join(kinds)})"
    )


def _lag(mismatches: tuple[Mismatch, ...], now: datetime) -> timedelta | None:
    """How long ago the oldest change was made that is not in its projection."""
    return max((now - each.changed_at for each in mismatches if each.changed_at is not None), default=None)


def verifier_of(
    client: "DynamoDBClient", sessions: str, projections: str, wait: timedelta, *, batch_statements: bool
) -> Verifier:
    """Make what compares projections with the register.

    Args:
        client: A boto3 DynamoDB client.
        sessions: Name of the sessions table.
        projections: Name of the projections table.
        wait: How long to look again at what differs.
        batch_statements: Whether the tables' engine has PartiQL.
    """
    register = SessionTable(client, sessions, batch_statements=batch_statements)
    table = ProjectionTable(client, projections, sessions=register, batch_statements=batch_statements)
    return Verifier(register, table, wait=wait)
