"""AWS's list prices, in one place: on demand, us-east-1, first tier, without any free tier; and where each stands.

Looked up on 2026-11-28. Nothing else in this project names a price.
"""

from __future__ import annotations

from dataclasses import dataclass

REGION = "us-east-1"
AS_OF = "2026-11-28"

_DYNAMODB = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
_LAMBDA = "https://aws.amazon.com/lambda/pricing/"
_CLOUDWATCH = "https://aws.amazon.com/cloudwatch/pricing/"


@dataclass(frozen=True, slots=True)
class Price:
    """What AWS charges.

    Attributes:
        dollars: For one unit.
        unit: The unit.
        source: AWS's page.
    """

    dollars: float
    unit: str
    source: str


WRITE_UNITS = Price(0.625, "million write units", _DYNAMODB)
READ_UNITS = Price(0.125, "million read units", _DYNAMODB)
TABLE_STORAGE = Price(0.25, "GB kept for a month, indexes too", _DYNAMODB)
POINT_IN_TIME_RECOVERY = Price(0.20, "GB of tables kept for a month", _DYNAMODB)
STREAM_READS = Price(0.0, "reads of a table's stream by Lambda", _DYNAMODB)
QUEUE_REQUESTS = Price(0.40, "million requests, of up to 64 KB each", "https://aws.amazon.com/sqs/pricing/")
BUS_EVENTS = Price(1.00, "million events, of up to 64 KB each", "https://aws.amazon.com/eventbridge/pricing/")
LAMBDA_TIME = Price(0.0000133334, "GB-seconds on arm64", _LAMBDA)
LAMBDA_REQUESTS = Price(0.20, "million invocations", _LAMBDA)
ARCHIVE_BYTES = Price(
    0.029, "GB into Firehose, each record a multiple of 5 KB", "https://aws.amazon.com/firehose/pricing/"
)
OBJECT_STORAGE = Price(0.023, "GB kept for a month in S3", "https://aws.amazon.com/s3/pricing/")
LOGS = Price(0.50, "GB of logs", _CLOUDWATCH)
METRICS = Price(0.30, "metrics a month", _CLOUDWATCH)
ALARMS = Price(0.10, "alarms a month", _CLOUDWATCH)
DASHBOARDS = Price(3.00, "dashboards a month", _CLOUDWATCH)

ALL = {name: value for name, value in list(globals().items()) if isinstance(value, Price)}
"""Every price, by name."""
