"""What the write loop sends: counted and read at the client, against no engine."""

from typing import Any

from processors.item_store import ItemStore
from processors.session_table import SessionTable
from schemas.keys import Key
from tests.conftest import NOW

KEYS = [Key(f"suuid#{number:03}", "c#1") for number in range(130)]


class RecordingClient:
    """Keeps every request, and answers that all went well: to the items given, and to nothing else stored."""

    def __init__(self, items: dict[Key, Any] | None = None) -> None:
        self.items = items or {}
        self.requests: list[tuple[str, Any]] = []
        self.pages: list[Any] = []

    def batch_get_item(self, **request: Any) -> Any:
        self.requests.append(("BatchGetItem", request))
        [(table_name, wanted)] = request["RequestItems"].items()
        keys = [Key(key["PK"]["S"], key["SK"]["S"]) for key in wanted["Keys"]]
        return {"Responses": {table_name: [self.items[key] for key in keys if key in self.items]}}

    def batch_execute_statement(self, **request: Any) -> Any:
        self.requests.append(("BatchExecuteStatement", request["Statements"]))
        return {"Responses": [{} for _ in request["Statements"]]}

    def execute_statement(self, **request: Any) -> Any:
        self.requests.append(("ExecuteStatement", request))
        return self.pages.pop(0)


def item(key: Key, **attributes: str) -> dict[str, Any]:
    return {name: {"S": text} for name, text in {"PK": key.pk, "SK": key.sk, **attributes}.items()}


def test_a_batch_is_read_a_hundred_a_request_and_written_twenty_five_a_request() -> None:
    client: Any = RecordingClient()
    store = ItemStore(client, "sessions", concurrency=4)

    settled = store.converge(KEYS, lambda stored: {key: (item(key), "new") for key in stored})

    assert set(settled) == set(KEYS)
    assert [name for name, _ in client.requests] == ["BatchGetItem"] * 2 + ["BatchExecuteStatement"] * 6


def test_statements_of_one_shape_are_one_text_and_hold_no_value() -> None:
    client: Any = RecordingClient()

    ItemStore(client, "sessions").converge(KEYS, lambda stored: {key: (item(key, a="secret"), 0) for key in stored})

    statements = [s for name, part in client.requests if name == "BatchExecuteStatement" for s in part]
    [text] = {statement["Statement"] for statement in statements}
    assert "secret" not in text
    assert {"S": "secret"} in statements[0]["Parameters"]


def test_an_update_sends_only_what_changed() -> None:
    key = KEYS[0]
    stored = item(key, stays="x", changes="old", goes="y") | {"version": {"N": "7"}}
    client: Any = RecordingClient({key: stored})

    ItemStore(client, "sessions").converge([key], lambda _: {key: (item(key, stays="x", changes="new"), 0)})

    [_, (_, [statement])] = client.requests
    assert statement["Statement"] == (
        'UPDATE "sessions" SET "changes" = ? SET "version" = ? REMOVE "goes" '
        'WHERE "PK" = ? AND "SK" = ? AND "version" = ?'
    )
    assert statement["Parameters"] == [{"S": "new"}, {"N": "8"}, {"S": key.pk}, {"S": key.sk}, {"N": "7"}]


def test_what_is_known_already_is_not_written() -> None:
    client: Any = RecordingClient()

    settled = ItemStore(client, "sessions").converge(KEYS, lambda stored: dict.fromkeys(stored, (None, "duplicate")))

    assert set(settled.values()) == {"duplicate"}
    assert {name for name, _ in client.requests} == {"BatchGetItem"}


def test_children_are_read_fifty_parents_a_request_and_page_by_page() -> None:
    child = item(Key("suuid#p1", "child#suuid#k1"), customer_id="c", last_login_time="2026-03-01T12:00:00.000Z")
    client: Any = RecordingClient()
    client.pages = [{"Items": [], "NextToken": "more"}, {"Items": [child]}, {"Items": []}]
    table = SessionTable(client, "sessions", batch_statements=True, clock=lambda: NOW)

    found = table.find_children([f"p{number}" for number in range(60)])

    assert {parent: [kid.session_id for kid in kids] for parent, kids in found.items()} == {"p1": ["k1"]}
    requests = [request for _, request in client.requests]
    assert [len(request["Parameters"]) for request in requests] == [51, 51, 11]
    assert [request.get("NextToken") for request in requests] == [None, "more", None]
    assert all(request["ConsistentRead"] for request in requests)
