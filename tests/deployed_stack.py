"""The tables and queues of a test as a deployed stack, which the command line finds by its name. On moto."""

import json

import boto3
import pytest

from tests.conftest import Backend

NAME = "prod"


def deploy(backend: Backend) -> None:
    """Make a CloudFormation stack whose outputs name the backend's tables and queues, and its event bus."""
    boto3.client("events").create_event_bus(Name="auth")
    outputs = {
        "EventBusName": "auth",
        "SessionEventsQueueUrl": backend.events_queue,
        "SessionCommandsQueueUrl": backend.commands_queue,
        "RejectedEventsQueueUrl": backend.rejected_queue,
        "SessionsTableName": backend.sessions_table,
        "ProjectionsTableName": backend.projections_table,
    }
    template = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(StackName=NAME, TemplateBody=json.dumps(template))


def on_moto_alone(metafunc: pytest.Metafunc) -> None:
    """Leave the real engine out: a module that imports it as `pytest_generate_tests` tests what no engine decides."""
    if "backend" in metafunc.fixturenames:
        metafunc.definition.add_marker(pytest.mark.parametrize("backend", ["moto"], indirect=True))
