"""Laws of the projection's merge: whatever is delivered again, late, or in other batches, counts come out the same."""

import json
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.projections.activity import CustomerActivity, activity_at
from processors.projections.facts import CustomerFacts, Image, Removal, add_record
from processors.projections.merge import CLOCK_SLACK_SECONDS, Merged, find_suspects, merge
from processors.projections.rebuild import CustomerRegister, rebuild
from processors.projections.state import Rules, bound
from processors.register.sessions import Lifetimes, fold_facts
from schemas.item_mapping import write_item
from schemas.items import Revocation, Session
from schemas.keys import Key
from schemas.projection_items import NEVER, Entry, Projection, read_projection, write_projection
from schemas.stream import read_record
from tests.conftest import NOW, at, login, logout

CUSTOMER = "customer-1"
NOW_S = int(NOW.timestamp())


def images_of(session_id: str, events: list[Any], created: list[float]) -> list[Image]:
    """The stream of one session: an image per write."""
    stored: Session | None = None
    images: list[Image] = []
    blank = Session(session_id=session_id, customer_id=CUSTOMER)
    for event, moment in zip(events, created, strict=True):
        changed = fold_facts(stored, [event], identity=blank, lifetimes=Lifetimes(), now=NOW).item
        if changed is not None:
            stored = replace(changed, version=len(images) + 1)
            images.append(Image(stored, moment))
    return images


def merged(
    projection: Projection | None, facts: CustomerFacts, table: Mapping[Key, Session], rules: Rules | None = None
) -> Merged:
    suspects = find_suspects(projection, facts)
    return merge(
        projection,
        facts,
        customer_id=CUSTOMER,
        reread={key: table[key] for key in suspects if key in table},
        now=NOW,
        rules=rules or Rules(),
    )


def apply(
    projection: Projection | None, images: list[Image], table: Mapping[Key, Session], rules: Rules | None = None
) -> Projection | None:
    result = merged(projection, CustomerFacts(images=images), table, rules)
    return read_projection(write_projection(result.projection)) if result.is_changed else projection


def visible(projection: Projection | None) -> CustomerActivity:
    return activity_at(projection, CUSTOMER, at(50))


STREAMS = [
    images_of("a", [login("a"), login("a", minute=20), logout("a")], [100, 101, 102]),
    images_of("b", [login("b", minute=5), login("b", minute=21, expires_at=at(9000))], [100, 140]),
    images_of("c", [logout("c"), login("c", minute=22)], [90, 103]),
]
TABLE = {stream[-1].session.key: stream[-1].session for stream in STREAMS}
IMAGES = [image for stream in STREAMS for image in stream]
LIVE = images_of("a", [login("a")], [100])[0]
ENDED = STREAMS[0][-1]


@pytest.mark.slow
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


@pytest.mark.parametrize(
    "facts",
    [
        CustomerFacts(images=[ENDED]),
        CustomerFacts(removals=[Removal(LIVE.key, "a", 100)]),
        CustomerFacts(images=[replace(LIVE, goes_backwards=True)]),
    ],
    ids=["ended", "removed", "restored"],
)
def test_every_end_is_written_and_raises_the_watermark_whatever_is_read(facts: CustomerFacts) -> None:
    before = Projection(customer_id=CUSTOMER, end_watermark=99, sessions={"a": Entry(NOW_S * 1000, NOW_S + 60)})

    result = merged(before, facts, {LIVE.key: LIVE.session})

    assert result.is_changed
    assert result.projection.end_watermark == (102 if facts.images == [ENDED] else 100)
    assert result.projection.sessions.keys() == {"a"}


@pytest.mark.parametrize("image", [LIVE, replace(ENDED, created_at=100)], ids=["active", "ended"])
@pytest.mark.parametrize(
    ("watermark", "is_suspect"),
    [
        (100 - CLOCK_SLACK_SECONDS - 1, False),
        (100 - CLOCK_SLACK_SECONDS, True),
        (100 - CLOCK_SLACK_SECONDS + 1, True),
        (None, False),
    ],
)
def test_a_record_created_at_or_before_the_watermark_and_its_slack_is_suspect(
    image: Image, watermark: int | None, is_suspect: bool
) -> None:
    projection = Projection(customer_id=CUSTOMER, end_watermark=watermark)

    suspects = find_suspects(projection, CustomerFacts(images=[image]))

    assert suspects == ({image.key: "a"} if is_suspect else {})


def test_the_slack_is_wider_than_dynamodbs_rounding_and_skew() -> None:
    projection = Projection(customer_id=CUSTOMER, end_watermark=100)

    late = [replace(LIVE, created_at=100 + second) for second in range(12)]

    suspects = [find_suspects(projection, CustomerFacts(images=[image])) != {} for image in late]
    assert suspects == [True] * 6 + [False] * 6


def test_an_item_without_expiry_one_that_went_backwards_and_a_removal_are_always_suspect() -> None:
    old_schema = Image(replace(LIVE.session, expires_at=None), 100)
    restored = replace(LIVE, goes_backwards=True)

    for facts in (
        CustomerFacts(images=[old_schema]),
        CustomerFacts(images=[restored]),
        CustomerFacts(removals=[Removal(LIVE.key, "a", 100)]),
    ):
        assert find_suspects(None, facts) == {LIVE.key: "a"}


