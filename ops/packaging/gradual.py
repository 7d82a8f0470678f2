"""The template with an alias for each function, to which AWS CodeDeploy moves a new release step by step.

Why it is not a parameter of template.yaml: AWS SAM takes neither a condition nor an empty name for `AutoPublishAlias`
(https://github.com/aws/serverless-application-model/issues/1154), so that an alias there would be one for everybody.
"""

from __future__ import annotations

from typing import Any

from ops.packaging.package import BuildError

ALIAS = "live"
"""What queues, streams and rules invoke, instead of the newest code."""

SHIFTS = (
    *(f"Canary10Percent{minutes}Minutes" for minutes in (5, 10, 15, 30)),
    *(f"Linear10PercentEvery{pause}" for pause in ("1Minute", "2Minutes", "3Minutes", "10Minutes")),
)
"""How traffic may move. Source: AWS CodeDeploy User Guide, predefined deployment configurations for Lambda."""

ROLLED_BACK_BY = {
    "SqsConsumerFunction": ("SqsConsumerErrorsAlarm", "SqsConsumerTimeoutsAlarm", "RejectedEventsAlarm"),
    "EventBridgeConsumerFunction": (
        *("EventBridgeConsumerErrorsAlarm", "EventBridgeConsumerTimeoutsAlarm", "DirectRejectedEventsAlarm"),
    ),
    "StreamProjectorFunction": (
        *("StreamProjectorErrorsAlarm", "StreamProjectorTimeoutsAlarm", "ProjectorSetAsideAlarm", "ProjectorLagAlarm"),
    ),
    "SessionPublisherFunction": (
        *("SessionPublisherErrorsAlarm", "SessionPublisherTimeoutsAlarm"),
        *("PublisherSetAsideAlarm", "SessionPublisherLagAlarm"),
    ),
    "ExpirySweeperFunction": (
        *("ExpirySweeperErrorsAlarm", "ExpirySweeperTimeoutsAlarm", "SweeperSetAsideAlarm", "ExpiryLagAlarm"),
    ),
}
"""The alarms that stop a function's deployment; CodeDeploy takes ten at most."""


def make_gradual(template: dict[str, Any], *, shift: str, deployment: str) -> None:
    """Change a SAM template, in place, so that a deployment of it moves traffic step by step.

    Args:
        template: The SAM template, intrinsic functions in their long form.
        shift: How traffic moves, one of `SHIFTS`.
        deployment: Names this deployment, and no other: it stands in the functions' descriptions. SAM publishes a
            version where a function's properties differ *as written*: a changed value of a parameter alone it misses.

    Raises:
        BuildError: There is no such shift, or a function has no alarms that would stop it.
    """
    if shift not in SHIFTS:
        raise BuildError(f"there is no shift {shift}; there are {', '.join(SHIFTS)}")
    for name, resource in template["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        if name not in ROLLED_BACK_BY:
            raise BuildError(f"no alarm would stop a deployment of {name}: name some in ops/packaging/gradual.py")
        properties = resource["Properties"]
        properties["Description"] = f"{properties['Description']} Deployment {deployment}."
        properties["AutoPublishAlias"] = ALIAS
        properties["AutoPublishAliasAllProperties"] = True
        properties["DeploymentPreference"] = {
            "Type": shift,
            "Alarms": [{"Ref": alarm} for alarm in ROLLED_BACK_BY[name]],
            # A function that a parameter leaves out has no deployments either.
            "PassthroughCondition": True,
        }
