"""Roll-back to the previous release and roll-forward again, over the same tables: neither damages what the other needs.

What the previous release cannot do it does not learn here: it removes attributes that it does not know from the items
that it writes, and it does not know the list of erased customers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from processors import sqs_consumer, stream_projector
from processors.register.erased import erased_entry, read_erased
from processors.register.sessions import Lifetimes, fold_facts
from schemas.events import Event, LoginEvent, LogoutEvent
from schemas.items import Session
from tests.conftest import NOW, at, login, logout, logout_all, sqs_record
from tests.engine.conftest import Engine
from tests.engine.previous_release import PreviousRelease, serve, unpack

pytestmark = pytest.mark.engine

CUSTOMERS = [f"customer-{number}" for number in range(6)]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("release-0.1.0"))


@pytest.fixture
def previous(sources: Path, engine: Engine, dynamodb_local: str) -> Iterator[PreviousRelease]:
    with serve(sources, now=NOW, endpoint=dynamodb_local) as release:
        yield release


@dataclass
class Both:
    """Today's release and the previous one, over the tables of one engine."""

    engine: Engine
    previous: PreviousRelease

    def consume(self, events: Sequence[Event | dict[str, Any]], *, by_previous: bool) -> None:
        """Deliver events, again until each is settled or is a logout that finds nothing yet."""
        batch = {"Records": [sqs_record(event) for event in events]}
        if by_previous:
            self.previous.invoke("sqs_consumer", batch)
        else:
            sqs_consumer.lambda_handler(batch, None)

    def project(self, records: list[dict[str, Any]], *, by_previous: bool) -> None:
        batch = {"Records": records}
        answer = (
            self.previous.invoke("stream_projector", batch)
            if by_previous
            else stream_projector.lambda_handler(batch, None)
        )
        assert answer == {"batchItemFailures": []}
        self.engine.sqs.bodies.setdefault("events", []).extend(body for _, body in self.previous.sent)
        assert {url.rpartition("/")[2] for url, _ in self.previous.sent} <= {"events"}
        self.previous.sent.clear()


@pytest.fixture
def both(engine: Engine, previous: PreviousRelease) -> Both:
    return Both(engine, previous)


