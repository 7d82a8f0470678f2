"""Naive designs of publishing what becomes of sessions, and of logins about their end, each as a small patch.

One more, children told dead with their parent, is held by the model alone (`tests/model/test_life_cycle.py`): here it
was not caught in 200 seeds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from unittest import mock

from ops.rebuilding import checkpoint
from ops.validation.filters import FilterCriteria
from processors.life_cycle import agenda, publisher, sweeper, transitions
from processors.life_cycle.transitions import Change, Transition
from processors.register import sessions
from schemas.items import ACTIVE, Session
from schemas.keys import Key
from schemas.life_cycle import expired_detail
from tests.simulation import second_reader

# --- A watermark: slots before those that a sweep was past are not looked at again


def _remember(sweep: Callable[..., Any]) -> Callable[..., Any]:
    def sweep_and_remember(self: Any) -> Any:
        now = self._clock().timestamp()
        result = sweep(self)
        vars(self._agenda._client)["swept_to"] = agenda.first_future_slot(int(now)) - agenda.SLOT_SECONDS
        return result

    return sweep_and_remember


def _after_watermark(work: Callable[..., None]) -> Callable[..., None]:
    def work_on_new(self: Any, raw_items: Sequence[Mapping[str, Any]], *arguments: Any) -> None:
        swept_to = vars(self._agenda._client).get("swept_to", 0)
        work(self, [raw for raw in raw_items if int(raw["SK"]["S"].partition("#")[0]) >= swept_to], *arguments)

    return work_on_new


# --- Delete first: an entry goes before its event was accepted


def _delete_first(work: Callable[..., None]) -> Callable[..., None]:
    def delete_and_work(self: Any, raw_items: Sequence[Mapping[str, Any]], *arguments: Any) -> None:
        self._agenda.delete([Key(raw["PK"]["S"], raw["SK"]["S"]) for raw in raw_items])
        work(self, raw_items, *arguments)

    return delete_and_work


# --- TTL as the clock: an expiry is told when DynamoDB deletes the item


def _told_by_ttl(removal: Callable[[Change], Transition | None]) -> Callable[[Change], Transition | None]:
    def tell(change: Change) -> Transition | None:
        old = change.old
        if change.removed_by_ttl and old is not None and old.session_state == ACTIVE and old.expires_at is not None:
            return Transition(expired_detail(old))
        return removal(change)

    return tell


# --- One agenda item for each slot, whose key is written again with other content


def _one_key_a_slot(sessions: Iterable[Session]) -> list[agenda.AgendaItem]:
    return [replace(item, key=Key("due#0", f"{item.slot:012}#0")) for item in agenda.pack(sessions)]


def _of_sweeper(**makers: Callable[[Callable[..., Any]], Callable[..., Any]]) -> list[Any]:
    return [
        mock.patch.object(sweeper.ExpirySweeper, name, make(getattr(sweeper.ExpirySweeper, name)))
        for name, make in makers.items()
    ]


# --- A login after the logout begins the session anew


def _begin_anew(fold: Callable[..., Session]) -> Callable[..., Session]:
    def fold_and_begin_anew(stored: Session, login: Any, *arguments: Any) -> Session:
        session = fold(stored, login, *arguments)
        if session.ended_at is None or session.ended_at >= login.occurred_at:
            return session
        return replace(session, session_state=ACTIVE, ended_at=None, ended_event_id=None, end_reason=None)

    return fold_and_begin_anew


NAIVE_LIFE_CYCLES: Mapping[str, Callable[[], list[Any]]] = {
    "watermark": lambda: _of_sweeper(sweep=_remember, _work=_after_watermark),
    "agenda-alone": lambda: [mock.patch.object(sweeper, "is_due", lambda session, item: bool(session.expires_at))],
    "delete-first": lambda: _of_sweeper(_work=_delete_first),
    "ttl-as-clock": lambda: [
        *_of_sweeper(sweep=lambda _: lambda self: sweeper.Sweep()),
        mock.patch.object(transitions, "_removal", _told_by_ttl(transitions._removal)),
        mock.patch.object(second_reader, "publisher_filters", FilterCriteria),
        mock.patch.object(publisher, "pack", return_value=[]),
    ],
    "one-key-a-slot": lambda: [mock.patch.object(publisher, "pack", _one_key_a_slot)],
    "begun-anew": lambda: [mock.patch.object(sessions, "fold_login", _begin_anew(sessions.fold_login))],
    "touch-anew": lambda: [mock.patch.object(checkpoint.Checkpoint, "get", return_value=None)],
    "slot-not-over": lambda: [mock.patch.object(sweeper, "first_future_slot", lambda now: now + agenda.SLOT_SECONDS)],
}
"""By name: makes the patches. `agenda-alone` acts on an entry without reading its session again;
`touch-anew` begins at the start after each failure, so that each run makes more work than it does."""
