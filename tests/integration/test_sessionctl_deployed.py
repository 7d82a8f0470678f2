"""The command line on a deployed stack: CloudFormation's outputs say where everything is. On moto."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from ops.sessionctl.app import app
from providers.envelopes import read_body
from tests.conftest import Backend, login
from tests.deployed_stack import NAME, deploy

STACK = ("--stack-name", NAME)


@pytest.fixture
def deployed(backend: Backend) -> Backend:
    """The backend's tables and queue, and a stack whose outputs name them."""
    deploy(backend)
    return backend


def answer(*arguments: str) -> Any:
    return json.loads(CliRunner().invoke(app, [*arguments, *STACK, "--json"]).stdout)


def test_a_session_is_read_from_the_tables_that_the_outputs_name(deployed: Backend) -> None:
    deployed.sessions.create_session(login("s-1", "customer-1"))

    session = answer("get", "session", "s-1", "--customer", "customer-1")
    customer = answer("get", "customer", "customer-1", "--all")

    assert session["session_id"] == "s-1"
    assert [found["session_id"] for found in customer["sessions"]] == ["s-1"]


def test_an_event_is_sent_to_the_queue_that_the_outputs_name(deployed: Backend) -> None:
    document = answer("publish", "logout", "--customer", "c", "--session", "s", "--via", "sqs")

    [body] = deployed.messages(deployed.events_queue)
    assert document["stack"] == "stack prod"
    assert read_body(json.dumps(body), sent_at=None).event_id == document["event"]["event_id"]  # type: ignore[union-attr] # a logout


def test_an_event_is_put_on_the_bus_that_the_outputs_name(deployed: Backend) -> None:
    result = CliRunner().invoke(app, ["publish", "logout", "--customer", "c", "--session", "s", *STACK])

    assert result.exit_code == 0, result.stderr
    assert result.stderr.endswith(" to stack prod over EventBridge.\n")


def test_the_audit_compares_the_tables_that_the_outputs_name(deployed: Backend) -> None:
    deployed.sessions.create_session(login("s-1", "customer-1"))

    result = CliRunner().invoke(app, ["audit", "--wait", "0s", *STACK])

    assert result.exit_code == 1
    assert "customer-1" in result.stdout
