"""Sessions and customers as people see them: families, ends and what surprises, found by any id."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ops.inspection.customers import CustomerView, find_sessions, view_customer
from ops.inspection.session_states import State, explain, over_at, state_of
from ops.sessionctl.app import app
from ops.sessionctl.options import Form
from ops.sessionctl.shown import show_customer
from processors.stream_projector import lambda_handler
from schemas.items import Session
from tests.conftest import Backend, at, login, logout
from tests.deployed_stack import deploy
from tests.deployed_stack import on_moto_alone as pytest_generate_tests  # noqa: F401 # pytest calls it

CUSTOMER = "customer-1"
NOW = at(60)


def project(backend: Backend) -> None:
    lambda_handler({"Records": backend.stream_records()}, None)


def view(backend: Backend, customer_id: str = CUSTOMER, *, every: bool = False) -> CustomerView:
    return view_customer(backend.sessions, backend.projections, customer_id, every=every, now=NOW)


def ids(sessions: list[Session]) -> list[str]:
    return [session.session_id for session in sessions]


def test_each_session_is_followed_by_its_children_the_oldest_first(backend: Backend) -> None:
    backend.sessions.apply(
        [
            login("a", minute=5),
            login("b", minute=1),
            login("tab-2", minute=9, parent_session_id="b"),
            login("tab-1", minute=8, parent_session_id="b"),
            login("theirs", "customer-2", minute=8, parent_session_id="b"),
        ]
    )
    project(backend)

    assert ids(view(backend).sessions) == ["b", "tab-1", "tab-2", "a"]


def test_what_is_over_is_counted_and_shown_when_asked_for(backend: Backend) -> None:
    backend.sessions.apply(
        [
            login("live"),
            login("out"),
            logout("out", reason="security"),
            login("short", expires_at=at(20)),
            login("tab", parent_session_id="out"),
        ]
    )
    project(backend)

    live, every = view(backend), view(backend, every=True)

    assert (ids(live.sessions), live.left_out) == (["live"], 2)
    assert (set(ids(every.sessions)), every.left_out) == ({"live", "out", "short", "tab"}, 0)
    states = {session.session_id: (state_of(session, NOW), over_at(session, NOW)) for session in every.sessions}
    assert states == {
        "live": (State.LIVE, None),
        "out": (State.ENDED, at(30)),
        "short": (State.EXPIRED, at(20)),
        "tab": (State.OVER_WITH_PARENT, at(30)),
    }


def test_a_child_that_logged_in_last_is_listed_though_its_parent_is_not(backend: Backend) -> None:
    backend.sessions.apply([login("tab", parent_session_id="never-came")])
    project(backend)

    shown = view(backend)

    assert ids(shown.sessions) == ["tab"]
    assert "Its parent never-came has not arrived" in explain(shown.sessions[0], NOW)[0]


def test_a_session_id_that_is_used_again_after_its_logout_is_explained(
    backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    backend.sessions.apply([login("s1", minute=0), logout("s1", minute=10), login("s1", minute=20)])
    project(backend)

    shown = view(backend)
    show_customer(shown, Form.TABLE, NOW, every=False)

    printed = capsys.readouterr().out
    assert shown.sessions == []
    assert "s1: ended 50 min ago (user)" in printed
    assert (
        "s1 ended at 2026-03-01T12:10:00.000Z (user), and a login came for it at 2026-03-01T12:20:00.000Z." in printed
    )
    assert "The next login needs a new session id." in printed


def test_a_late_login_before_the_logout_is_nothing_to_explain(backend: Backend) -> None:
    backend.sessions.apply([logout("s1", minute=10), login("s1", minute=0)])
    project(backend)

    assert view(backend).surprising == []


def test_a_session_is_found_by_its_id_alone_child_or_not(backend: Backend) -> None:
    backend.sessions.apply(
        [
            login("shared", "customer-1"),
            login("shared", "customer-2"),
            login("parent"),
            login("tab", parent_session_id="parent"),
            logout("early"),
        ]
    )

    assert len(find_sessions(backend.sessions, "shared")) == 2
    assert [found.customer_id for found in find_sessions(backend.sessions, "shared", "customer-2")] == ["customer-2"]
    [child] = find_sessions(backend.sessions, "tab")
    assert (child.parent_session_id, child.parent is not None) == ("parent", True)
    [tombstone] = find_sessions(backend.sessions, "early")
    assert state_of(tombstone, NOW) is State.NO_LOGIN
    assert "Only the logout of early has arrived." in explain(tombstone, NOW)[0]
    assert find_sessions(backend.sessions, "nope") == []


def test_a_logout_that_named_a_child_without_its_parent_is_not_a_second_session(backend: Backend) -> None:
    backend.sessions.apply([logout("tab", minute=5)])
    backend.sessions.apply([login("tab", parent_session_id="parent")])

    assert [found.parent_session_id for found in find_sessions(backend.sessions, "tab")] == ["parent"]


@pytest.fixture
def stack(backend: Backend) -> Backend:
    deploy(backend)
    return backend


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--stack-name", "prod"])


def answer(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


def test_get_session_says_whose_it_is_where_several_customers_have_it(stack: Backend) -> None:
    stack.sessions.apply([login("shared", "customer-1"), login("shared", "customer-2")])

    several = run("get", "session", "shared")
    one = answer("get", "session", "shared", "--customer", "customer-2")

    assert several.exit_code == 2
    assert "choose one with --customer; customers: customer-1, customer-2" in several.stderr
    assert one["customer_id"] == "customer-2"


def test_get_session_shows_a_child_without_being_told_that_it_is_one(stack: Backend) -> None:
    stack.sessions.apply([login("parent"), login("tab", parent_session_id="parent")])

    child, parent = run("get", "session", "tab"), run("get", "session", "parent")

    assert (child.exit_code, parent.exit_code) == (0, 0)
    assert "Its parent" in child.stdout
    assert "└ tab" in parent.stdout


def test_get_customer_answers_in_every_form(stack: Backend) -> None:
    stack.sessions.apply([login("a", minute=1), login("tab", minute=2, parent_session_id="a"), login("b", minute=3)])
    project(stack)
    every = ("get", "customer", CUSTOMER, "--all")

    document = answer(*every)

    assert run(*every, "-o", "name").stdout == "a\ntab\nb\n"
    assert run(*every, "-o", "csv").stdout.splitlines()[0].startswith("session_id,customer_id,state,device,")
    assert "Last login event" in run(*every, "-o", "wide").stdout
    assert [(top["session_id"], ids_of(top["children"])) for top in document["sessions"]] == [("a", ["tab"]), ("b", [])]
    assert run(*every, "--json", "-o", "csv").exit_code == 2


def ids_of(documents: list[dict[str, Any]]) -> list[str]:
    return [document["session_id"] for document in documents]
