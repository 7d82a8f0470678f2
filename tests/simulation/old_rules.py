"""Rules of releases before, each put back as a small patch: what the operations must catch."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple
from unittest import mock

from processors import eventbridge_consumer, projection_table
from processors.aws.conditional_writes import Item, Write
from processors.aws.errors import ReadError
from processors.intake.event_processor import EventProcessor
from processors.intake.messages import Message
from processors.projections import facts, register_reads
from processors.register import session_writes
from processors.register.batches import Batch, SessionFacts
from processors.register.erased import ErasedCustomers
from processors.register.erased_list import ErasedList
from processors.register.reader import RegisterReader
from processors.register.sessions import GRACE, Folded, Lifetimes
from processors.runtime import wiring
from processors.runtime.settings import Settings
from schemas import attributes, item_mapping, stream
from schemas.items import Session
from schemas.times import parse_rfc3339, to_epoch_seconds
from tests.simulation import queues
from tests.simulation.reading import without_next_format


def _count(self: Write, at_least: int) -> dict[str, str]:
    """Give each item its own count of writes, from 1 on."""
    read = None if self.old is None else attributes.number(self.old, "version")
    return {"N": str(1 if read is None else read + 1)}


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
    old, new = self.old or {}, self.new or {}
    changed = {name: value for name, value in new.items() if old.get(name) != value}
    return changed, tuple(name for name in old if name not in new and name != "version")


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


def _all_at_once(read_slice: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """Handle the events of a batch together, however many a message holds."""

    def read(self: EventProcessor, waiting: Any) -> list[Any]:
        parts: list[Any] = []
        while waiting:
            parts += read_slice(self, waiting)
        return parts

    return read


def _commands_among_events(read_settings: Callable[..., Settings]) -> Callable[..., Settings]:
    def read(*needs: str, context: object = None) -> Settings:
        events_url = os.environ["SESSION_EVENTS_QUEUE_URL"]
        return replace(read_settings(*needs, context=context), session_commands_queue_url=events_url)

    return read


class Replacement(NamedTuple):
    """A function in whose place another one is put."""

    target: Any
    name: str
    make: Callable[[Callable[..., Any]], Callable[..., Any]]
    """Makes the other from the one that is there."""


OLD_RULES: Mapping[str, tuple[Replacement, ...]] = {
    "born-of-the-batch": (Replacement(RegisterReader, "find_session_keys", lambda _: _find_nothing),),
    "removals-ignored": (Replacement(facts, "_removed", lambda _: lambda record: None),),
    "items-without-expiry-kept": (Replacement(facts, "_removed", _removed_by_hand),),
    "restores-unread": (Replacement(stream, "_went_down", lambda _: lambda *images: False),),
    "counted-versions": (Replacement(Write, "next_version", lambda _: _count),),
    "kept-for-the-setting": (Replacement(session_writes, "fold_facts", _kept_for_the_setting),),
    "items-put-whole": (Replacement(Write, "changes", lambda _: _put_whole),),
    "publisher-time-used": (Replacement(eventbridge_consumer, "from_eventbridge", lambda _: _sent_when_it_says),),
    "searches-first": (
        Replacement(session_writes.SessionWrites, "_write", _search_first),
        Replacement(session_writes, "within_budget", lambda _: lambda needed, deliveries: set(needed)),
        Replacement(EventProcessor, "_read_slice", _all_at_once),
    ),
    "commands-among-events": (Replacement(wiring, "read_settings", _commands_among_events),),
    "erased-unknown": (Replacement(ErasedCustomers, "current", lambda _: lambda self: ErasedList()),),
    "one-queue": (
        Replacement(wiring, "read_settings", _commands_among_events),
        Replacement(queues.SqsClient, "strays", lambda _: lambda self, queue: False),
    ),
    "newer-left-out": (Replacement(register_reads, "_counted", lambda _: lambda keys: []),),
    "formats-unread": (
        Replacement(item_mapping, "_check", lambda check: lambda attributes, *more: check({}, *more)),
        Replacement(projection_table, "read_projection", lambda read: lambda item: read(without_next_format(item))),
    ),
}
"""By name."""


def old_rule(name: str) -> list[Any]:
    """Make the patches that put a rule back."""
    return [mock.patch.object(target, of, make(getattr(target, of))) for target, of, make in OLD_RULES[name]]
