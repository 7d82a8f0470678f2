"""What the write loop sends: counted and read at the client, against no engine."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from processors.aws.deadline import Deadline
from processors.aws.item_store import Decision, ItemStore
from processors.aws.transports import TableFormat, uses_batch_statements
from processors.session_table import SessionTable
from schemas.keys import Key
from schemas.outcomes import Outcome
from tests.conftest import NOW, login, logout

FORMAT = TableFormat({"goes": "S"}, version_at=lambda _: 1)
KEYS = [Key(f"suuid#{number:03}", "c#1") for number in range(130)]


@pytest.mark.parametrize(("variable", "uses_statements"), [(None, True), ("true", True), ("False", False)])
def test_a_table_made_of_client_and_name_writes_as_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, uses_statements: bool
) -> None:
    monkeypatch.delenv("DYNAMODB_BATCH_STATEMENTS", raising=False)
    if variable is not None:
        monkeypatch.setenv("DYNAMODB_BATCH_STATEMENTS", variable)

    assert uses_batch_statements() is uses_statements


class RecordingClient:
    """Keeps every request, and answers that all went well: to the items given, and to nothing else stored.

    Attributes:
        refused: Error codes by partition key: what the next statements of that item are answered.
        unprocessed: How often the read of a partition key is left for later.
    """

    def __init__(self, items: dict[Key, Any] | None = None) -> None:
        self.items = items or {}
        self.requests: list[tuple[str, Any]] = []
        self.pages: list[Any] = []
        self.refused: dict[str, list[str]] = {}
        self.unprocessed: dict[str, int] = {}

    def batch_get_item(self, **request: Any) -> Any:
        self.requests.append(("BatchGetItem", request))
        [(table_name, wanted)] = request["RequestItems"].items()
        keys = [Key(key["PK"]["S"], key["SK"]["S"]) for key in wanted["Keys"]]
        later = [key for key in keys if self.unprocessed.get(key.pk, 0) > 0]
        for key in later:
            self.unprocessed[key.pk] -= 1
        left = [{"PK": {"S": key.pk}, "SK": {"S": key.sk}} for key in later]
        found = [self.items[key] for key in keys if key in self.items and key not in later]
        return {"Responses": {table_name: found}, "UnprocessedKeys": {table_name: {"Keys": left}} if left else {}}

    def get_paginator(self, operation: str) -> Any:
        """Answer the query for the list of erased customers: it is empty."""
        assert operation == "query"
        return SimpleNamespace(paginate=lambda **_: [{"Items": []}])

    def batch_execute_statement(self, **request: Any) -> Any:
        self.requests.append(("BatchExecuteStatement", request["Statements"]))
        return {"Responses": [self._answer(statement) for statement in request["Statements"]]}

    def _answer(self, statement: Any) -> Any:
        codes = next((codes for pk, codes in self.refused.items() if {"S": pk} in statement["Parameters"]), [])
        return {"Error": {"Code": codes.pop(0)}} if codes else {}

    def written(self) -> list[list[str]]:
        """The partition keys of each request of statements."""
        return [
            [next(p["S"] for p in statement["Parameters"] if p.get("S", "").startswith("suuid#")) for statement in part]
            for name, part in self.requests
            if name == "BatchExecuteStatement"
        ]

    def execute_statement(self, **request: Any) -> Any:
        self.requests.append(("ExecuteStatement", request))
        return self.pages.pop(0)


def item(key: Key, **attributes: str) -> dict[str, Any]:
    return {name: {"S": text} for name, text in {"PK": key.pk, "SK": key.sk, **attributes}.items()}


def test_a_batch_is_read_a_hundred_a_request_and_written_twenty_five_a_request() -> None:
    client: Any = RecordingClient()
    store = ItemStore(client, "sessions", FORMAT, concurrency=4)

    settled = store.converge(KEYS, lambda stored: {key: Decision(item(key), "new") for key in stored})

    assert set(settled) == set(KEYS)
    assert [name for name, _ in client.requests] == ["BatchGetItem"] * 2 + ["BatchExecuteStatement"] * 6


def test_statements_of_one_shape_are_one_text_and_hold_no_value() -> None:
    client: Any = RecordingClient()

    ItemStore(client, "sessions", FORMAT).converge(
        KEYS, lambda stored: {key: Decision(item(key, a="secret"), 0) for key in stored}
    )

    statements = [s for name, part in client.requests if name == "BatchExecuteStatement" for s in part]
    [text] = {statement["Statement"] for statement in statements}
    assert "secret" not in text
    assert {"S": "secret"} in statements[0]["Parameters"]


def test_an_update_sends_only_what_changed() -> None:
    key = KEYS[0]
    stored = item(key, stays="x", changes="old", goes="y") | {"version": {"N": "7"}}
    client: Any = RecordingClient({key: stored})

    ItemStore(client, "sessions", FORMAT).converge(
        [key], lambda _: {key: Decision(item(key, stays="x", changes="new"), 0)}
    )

    [_, (_, [statement])] = client.requests
    assert statement["Statement"] == (
        'UPDATE "sessions" SET "changes" = ? SET "version" = ? REMOVE "goes" '
        'WHERE "PK" = ? AND "SK" = ? AND "version" = ?'
    )
    assert statement["Parameters"] == [{"S": "new"}, {"N": "8"}, {"S": key.pk}, {"S": key.sk}, {"N": "7"}]


def test_what_is_known_already_is_not_written() -> None:
    client: Any = RecordingClient()

    settled = ItemStore(client, "sessions", FORMAT).converge(
        KEYS, lambda stored: dict.fromkeys(stored, Decision(None, "duplicate"))
    )

    assert set(settled.values()) == {"duplicate"}
    assert {name for name, _ in client.requests} == {"BatchGetItem"}


def test_nothing_is_decided_where_nothing_could_be_read() -> None:
    client: Any = RecordingClient()
    client.unprocessed = {KEYS[0].pk: 1000}
    decided: list[Any] = []

    def decide(stored: Any) -> Any:
        decided.append(stored)
        return {}

    settled = ItemStore(client, "sessions", FORMAT, sleep=lambda _: None).converge([KEYS[0]], decide)

    assert settled == {}
    assert decided == []


def test_children_are_read_fifty_parents_a_request_and_page_by_page() -> None:
    child = item(Key("suuid#p1", "child#suuid#k1"), customer_id="c", last_login_time="2026-03-01T12:00:00.000Z")
    client: Any = RecordingClient()
    client.pages = [{"Items": [], "NextToken": "more"}, {"Items": [child]}, {"Items": []}]
    table = SessionTable(client, "sessions", batch_statements=True, clock=lambda: NOW)

    found = table.reader.find_children([f"p{number}" for number in range(60)], most=200)

    assert {parent: [kid.session_id for kid in kids or ()] for parent, kids in found.items()} == {"p1": ["k1"]}
    requests = [request for _, request in client.requests]
    assert [len(request["Parameters"]) for request in requests] == [51, 51, 11]
    assert [request.get("NextToken") for request in requests] == [None, "more", None]
    assert all(request["ConsistentRead"] for request in requests)


def new_items(stored: Any) -> Any:
    return {key: Decision(item(key), "new") for key in stored}


@pytest.mark.parametrize(
    "code", ["ThrottlingError", "ProvisionedThroughputExceeded", "InternalServerError", "ConditionalCheckFailed"]
)
def test_a_statement_that_is_throttled_or_lost_its_race_is_decided_and_sent_again_alone(code: str) -> None:
    client: Any = RecordingClient()
    client.refused = {"suuid#007": [code, code]}

    settled = ItemStore(client, "sessions", FORMAT, sleep=lambda _: None).converge(KEYS[:20], new_items)

    assert set(settled) == set(KEYS[:20])
    assert client.written()[1:] == [["suuid#007"], ["suuid#007"]]


def test_a_statement_refused_for_good_is_not_sent_again_and_harms_no_other() -> None:
    client: Any = RecordingClient()
    client.refused = {"suuid#007": ["ValidationError"]}

    settled = ItemStore(client, "sessions", FORMAT, sleep=lambda _: None).converge(KEYS[:20], new_items)

    assert set(KEYS[:20]) - set(settled) == {KEYS[7]}
    assert len(client.written()) == 1


def test_keys_left_unprocessed_are_asked_for_again_and_only_those() -> None:
    client: Any = RecordingClient()
    client.unprocessed = {"suuid#007": 2, "suuid#008": 1}

    settled = ItemStore(client, "sessions", FORMAT, sleep=lambda _: None).converge(KEYS[:20], new_items)

    assert set(settled) == set(KEYS[:20])
    reads = [request["RequestItems"]["sessions"]["Keys"] for name, request in client.requests if name == "BatchGetItem"]
    assert [len(keys) for keys in reads] == [20, 2, 1]


def test_a_key_that_stays_unprocessed_is_missing_and_the_others_of_its_request_are_settled() -> None:
    client: Any = RecordingClient()
    client.unprocessed = {"suuid#007": 1_000}

    settled = ItemStore(client, "sessions", FORMAT, sleep=lambda _: None).converge(KEYS[:20], new_items)

    assert set(KEYS[:20]) - set(settled) == {KEYS[7]}


def test_each_further_round_may_wait_longer_and_after_the_last_the_key_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client: Any = RecordingClient()
    client.refused = {"suuid#000": ["ThrottlingError"] * 1_000}
    waits: list[float] = []
    monkeypatch.setattr("processors.aws.item_store.random.uniform", lambda low, high: high)

    settled = ItemStore(client, "sessions", FORMAT, rounds=6, sleep=waits.append).converge(KEYS[:2], new_items)

    assert set(settled) == {KEYS[1]}
    assert waits == sorted(waits)
    assert len(set(waits)) == len(waits) == 5
    assert max(waits) <= 0.5


@pytest.mark.parametrize(("looks", "sent"), [(0, []), (1, []), (2, ["BatchGetItem"])])
def test_no_request_is_begun_once_the_time_is_up(looks: int, sent: list[str]) -> None:
    client: Any = RecordingClient()
    left = iter([1.0] * looks)

    settled = ItemStore(client, "sessions", FORMAT).converge(
        KEYS[:20], new_items, deadline=Deadline(lambda: next(left, 0.0))
    )

    assert settled == {}
    assert [name for name, _ in client.requests] == sent


class SearchingClient(RecordingClient):
    """Answers every SELECT with nothing, once as many are under way as are expected to overlap."""

    def __init__(self, together: int) -> None:
        super().__init__()
        self._gate = threading.Barrier(together, timeout=10)

    def execute_statement(self, **request: Any) -> Any:
        self.requests.append(("ExecuteStatement", request))
        self._gate.wait()
        return {"Items": []}


@pytest.mark.parametrize("customer_id", ["customer-1", None])
def test_sessions_that_logouts_may_mean_are_searched_fifty_a_request_and_at_once(customer_id: str | None) -> None:
    client: Any = SearchingClient(together=4)
    table = SessionTable(client, "sessions", clock=lambda: NOW, concurrency=4)

    outcomes = table.apply([logout(f"s{number}", customer_id) for number in range(200)])

    assert set(outcomes) == {Outcome.APPLIED if customer_id else Outcome.RETRY}
    selects = [len(request["Parameters"]) for name, request in client.requests if name == "ExecuteStatement"]
    assert selects == [50] * (4 if customer_id else 8)  # without customer the partitions first, then the index


def test_what_needs_no_search_is_written_before_the_first_search() -> None:
    client: Any = SearchingClient(together=1)
    table = SessionTable(client, "sessions", clock=lambda: NOW)

    outcomes = table.apply([logout("unknown"), logout("unknown-too", None), login("s1")])

    assert outcomes == [Outcome.APPLIED, Outcome.RETRY, Outcome.APPLIED]
    names = [name for name, _ in client.requests]
    assert names.index("BatchExecuteStatement") < names.index("ExecuteStatement")


@pytest.mark.parametrize("customer_id", ["customer-1", None])
def test_no_search_is_begun_once_the_time_is_up(customer_id: str | None) -> None:
    client: Any = SearchingClient(together=1)
    left = iter([1.0] * 2)
    table = SessionTable(client, "sessions", clock=lambda: NOW)

    outcomes = table.apply(
        [logout(f"s{number}", customer_id) for number in range(1_200)], deadline=Deadline(lambda: next(left, 0.0))
    )

    assert set(outcomes) == {Outcome.RETRY}
    assert [name for name, _ in client.requests].count("ExecuteStatement") <= 2 * 8  # two steps, of six
