"""Readers end equal to the register, and every expiry is told once and in time, step by step in any order."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from processors.life_cycle import agenda, publisher, sweeper
from processors.life_cycle.transitions import transition_of
from schemas.items import ACTIVE, Session
from schemas.keys import Key
from schemas.life_cycle import ENDED, Over, detail_of
from tests.model.life_cycle import Kinds, LifeCycleHistory

HISTORIES = 60
NAIVE_HISTORIES = 400


@pytest.fixture(autouse=True)
def quiet() -> Iterable[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def first_wrong(
    kinds: Kinds, histories: int, sweeper_class: type[sweeper.ExpirySweeper] = sweeper.ExpirySweeper
) -> Any:
    for seed in range(histories):
        if violations := LifeCycleHistory(seed, kinds, sweeper=sweeper_class).play():
            return seed, violations
    return None


@pytest.mark.parametrize(
    "kinds",
    [
        Kinds(),
        Kinds(refreshes=True),
        Kinds(restores=True),
        Kinds(begins_late=True),
        Kinds(removals=False, outage=60.0),
        Kinds(removals=False, crashes=False),
        Kinds(families=True),
    ],
    ids=["operators", "all-refreshes", "restores", "begins-late", "outage", "no-crashes", "families"],
)
def test_readers_end_equal_to_the_register(kinds: Kinds) -> None:
    assert first_wrong(kinds, HISTORIES) is None


def test_expiries_are_told_in_these_histories() -> None:
    told: list[str] = []
    for seed in range(20):
        history = LifeCycleHistory(seed, Kinds())
        history.play()
        told += [detail["kind"] for detail in history.told]

    assert min(told.count(kind) for kind in ("started", "ended", "expired")) > 10


class DeletesFirst(sweeper.ExpirySweeper):
    """Deletes the agenda item before it publishes."""

    def _work(self, raw_items: Sequence[Mapping[str, Any]], now: float, result: sweeper.Sweep) -> None:
        self._agenda.delete([Key(raw["PK"]["S"], raw["SK"]["S"]) for raw in raw_items])
        super()._work(raw_items, now, result)


class Watermark(sweeper.ExpirySweeper):
    """Looks only at slots after those that an earlier sweep was past."""

    def _work(self, raw_items: Sequence[Mapping[str, Any]], now: float, result: sweeper.Sweep) -> None:
        known = self._agenda.__dict__.setdefault("swept_to", 0.0)
        super()._work([raw for raw in raw_items if int(raw["SK"]["S"][:12]) >= known], now, result)

    def sweep(self) -> sweeper.Sweep:
        now = self._clock().timestamp()
        result = super().sweep()
        self._agenda.__dict__["swept_to"] = agenda.first_future_slot(int(now)) - agenda.SLOT_SECONDS
        return result


class TellsChildren(sweeper.ExpirySweeper):
    """Tells the children dead with their parent; when the parent is extended, they stay so to a reader."""

    def _publish(self, page: Any, found: Any, result: sweeper.Sweep) -> None:
        super()._publish(page, found, result)
        due = {
            session.session_id: session.expires_at
            for item, entry in page.entries()
            if (session := found.sessions.get(entry.key)) is not None and agenda.is_due(session, item)
        }
        families = self._reader.find_children(due, most=100) if due else {}
        self._bus.put(
            [
                detail_of(ENDED, child, occurred_at=due[parent], over=Over(due[parent], "parent"))
                for parent, children in families.items()
                for child in children or ()
                if child.has_login and child.session_state == ACTIVE
            ]
        )


@pytest.mark.parametrize(
    ("naive", "kinds"), [(DeletesFirst, Kinds()), (Watermark, Kinds()), (TellsChildren, Kinds(families=True))]
)
def test_naive_sweepers_are_caught(naive: type[sweeper.ExpirySweeper], kinds: Kinds) -> None:
    assert first_wrong(kinds, NAIVE_HISTORIES, naive) is not None


def test_a_sweeper_that_acts_on_the_agenda_alone_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, "is_due", lambda session, item: session.expires_at is not None)

    assert first_wrong(Kinds(), NAIVE_HISTORIES) is not None


def test_a_slot_that_is_worked_on_before_it_is_over_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, "first_future_slot", lambda now: now + agenda.SLOT_SECONDS)

    assert first_wrong(Kinds(), NAIVE_HISTORIES) is not None


def test_an_agenda_key_that_is_written_again_with_other_content_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def pack(sessions: Iterable[Session]) -> list[agenda.AgendaItem]:
        return [replace(item, key=Key("due#0", f"{item.slot:012}#0")) for item in agenda.pack(sessions)]

    monkeypatch.setattr(publisher, "pack", pack)

    assert first_wrong(Kinds(), NAIVE_HISTORIES) is not None


def test_refreshes_of_what_may_have_been_told_expired_must_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = transition_of
    monkeypatch.setattr(
        publisher,
        "transition_of",
        lambda change, **erased: (
            (found := real(change, **erased)) and replace(found, is_optional=found.detail["kind"] == "refreshed")
        ),
    )

    assert first_wrong(Kinds(), NAIVE_HISTORIES) is not None
