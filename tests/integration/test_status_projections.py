"""The status line of the projections: a deleted projection, and one that lags, are found. On moto."""

import contextlib
from datetime import timedelta

import pytest

from ops.status.lines import Commands, Line, State
from ops.status.projections import projections_line, some_customers, verifier_of
from ops.verification.verifying import Verifier
from processors.aws.errors import ReadError
from tests.conftest import Backend, login

pytestmark = pytest.mark.parametrize("backend", ["moto"], indirect=True)
COMMANDS = Commands(lambda *arguments: " ".join(("sessionctl", *arguments)))


def line_of(backend: Backend) -> Line:
    table = backend.dynamodb.describe_table(TableName=backend.sessions_table)["Table"]
    tables = (backend.sessions_table, backend.projections_table)
    customers = some_customers(backend.dynamodb, backend.streams, *tables, table["LatestStreamArn"])
    verifier = Verifier(backend.sessions, backend.projections, wait=timedelta(0))
    return projections_line(verifier, customers, COMMANDS)


def log_in(backend: Backend, *customers: str) -> None:
    for customer in customers:
        backend.sessions.create_session(login(f"s-{customer}", customer))


def test_projections_that_agree_are_well(backend: Backend) -> None:
    log_in(backend, "c-1", "c-2")
    for customer in ("c-1", "c-2"):
        backend.projections.rebuild(customer)

    line = line_of(backend)

    assert (line.state, line.facts["customers"], line.facts["wrong"]) == (State.OK, 2, 0)


def test_a_projection_that_was_deleted_waits_for_a_repair(backend: Backend) -> None:
    log_in(backend, "c-1", "c-2")
    backend.projections.rebuild("c-2")

    line = line_of(backend)

    assert line.state is State.WAITS
    assert line.words.startswith("1 wrong (missing) of 2 customers compared; changes of ")
    assert list(line.commands) == ["sessionctl verify", "sessionctl repair"]


def test_a_projection_of_nobody_in_the_register_is_compared_too(backend: Backend) -> None:
    log_in(backend, "c-1")
    backend.projections.rebuild("c-1")
    backend.dynamodb.delete_item(
        TableName=backend.sessions_table, Key={"PK": {"S": "suuid#s-c-1"}, "SK": {"S": "c#c-1"}}
    )

    line = line_of(backend)

    assert line.facts["customers"] == 1


@pytest.mark.parametrize("has_partiql", [False, True])
def test_tables_of_an_engine_without_partiql_are_compared_without_it(backend: Backend, has_partiql: bool) -> None:
    log_in(backend, "c-1", "c-2")
    requests: set[str] = set()
    backend.dynamodb.meta.events.register("before-call.dynamodb", lambda model, **_: requests.add(model.name))
    tables = (backend.sessions_table, backend.projections_table)

    verifier = verifier_of(backend.dynamodb, *tables, timedelta(0), batch_statements=has_partiql)
    with contextlib.suppress(ReadError):  # moto has no PartiQL worth the name
        verifier.verify_customers(["c-1", "c-2"])

    assert any("Statement" in name for name in requests) is has_partiql
