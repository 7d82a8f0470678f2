"""Laws of the projection's merge: whatever is delivered again, late, or in other batches, counts come out the same."""

import json
import random
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.projections.merge import CustomerFacts, Image, activity_at, doubted, merge
from processors.register.sessions import Lifetimes, fold_facts
from schemas.items import Session
from schemas.projection_items import Projection, read_projection, write_projection
from tests.conftest import NOW, at, login, logout

CUSTOMER = "customer-1"


def images_of(session_id: str, events: list[Any], created: list[float]) -> list[Image]:
    """The stream of one session: an image per write."""
    stored, images = None, []
    blank = Session(session_id=session_id, customer_id=CUSTOMER)
    for event, moment in zip(events, created, strict=True):
        changed, _ = fold_facts(stored, [event], blank=blank, lifetimes=Lifetimes(), now=NOW)
        if changed is not None:
            stored = replace(changed, version=len(images) + 1)
            images.append(Image(stored, moment))
    return images


def apply(
    projection: Projection | None, images: list[Image], table: dict[Any, Session], **options: Any
) -> Projection | None:
    facts = CustomerFacts(images=images)
    again = {key: table[key] for key in doubted(projection, facts) if key in table}
    changed = merge(projection, facts, customer_id=CUSTOMER, read_again=again, now=NOW, **options)
    if not changed.is_changed:
        return projection
    stored = read_projection(write_projection(changed.projection))
    return replace(stored, version=(changed.projection.version or 0) + 1)


def visible(projection: Projection | None) -> Any:
    return activity_at(projection, CUSTOMER, at(50))


STREAMS = [
    images_of("a", [login("a"), login("a", minute=20), logout("a")], [100, 101, 102]),
    images_of("b", [login("b", minute=5), login("b", minute=21, expires_at=at(9000))], [100, 140]),
    images_of("c", [logout("c"), login("c", minute=22)], [90, 103]),
]
TABLE = {stream[-1].session.key: stream[-1].session for stream in STREAMS}
IMAGES = [image for stream in STREAMS for image in stream]


def test_every_order_and_batching_ends_in_the_same_activity() -> None:
    expected = visible(apply(None, IMAGES, TABLE))
    assert (expected.session_ids, expected.last_login_time) == (["b"], at(22))

    for order in permutations(IMAGES):
        projection = None
        for image in order:
            projection = apply(projection, [image], TABLE)
        assert visible(projection) == expected


@given(st.randoms(use_true_random=False))
def test_replays_in_any_batches_change_nothing_visible(source: random.Random) -> None:
    projection = apply(None, IMAGES, TABLE)
    expected = visible(projection)

    for _ in range(5):
        projection = apply(projection, source.sample(IMAGES, source.randint(1, len(IMAGES))), TABLE)
        assert visible(projection) == expected


def test_an_ended_image_always_raises_the_version() -> None:
    projection = apply(None, IMAGES, TABLE)
    assert projection is not None

    again = apply(projection, STREAMS[0][-1:], TABLE)

    assert again is not None
    assert again.version == (projection.version or 0) + 1


def test_without_the_trust_rule_an_old_image_would_revive_a_session() -> None:
    born, _, ended = STREAMS[0]
    projection = apply(None, [ended], TABLE)

    assert doubted(projection, CustomerFacts(images=[born])) == {born.session.key}
    assert visible(apply(projection, [born], TABLE)).session_count == 0
    assert visible(apply(replace(projection, trusted_after=0), [born], TABLE)).session_count == 1  # type: ignore[type-var]


def test_a_session_whose_item_is_gone_is_over() -> None:
    born, _, ended = STREAMS[0]

    assert visible(apply(apply(None, [ended], {}), [born], {})).session_count == 0


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 100)), min_size=1, max_size=40), st.integers(1, 5))
def test_above_capacity_the_count_is_at_least_and_heals(sessions: list[tuple[int, int]], capacity: int) -> None:
    expiries: dict[str, int] = {}
    projection = None
    for number, minutes in sessions:
        name = f"s{number}"
        expiries[name] = max(expiries.get(name, 0), minutes)
        images = images_of(name, [login(name, minute=-1, expires_at=at(minutes))], [100])
        projection = apply(projection, images, {}, capacity=capacity)

    for minute in range(0, 101, 7):
        live = sum(minute < expiry for expiry in expiries.values())
        found = activity_at(projection, CUSTOMER, at(minute))
        assert found.session_count <= live
        assert found.session_count == live if found.is_exact else found.session_count <= capacity
    assert activity_at(projection, CUSTOMER, at(101)).is_exact


@pytest.mark.parametrize("seed", range(3))
def test_an_item_stays_below_64_kilobytes_however_long_the_ids(seed: int) -> None:
    source = random.Random(seed)
    names = ["é" * source.randint(100, 150) + str(number) for number in range(400)]
    projection = None
    for name in names:
        projection = apply(projection, images_of(name, [login(name, event_id="e")], [100]), {})

    assert projection is not None
    as_json = json.dumps(write_projection(projection), ensure_ascii=False)  # longer than DynamoDB's own form
    assert len(as_json.encode()) < 64 * 1024
    assert not activity_at(projection, CUSTOMER, NOW).is_exact


@pytest.mark.parametrize("batch", [["end 0"], ["login 5"], ["end 0", "login 5"], ["end 0", "end 1", "end 2"]])
@pytest.mark.parametrize("limits", [(0, 2), (3, 2), (2, 2), (0, 0)])
def test_who_was_told_to_end_is_told_again_when_the_same_batch_comes_again(
    batch: list[str], limits: tuple[int, int]
) -> None:
    """Its commands may have been lost with the answer, also where the limit was changed before."""
    images: dict[str, Image] = {}
    for number in range(6):
        history = [login(f"s{number}", minute=number), logout(f"s{number}")]
        begun, ended = images_of(f"s{number}", history, [100 + number, 200 + number])
        images |= {f"login {number}": begun, f"end {number}": ended}
    table = {image.session.key: image.session for image in images.values()}
    before = apply(None, [images[f"login {number}"] for number in range(5)], table, limit=limits[0])
    facts = CustomerFacts(images=[images[name] for name in batch])
    options: Any = {"customer_id": CUSTOMER, "read_again": table, "now": NOW, "limit": limits[1]}

    first = merge(before, facts, **options)
    again = merge(first.projection, facts, **options)

    assert again.told == first.told
