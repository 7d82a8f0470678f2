"""What docs/consuming.md shows is what the stack publishes and what its reader understands."""

import itertools
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from moto.events.models import EventPattern
from typer.testing import CliRunner

from ops.following.subscription import ACTIONS, pattern_of
from ops.sessionctl.app import app
from ops.sessionctl.tail_lines import Lines
from schemas.items import CLOSING, Session
from schemas.life_cycle import (
    DETAIL_TYPES,
    ENDED,
    EXPIRED,
    SOURCE,
    STARTED,
    Over,
    detail_of,
    expired_detail,
    over_as_of,
)
from schemas.times import format_rfc3339

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "consuming.md").read_text(encoding="utf-8")
EXAMPLE = DOCS / "examples" / "evict_cache"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def at(hour: int) -> datetime:
    return datetime(2026, 11, 27, hour, tzinfo=UTC)


def test_the_event_of_the_guide_is_the_one_that_is_published_for_its_session() -> None:
    [shown] = map(json.loads, blocks("json detail"))
    session = Session(
        session_id="session-a1",
        customer_id="customer-1001",
        session_state=CLOSING,
        started_at=at(8),
        last_login_time=at(9),
        expires_at=at(20),
        ended_at=at(10),
        end_reason="user",
        client_ip="192.0.2.10",
        user_agent="Mozilla/5.0",
        device_id="phone-1",
        country="GB",
        source="example-idp",
        version=1795600000003,
    )

    published = detail_of(ENDED, session, occurred_at=at(10), over=over_as_of(session, at(11)))

    assert shown == published


def test_the_readers_code_of_the_guide_runs(capsys: pytest.CaptureFixture[str]) -> None:
    [code] = blocks("python sample")
    [shown] = map(json.loads, blocks("json detail"))

    exec(compile(code, "docs/consuming.md", "exec"), {"details": [shown, shown]})  # noqa: S102 # the guide's own code

    assert capsys.readouterr().out == "session-a1 customer-1001 2026-11-27T10:00:00.000Z user\n"


def event(customer_id: str = "customer-2", *, parent: str | None = None, reason: str | None = None) -> Any:
    """An event as the bus has it: ended where there is a reason, expired of `expired`, else started."""
    session = Session(
        session_id="s",
        customer_id=customer_id,
        parent_session_id=parent,
        started_at=at(8),
        last_login_time=at(8),
        expires_at=at(20),
        version=1,
    )
    if reason == EXPIRED:
        detail = expired_detail(session)
    elif reason is None:
        detail = detail_of(STARTED, session, occurred_at=at(8), over=Over())
    else:
        ended = replace(session, session_state=CLOSING, ended_at=at(10), end_reason=reason)
        detail = detail_of(ENDED, ended, occurred_at=at(10), over=over_as_of(ended, at(11)))
    return {"source": SOURCE, "detail-type": DETAIL_TYPES[detail["kind"]], "detail": detail}


EVENTS: dict[str, Any] = {
    "started": event(),
    "user": event(reason="user"),
    "security": event(reason="security"),
    "revoked": event(reason="revoked"),
    "limit": event(reason="limit"),
    "parent": event(reason="parent", parent="p"),
    "expired": event(reason=EXPIRED),
    "one customer": event("customer-1001"),
    "a tenant's": event("keycloak:realm-1:u-1"),
    "a child": event(parent="p"),
    "of another source": event() | {"source": "somebody-else"},
}
ENDS = {"user", "security", "revoked", "limit", "parent"}
TAKEN = (
    {"security"},
    {"one customer"},
    {*ENDS, "expired"},
    {"revoked", "limit", "parent"},
    {"a tenant's"},
    {*EVENTS} - {"parent", "a child", "of another source"},
)


