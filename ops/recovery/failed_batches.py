"""The failed-batches bucket: what is in it, and what each object is.

Lambda and the handlers keep stream records under `aws/lambda/`, each object an invocation record with the function's
event in `payload`. Life-cycle events that bus or archive refused stand under `bus/` and `archive/`, malformed entries
of the agenda under `agenda/`, each a line of JSON. Source: `processors.aws.failed_batches`; AWS Lambda Developer Guide,
"Retain discarded records for a DynamoDB event source".
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from ops.recovery.grouping import UNKNOWN
from processors.aws.parallel import chunks, run_all

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_HEAD_BYTES = 4096
"""What Lambda writes before the payload is shorter, by far."""

_REQUESTS_AT_A_TIME = 8
_MOST_COUNTED = 100_000


class Kind(StrEnum):
    """What an object of the bucket holds."""

    RECORDS = "records"
    BUS = "bus"
    ARCHIVE = "archive"
    AGENDA = "agenda"
    OTHER = "other"


_REASONS = {
    Kind.BUS: "life-cycle events that the bus refused",
    Kind.ARCHIVE: "life-cycle events that the archive refused",
    Kind.AGENDA: "entries of the expiry agenda that cannot be read",
    Kind.OTHER: "an object that none of our functions wrote",
}
_CONDITIONS = {
    "RetryAttemptsExhausted": "the function failed every attempt",
    "EventAgeExceeded": "the records were too old",
    "RecordUnreadable": "records that this release cannot read",
}
"""Conditions of Lambda's, and our own, in words."""


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """An object of the bucket.

    Attributes:
        key: Its key.
        kind: What it holds.
        size: Bytes.
        stored_at: Aware UTC.
        etag: Changes with the content.
        function: Name of the function that failed; empty for what is not records.
        condition: Why it is there, as Lambda says; empty for what is not records.
    """

    key: str
    kind: Kind
    size: int
    stored_at: datetime
    etag: str
    function: str = ""
    condition: str = ""

    @property
    def reason(self) -> str:
        """Why it is there, in words."""
        if self.kind is Kind.RECORDS:
            return _CONDITIONS.get(self.condition, self.condition or "a batch without a reason")
        return _REASONS[self.kind]

    @property
    def source(self) -> str:
        """Whose it is."""
        return self.function or ("session publisher" if self.kind is not Kind.OTHER else UNKNOWN)

    def facts(self) -> dict[str, str]:
        """Name what a filter may ask for."""
        return {"key": self.key, "kind": self.kind.value, "function": self.function, "reason": self.condition}


@dataclass(frozen=True, slots=True)
class Listing:
    """The objects of the bucket.

    Attributes:
        batches: Those that were looked at, the oldest first.
        total: How many there are.
        is_total_exact: Whether all were counted.
    """

    batches: list[StoredBatch]
    total: int
    is_total_exact: bool


def list_batches(
    s3: "S3Client",
    bucket: str,
    *,
    most: int = 1000,
    with_reasons: bool = True,
    on_read: Callable[[int], None] = lambda count: None,
) -> Listing:
    """List the objects, the oldest first of those that are looked at.

    Args:
        s3: A boto3 S3 client.
        bucket: The failed-batches bucket.
        most: How many objects to look at; all are counted, up to 100,000.
        with_reasons: Also read the beginning of each object, a request each.
        on_read: Called with how many have been looked at.

    Raises:
        ClientError: S3 refused.
        BotoCoreError: It could not be reached.
    """
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    objects = list(islice((each for page in pages for each in page.get("Contents", ())), _MOST_COUNTED))
    oldest = sorted(objects, key=lambda each: each["LastModified"])[:most]
    batches = [
        StoredBatch(each["Key"], kind_of(each["Key"]), each["Size"], each["LastModified"], each["ETag"])
        for each in oldest
    ]
    if with_reasons:
        described: list[StoredBatch] = []
        for part in chunks(batches, _REQUESTS_AT_A_TIME):
            described += run_all(partial(_described, s3, bucket), part, concurrency=_REQUESTS_AT_A_TIME)
            on_read(len(described))
        batches = described
    return Listing(batches, len(objects), len(objects) < _MOST_COUNTED)


def read_text(s3: "S3Client", bucket: str, key: str) -> str:
    """Read a whole object."""
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()


class UnreadableBatchError(Exception):
    """An object is not what its key says; the message says what is wrong."""


def records_of(text: str) -> list[dict[str, Any]]:
    """Read the stream records of an invocation record.

    Raises:
        UnreadableBatchError: It is not one.
    """
    try:
        content = json.loads(text)
        payload = content["payload"]
        records = (json.loads(payload) if isinstance(payload, str) else payload)["Records"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnreadableBatchError(f"not an invocation record with a payload ({type(error).__name__})") from None
    if not isinstance(records, list):
        raise UnreadableBatchError("its payload has no list of records")
    return records


def lines_of(text: str) -> list[Any]:
    """Read lines of JSON.

    Raises:
        UnreadableBatchError: One is not valid JSON.
    """
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        raise UnreadableBatchError("a line is not valid JSON") from None


def record_in_words(record: Mapping[str, Any]) -> dict[str, str]:
    """Name what a stream record is about, without its images."""
    change = _mapping(_mapping(record).get("dynamodb"))
    keys = _mapping(change.get("Keys"))
    return {
        "event": str(_mapping(record).get("eventName", "")),
        "sequence_number": str(change.get("SequenceNumber", "")),
        "PK": str(_mapping(keys.get("PK")).get("S", "")),
        "SK": str(_mapping(keys.get("SK")).get("S", "")),
    }


def _described(s3: "S3Client", bucket: str, batch: StoredBatch) -> StoredBatch:
    """Read function and condition from the beginning of an invocation record."""
    if batch.kind is not Kind.RECORDS or not batch.size:
        return batch
    head = s3.get_object(Bucket=bucket, Key=batch.key, Range=f"bytes=0-{_HEAD_BYTES - 1}")["Body"].read()
    text = head.decode(errors="replace")
    arn = _member(text, "functionArn")
    # arn:aws:lambda:<region>:<account>:function:<name>[:<version>]
    function = arn.split(":")[6] if arn.count(":") >= 6 else arn
    return StoredBatch(
        batch.key, batch.kind, batch.size, batch.stored_at, batch.etag, function, _member(text, "condition")
    )


def _member(text: str, name: str) -> str:
    found = re.search(rf'"{name}"\s*:\s*"([^"]*)"', text)
    return found[1] if found else ""


def kind_of(key: str) -> Kind:
    """Say what an object holds, by its key."""
    if key.startswith("aws/lambda/"):
        return Kind.RECORDS
    prefix = key.partition("/")[0]
    return Kind(prefix) if prefix in (Kind.BUS, Kind.ARCHIVE, Kind.AGENDA) else Kind.OTHER


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
