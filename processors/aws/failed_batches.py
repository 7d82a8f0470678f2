"""Set aside what would hold others up: stream records that nobody here can read, and events that nobody would take.

Records have the form of Lambda's own on-failure objects, so one tool replays both. Source: AWS Lambda Developer Guide,
"Retain discarded records for a DynamoDB event source": an S3 destination gets the invocation record with the function's
event as JSON text in `payload`, named `aws/lambda/<mapping>/<shard>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<id>`. A function
knows neither its mapping nor its shard, so its own name and `set-aside` stand in their places.
"""

import json
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from processors.aws.errors import error_code
from schemas.times import format_rfc3339

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

CONDITION = "RecordUnreadable"
"""Why a record was set aside; Lambda's own conditions are others, like `RetryAttemptsExhausted`."""


class FailedBatches:
    """The bucket of failed stream batches.

    Args:
        client: An S3 client.
        bucket: The bucket's name.
        context: The Lambda context; it names the function and the request.
        clock: Returns the time of the object, aware UTC.

    Attributes:
        kept: How many records and lines were set aside so far.
    """

    def __init__(self, client: "S3Client", bucket: str, *, context: object, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._bucket = bucket
        self._context = context
        self._clock = clock
        self.kept = 0

    def put(self, records: Sequence[Any]) -> bool:
        """Set stream records aside, each with a sequence number, in one object.

        Repeating it with the same records on one day overwrites the object.

        Returns:
            Whether they are kept; a failure is logged.
        """
        now = self._clock()
        payload = json.dumps({"Records": list(records)}, default=str)
        name = _hash(payload)
        function = getattr(self._context, "function_name", "stream-projector")
        first = min(_created_at(record) for record in records)
        at = datetime.fromtimestamp(first, now.tzinfo)
        key = f"aws/lambda/{function}/set-aside/{at:%Y/%m/%d}/{at:%Y-%m-%dT%H.%M.%S}-{name}"
        return self._put(key, json.dumps(self._describe(records, payload, now)), len(records))

    def put_lines(self, prefix: str, lines: Sequence[str]) -> bool:
        """Set lines of JSON aside, in one object under a prefix, by the day.

        Repeating it with the same lines on one day overwrites the object.

        Args:
            prefix: `bus` or `archive`, for life-cycle events that one of them refused; `agenda` for malformed entries.
            lines: At least one, without line ends.

        Returns:
            Whether they are kept; a failure is logged.
        """
        text = "".join(line + "\n" for line in lines)
        return self._put(f"{prefix}/{self._clock():%Y/%m/%d}/{_hash(text)}.json", text, len(lines))

    def _put(self, key: str, text: str, count: int) -> bool:
        facts = {"bucket": self._bucket, "key": key, "records": count}
        try:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=text.encode())
        except (ClientError, BotoCoreError) as error:
            logger.warning("records could not be set aside", extra=facts | {"error_code": error_code(error)})
            return False
        self.kept += count
        logger.error("records set aside", extra=facts)
        return True

    def _describe(self, records: Sequence[Any], payload: str, now: datetime) -> dict[str, Any]:
        numbers = [str(record["dynamodb"]["SequenceNumber"]) for record in records]
        arrivals = [datetime.fromtimestamp(_created_at(record), now.tzinfo) for record in records]
        return {
            "requestContext": {
                "requestId": getattr(self._context, "aws_request_id", ""),
                "functionArn": getattr(self._context, "invoked_function_arn", ""),
                "condition": CONDITION,
                "approximateInvokeCount": 1,
            },
            "responseContext": {"statusCode": 200, "executedVersion": getattr(self._context, "function_version", "")},
            "version": "1.0",
            "timestamp": format_rfc3339(now),
            "DDBStreamBatchInfo": {
                "shardId": "",
                "startSequenceNumber": min(numbers, key=int),
                "endSequenceNumber": max(numbers, key=int),
                "approximateArrivalOfFirstRecord": f"{min(arrivals):%Y-%m-%dT%H:%M:%SZ}",
                "approximateArrivalOfLastRecord": f"{max(arrivals):%Y-%m-%dT%H:%M:%SZ}",
                "batchSize": len(records),
                "streamArn": str(records[0].get("eventSourceARN", "")),
            },
            "payload": payload,
        }


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


def _created_at(record: Any) -> int:
    """Read a record's creation in whole epoch seconds; 0 where it names none that is possible."""
    try:
        created_at = int(float(record["dynamodb"]["ApproximateCreationDateTime"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return 0
    return created_at if 0 <= created_at <= 253_402_300_799 else 0