@pytest.mark.parametrize(("number", "taken"), list(enumerate(TAKEN)))
def test_a_rule_of_the_guide_takes_what_it_says_and_nothing_else(number: int, taken: set[str]) -> None:
    patterns = blocks("json pattern")
    pattern = EventPattern.load(patterns[number])

    assert {name for name, event in EVENTS.items() if pattern.matches_event(event)} == taken
    assert len(patterns) == len(TAKEN)


def test_the_pattern_of_tail_takes_what_was_chosen() -> None:
    pattern = EventPattern.load(json.dumps(pattern_of(customer_id="customer-2", kinds=["ended", "expired"])))

    assert {name for name, event in EVENTS.items() if pattern.matches_event(event)} == {*ENDS, "expired"}


def test_who_is_online_is_counted_as_the_guide_says() -> None:
    [code] = blocks("python online")
    guide: dict[str, Any] = {}
    exec(compile(code, "docs/consuming.md", "exec"), guide)  # noqa: S102 # the guide's own code
    live = Session(session_id="live", customer_id="c", started_at=at(8), expires_at=at(20), version=1)
    ended = replace(live, session_id="ended", session_state=CLOSING, ended_at=at(10), end_reason="user", version=2)
    details = [
        detail_of(STARTED, live, occurred_at=at(8), over=Over()),
        detail_of(STARTED, replace(live, session_id="ended"), occurred_at=at(8), over=Over()),
        detail_of(ENDED, ended, occurred_at=at(10), over=over_as_of(ended, at(11))),
        detail_of(STARTED, replace(live, session_id="other", customer_id="d"), occurred_at=at(8), over=Over()),
        detail_of(STARTED, replace(live, session_id="child", parent_session_id="live"), occurred_at=at(8), over=Over()),
    ]

    def counts(hour: int, customer_id: str | None = None) -> int:
        return len(guide["online"](details, format_rfc3339(at(hour)), customer_id))

    assert [counts(hour) for hour in (7, 8, 9, 10, 19, 20)] == [0, 3, 3, 2, 2, 0]
    assert [counts(hour, "c") for hour in (9, 10, 20)] == [2, 1, 0]


@pytest.mark.parametrize(("kind", "file"), [("python excerpt", "evict_cache.py"), ("yaml excerpt", "template.yaml")])
def test_what_the_guide_shows_of_the_sample_consumer_is_in_it(kind: str, file: str) -> None:
    [shown] = blocks(kind)

    assert shown in (EXAMPLE / file).read_text(encoding="utf-8")


def test_the_commands_of_the_guide_exist_with_their_options() -> None:
    commands = [line.split(" | ")[0].split() for block in blocks("bash") for line in block.splitlines()]
    ours = [command[1:] for command in commands if command[0] == "sessionctl"]

    for command in ours:
        name = list(itertools.takewhile(lambda word: not word.startswith("-"), command))
        shown = CliRunner().invoke(app, [*name, "--help"], env={"COLUMNS": "200"}).stdout
        help_text = re.sub(r"\x1b\[[0-9;]*m", "", shown)
        for option in (word for word in command if word.startswith("--")):
            assert option in help_text, (command, option)
    assert {command[0] for command in ours} == {"tail", "rebuild"}


def test_tail_prints_lines_like_those_of_the_guide() -> None:
    [shown] = [block for block in blocks("text") if "customer-1001" in block]
    detail = event("customer-1001", reason="security")["detail"]

    line = Lines().line_of(detail, now=at(10))

    assert line == "2026-11-27  10:00:00  ended      s  customer-1001  security  over 0 s ago"
    assert re.search(r"ended +\S+ +customer-1001  security  over 0 s ago", shown)


def test_the_permissions_of_the_guide_are_those_that_tail_needs() -> None:
    lists = re.findall(r"`(events|sqs):(\w+`(?:\s+`\w+`)*)", GUIDE)
    actions = {f"{service}:{action}" for service, names in lists for action in re.findall(r"\w+", names)}

    assert actions == set(ACTIONS)