def test_an_older_image_is_read_again_and_revives_no_session() -> None:
    born = STREAMS[0][0]
    projection = apply(None, [ENDED], TABLE)
    assert projection is not None

    assert visible(apply(projection, [born], TABLE)).session_count == 0
    assert visible(apply(replace(projection, end_watermark=None), [born], TABLE)).session_count == 1


def test_a_session_whose_item_is_gone_is_over() -> None:
    born = STREAMS[0][0]

    assert visible(apply(apply(None, [ENDED], {}), [born], {})).session_count == 0


def test_what_is_read_again_replaces_the_entry_but_for_its_being_ended() -> None:
    shorter = replace(LIVE.session, started_at=at(1), expires_at=at(40))
    entry = Entry(int(at(0).timestamp() * 1000), int(at(90).timestamp()), "revoked", 7)
    before = Projection(customer_id=CUSTOMER, end_watermark=100, sessions={"a": entry})

    after = merged(before, CustomerFacts(images=[LIVE]), {LIVE.key: shorter}).projection

    assert after.sessions == {
        "a": Entry(int(at(1).timestamp() * 1000), int(at(40).timestamp()), "revoked", 7),
    }


def test_a_removed_session_that_is_not_there_any_more_leaves_the_count() -> None:
    before = apply(None, [LIVE], {})
    removal = Removal(LIVE.key, "a", 300, last_login_time=at(7))

    after = merged(before, CustomerFacts(removals=[removal]), {}).projection

    assert visible(after).session_count == 0
    assert (after.end_watermark, after.last_login_time) == (300, at(7))


def test_a_session_of_the_original_schema_gets_the_expiry_of_its_first_login() -> None:
    before = Projection(customer_id=CUSTOMER, sessions={"a": Entry(0, NEVER)})

    after = merged(before, CustomerFacts(images=[LIVE]), {}).projection

    assert LIVE.session.expires_at is not None
    assert after.sessions["a"].expires_at == int(LIVE.session.expires_at.timestamp())


def record_of(image: dict[str, Any] | None, old: dict[str, Any] | None, **fields: Any) -> Any:
    change = {"SequenceNumber": "1" * 21, "ApproximateCreationDateTime": 100, "NewImage": image, "OldImage": old}
    name = "REMOVE" if image is None else "INSERT" if old is None else "MODIFY"
    return read_record(
        {"eventName": name, "dynamodb": {key: value for key, value in change.items() if value is not None}} | fields
    )


BY_TTL = {"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}}
ITEM = write_item(LIVE.session) | {"version": {"N": "1"}}
OLD_SCHEMA = {name: value for name, value in ITEM.items() if name not in ("expires_at", "version")}


@pytest.mark.parametrize(
    ("old", "fields", "is_fact"),
    [
        (ITEM, {}, True),
        (ITEM, BY_TTL, False),
        (OLD_SCHEMA, BY_TTL, True),
        (ITEM | {"version": {"N": "x"}}, {}, True),
        (write_item(replace(LIVE.session, parent_session_id="p")), {}, False),
        (write_item(Revocation(customer_id=CUSTOMER, revoked_at=NOW)), {}, False),
        ({"PK": {"S": "order#1"}, "SK": {"S": "x"}}, {}, False),
    ],
    ids=["by-hand", "ttl", "ttl-of-another-writer", "damaged", "child", "revocation", "not-ours"],
)
def test_removals_are_facts_unless_ttl_took_an_item_of_ours(
    old: dict[str, Any], fields: dict[str, Any], is_fact: bool
) -> None:
    facts: dict[str, CustomerFacts] = {}

    add_record(facts, record_of(None, old, **fields))

    assert [removal.key for found in facts.values() for removal in found.removals] == [LIVE.key] * is_fact


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 100)), min_size=1, max_size=40), st.integers(1, 5))
def test_above_capacity_the_count_is_at_least_and_heals(sessions: list[tuple[int, int]], capacity: int) -> None:
    expiries: dict[str, int] = {}
    projection = None
    for number, minutes in sessions:
        name = f"s{number}"
        expiries[name] = max(expiries.get(name, 0), minutes)
        images = images_of(name, [login(name, minute=-1, expires_at=at(minutes))], [100])
        projection = apply(projection, images, {}, Rules(capacity=capacity))

    for minute in range(0, 101, 7):
        live = sum(minute < expiry for expiry in expiries.values())
        found = activity_at(projection, CUSTOMER, at(minute))
        assert found.session_count <= live
        assert found.session_count == live if found.is_exact else found.session_count <= capacity
    assert activity_at(projection, CUSTOMER, at(101)).is_exact


@pytest.mark.parametrize(("count", "kept"), [(2, 2), (3, 3), (4, 3)], ids=["below", "at", "above"])
def test_as_many_entries_are_kept_as_the_capacity_allows(count: int, kept: int) -> None:
    entries = {f"s{number}": Entry(0, NOW_S + number) for number in range(count)}

    state = bound(Projection(customer_id=CUSTOMER, sessions=entries), 3)

    assert set(state.sessions) == {f"s{number}" for number in range(count - kept, count)}
    assert state.dropped_until == (NOW_S if count > kept else None)


