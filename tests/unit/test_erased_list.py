"""What an erasure covers: properties of the pure predicates, with points below, at and above its moment."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.erasure.erasing import decide, full_second
from ops.erasure.receipts import Effect, remainders
from processors.register.erased import ENTRY_LIFETIME, erased_entry
from processors.register.erased_list import ErasedList, hash_of
from schemas.errors import NewerFormatError
from schemas.item_mapping import read_item, write_item
from schemas.items import Revocation, Session
from schemas.projection_items import Projection
from schemas.stream import StreamRecord, read_record
from tests.conftest import NOW, at

CUSTOMER = "customer-1"
ERASED = ErasedList.of(CUSTOMER, NOW)

moments = st.integers(-3, 3).map(lambda step: NOW + timedelta(milliseconds=step))
customers = st.sampled_from([CUSTOMER, "customer-2", None])


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    is_child = draw(st.booleans())
    logins = sorted(draw(st.lists(moments, max_size=2)))
    return Session(
        session_id="s1",
        customer_id=draw(customers) if is_child else draw(customers.filter(bool)),
        parent_session_id="p1" if is_child else None,
        session_state=draw(st.sampled_from(["active", "closing"])),
        started_at=logins[0] if logins else None,
        last_login_time=logins[-1] if logins else None,
        ended_at=draw(st.none() | moments),
        version=1,
    )


@st.composite
def revocations(draw: st.DrawFn) -> Revocation:
    older = draw(st.none() | moments)
    newest = draw(moments)
    return Revocation(
        customer_id=draw(customers.filter(bool)) or "",
        revoked_at=newest if older is None else max(newest, older),
        except_session_id="s1",
        other_revoked_at=older,
        other_except_session_id=None if older is None else "s2",
    )


items = sessions() | revocations()


def times_of(item: Session | Revocation) -> list[datetime]:
    found = (
        [item.revoked_at, item.other_revoked_at]
        if isinstance(item, Revocation)
        else [item.started_at, item.last_login_time]
    )
    return [moment for moment in found if moment is not None]


def image(item: Session | Revocation) -> dict[str, Any]:
    return write_item(item) | {"version": {"N": "1"}}


def record(after: Session | Revocation | None, before: Session | Revocation | None = None) -> StreamRecord:
    images = {"NewImage": after and image(after), "OldImage": before and image(before)}
    change = {"SequenceNumber": "1" * 21, "ApproximateCreationDateTime": NOW.timestamp()}
    return read_record({"eventName": "MODIFY" if after else "REMOVE", "dynamodb": change | images})


@given(items)
def test_what_is_left_of_an_item_has_no_login_or_revocation_from_before_the_erasure(
    item: Session | Revocation,
) -> None:
    rest = ERASED.rest_of(item)

    if item.customer_id != CUSTOMER:
        assert rest is item
    elif rest is not None:
        assert all(moment >= NOW for moment in times_of(rest))
        assert max([*times_of(rest), NOW]) > NOW or not times_of(rest)


@given(items)
def test_reading_by_the_list_again_changes_nothing_more(item: Session | Revocation) -> None:
    rest = ERASED.rest_of(item)

    assert rest is None or ERASED.rest_of(rest) is rest


@given(items, moments, moments)
def test_a_later_erasure_covers_all_that_an_earlier_one_does(
    item: Session | Revocation, one: datetime, other: datetime
) -> None:
    earlier, later = (ErasedList.of(CUSTOMER, moment) for moment in sorted((one, other)))

    if earlier.rest_of(item) is None:
        assert later.rest_of(item) is None
    first = earlier.rest_of(item)
    assert (None if first is None else later.rest_of(first)) == later.rest_of(item)


@given(items)
def test_records_of_what_is_erased_are_passed_over_whether_it_changes_or_goes(item: Session | Revocation) -> None:
    rest = ERASED.rest_of(item)

    shown = ERASED.rest_of_record(record(item))
    removed = ERASED.rest_of_record(record(None, item))

    assert (None if shown is None else shown.after) == (None if rest is None else read_item(image(rest)))
    assert (removed is None) == (rest is None)


@given(sessions(), st.sampled_from([None, CUSTOMER, "customer-2"]))
def test_the_erasure_deletes_what_the_projector_passes_over_and_keeps_what_is_anothers(
    session: Session, owner: str | None
) -> None:
    customer_id = session.customer_id or owner
    stored = image(session)

    decision = decide(stored, ERASED, customer_id=CUSTOMER, owner=owner)

    rest = ERASED.rest_of(read_item(stored), owner)  # type: ignore[type-var]
    assert decision.is_deletion == (rest is None)
    if customer_id != CUSTOMER:
        assert decision.result.effect is Effect.KEPT
    assert (decision.item is None) == (decision.result.effect is not Effect.START_RAISED)


@pytest.mark.parametrize(("minute", "is_erased"), [(-1, True), (0, True), (0.001, False)], ids=["below", "at", "above"])
def test_the_newest_login_decides_whenever_the_session_ended(minute: float, is_erased: bool) -> None:
    session = Session(
        session_id="s1",
        customer_id=CUSTOMER,
        session_state="closing",
        started_at=at(-60),
        last_login_time=at(minute),
        ended_at=at(60),
    )

    assert (ERASED.rest_of(session) is None) == is_erased
    assert ERASED.has_event(CUSTOMER, at(minute)) == is_erased


@pytest.mark.parametrize(("minute", "is_erased"), [(-1, True), (0, True), (0.001, False)], ids=["below", "at", "above"])
def test_the_end_of_a_tombstone_without_login_decides(minute: float, is_erased: bool) -> None:
    tombstone = Session(session_id="s1", customer_id=CUSTOMER, session_state="closing", ended_at=at(minute), version=1)

    assert (ERASED.rest_of(tombstone) is None) == is_erased


@pytest.mark.parametrize(("minute", "is_kept"), [(-1, False), (0, False), (0.001, True)], ids=["below", "at", "above"])
def test_a_rebuild_carries_over_nothing_that_is_erased(minute: float, is_kept: bool) -> None:
    revocation = Revocation(customer_id=CUSTOMER, revoked_at=at(minute))
    projection = Projection(
        customer_id=CUSTOMER, last_login_time=at(minute), last_login_session_id="s1", revocation=revocation
    )

    rest = ERASED.rest_of_projection(projection)

    assert rest == (projection if is_kept else Projection(customer_id=CUSTOMER))


def test_a_removal_of_what_cannot_be_read_is_not_passed_over() -> None:
    before = image(Session(session_id="s1", customer_id=CUSTOMER)) | {"item_format": {"N": "2"}}
    removal = read_record({"eventName": "REMOVE", "dynamodb": {"SequenceNumber": "1" * 21, "OldImage": before}})

    assert ERASED.rest_of_record(removal) is removal


def test_an_item_of_a_later_release_is_not_decided_upon_unless_it_is_anothers() -> None:
    child = Session(session_id="s1", customer_id="customer-2", parent_session_id="p1")
    stored = image(child) | {"item_format": {"N": "2"}}

    assert decide(stored, ERASED, customer_id=CUSTOMER).result.effect is Effect.KEPT
    with pytest.raises(NewerFormatError):
        decide(stored | {"customer_id": {"S": CUSTOMER}}, ERASED, customer_id=CUSTOMER)


@pytest.mark.parametrize(
    ("microsecond", "seconds"), [(0, 0), (1, 1), (999_999, 1)], ids=["full", "just above", "just below the next"]
)
def test_the_moment_is_rounded_up_to_the_full_second(microsecond: int, seconds: int) -> None:
    assert full_second(NOW.replace(microsecond=microsecond)) == NOW + timedelta(seconds=seconds)


def test_an_entry_of_the_list_names_nobody_and_outlasts_every_copy() -> None:
    entry = erased_entry(CUSTOMER, NOW)

    assert entry == {
        "PK": {"S": "erased"},
        "SK": {"S": f"2026-03-01T12:00:00.000Z#{hash_of(CUSTOMER)}"},
        "ttl": {"N": str(int((NOW + timedelta(days=47)).timestamp()))},
    }
    assert timedelta(days=15 + 1 + 30) <= ENTRY_LIFETIME
    assert read_item(entry) is None


def test_the_receipt_names_each_place_with_its_day() -> None:
    days = {left.place: left.until and (left.until - NOW).days for left in remainders(NOW, NOW, at(60))}

    assert days == {
        "stream": 1,
        "queues": 14,
        "failed batches": 30,
        "erased list": 47,
        "expiry agenda": 0,
        "point-in-time recovery": 35,
        "backups": None,
        "function logs": None,
        "archive": None,
        "child sessions without a parent's item": None,
    }
