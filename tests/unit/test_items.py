"""Items of the sessions table: written and read without loss, and read as the original schema has them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import MalformedItemError, NewerFormatError
from schemas.item_mapping import key_of, read_item, write_item
from schemas.items import ACTIVE, CLOSING, Revocation, Session, with_parent
from schemas.keys import MAX_ENCODED_ID_BYTES, Key, child_session_key, revocation_key, session_key
from schemas.times import to_milliseconds

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

IDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20) | st.text("#%23cé|", min_size=1)
TEXTS = st.none() | IDS
MOMENTS = st.datetimes(timezones=st.just(UTC)).map(to_milliseconds)
SECONDS = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0))

SESSIONS = st.builds(
    Session,
    session_id=IDS,
    customer_id=IDS,
    parent_session_id=TEXTS,
    session_state=st.sampled_from([ACTIVE, CLOSING]),
    started_at=MOMENTS,
    last_login_time=MOMENTS,
    expires_at=st.none() | SECONDS,
    ended_at=st.none() | MOMENTS,
    ended_event_id=TEXTS,
    end_reason=TEXTS,
    access_token_sha256=TEXTS,
    client_ip=TEXTS,
    user_agent=TEXTS,
    device_id=TEXTS,
    country=TEXTS,
    source=TEXTS,
    last_login_event_id=TEXTS,
    ttl=st.none() | st.integers(0, 10**12),
)
TOMBSTONES = SESSIONS.map(
    lambda session: replace(session, session_state=CLOSING, started_at=None, last_login_time=None)
)
REVOCATIONS = st.builds(
    Revocation,
    customer_id=IDS,
    revoked_at=MOMENTS,
    except_session_id=TEXTS,
    other_revoked_at=st.none() | MOMENTS,
    other_except_session_id=TEXTS,
    ttl=st.none() | st.integers(0, 10**12),
)


def original(pk: str, sk: str, **texts: str) -> dict[str, dict[str, str]]:
    return {name: {"S": text} for name, text in {"PK": pk, "SK": sk, **texts}.items()}


@given(SESSIONS | TOMBSTONES | REVOCATIONS, st.integers(1, 10**9))
def test_what_is_written_is_read_back(value: Session | Revocation, version: int) -> None:
    item = write_item(value)

    assert read_item(item) == value
    assert read_item(item | {"version": {"N": str(version)}}) == replace(value, version=version)
    assert key_of(item) == value.key


@given(SESSIONS | REVOCATIONS)
def test_an_item_holds_nothing_empty_and_no_version_of_its_own(value: Session | Revocation) -> None:
    item = write_item(replace(value, version=7))

    assert "version" not in item
    assert all(next(iter(attribute.values())) != "" for attribute in item.values())


def test_the_attributes_are_those_of_the_contract() -> None:
    session = Session(
        session_id="session#1",
        customer_id="customer-1",
        session_state=CLOSING,
        started_at=NOW,
        last_login_time=NOW,
        expires_at=NOW,
        ended_at=NOW,
        ended_event_id="logout-1",
        end_reason="user",
        access_token_sha256="ab",
        client_ip="192.0.2.1",
        user_agent="Example/1",
        device_id="laptop-1",
        country="DE",
        source="auth.example.com",
        last_login_event_id="login-1",
        ttl=1772366400,
    )

    item = write_item(session)

    assert item == {
        "PK": {"S": "suuid#session%231"},
        "SK": {"S": "c#customer-1"},
        "session_id": {"S": "session#1"},
        "customer_id": {"S": "customer-1"},
        "session_state": {"S": "closing"},
        "started_at": {"S": "2026-03-01T12:00:00.000Z"},
        "last_login_time": {"S": "2026-03-01T12:00:00.000Z"},
        "expires_at": {"N": "1772366400"},
        "ended_at": {"S": "2026-03-01T12:00:00.000Z"},
        "ended_event_id": {"S": "logout-1"},
        "end_reason": {"S": "user"},
        "access_token_sha256": {"S": "ab"},
        "client_ip": {"S": "192.0.2.1"},
        "user_agent": {"S": "Example/1"},
        "device_id": {"S": "laptop-1"},
        "country": {"S": "DE"},
        "source": {"S": "auth.example.com"},
        "last_login_event_id": {"S": "login-1"},
        "ttl": {"N": "1772366400"},
    }


def test_a_session_of_the_original_schema_is_read() -> None:
    item = original(
        "suuid#c7a1",
        "c#ABC",
        last_login_time="2023-05-12T11:30:00",
        session_state="active",
        access_token="d23",
    )

    session = read_item(item)

    assert session == Session(
        session_id="c7a1",
        customer_id="ABC",
        started_at=datetime(2023, 5, 12, 11, 30, tzinfo=UTC),
        last_login_time=datetime(2023, 5, 12, 11, 30, tzinfo=UTC),
    )
    assert "d23" not in repr(session)


def test_a_session_of_the_original_schema_never_runs_out() -> None:
    session = read_item(original("suuid#c7a1", "c#ABC", last_login_time="2023-05-12T11:30:00", session_state="active"))

    assert isinstance(session, Session)
    assert session.is_live(NOW + timedelta(days=10_000))


def test_a_closing_session_of_the_original_schema_is_over() -> None:
    session = read_item(original("suuid#c7a1", "c#ABC", last_login_time="2023-05-12T11:30:00", session_state="closing"))

    assert isinstance(session, Session)
    assert not session.is_live(NOW)


def test_a_child_session_of_the_original_schema_has_neither_customer_nor_times() -> None:
    child = read_item(original("suuid#c7a1", "child#suuid#e5f", session_state="active", access_token="lko"))

    assert child == Session(session_id="e5f", customer_id=None, parent_session_id="c7a1")
    assert child is not None
    assert child.key == Key("suuid#c7a1", "child#suuid#e5f")
    assert isinstance(child, Session)
    assert child.is_live(NOW)


def test_a_child_of_the_original_schema_takes_the_customer_of_the_only_parent() -> None:
    child = Session(session_id="e5f", customer_id=None, parent_session_id="c7a1")
    parent = Session(session_id="c7a1", customer_id="ABC", session_state=CLOSING)

    attached = with_parent(child, {"ABC": parent})

    assert attached.customer_id == "ABC"
    assert not attached.is_live(NOW)


def test_a_child_without_customer_takes_none_of_two_parents() -> None:
    child = Session(session_id="e5f", customer_id=None, parent_session_id="c7a1")
    parents = {name: Session(session_id="c7a1", customer_id=name) for name in ("ABC", "XYZ")}

    assert with_parent(child, parents) == child


def test_a_child_has_the_parent_of_its_own_customer() -> None:
    child = Session(session_id="e5f", customer_id="XYZ", parent_session_id="c7a1")
    parents = {name: Session(session_id="c7a1", customer_id=name) for name in ("ABC", "XYZ")}

    assert with_parent(child, parents).parent is parents["XYZ"]
    assert with_parent(child, {"ABC": parents["ABC"]}).parent is None


@pytest.mark.parametrize(
    ("session", "is_live"),
    [
        (Session(session_id="s", customer_id="c", version=1, last_login_time=NOW, expires_at=NOW), False),
        (
            Session(
                session_id="s", customer_id="c", version=1, last_login_time=NOW, expires_at=NOW + timedelta(seconds=1)
            ),
            True,
        ),
        (Session(session_id="s", customer_id="c", version=1, expires_at=NOW + timedelta(seconds=1)), False),
        (Session(session_id="s", customer_id="c", version=1, last_login_time=NOW, session_state=CLOSING), False),
    ],
    ids=["at its expiry", "a second before", "without login", "ended"],
)
def test_live_means_logged_in_not_ended_and_not_run_out(session: Session, is_live: bool) -> None:
    assert session.is_live(NOW) is is_live


def test_an_original_session_that_was_only_touched_keeps_its_login_and_a_tombstone_has_none() -> None:
    touched = Session(session_id="s", customer_id="c", version=1)
    tombstone = replace(touched, session_state=CLOSING, ended_at=NOW)

    assert (touched.has_login, touched.is_live(NOW), replace(touched, session_state=CLOSING).has_login) == (
        True,
        True,
        True,
    )
    assert not tombstone.has_login


def test_a_top_level_session_without_customer_has_no_key() -> None:
    with pytest.raises(ValueError, match="belongs to a customer"):
        _ = Session(session_id="s", customer_id=None).key


@pytest.mark.parametrize(
    ("pk", "sk"),
    [
        ("suuid#s", "profile#1"),
        ("order#1", "c#1"),
        ("order#1", "revoked#c#1"),
        ("suuid#s", "revoked#c#1"),
        ("c#1", "c#1"),
        ("c#1", "child#suuid#s"),
        ("", ""),
    ],
)
def test_an_item_of_others_is_let_be_whatever_it_holds(pk: str, sk: str) -> None:
    assert read_item(original(pk, sk, last_login_time="soon", revoked_at="never")) is None


@pytest.mark.parametrize(
    "attributes",
    [
        {"last_login_time": {"S": "soon"}},
        {"last_login_time": {"S": "9999-12-31T23:59:59-12:00"}},
        {"last_login_time": {"N": "1772366400"}},
        {"expires_at": {"S": "1772366400"}},
        {"expires_at": {"N": "1e99"}},
        {"expires_at": {"N": "9" * 20}},
        {"version": {"N": "one"}},
        {"ttl": {}},
        {"started_at": {"S": None}},
        {"session_state": None},
        {"session_state": "active"},
    ],
    ids=repr,
)
def test_an_attribute_of_another_type_or_form_is_read_as_absent(attributes: dict[str, Any]) -> None:
    item = original("suuid#s", "c#c")

    assert read_item(item | attributes) == read_item(item)


def test_a_revocation_without_time_is_nothing_of_ours() -> None:
    assert read_item(original("c#c", "revoked#c#c", customer_id="c")) is None


@pytest.mark.parametrize("key", [("suuid#s", "c#c"), ("suuid#s", "child#suuid#k"), ("c#c", "revoked#c#c")])
@pytest.mark.parametrize(("item_format", "is_read"), [("0", True), ("1", True), ("2", False)])
def test_an_item_of_a_later_format_is_not_read(key: tuple[str, str], item_format: str, is_read: bool) -> None:
    item = original(*key, revoked_at="2026-03-01T12:00:00Z") | {"item_format": {"N": item_format}}

    if is_read:
        assert read_item(item) is not None
    else:
        with pytest.raises(NewerFormatError, match="item_format"):
            read_item(item)


def test_a_state_that_is_not_known_here_is_over() -> None:
    session = read_item(original("suuid#s", "c#c", last_login_time="2026-03-01T11:00:00Z", session_state="suspended"))

    assert isinstance(session, Session)
    assert session.session_state == "suspended"
    assert not session.is_live(NOW)


@pytest.mark.parametrize(
    "attributes", [{}, {"PK": {"S": "x"}}, {"PK": {"N": "1"}, "SK": {"S": "x"}}, {"PK": "x", "SK": "y"}, None, [], "x"]
)
def test_an_item_without_keys_is_malformed(attributes: Any) -> None:
    with pytest.raises(MalformedItemError) as caught:
        read_item(attributes)

    assert str(caught.value) == "an item without the string keys PK and SK"


@pytest.mark.parametrize(
    ("session_id", "started_at", "is_covered"),
    [
        ("other", NOW, True),
        ("other", NOW + timedelta(milliseconds=1), False),
        ("spared", NOW, False),
        ("spared", NOW - timedelta(hours=1), True),
    ],
)
def test_a_revocation_covers_what_began_before_it_and_is_not_spared(
    session_id: str, started_at: datetime, is_covered: bool
) -> None:
    revocation = Revocation(
        customer_id="c", revoked_at=NOW, except_session_id="spared", other_revoked_at=NOW - timedelta(hours=1)
    )

    assert revocation.covers(session_id, started_at) is is_covered


@given(IDS, IDS, IDS)
def test_the_key_of_an_item_is_the_key_of_what_it_says(session_id: str, customer_id: str, parent_id: str) -> None:
    session = Session(session_id=session_id, customer_id=customer_id)
    child = replace(session, parent_session_id=parent_id)

    assert session.key == session_key(session_id, customer_id)
    assert child.key == child_session_key(parent_id, session_id)
    assert Revocation(customer_id=customer_id, revoked_at=NOW).key == revocation_key(customer_id)


LONGEST, TOO_LONG = "x" * MAX_ENCODED_ID_BYTES, "x" * (MAX_ENCODED_ID_BYTES + 1)


@pytest.mark.parametrize(
    "key", ["suuid#{}/c#c", "suuid#s/c#{}", "suuid#{}/child#suuid#k", "suuid#p/child#suuid#{}", "c#c/revoked#c#{}"]
)
def test_an_id_in_a_key_that_is_empty_or_too_long_is_malformed_and_named(key: str) -> None:
    for identifier in ("", TOO_LONG):
        pk, sk = key.format(identifier).split("/")

        with pytest.raises(MalformedItemError) as caught:
            read_item(original(pk, sk, revoked_at="2026-03-01T12:00:00Z"))

        assert str(caught.value) == f"item {pk} / {sk} breaks the schema: an id is empty, too long or no text"
    assert read_item(original(*key.format(LONGEST).split("/"), revoked_at="2026-03-01T12:00:00Z")) is not None


@pytest.mark.parametrize(("customer_id", "is_read"), [("", False), (TOO_LONG, False), (LONGEST, True)])
def test_a_childs_customer_is_no_key_but_has_to_fit_one(customer_id: str, is_read: bool) -> None:
    item = original("suuid#p", "child#suuid#k", customer_id=customer_id)

    if is_read:
        assert read_item(item) is not None
    else:
        with pytest.raises(MalformedItemError, match="empty, too long or no text"):
            read_item(item)


@pytest.mark.parametrize(("minutes", "is_live"), [(0, False), (1, True)], ids=["run out", "live"])
def test_a_child_is_live_as_long_as_its_parent(minutes: int, is_live: bool) -> None:
    parent = Session(
        session_id="p", customer_id="c", version=1, last_login_time=NOW, expires_at=NOW + timedelta(minutes=minutes)
    )
    child = Session(
        session_id="k", customer_id="c", parent_session_id="p", version=1, last_login_time=NOW, parent=parent
    )

    assert child.is_live(NOW) is is_live


@pytest.mark.parametrize(
    ("known", "event_id", "moves"),
    [
        (None, "A", False),
        (None, "a", False),
        (None, None, False),
        ("A", None, True),
        ("a", None, True),
        ("b", "a", True),
    ],
)
def test_of_two_ends_at_one_time_the_one_without_event_id_counts(
    known: str | None, event_id: str | None, moves: bool
) -> None:
    ended = Session(session_id="s", customer_id="c", session_state=CLOSING, ended_at=NOW, ended_event_id=known)

    assert ended.ends_after(NOW, event_id) is moves


def test_an_id_with_half_of_a_surrogate_pair_is_malformed_and_no_failure() -> None:
    item = {"PK": {"S": "suuid#p"}, "SK": {"S": "child#suuid#k"}, "customer_id": {"S": "\udfff"}}

    with pytest.raises(MalformedItemError, match="no text"):
        read_item(item)
