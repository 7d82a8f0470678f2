"""What the projector asks of DynamoDB, over tables in memory that page a SELECT as the service does."""

import itertools
import json
from collections import Counter
from typing import Any

import pytest

from processors import stream_projector
from schemas.item_mapping import write_item
from schemas.items import CLOSING, Session
from schemas.projection_items import Projection, write_projection
from tests.conftest import NOW, at
from tests.in_memory_clients import InMemoryDynamoDb, InMemorySqs, use_in_memory_clients


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> InMemoryDynamoDb:
    made = InMemoryDynamoDb()
    use_in_memory_clients(monkeypatch, made, InMemorySqs())
    monkeypatch.setenv("DYNAMODB_BATCH_STATEMENTS", "true")
    monkeypatch.setattr("processors.runtime.wiring.CONCURRENCY", 1)
    return made


def record(value: Session, number: int) -> dict[str, Any]:
    return {
        "eventName": "INSERT",
        "dynamodb": {
            "SequenceNumber": str(10**21 + number),
            "ApproximateCreationDateTime": NOW.timestamp() + 60,
            "NewImage": stored(value),
        },
    }


def stored(value: Session) -> dict[str, Any]:
    return write_item(value) | {"version": {"N": "1"}}


def project(dynamodb: InMemoryDynamoDb, values: list[Session], context: object = None) -> Counter[str]:
    """Project writes of sessions that are in the table; give the requests made."""
    dynamodb.table("sessions").load([stored(value) for value in values])
    before = len(dynamodb.requests)
    records = [record(value, number) for number, value in enumerate(values)]
    answer = stream_projector.lambda_handler({"Records": records}, context)
    assert answer == {"batchItemFailures": []}
    return Counter(request.operation for request in dynamodb.requests[before:])


def session(name: str, customer_id: str, **fields: Any) -> Session:
    times: dict[str, Any] = {"started_at": NOW, "last_login_time": NOW, "expires_at": at(600)}
    return Session(session_id=name, customer_id=customer_id, **times | fields)


def test_logins_of_new_customers_cost_at_most_0_15_requests_an_event_more(dynamodb: InMemoryDynamoDb) -> None:
    known = [Projection(customer_id=f"known{number}", end_watermark=1) for number in range(100)]
    dynamodb.table("projections").load([write_projection(each) | {"version": {"N": "1"}} for each in known])

    assert project(dynamodb, []) == {"Query": 1}  # the list of erased customers, once a minute
    of_known = project(dynamodb, [session(f"k{number}", f"known{number}") for number in range(100)])
    of_new = project(dynamodb, [session(f"n{number}", f"new{number}") for number in range(100)])

    assert of_known == {"BatchGetItem": 1, "BatchExecuteStatement": 4}
    assert of_new.total() - of_known.total() <= 0.15 * 100


def test_logouts_that_came_before_their_login_cost_at_most_0_2_requests_each(dynamodb: InMemoryDynamoDb) -> None:
    tombstones = [
        Session(session_id=f"t{number}", customer_id=f"c{number}", session_state=CLOSING, ended_at=NOW)
        for number in range(200)
    ]

    requests = project(dynamodb, tombstones)

    assert requests.total() <= 0.2 * 200


def test_a_large_family_is_read_page_by_page_beside_small_ones(
    dynamodb: InMemoryDynamoDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processors.policies.cascade.LARGEST_FAMILY_A_STEP", 20)
    sqs = InMemorySqs()
    use_in_memory_clients(monkeypatch, dynamodb, sqs)
    monkeypatch.setenv("DYNAMODB_BATCH_STATEMENTS", "true")
    parents = [session(f"p{number}", "c", session_state=CLOSING, ended_at=NOW) for number in range(5)]
    sizes = {"p0": 2, "p1": 20, "p2": 21, "p3": 4000}
    children = [
        session(f"{parent}-{number}", "c", parent_session_id=parent)
        for parent, size in sizes.items()
        for number in range(size)
    ]
    dynamodb.table("sessions").load([stored(child) for child in children])

    project(dynamodb, parents)

    commands = Counter(json.loads(body)["parent_session_id"] for body in sqs.bodies["events"])
    assert commands == sizes


class _Context:
    """A Lambda context whose time runs out after so many looks at it."""

    def __init__(self, looks: int) -> None:
        self._looks = looks

    def get_remaining_time_in_millis(self) -> int:
        self._looks -= 1
        return 30_000 if self._looks > 0 else 0


def test_a_large_family_ends_in_steps_that_each_make_progress(
    dynamodb: InMemoryDynamoDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processors.policies.cascade.LARGEST_FAMILY_A_STEP", 20)
    sqs = InMemorySqs()
    use_in_memory_clients(monkeypatch, dynamodb, sqs)
    parent = session("p", "c", session_state=CLOSING, ended_at=NOW)
    children = {f"kid{number:05}" for number in range(6000)}
    dynamodb.table("sessions").load([stored(parent)])
    dynamodb.table("sessions").load([stored(session(name, "c", parent_session_id="p")) for name in sorted(children)])
    records = {"Records": [record(parent, 1)]}
    left: list[int] = []

    for _ in range(30):
        answer = stream_projector.lambda_handler(records, _Context(300))
        ended = {json.loads(body)["session_id"] for body in sqs.bodies.pop("events", [])}
        children -= ended
        over = [
            session(name, "c", parent_session_id="p", session_state=CLOSING, ended_at=NOW, end_reason="parent")
            for name in ended
        ]
        dynamodb.table("sessions").load([stored(child) for child in over])
        left.append(len(children))
        if not answer["batchItemFailures"]:
            break

    assert left[-1] == 0
    assert len(left) > 1
    assert all(fewer < more for more, fewer in itertools.pairwise(left))


def test_many_large_families_beside_small_ones_are_read_in_a_bounded_number_of_requests(
    dynamodb: InMemoryDynamoDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqs = InMemorySqs()
    use_in_memory_clients(monkeypatch, dynamodb, sqs)
    monkeypatch.setenv("DYNAMODB_BATCH_STATEMENTS", "true")
    parents = [session(f"p{number:02}", "c", session_state=CLOSING, ended_at=NOW) for number in range(50)]
    sizes = {parent.session_id: 49 if number < 25 else 300 for number, parent in enumerate(parents)}
    children = [
        session(f"{parent}-{number}", "c", parent_session_id=parent)
        for parent, size in sizes.items()
        for number in range(size)
    ]
    dynamodb.table("sessions").load([stored(child) for child in children])

    requests = project(dynamodb, parents)

    assert Counter(json.loads(body)["parent_session_id"] for body in sqs.bodies["events"]) == sizes
    # 20 pages and one more of the SELECT, a Query a family, a further one for each large one
    assert requests["ExecuteStatement"] <= 21 + 10  # and the sessions of a new customer
    assert requests["Query"] <= 50 + 25 + 1  # and the list of erased customers


def test_a_parent_in_a_state_that_is_unknown_here_takes_its_children_along(
    dynamodb: InMemoryDynamoDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqs = InMemorySqs()
    use_in_memory_clients(monkeypatch, dynamodb, sqs)
    dynamodb.table("sessions").load([stored(session("kid", "c", parent_session_id="p"))])

    project(dynamodb, [session("p", "c", session_state="suspended", ended_at=NOW)])

    assert [json.loads(body)["session_id"] for body in sqs.bodies["events"]] == ["kid"]
