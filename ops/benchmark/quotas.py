"""AWS's default quotas that this design meets, each with the page that names it; looked up on 2026-11-28.

They are of one account and region, us-east-1 unless another is named, and most can be raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota.

    Attributes:
        value: In the unit its name says.
        source: AWS's page.
        adjustable: Whether AWS raises it on request.
    """

    value: float
    source: str
    adjustable: bool = True


_EVENTBRIDGE = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html"
_FIREHOSE = "https://docs.aws.amazon.com/firehose/latest/dev/limits.html"
_DYNAMODB = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html"
_ON_DEMAND = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html"
_PARTITION = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html"
_QUEUE = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"
_LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"

PUT_EVENTS_PER_SECOND = Quota(10_000, _EVENTBRIDGE)
"""Requests, of up to ten events."""

PUT_EVENTS_PER_SECOND_BY_REGION: Mapping[str, int] = {
    "us-east-1, us-west-2, eu-west-1": 10_000,
    "us-east-2, eu-central-1": 2_400,
    "us-west-1, ap-northeast-1, ap-southeast-1, ap-southeast-2, eu-west-2": 1_200,
    "most other regions": 600,
}

BUS_DELIVERIES_PER_SECOND = Quota(18_750, _EVENTBRIDGE)
"""Of events to targets of rules; more of them are delayed, not lost. 4,500 to 750 in other regions."""

FIREHOSE_BYTES_PER_SECOND = Quota(5 * 1024 * 1024, _FIREHOSE)
"""Direct PUT, in us-east-1, us-west-2 and eu-west-1; 1 MiB elsewhere."""

TABLE_WRITE_UNITS_PER_SECOND = Quota(40_000, _DYNAMODB)
"""Of an on-demand table, its indexes included."""
NEW_TABLE_WRITE_UNITS_PER_SECOND = Quota(4_000, _ON_DEMAND)
"""What a new on-demand table takes; then twice its last peak within half an hour."""
NEW_TABLE_READ_UNITS_PER_SECOND = Quota(12_000, _ON_DEMAND)
PARTITION_WRITE_UNITS_PER_SECOND = Quota(1_000, _PARTITION, adjustable=False)
PARTITION_READ_UNITS_PER_SECOND = Quota(3_000, _PARTITION, adjustable=False)
IN_FLIGHT_MESSAGES = Quota(120_000, _QUEUE)
CONCURRENT_INVOCATIONS = Quota(1_000, _LAMBDA)
