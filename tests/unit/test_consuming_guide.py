"""What docs/consuming.md shows is what the stack publishes and what its reader understands."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.items import CLOSING, Session
from schemas.life_cycle import DETAIL_TYPES, ENDED, SOURCE, detail_of, over_as_of

GUIDE = (Path(__file__).parents[2] / "docs" / "consuming.md").read_text(encoding="utf-8")


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


def test_the_rules_of_the_guide_name_what_exists() -> None:
    patterns: list[dict[str, Any]] = [json.loads(block) for block in blocks("json pattern")]

    assert len(patterns) == 3
    for pattern in patterns:
        assert pattern["source"] == [SOURCE]
        assert set(pattern.get("detail-type", ())) <= set(DETAIL_TYPES.values())
