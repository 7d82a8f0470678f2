"""The stack's alarms in CloudWatch, where it has any."""

import re
from collections.abc import Mapping
from typing import Any

from ops.status.lines import Commands, Line, State, several
from processors.aws.parallel import chunks

_RUNBOOK = re.compile(r"\s*Runbook:.*$", re.DOTALL)
_LOOKED_AT_HERE = (
    "DeadLetterAlarm",
    "RejectedEventsAlarm",
    "FailedBatchesAlarm",
    "FailedBatchesWaitingAlarm",
    "SetAsideAlarm",
    "ExpiryLagAlarm",
    "HealthAlarm",
)
"""Alarms whose cause has a line of its own, read right now; they themselves ring on for minutes, or for a day."""


def alarms_line(cloudwatch: Any, resources: Mapping[str, str], types: Mapping[str, str], commands: Commands) -> Line:
    """Name the alarms that ring.

    Args:
        cloudwatch: A boto3 CloudWatch client.
        resources: Physical ids by logical id.
        types: Types of resources by logical id.
        commands: Writes the next commands.

    Raises:
        ClientError: CloudWatch refused.
        BotoCoreError: It could not be reached.
    """
    kinds = {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"}
    names = {physical: logical for logical, physical in resources.items() if types.get(logical) in kinds}
    ringing: dict[str, str] = {}
    for part in chunks(sorted(names), 100):
        found = cloudwatch.describe_alarms(AlarmNames=list(part), AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        for alarm in (*found.get("MetricAlarms", ()), *found.get("CompositeAlarms", ())):
            if alarm["StateValue"] == "ALARM":
                ringing[names[alarm["AlarmName"]]] = _RUNBOOK.sub("", alarm.get("AlarmDescription", ""))
    if not ringing:
        return Line("alarms", State.OK, f"none of {several(len(names), 'alarm')} rings")
    own = {name: words for name, words in ringing.items() if not name.endswith(_LOOKED_AT_HERE)}
    words = "; ".join(f"{name}: {text}" for name, text in sorted((own or ringing).items()))
    facts = {"ringing": sorted(ringing)}
    if not own:
        return Line("alarms", State.NOTE, f"ringing, and looked at above: {', '.join(sorted(ringing))}", facts=facts)
    return Line(
        "alarms", State.WAITS, words, [commands.aws("cloudwatch", "describe-alarms", "--state-value", "ALARM")], facts
    )
