"""What the service says it charges: DynamoDB Local reports it for single writes (and not for batches of statements)."""

from collections import Counter
from typing import Any

import pytest

from processors.session_table import SessionTable
from processors.stream_projector import lambda_handler as project
from tests.conftest import NOW, Backend, create_tables, login, logout
from tests.unit.test_item_sizes import typical_login

pytestmark = [
    pytest.mark.engine,
    pytest.mark.parametrize("backend", ["local-items"], indirect=True),
]


class Bill:
    """Write units by table, indexes included, of what a client has asked for since the last look."""

    def __init__(self, client: Any) -> None:
        self._units: Counter[str] = Counter()
        for operation in ("PutItem", "UpdateItem"):
            client.meta.events.register(f"provide-client-params.dynamodb.{operation}", self._ask)
            client.meta.events.register(f"after-call.dynamodb.{operation}", self._add)

    def _ask(self, params: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**params, "ReturnConsumedCapacity": "TOTAL"}

    def _add(self, parsed: dict[str, Any], **_: Any) -> None:
        consumed = parsed["ConsumedCapacity"]
        self._units[consumed["TableName"]] += consumed["CapacityUnits"]

    def take(self, table_name: str) -> float:
        return self._units.pop(table_name, 0)


@pytest.mark.parametrize(("index_projection", "units"), [("ALL", [2, 2, 2]), ("KEYS_ONLY", [2, 1, 1])])
def test_each_write_is_charged_the_item_and_what_it_changes_in_the_index_and_repetitions_none(
    backend: Backend, index_projection: str, units: list[int]
) -> None:
    """What docs/decisions.md, 19, weighs: the keys never change, so only the first write reaches an index of them."""
    bill = Bill(backend.dynamodb)
    table_name = f"{backend.sessions_table}-{index_projection}"
    create_tables(backend.dynamodb, table_name, f"{table_name}-projections", index_projection=index_projection)
    sessions = SessionTable(backend.dynamodb, table_name, batch_statements=False, clock=lambda: NOW)
    history = [
        typical_login(),
        typical_login(minute=5, event_id="again"),
        logout(typical_login().session_id, typical_login().customer_id),
    ]

    first = [sessions.apply([event]) and bill.take(table_name) for event in history]
    second = [sessions.apply([event]) and bill.take(table_name) for event in history]

    assert first == units
    assert second == [0, 0, 0]


def test_what_the_stream_tells_of_a_customer_is_charged_one_unit(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    bill = Bill(backend.dynamodb)
    monkeypatch.setattr(
        "processors.runtime.wiring.client", {"dynamodb": backend.dynamodb, "sqs": backend.sqs}.__getitem__
    )
    backend.sessions.apply([login(f"s{number}") for number in range(10)])
    records = {"Records": backend.stream_records()}

    answers = [project(records, None), project(records, None)]

    assert answers == [{"batchItemFailures": []}] * 2
    assert bill.take(backend.projections_table) == 1
