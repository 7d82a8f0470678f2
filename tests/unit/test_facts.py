"""What a stream record says about its customer: which records count, and what is kept of each."""

from dataclasses import replace

import pytest

from processors.projections.facts import CustomerFacts, Image, Removal, add_record
from schemas.items import CLOSING, Revocation, Session, write_item
from schemas.stream import StreamRecord
from tests.conftest import at

LIVE = Session(session_id="s", customer_id="c", started_at=at(0), last_login_time=at(1), expires_at=at(90), version=1)
CHILD = replace(LIVE, parent_session_id="p")
RECORD = StreamRecord("MODIFY", "111", 100.5, LIVE, goes_backwards=True, removed_by_ttl=False, old_image=None)


def facts_of(record: StreamRecord) -> dict[str, CustomerFacts]:
    facts: dict[str, CustomerFacts] = {}
    add_record(facts, record)
    return facts


def removal_of(session: Session, *, by_ttl: bool = False) -> StreamRecord:
    return replace(
        RECORD,
        event_name="REMOVE",
        after=None,
        old_image=write_item(session),
        goes_backwards=False,
        removed_by_ttl=by_ttl,
    )


def test_an_image_is_kept_with_time_direction_and_record() -> None:
    assert facts_of(RECORD) == {"c": CustomerFacts(images=[Image(LIVE, 100.5, True, "111")], sequence_numbers=["111"])}


def test_a_removal_is_kept_with_its_last_login_and_record() -> None:
    removal = Removal(LIVE.key, "s", 100.5, at(1), "111")

    assert facts_of(removal_of(LIVE)) == {"c": CustomerFacts(removals=[removal], sequence_numbers=["111"])}


def test_a_revocation_is_kept() -> None:
    revocation = Revocation(customer_id="c", revoked_at=at(5))

    found = facts_of(replace(RECORD, after=revocation))

    assert found == {"c": CustomerFacts(revocations=[revocation], sequence_numbers=["111"])}


@pytest.mark.parametrize(
    "record",
    [
        replace(RECORD, after=None),
        replace(RECORD, after=replace(LIVE, customer_id=None)),
        replace(
            RECORD, after=Session(session_id="s", customer_id="c", session_state=CLOSING, ended_at=at(2), version=1)
        ),
        removal_of(CHILD),
        removal_of(LIVE, by_ttl=True),
    ],
    ids=["another item", "no customer", "a tombstone without login", "a removed child", "removed by TTL"],
)
def test_what_changes_no_count_is_left_out(record: StreamRecord) -> None:
    assert facts_of(record) == {}


def test_records_of_one_customer_add_up() -> None:
    facts = facts_of(RECORD)

    add_record(facts, replace(removal_of(LIVE), sequence_number="112"))

    assert (len(facts["c"].images), len(facts["c"].removals), facts["c"].sequence_numbers) == (1, 1, ["111", "112"])
