"""`sessionctl env`: what points other programs at a stack."""

import shlex

import typer

from ops.local_aws.environment import aws_settings
from ops.sessionctl.running_stack import RunningStack, find_running
from ops.sessionctl.stack_options import Name


def env(name: Name = None) -> None:
    """Print the variables that point boto3, the AWS CLI and SAM at the local stack, and name its tables.

    Example:
      eval "$(sessionctl env)"
    """
    for variable, value in variables_of(find_running(name)).items():
        typer.echo(f"export {variable}={shlex.quote(value)}")


def variables_of(running: RunningStack) -> dict[str, str]:
    """Variables for programs that use a running stack."""
    return {
        **aws_settings(region=running.region, endpoint=running.endpoint),
        "SESSIONS_TABLE": running.outputs["SessionsTableName"],
        "PROJECTIONS_TABLE": running.outputs["ProjectionsTableName"],
    }
