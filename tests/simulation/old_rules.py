"""Rules of releases before, each put back as a small patch: what the operations must catch."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any
from unittest import mock

from processors import eventbridge_consumer
from processors.aws.conditional_writes import Item, Write
from processors.aws.errors import ReadError
from processors.intake.messages import Message
from processors.projections import facts
from processors.register import session_writes
from processors.register.batches import Batch, SessionFacts
from processors.register.reader import RegisterReader
from processors.register.sessions import GRACE, Folded, Lifetimes
from processors.runtime import wiring
from processors.runtime.settings import Settings
from schemas import stream
from schemas.items import Session
from schemas.times import parse_rfc3339, to_epoch_seconds


def _find_nothing(self: RegisterReader, customer_ids: Collection[str], **_: Any) -> dict[str, Any]:
    return dict.fromkeys(customer_ids, ())


def _removed_by_hand(removed: Callable[[stream.StreamRecord], Session | None]) -> Callable[..., Session | None]:
    """Take every removal by TTL for one that changes no count."""
    return lambda record: None if record.removed_by_ttl else removed(record)


def _kept_for_the_setting(fold: Callable[..., Folded[Session]]) -> Callable[..., Folded[Session]]:
    """Keep an item for the longest lifetime that the setting allows, as of its last fact."""

    def fold_facts(
        stored: Session | None, events: Sequence[Any], *, lifetimes: Lifetimes, now: datetime, **more: Any
    ) -> Any:
        folded = fold(stored, events, lifetimes=lifetimes, now=now, **more)
        if folded.item is None:
            return folded
        last = max(now, *(event.occurred_at for event in events))
        ttl = max(to_epoch_seconds(last + lifetimes.maximum + GRACE), (stored and stored.ttl) or 0)
        return replace(folded, item=replace(folded.item, ttl=ttl))

    return fold_facts


def _put_whole(self: Write) -> tuple[Item, tuple[str, ...]]:
    """Replace the item, as a PutItem does: what is not written anew goes."""
    old = self.old or {}
    return {name: value for name, value in self.new.items() if old.get(name) != value}, tuple(
        name for name in old if name not in self.new and name != "version"
    )


def _sent_when_it_says(event: Mapping[str, Any], *, now: datetime) -> Message:
    return Message(message_id=event["id"], content=event, sent_at=parse_rfc3339(event["time"]))


def _search_first(write: Callable[..., Any]) -> Callable[..., Any]:
    """Search for each session that may be elsewhere, one a request and before anything is written."""

    def search_and_write(self: session_writes.SessionWrites, batch: Batch, work: Any, **more: Any) -> Any:
        if not more:
            named = [item for item in batch.items.values() if isinstance(item, SessionFacts) and item.may_be_child]
            names = [item.identity.session_id for item in named] + [event.session_id for _, event in work.unresolved]
            for name in names:
                if not work.deadline.expired:
                    with suppress(ReadError):
                        self._reader.find_children_by_id({name})
        return write(self, batch, work, **more)

    return search_and_write


def _commands_among_events(read_settings: Callable[..., Settings]) -> Callable[..., Settings]:
    def read(*needs: str, context: object = None) -> Settings:
        settings = read_settings(*needs, context=context)
        return replace(settings, session_commands_queue_url=settings.session_events_queue_url)

    return read


OLD_RULES: Mapping[str, Callable[[], list[Any]]] = {
    "born-of-the-batch": lambda: [mock.patch.object(RegisterReader, "find_session_keys", _find_nothing)],
    "removals-ignored": lambda: [mock.patch.object(facts, "_removed", return_value=None)],
    "items-without-expiry-kept": lambda: [mock.patch.object(facts, "_removed", _removed_by_hand(facts._removed))],
    "restores-unread": lambda: [mock.patch.object(stream, "_went_down", return_value=False)],
    "kept-for-the-setting": lambda: [
        mock.patch.object(session_writes, "fold_facts", _kept_for_the_setting(session_writes.fold_facts))
    ],
    "items-put-whole": lambda: [mock.patch.object(Write, "changes", _put_whole)],
    "publisher-believed": lambda: [mock.patch.object(eventbridge_consumer, "from_eventbridge", _sent_when_it_says)],
    "searches-first": lambda: [
        mock.patch.object(session_writes.SessionWrites, "_write", _search_first(session_writes.SessionWrites._write)),
        mock.patch.object(session_writes, "within_budget", lambda needed, _: set(needed)),
    ],
    "commands-among-events": lambda: [
        mock.patch.object(wiring, "read_settings", _commands_among_events(wiring.read_settings))
    ],
}
"""By name: makes the patches."""
