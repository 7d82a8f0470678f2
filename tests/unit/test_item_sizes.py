"""What items weigh, and so what they cost: DynamoDB bills writes by the kilobyte."""

from datetime import timedelta
from typing import Any

from ops.dynamodb_double.sizes import item_size, read_units, write_units
from processors.projections.facts import CustomerFacts, Image
from processors.projections.merge import merge
from processors.projections.state import Rules
from processors.register.sessions import Lifetimes, fold_facts
from schemas.item_mapping import write_item
from schemas.items import Session
from schemas.projection_items import write_projection
from tests.conftest import NOW, login, logout

UUID = "5f0c1b7e-8f7a-4c3e-9d55-0242ac120002"
CLIENT = {
    "ip": "2001:db8:85a3:8d3:1319:8a2e:370:7348",
    "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
    "Safari/537.36",
    "device_id": f"device-{UUID}",
    "country": "GB",
}


def session_of(*facts: Any) -> Session:
    blank = Session(session_id=UUID, customer_id=f"customer-{UUID}")
    session = fold_facts(None, facts, identity=blank, lifetimes=Lifetimes(), now=NOW).item
    assert session is not None
    return session


def typical_login(**fields: Any) -> Any:
    fields = {"client": CLIENT, "access_token": "x" * 900, "source": "auth.example.com", "event_id": UUID} | fields
    return login(UUID, f"customer-{UUID}", **fields)


def test_a_session_of_usual_length_costs_one_unit_for_the_table_and_one_for_the_index() -> None:
    item = write_item(session_of(typical_login(), logout(UUID, f"customer-{UUID}", event_id=UUID)))

    assert item_size({**item, "version": {"N": "2"}}) < 1024
    assert write_units(None, item) == 1


def test_so_does_one_with_the_longest_user_agent() -> None:
    item = write_item(session_of(typical_login(client=CLIENT | {"user_agent": "u" * 1000})))

    assert item_size({**item, "version": {"N": "1"}}) < 1024


def test_a_projection_of_ten_sessions_costs_one_unit() -> None:
    images = [
        Image(
            Session(
                session_id=f"{UUID[:-2]}{number:02}",
                customer_id=f"customer-{UUID}",
                started_at=NOW,
                last_login_time=NOW,
                expires_at=NOW + timedelta(hours=12),
            ),
            NOW.timestamp(),
        )
        for number in range(10)
    ]

    merged = merge(
        None, CustomerFacts(images=images), customer_id=f"customer-{UUID}", reread={}, now=NOW, rules=Rules()
    )

    assert item_size({**write_projection(merged.projection), "version": {"N": "10"}}) <= 1024


def test_sizes_are_rounded_up_as_the_service_does() -> None:
    kilobyte = {"a": {"S": "x" * 1023}}

    assert item_size(kilobyte) == 1024
    assert write_units(kilobyte, {}) == 1
    assert write_units({}, kilobyte | {"b": {"N": "1"}}) == 2
    assert read_units(0, consistent=True) == 1
    assert read_units(4097, consistent=False) == 1
    assert item_size({"n": {"N": "-12.50"}, "m": {"M": {"k": {"L": [{"S": "é"}]}}}}) == (1 + 4) + (
        1 + 3 + 2 + 3 + 1 + 2
    )
