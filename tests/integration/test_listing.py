"""Lists of sessions and customers: the filters, page by page, and what they cost."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from ops.inspection.filters import Filters, filters_from
from ops.inspection.scans import Scan, read_token, scan_sessions, write_token
from ops.sessionctl.app import app
from processors.stream_projector import lambda_handler
from schemas.events import Client, Event
from schemas.items import Session
from schemas.keys import Key
from tests.conftest import NOW, Backend, at, login, logout
from tests.deployed_stack import NAME, deploy

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4"
SESSIONS: list[Event] = [
    login("s-1", "one", minute=1, client=Client(ip="203.0.113.7", country="XX"), source="okta"),
    login("s-2", "one", minute=2, client=Client(ip="203.0.113.99", country="xx", user_agent=IPHONE)),
    login("s-3", "two", minute=3, client=Client(ip="2001:db8::1", country="GB", device_id="kiosk-7")),
    login("out", "two", minute=4, client=Client(country="XX"), source="okta"),
    logout("out", "two", minute=5),
    login("short", "two", minute=6, expires_at=at(7)),
    login("tab", "two", minute=8, parent_session_id="out"),
    login("tab-2", "two", minute=9, parent_session_id="s-3", client=Client(ip="not an address")),
    logout("early", "two", minute=5),
]


@pytest.fixture
def stack(backend: Backend) -> Backend:
    deploy(backend)
    backend.sessions.apply(SESSIONS)
    lambda_handler({"Records": backend.stream_records()}, None)
    return backend


def found(backend: Backend, filters: Filters, **request: Any) -> set[str]:
    scan = Scan(backend.dynamodb, backend.sessions_table, **(filters.request(NOW) | request))
    sessions = scan_sessions(scan, backend.sessions, filters, at(20), lambda _: None)
    return {session.session_id for session in sessions}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["list", *arguments, "--stack-name", NAME])


@pytest.mark.parametrize(
    ("conditions", "is_live", "expected"),
    [
        ({}, False, {"s-1", "s-2", "s-3", "out", "short", "tab", "tab-2"}),
        ({}, True, {"s-1", "s-2", "s-3", "tab-2"}),
        ({"country": "XX"}, False, {"s-1", "s-2", "out"}),
        ({"country": "xx"}, True, {"s-1", "s-2"}),
        ({"address": "203.0.113.7"}, False, {"s-1"}),
        ({"address": "203.0.113.0/24"}, False, {"s-1", "s-2"}),
        ({"address": "2001:DB8:0::1"}, False, {"s-3"}),
        ({"address": "not an address"}, False, {"tab-2"}),
        ({"device": "iphone"}, False, {"s-2"}),
        ({"device": "KIOSK"}, False, {"s-3"}),
        ({"source": "okta", "country": "XX"}, True, {"s-1"}),
        ({"customer": "two"}, True, {"s-3", "tab-2"}),
    ],
)
def test_filters_find_what_they_say_and_nothing_without_a_login(
    stack: Backend, conditions: dict[str, str], is_live: bool, expected: set[str]
) -> None:
    assert found(stack, filters_from(conditions, is_live=is_live)) == expected


def test_since_counts_the_last_login(stack: Backend) -> None:
    assert found(stack, Filters(since=at(8))) == {"tab", "tab-2"}


@pytest.mark.parametrize(
    ("conditions", "problem"),
    [
        ({"colour": "red"}, "'colour' is not one of address, country, customer, device, source"),
        ({"country": ""}, "country has no value"),
        ({"address": "203.0.113.0/99"}, "'203.0.113.0/99' is not a network like"),
    ],
)
def test_a_condition_that_means_nothing_is_refused(conditions: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        filters_from(conditions, is_live=False)


TEXTS = st.sampled_from(["XX", "xx", "Xx", "okta", "203.0.113.7", "iphone", ""]) | st.text(max_size=5)


@given(
    country=TEXTS,
    asked=TEXTS.filter(bool),
)
def test_what_dynamodb_filters_itself_loses_no_spelling_in_upper_lower_or_title_case(country: str, asked: str) -> None:
    session = Session(session_id="s", customer_id="c", country=country, last_login_time=NOW)
    values = Filters(country=asked).request(NOW)["ExpressionAttributeValues"]
    spellings = {value["S"] for name, value in values.items() if name.startswith(":country")}

    if country in {asked, asked.upper(), asked.lower(), asked.title()}:
        assert country in spellings
    if country in spellings and country.casefold() == asked.casefold():
        assert Filters(country=asked).match(session, NOW)


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_of_any_size_show_each_session_once(stack: Backend, limit: int) -> None:
    listed: list[str] = []
    after: tuple[str, ...] = ()
    for _ in range(20):
        page = run("sessions", "--limit", str(limit), "--json", *after)
        document = json.loads(page.stdout)
        listed += [session["session_id"] for session in document["sessions"]]
        if document["after"] is None:
            break
        after = ("--after", document["after"])

    assert sorted(listed) == sorted({"s-1", "s-2", "s-3", "out", "short", "tab", "tab-2"})


@given(st.text(), st.none() | st.text())
def test_a_position_is_read_back_as_it_was_written(pk: str, sk: str | None) -> None:
    assert read_token(write_token(Key(pk, sk))) == Key(pk, sk)


@pytest.mark.parametrize("token", ["", "bogus", "WzFd", "WzEsMl0", "é"])
def test_a_position_that_no_list_has_printed_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="not a position that a list has printed"):
        read_token(token)


def test_a_list_says_what_it_read_and_how_to_go_on(stack: Backend) -> None:
    page, whole = run("sessions", "--limit", "1"), run("sessions", "--limit", "0", "-o", "csv")

    assert page.stderr.startswith("1 session; read ")
    assert "less than a cent.\nThere may be more: --after " in page.stderr
    assert "more" not in whole.stderr
    assert len(list(csv.DictReader(io.StringIO(whole.stdout)))) == 7


def test_a_child_in_a_list_is_over_with_its_parent(stack: Backend) -> None:
    rows = {row["session_id"]: row for row in csv.DictReader(io.StringIO(run("sessions", "-o", "csv").stdout))}

    assert (rows["tab"]["state"], rows["short"]["state"]) == ("over_with_parent", "expired")


def test_customers_are_listed_with_their_projection(stack: Backend) -> None:
    document = json.loads(run("customers", "--json").stdout)

    last = {customer["customer_id"]: customer["last_login_session_id"] for customer in document["customers"]}
    assert last == {"one": "s-2", "two": "tab-2"}


def test_customers_who_have_such_a_session_are_listed_once(stack: Backend) -> None:
    long_ago = ("--since", "2000-01-01T00:00:00Z")

    assert sorted(run("customers", "--country", "xx", "-o", "name").stdout.split()) == ["one", "two"]
    assert sorted(run("customers", *long_ago, "-o", "name").stdout.split()) == ["one", "two"]
    assert run("customers", "--since", "1h", "-o", "name").exit_code == 1


def test_where_nothing_is_found_the_exit_code_is_1(stack: Backend) -> None:
    result = run("sessions", "--country", "ZZ")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("0 sessions; read ")


def test_an_item_that_cannot_be_read_is_named_and_hides_no_other(stack: Backend) -> None:
    item = {"PK": {"S": "suuid#s-4"}, "SK": {"S": "c#one"}, "item_format": {"N": "99"}, "version": {"N": "1"}}
    stack.dynamodb.put_item(TableName=stack.sessions_table, Item=item)

    result = run("sessions", "-o", "name")

    assert result.exit_code == 1
    assert len(result.stdout.split()) == 7
    assert "unreadable: " in result.stderr
    assert "1 cannot be read" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--since", "yesterday"), "is neither a duration like"),
        (("--after", "bogus"), "not a position"),
        (("--address", "1.2.3.4/99"), "is not a network"),
        (("-o", "yaml"), "yaml"),
    ],
)
def test_an_option_that_means_nothing_is_refused(stack: Backend, arguments: tuple[str, str], problem: str) -> None:
    result = run("sessions", *arguments)

    assert result.exit_code == 2
    assert problem in result.stderr
