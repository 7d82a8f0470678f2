"""Keys: every id stands in them exactly, and none can pose as another."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.keys import (
    CHILD_PREFIX,
    CUSTOMER_PREFIX,
    MAX_ENCODED_ID_BYTES,
    REVOKED_PREFIX,
    SESSION_PREFIX,
    Key,
    child_session_key,
    child_sort_key,
    customer_partition,
    decode_id,
    encode_id,
    revocation_key,
    session_key,
    session_partition,
)

NASTY = st.text(alphabet="#%25cusrhildevok|:@/=é\u20ac😀", min_size=1, max_size=20)
IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40) | NASTY


@given(IDS)
def test_an_id_is_read_back_exactly(identifier: str) -> None:
    assert decode_id(encode_id(identifier)) == identifier


@given(IDS)
def test_an_encoded_id_is_ascii_without_number_sign(identifier: str) -> None:
    encoded = encode_id(identifier)

    assert encoded.isascii()
    assert "#" not in encoded


@given(st.text("abcXYZ0189|:@/=+-_.~ !$&'()*,;?[]{}<>\"\\^`", min_size=1))
def test_everything_else_stays_readable(identifier: str) -> None:
    assert encode_id(identifier) == identifier


@pytest.mark.parametrize(
    ("identifier", "encoded"),
    [
        ("a#b", "a%23b"),
        ("#a b@c:/~|", "%23a b@c:/~|"),
        ("100%", "100%25"),
        ("%23", "%2523"),
        ("é", "%C3%A9"),
        ("😀", "%F0%9F%98%80"),
    ],
)
def test_the_encoding_is_percent_encoding_of_utf_8(identifier: str, encoded: str) -> None:
    assert encode_id(identifier) == encoded


@pytest.mark.parametrize("encoded", ["%", "%zz", "%ff", "%C3", "a%2", "%E9"])
def test_what_others_wrote_into_a_key_is_read_without_failing(encoded: str) -> None:
    assert isinstance(decode_id(encoded), str)


@given(IDS, IDS, IDS, IDS)
def test_two_pairs_of_session_and_customer_never_share_a_key(session: str, customer: str, s2: str, c2: str) -> None:
    assume((session, customer) != (s2, c2))

    assert session_key(session, customer) != session_key(s2, c2)
    assert child_session_key(session, customer) != child_session_key(s2, c2)


def kind(key: Key) -> tuple[str, str]:
    kinds = [p for p in (SESSION_PREFIX, CUSTOMER_PREFIX, CHILD_PREFIX, REVOKED_PREFIX) if key.pk.startswith(p)]
    sort_kinds = [
        p for p in (SESSION_PREFIX, CUSTOMER_PREFIX, CHILD_PREFIX, REVOKED_PREFIX) if (key.sk or "").startswith(p)
    ]
    [partition], [sort] = kinds, sort_kinds
    return partition, sort


@given(IDS, IDS)
def test_no_id_forges_another_kind_of_key(one: str, other: str) -> None:
    assert kind(session_key(one, other)) == (SESSION_PREFIX, CUSTOMER_PREFIX)
    assert kind(child_session_key(one, other)) == (SESSION_PREFIX, CHILD_PREFIX)
    assert kind(revocation_key(one)) == (CUSTOMER_PREFIX, REVOKED_PREFIX)


@given(IDS, IDS)
def test_no_two_kinds_of_partition_meet_in_table_or_index(one: str, other: str) -> None:
    partitions = [
        session_partition(one),
        customer_partition(other),
        child_sort_key(one),
        revocation_key(other).sk,
    ]

    assert len(set(partitions)) == len(partitions)


@pytest.mark.parametrize("identifier", ["x" * MAX_ENCODED_ID_BYTES, "😀" * (MAX_ENCODED_ID_BYTES // 12)])
def test_the_longest_id_fits_a_sort_key(identifier: str) -> None:
    keys = [session_key("s", identifier), child_session_key("s", identifier), revocation_key(identifier)]

    assert max(len((key.sk or "").encode()) for key in keys) <= 1024
    assert max(len(key.pk.encode()) for key in keys) <= 2048