def test_entries_that_are_ending_are_dropped_first_and_leave_the_count_exact() -> None:
    ending = Entry(0, NOW_S + 99, "limit", 1)
    entries = {"a": Entry(0, NOW_S + 1), "b": Entry(0, NOW_S + 2), "c": ending}

    state = bound(Projection(customer_id=CUSTOMER, sessions=entries), 2)
    fewer = bound(Projection(customer_id=CUSTOMER, sessions=entries), 1)

    assert (set(state.sessions), state.dropped_until) == ({"a", "b"}, None)
    assert (set(fewer.sessions), fewer.dropped_until) == ({"b"}, NOW_S + 1)


@pytest.mark.parametrize(("minute", "is_exact"), [(9, False), (10, True), (11, True)], ids=["below", "at", "above"])
def test_the_count_is_exact_again_when_the_last_dropped_session_has_run_out(minute: int, is_exact: bool) -> None:
    projection = Projection(customer_id=CUSTOMER, dropped_until=int(at(10).timestamp()))

    assert activity_at(projection, CUSTOMER, at(minute)).is_exact is is_exact


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
def test_a_batch_that_comes_again_sends_the_same_logouts_again(batch: list[str], limits: tuple[int, int]) -> None:
    """They may have been lost with the answer, also where the limit was changed before."""
    images: dict[str, Image] = {}
    for number in range(6):
        history = [login(f"s{number}", minute=number), logout(f"s{number}")]
        begun, ended = images_of(f"s{number}", history, [100 + number, 200 + number])
        images |= {f"login {number}": begun, f"end {number}": ended}
    table = {image.session.key: image.session for image in images.values()}
    before = apply(None, [images[f"login {number}"] for number in range(5)], table, Rules(limit=limits[0]))
    facts = CustomerFacts(images=[images[name] for name in batch])

    first = merged(before, facts, table, Rules(limit=limits[1]))
    again = merged(first.projection, facts, table, Rules(limit=limits[1]))

    assert again.ending == first.ending


# --- made from the register


def registered(*sessions: Session, is_complete: bool = True, revocation: Revocation | None = None) -> CustomerRegister:
    return CustomerRegister(NOW, sessions, revocation, is_complete)


def rebuilt(
    before: Projection | None, register: CustomerRegister, *, limit: int = 0, with_policies: bool = True
) -> Merged:
    return rebuild(
        before,
        register,
        CustomerFacts(),
        customer_id=CUSTOMER,
        now=NOW,
        rules=Rules(limit=limit),
        with_policies=with_policies,
    )


def test_a_rebuild_corrects_a_count_that_is_too_high_or_too_low() -> None:
    before = Projection(customer_id=CUSTOMER, sessions={"gone": Entry(0, NOW_S + 99), "a": Entry(0, NOW_S + 1)})
    lived = images_of("new", [login("new")], [1])[0].session

    after = rebuilt(before, registered(LIVE.session, lived, STREAMS[2][-1].session)).projection

    assert visible(after).session_ids == ["a", "new"]
    assert after.session_count == 2
    assert after.end_watermark == NOW_S


def test_a_rebuild_keeps_last_login_revocations_endings_and_a_later_watermark() -> None:
    revocation = Revocation(customer_id=CUSTOMER, revoked_at=at(-5))
    before = Projection(
        customer_id=CUSTOMER,
        last_login_time=at(99),
        last_login_session_id="dormant",
        revocation=revocation,
        end_watermark=NOW_S + 10,
        sessions={"a": Entry(0, 1, "limit", 7), "over": Entry(0, NOW_S + 9, "limit", 7)},
    )

    result = rebuilt(before, registered(LIVE.session, revocation=replace(revocation, revoked_at=at(-9))))

    after = result.projection
    assert (after.last_login_time, after.last_login_session_id) == (at(99), "dormant")
    assert (after.revocation, after.end_watermark) == (revocation, NOW_S + 10)
    assert {name: entry[2:] for name, entry in after.sessions.items()} == {"a": ("limit", 7)}
    assert result.ending == after.sessions


@pytest.mark.parametrize("with_policies", [True, False])
def test_a_rebuild_decides_policies_only_where_it_is_asked_to(with_policies: bool) -> None:
    result = rebuilt(
        None, registered(*(stream[0].session for stream in STREAMS[:2])), limit=1, with_policies=with_policies
    )

    assert set(result.ending) == ({"a"} if with_policies else set())
    assert result.projection.session_count == (1 if with_policies else 2)


def test_a_projection_made_from_a_part_of_the_sessions_says_so_until_a_rebuild_has_read_all() -> None:
    partly = rebuilt(None, registered(LIVE.session, is_complete=False)).projection

    whole = rebuilt(partly, registered(LIVE.session)).projection

    assert not activity_at(partly, CUSTOMER, NOW + timedelta(days=3000)).is_exact
    assert activity_at(whole, CUSTOMER, NOW).is_exact
