"""Naive designs, each as a small patch over the real code: what the simulation must catch.

Each is how one would write it at first, and how systems of this kind are written.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from processors import projection_table, session_table
from processors.aws import item_store
from processors.aws.errors import ReadError
from processors.aws.message_queue import MessageQueue
from processors.policies import cascade, ending
from processors.policies.commands import logout_by_tombstone
from processors.projections import merge as projection_merge
from processors.projections.facts import CustomerFacts
from processors.projections.merge import Merged
from processors.register import batches, session_writes, sessions
from processors.runtime import wiring
from schemas.items import Session
from schemas.keys import session_key
from schemas.projection_items import Entry, Projection
from tests.simulation import stage
from tests.simulation.naive_counters import Patches, add, add_once, counters
from tests.simulation.naive_life_cycle import NAIVE_LIFE_CYCLES
from tests.simulation.old_rules import OLD_RULES, old_rule

# --- Delete on logout: the item goes, and with it the memory that it ever was


def _write_and_delete(write: Callable[..., Any]) -> Callable[..., Any]:
    def write_then_delete(self: Any, batch: batches.Batch, *arguments: Any, **more: Any) -> Any:
        waiting = write(self, batch, *arguments, **more)
        store = self._store
        for key, item in store.read(list(batch.items)).items():
            if item.get("session_state", {}).get("S") == "closing":
                store.client.delete_item(TableName=store.table_name, Key={"PK": {"S": key.pk}, "SK": {"S": key.sk}})
        return waiting

    return write_then_delete


# --- Unconditional put on login


def _put_logins(converge: Callable[..., Any]) -> Callable[..., Any]:
    def put_then_converge(self: Any, keys: Any, decide: Any, **arguments: Any) -> Any:
        settled = {}
        for key in sorted(keys):
            decision = decide({key: None}).get(key)
            item = decision and decision.item
            if item is not None and "SK" in item and "last_login_time" in item:
                self.client.put_item(TableName=self.table_name, Item={**item, "version": {"N": "1"}})
                settled[key] = decision.result
        left = [key for key in keys if key not in settled]
        return settled | (converge(self, left, decide, **arguments) if left else {})

    return put_then_converge


# --- Last write wins on last login


def _newest_delivery(before: Projection, logins: list[tuple[datetime, str]]) -> tuple[datetime | None, str | None]:
    return logins[-1] if logins else (before.last_login_time, before.last_login_session_id)


# --- TTL counted from the login


def _fold_with_ttl_from_login(fold: Callable[..., Any]) -> Callable[..., Any]:
    def fold_facts(*arguments: Any, lifetimes: sessions.Lifetimes, **more: Any) -> Any:
        folded = fold(*arguments, lifetimes=lifetimes, **more)
        begins = folded.item and (folded.item.started_at or folded.item.ended_at)
        if begins is None:
            return folded
        ttl = int((begins + lifetimes.maximum + timedelta(minutes=10)).timestamp())
        return replace(folded, item=replace(folded.item, ttl=ttl))

    return fold_facts


# --- Commands sent before the write, and forgotten


def _send_then_apply(apply: Callable[..., Any]) -> Callable[..., Any]:
    def send_then_apply(self: Any, events: Any, **arguments: Any) -> Any:
        children = [event for event in events if event.event_type == "login" and event.parent_session_id is not None]
        if children:
            _tell_to_end(self, children)
        return apply(self, events, **arguments)

    return send_then_apply


def _tell_to_end(table: Any, children: list[Any]) -> None:
    """Look for tombstones of child sessions about to be written, and send commands; what fails is forgotten."""
    keys = [session_key(child.session_id, child.customer_id) for child in children]
    try:
        found = table.reader.read_items(set(keys)).sessions
    except ReadError:
        return
    bodies = [
        logout_by_tombstone(_as_session(child), found.get(key)) for child, key in zip(children, keys, strict=True)
    ]
    commands = MessageQueue(wiring.client("sqs"), stage.EVENTS_URL)
    commands.send([body for body in bodies if body is not None])


def _as_session(login: Any) -> Session:
    return Session(
        session_id=login.session_id,
        customer_id=login.customer_id,
        parent_session_id=login.parent_session_id,
        last_login_time=login.occurred_at,
    )


# --- Cascade only downwards: children are looked for when their parent ends, never the parent when a child comes


def _without_parents(upwards: Callable[..., cascade.Step]) -> Callable[..., cascade.Step]:
    def tombstones_only(*arguments: Any) -> cascade.Step:
        step = upwards(*arguments)
        commands = [command for command in step.commands if json.loads(command.body)["reason"] != "parent"]
        return cascade.Step(commands, step.failed)

    return tombstones_only


# --- Told once: the command of a told session is sent with the write that tells it, and not again


def _tell_once(merge: Callable[..., Merged]) -> Callable[..., Merged]:
    def merge_and_tell_once(projection: Projection | None, facts: CustomerFacts, **arguments: Any) -> Merged:
        merged = merge(projection, facts, **arguments)
        known = {name for name, entry in (projection.sessions if projection else {}).items() if entry.end_reason}
        return merged._replace(ending={name: entry for name, entry in merged.ending.items() if name not in known})

    return merge_and_tell_once


# --- The limit ends the newest session, as a login refused would


def _evict_newest(sessions: Mapping[str, Entry], limit: int, now_s: int) -> dict[str, Entry]:
    live = sorted((entry.started_at, name) for name, entry in sessions.items() if entry.counts(now_s))
    return {
        name: sessions[name]._replace(end_reason=ending.LIMIT, end_as_of=started_at)
        for started_at, name in live[limit:]
    }


# --- A logout_all ends what is there when it comes


def _revoke_present(merge: Callable[..., Merged]) -> Callable[..., Merged]:
    def merge_then_forget(projection: Projection | None, facts: CustomerFacts, **arguments: Any) -> Merged:
        if facts.revocations or projection is None:
            return merge(projection, facts, **arguments)
        merged = merge(replace(projection, revocation=None), facts, **arguments)
        return merged._replace(projection=replace(merged.projection, revocation=projection.revocation))

    return merge_then_forget


NAIVE_DESIGNS: Mapping[str, Callable[[], Patches]] = {
    "add-counters": lambda: counters(add),
    "batch-marker": lambda: counters(add_once),
    "delete-on-logout": lambda: [
        mock.patch.object(
            session_writes.SessionWrites, "_write", _write_and_delete(session_writes.SessionWrites._write)
        )
    ],
    "unconditional-put": lambda: [
        mock.patch.object(item_store.ItemStore, "converge", _put_logins(item_store.ItemStore.converge))
    ],
    "last-write-wins": lambda: [mock.patch.object(projection_merge, "latest_login", _newest_delivery)],
    "ttl-from-login": lambda: [
        mock.patch.object(session_writes, "fold_facts", _fold_with_ttl_from_login(sessions.fold_facts))
    ],
    "images-unread": lambda: [mock.patch.object(projection_merge, "_is_suspect", return_value=False)],
    "commands-forgotten": lambda: [
        mock.patch.object(cascade, "logout_by_tombstone", return_value=None),
        mock.patch.object(session_table.SessionTable, "apply", _send_then_apply(session_table.SessionTable.apply)),
    ],
    "cascade-downwards": lambda: [mock.patch.object(cascade, "_upwards", _without_parents(cascade._upwards))],
    "told-once": lambda: [mock.patch.object(projection_table, "merge", _tell_once(projection_merge.merge))],
    "evict-newest": lambda: [mock.patch.object(ending, "_evict", _evict_newest)],
    "revoke-present": lambda: [mock.patch.object(projection_table, "merge", _revoke_present(projection_merge.merge))],
}
"""By name: makes the patches."""


@contextmanager
def with_naive(name: str | None) -> Iterator[None]:
    """Put a naive design in for a while; None: none."""
    patches = (
        [] if name is None else old_rule(name) if name in OLD_RULES else {**NAIVE_DESIGNS, **NAIVE_LIFE_CYCLES}[name]()
    )
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in reversed(patches):
            patch.stop()
