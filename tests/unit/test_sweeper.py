"""How much the sweeper holds in memory at a time."""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from processors.aws.batch_sending import Failures
from processors.life_cycle.agenda import pack, write_agenda_item
from processors.life_cycle.sweeper import ExpirySweeper
from processors.register.reader import Items
from schemas.items import Session
from schemas.keys import Key
from schemas.times import from_epoch_seconds

MOST_SESSIONS = 2_000


class OnePageAgenda:
    """An agenda whose items stand on one page of the first partition."""

    def __init__(self, items: Sequence[dict[str, Any]]) -> None:
        self.items = {Key(item["PK"]["S"], item["SK"]["S"]): item for item in items}

    def pages_before(self, partition: str, slot: int) -> Iterator[list[dict[str, Any]]]:
        if partition == "due#0":
            yield list(self.items.values())

    def delete(self, keys: Collection[Key], **_: Any) -> bool:
        for key in keys:
            del self.items[key]
        return True


class ForgetfulReader:
    """Finds no session, and counts what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def read_items(self, keys: Collection[Key]) -> Items:
        self.asked.append(len(keys))
        return Items()


class QuietBus:
    def put(self, details: Sequence[Any], **_: Any) -> Failures:
        assert details == []
        return Failures()


class NobodyErased:
    def current(self) -> None:
        return None


@pytest.mark.parametrize(("sessions", "parts"), [(1, 1), (1_999, 1), (2_000, 1), (2_001, 2), (14_000, 7)])
def test_a_page_of_the_agenda_is_worked_on_in_parts_that_memory_bounds(sessions: int, parts: int) -> None:
    due = [Session(session_id=f"s{n}", customer_id="c", expires_at=from_epoch_seconds(9)) for n in range(sessions)]
    agenda, reader = OnePageAgenda([write_agenda_item(item) for item in pack(due)]), ForgetfulReader()
    sweeper = ExpirySweeper(
        agenda,  # type: ignore[arg-type] # the calls it makes, and of the next three
        reader,  # type: ignore[arg-type]
        QuietBus(),  # type: ignore[arg-type]
        NobodyErased(),  # type: ignore[arg-type]
        clock=lambda: datetime(2026, 3, 1, tzinfo=UTC),
    )

    result = sweeper.sweep()

    assert (len(reader.asked), sum(reader.asked)) == (parts, sessions)
    assert max(reader.asked) <= MOST_SESSIONS
    assert result.passed_over == sessions
    assert agenda.items == {}
