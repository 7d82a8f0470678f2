"""AWS's list prices, in one place: on demand, us-east-1, first tier, without any free tier; and where each stands.

Looked up on 2026-11-28; each says what it was compared with. Nothing else in this project names a price.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

REGION = "us-east-1"
AS_OF = "2026-11-28"

_ON_DEMAND = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
_PROVISIONED = "https://aws.amazon.com/dynamodb/pricing/provisioned/"
_LAMBDA = "https://aws.amazon.com/lambda/pricing/"
_CLOUDWATCH = "https://aws.amazon.com/cloudwatch/pricing/"
_KMS = "https://aws.amazon.com/kms/pricing/"


class Evidence(StrEnum):
    """What a price was compared with: AWS's pages fill in their numbers by script, so that copies of them show none."""

    PRICE_LIST = "AWS's price list, as others copied it in 2026"
    QUOTED = "AWS's page, as others quote it"
    NONE = "not verified"


@dataclass(frozen=True, slots=True)
class Price:
    """What AWS charges.

    Attributes:
        dollars: For one unit.
        unit: The unit.
        source: AWS's page.
        evidence: What it was compared with.
    """

    dollars: float
    unit: str
    source: str
    evidence: Evidence = Evidence.PRICE_LIST


WRITE_UNITS = Price(0.625, "million write units", _ON_DEMAND)
READ_UNITS = Price(0.125, "million read units", _ON_DEMAND)
WRITE_CAPACITY = Price(0.00065, "write units for an hour", _PROVISIONED)
READ_CAPACITY = Price(0.00013, "read units for an hour", _PROVISIONED)
WARM_WRITE_UNITS = Price(0.00065, "write units a second made warm, once", _ON_DEMAND, Evidence.NONE)
"""AWS's announcement takes the price from that of provisioned units; that an hour of them is meant is our reading."""
WARM_READ_UNITS = Price(0.00013, "read units a second made warm, once", _ON_DEMAND, Evidence.NONE)
TABLE_STORAGE = Price(0.25, "GB kept for a month, indexes too", _ON_DEMAND)
POINT_IN_TIME_RECOVERY = Price(0.20, "GB of tables kept for a month", _ON_DEMAND)
STREAM_READS = Price(0.0, "reads of a table's stream by Lambda", _ON_DEMAND, Evidence.QUOTED)
QUEUE_REQUESTS = Price(0.40, "million requests, of up to 64 KB each", "https://aws.amazon.com/sqs/pricing/")
BUS_EVENTS = Price(1.00, "million events, of up to 64 KB each", "https://aws.amazon.com/eventbridge/pricing/")
LAMBDA_TIME = Price(0.0000133334, "GB-seconds on arm64", _LAMBDA)
LAMBDA_REQUESTS = Price(0.20, "million invocations", _LAMBDA)
ARCHIVE_BYTES = Price(
    0.029,
    "GB into Firehose, each record a multiple of 5 KB",
    "https://aws.amazon.com/firehose/pricing/",
    Evidence.QUOTED,
)
OBJECT_STORAGE = Price(0.023, "GB kept for a month in S3", "https://aws.amazon.com/s3/pricing/")
LOGS = Price(0.50, "GB of logs", _CLOUDWATCH)
METRICS = Price(0.30, "metrics a month", _CLOUDWATCH)
ALARMS = Price(0.10, "alarms a month", _CLOUDWATCH)
DASHBOARDS = Price(3.00, "dashboards a month", _CLOUDWATCH, Evidence.QUOTED)
KEYS = Price(1.00, "keys a month", _KMS, Evidence.QUOTED)
KEY_REQUESTS = Price(3.00, "million requests to KMS", _KMS, Evidence.QUOTED)

ALL = {name: value for name, value in list(globals().items()) if isinstance(value, Price)}
"""Every price, by name."""