def _history(source: Random) -> list[Event]:
    """Logins, refreshes, logouts, children and revocations of several customers, in any order, with repetitions."""
    events: list[Event] = []
    for customer_id in CUSTOMERS:
        for number in range(source.randrange(2, 7)):
            name, start = f"{customer_id}-s{number}", source.uniform(-60, -10)
            events.append(login(name, customer_id, minute=start, client={"ip": "192.0.2.1"}, source="idp"))
            if source.random() < 0.5:
                events.append(login(name, customer_id, minute=start + source.uniform(1, 9), client={"country": "DE"}))
            if source.random() < 0.4:
                events.append(login(f"{name}-kid", customer_id, minute=start + 1, parent_session_id=name))
            if source.random() < 0.4:
                events.append(logout(name, customer_id, minute=start + source.uniform(1, 9), reason="timeout"))
        if source.random() < 0.5:
            kept = f"{customer_id}-s0" if source.random() < 0.5 else None
            events.append(logout_all(customer_id, minute=source.uniform(-60, -5), except_session_id=kept))
    events += source.sample(events, len(events) // 3)
    source.shuffle(events)
    return events


def _sessions_of(events: Sequence[Event]) -> dict[str, Session]:
    """What the facts say of each top-level session, policies apart."""
    facts: dict[str, list[LoginEvent | LogoutEvent]] = {}
    for event in events:
        if isinstance(event, LoginEvent | LogoutEvent) and event.parent_session_id is None:
            facts.setdefault(event.session_id, []).append(event)
    folded = {}
    for name, found in facts.items():
        identity = Session(session_id=name, customer_id=name.rpartition("-s")[0])
        session = fold_facts(None, found, identity=identity, lifetimes=Lifetimes(), now=NOW).item
        assert session is not None
        folded[name] = session
    return folded


def _is_revoked(session: Session, events: Sequence[Event]) -> bool:
    assert session.started_at is not None
    return any(
        event.event_type == "logout_all"
        and event.customer_id == session.customer_id
        and event.except_session_id != session.session_id
        and session.started_at <= event.occurred_at
        for event in events
    )


def _last_login(events: Sequence[Event], customer_id: str) -> datetime:
    return max(
        event.occurred_at for event in events if isinstance(event, LoginEvent) and event.customer_id == customer_id
    )


@pytest.mark.parametrize("seed", range(4))
def test_handlers_of_both_releases_by_turns_end_as_todays_alone_would(both: Both, seed: int) -> None:
    source = Random(seed)
    events = _history(source)
    for start in range(0, len(events), 5):
        both.consume(events[start : start + 5], by_previous=source.random() < 0.5)
        records = both.engine.stream_records()
        first = source.randrange(len(records))
        both.project(records[first : first + 20], by_previous=source.random() < 0.5)
        both.consume(both.engine.sqs.take("events"), by_previous=source.random() < 0.5)
    for by_previous in (True, False):
        both.project(both.engine.stream_records(), by_previous=by_previous)

    both.engine.settle()

    stored = both.engine.stored_sessions()
    expected = _sessions_of(events)
    for name, session in expected.items():
        found = stored[name]
        assert (found.started_at, found.last_login_time, found.last_login_event_id, found.expires_at) == (
            session.started_at,
            session.last_login_time,
            session.last_login_event_id,
            session.expires_at,
        )
        assert (found.client_ip, found.country, found.source) == (session.client_ip, session.country, session.source)
        assert found.is_live(NOW) == (session.is_live(NOW) and not _is_revoked(session, events))
    for customer_id in CUSTOMERS:
        live = [name for name, one in stored.items() if _counts(one, customer_id)]
        activity = both.engine.projections.get_customer_activity(customer_id, now=NOW)
        assert activity.session_ids == sorted(live)
        assert (activity.last_login_time, activity.is_exact) == (_last_login(events, customer_id), True)


def _counts(session: Session, customer_id: str) -> bool:
    return session.parent_session_id is None and session.customer_id == customer_id and session.is_live(NOW)


def _items(both: Both, table_name: str) -> Mapping[str, Mapping[str, Any]]:
    pages = both.engine.dynamodb.get_paginator("scan").paginate(TableName=table_name, ConsistentRead=True)
    return {item["PK"]["S"]: item for page in pages for item in page["Items"]}


@pytest.mark.parametrize("by_previous", [True, False], ids=["the previous release", "todays release"])
def test_a_write_over_the_other_releases_item_loses_nothing_that_was_there(both: Both, by_previous: bool) -> None:
    token = {"access_token": "not-a-secret-of-anybody"}
    first = login("s1", minute=-20, client={"ip": "192.0.2.1", "device_id": "d-1"}, source="idp", **token)
    revocations = [logout_all(minute=-40, except_session_id="s9"), logout_all(minute=-50, except_session_id="s8")]
    both.consume([first, *revocations], by_previous=not by_previous)
    both.project(both.engine.stream_records(), by_previous=not by_previous)
    before = _items(both, both.engine.sessions_table), _items(both, both.engine.projections_table)

    both.consume([logout("s1", minute=-5), logout_all(minute=-60)], by_previous=by_previous)
    both.consume([login("s2", minute=-4)], by_previous=by_previous)
    both.project(both.engine.stream_records(), by_previous=by_previous)

    after = _items(both, both.engine.sessions_table), _items(both, both.engine.projections_table)
    for old, new in zip(before, after, strict=True):
        for key, item in old.items():
            changed = {name for name in item if new[key].get(name) != item[name]}
            assert changed <= {
                *("session_state", "version", "ttl"),
                *("sessions", "session_count", "count_valid_until", "trusted_after", "last_login_time"),
                "last_login_session_id",
            }
            assert int(new[key]["version"]["N"]) >= int(item["version"]["N"])
            assert int(new[key].get("ttl", {"N": "0"})["N"]) >= int(item.get("ttl", {"N": "0"})["N"])


def test_what_todays_release_does_not_know_survives_it_and_what_it_needs_the_previous_one(both: Both) -> None:
    """The next release's attributes are to today's as today's are to it: they stay, also across a roll-back."""
    both.consume([login("s1", minute=-20)], by_previous=True)
    both.project(both.engine.stream_records(), by_previous=True)
    for table in (both.engine.sessions_table, both.engine.projections_table):
        [item] = _items(both, table).values()
        known = {**item, "of_another": {"S": "kept"}, "item_format": {"N": "1"}}
        both.engine.dynamodb.put_item(TableName=table, Item=known)

    both.consume([login("s1", minute=-10)], by_previous=False)
    both.project(both.engine.stream_records(), by_previous=False)

    for table in (both.engine.sessions_table, both.engine.projections_table):
        [item] = _items(both, table).values()
        assert (item["of_another"], item["item_format"]) == ({"S": "kept"}, {"N": "1"})
        assert item["last_login_time"] == {"S": "2026-03-01T11:50:00.000Z"}


def test_the_list_of_erased_customers_outlasts_a_roll_back(both: Both) -> None:
    entry = erased_entry("customer-1", at(0))
    both.engine.dynamodb.put_item(TableName=both.engine.sessions_table, Item=entry)
    both.consume([login("s1", "customer-2", minute=-20)], by_previous=True)

    both.project(both.engine.stream_records(), by_previous=True)
    both.consume([login("s1", minute=-10)], by_previous=False)

    assert read_erased(both.engine.dynamodb, both.engine.sessions_table).erased_at_of("customer-1") == at(0)
    assert {session.customer_id for session in both.engine.stored_sessions().values()} == {"customer-2"}
