"""Tables: settings that a restored or adopted table lacks, the expiry agenda, how much there is."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ops.status.lines import Commands, Line, State, in_words, several
from processors.life_cycle.agenda import PARTITIONS, SLOT_SECONDS, first_future_slot, sort_key_of_slot
from processors.projection_table import ProjectionTable
from schemas.keys import CUSTOMER_PREFIX, decode_id

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_LATE_SECONDS = 120
"""The threshold of ExpiryLagAlarm (template.yaml)."""

_INDEX = "GSI1_inverse"


def sessions_table_line(client: "DynamoDBClient", name: str, commands: Commands) -> Line:
    """Say whether the sessions table has its stream, its index, its TTL and its backup.

    A table restored from a point in time has none of stream, TTL and point-in-time recovery. Source: DynamoDB Developer
    Guide, "Restoring a DynamoDB table to a point in time".
    """
    table = client.describe_table(TableName=name)["Table"]
    of_table = ("--table-name", name)
    problems: list[tuple[str, str]] = []
    stream = table.get("StreamSpecification", {})
    if not stream.get("StreamEnabled") or stream.get("StreamViewType") != "NEW_AND_OLD_IMAGES":
        wanted = "StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES"
        problems.append(
            ("no stream with both images", _aws(commands, "update-table", *of_table, "--stream-specification", wanted))
        )
    if _INDEX not in {index["IndexName"] for index in table.get("GlobalSecondaryIndexes", ())}:
        problems.append(
            (f"no index {_INDEX}: create it as template.yaml has it", _aws(commands, "describe-table", *of_table))
        )
    ttl = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if ttl.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING") or ttl.get("AttributeName") != "ttl":
        wanted = "Enabled=true,AttributeName=ttl"
        problems.append(
            ("no TTL on ttl", _aws(commands, "update-time-to-live", *of_table, "--time-to-live-specification", wanted))
        )
    problems += _backup_problems(client, name, commands)
    return _table_line("table: sessions", table, problems)


def projections_table_line(client: "DynamoDBClient", name: str, commands: Commands) -> Line:
    """Say whether the projections table is there, and has its backup."""
    table = client.describe_table(TableName=name)["Table"]
    return _table_line("table: projections", table, _backup_problems(client, name, commands))


def expiry_line(client: "DynamoDBClient", agenda: str, log_group: str, commands: Commands, now: datetime) -> Line:
    """Say how late expiries are published: how long ago the oldest slot ended that is still on the agenda."""
    seconds = int(now.timestamp())
    oldest: int | None = None
    for partition in PARTITIONS:
        found = client.query(
            TableName=agenda,
            KeyConditionExpression="PK = :partition AND SK < :slot",
            ExpressionAttributeValues={
                ":partition": {"S": partition},
                ":slot": {"S": sort_key_of_slot(first_future_slot(seconds))},
            },
            ProjectionExpression="SK",
            Limit=1,
        )["Items"]
        slots = [int(text) for item in found if (text := item["SK"]["S"].partition("#")[0]).isdecimal()]
        oldest = min([*slots, *([] if oldest is None else [oldest])], default=None)
    lag = 0 if oldest is None else max(0, seconds - oldest - SLOT_SECONDS)
    facts = {"lag_seconds": lag}
    if lag <= _LATE_SECONDS:
        return Line("expiries", State.OK, f"published, {lag} s behind" if lag else "published in time", facts=facts)
    words = f"published {in_words(now - datetime.fromtimestamp(seconds - lag, now.tzinfo))} late; none is lost"
    return Line("expiries", State.WAITS, words, [commands.logs(log_group)], facts)


def totals_line(client: "DynamoDBClient", projections: str, now: datetime) -> Line:
    """Say how many customers and live sessions there are: counted where one page holds them, else as DynamoDB says."""
    page = client.scan(TableName=projections, ProjectionExpression="PK", Limit=200)
    if "LastEvaluatedKey" in page:
        count = client.describe_table(TableName=projections)["Table"].get("ItemCount", 0)
        words = f"about {count:,} customers (DynamoDB counts every six hours)"
        return Line("totals", State.NOTE, words, facts={"customers": count, "live_sessions": None})
    table = ProjectionTable(client, projections)
    names = [decode_id(item["PK"]["S"].removeprefix(CUSTOMER_PREFIX)) for item in page["Items"]]
    live = [table.get_customer_activity(name, now=now).session_count for name in names]
    words = f"{several(sum(live), 'live session')} of {several(sum(map(bool, live)), 'customer')}"
    facts = {"customers": sum(map(bool, live)), "live_sessions": sum(live)}
    return Line("totals", State.NOTE, words, facts=facts)


def _table_line(name: str, table: Mapping[str, Any], problems: list[tuple[str, str]]) -> Line:
    facts = {"items": table.get("ItemCount"), "status": table.get("TableStatus")}
    words = "; ".join(words for words, _ in problems) or "as it should be"
    return Line(name, State.WAITS if problems else State.OK, words, [command for _, command in problems], facts)


def _backup_problems(client: "DynamoDBClient", name: str, commands: Commands) -> list[tuple[str, str]]:
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    status = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    if status == "ENABLED":
        return []
    options = ("--table-name", name, "--point-in-time-recovery-specification", "PointInTimeRecoveryEnabled=true")
    return [("no point-in-time recovery", _aws(commands, "update-continuous-backups", *options))]


def _aws(commands: Commands, operation: str, *options: str) -> str:
    return commands.aws("dynamodb", operation, *options)
