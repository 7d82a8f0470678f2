"""Ids in namespaces: customers of two systems or tenants are never the same customer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.envelopes import Providers, read_body
from providers.mapping_files import parse_mapping
from providers.provider_mappings import ProviderMapping, ProviderMappings, bundled_mappings
from schemas.errors import RejectedEventError

ISSUER = "https://id.example.org/realms/shop"
LOGOUT_TOKEN = {
    "iss": ISSUER,
    "iat": 1772358600,
    "jti": "j1",
    "sub": "ada",
    "sid": "s1",
    "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
}


def keycloak(**changes: object) -> dict[str, Any]:
    return {
        "id": "e1",
        "time": 1772357400123,
        "type": "LOGIN",
        "realmId": "realm-b",
        "userId": "ada",
        "sessionId": "s1",
    } | changes


def read(event: object, namespace: str = "provider", issuers: dict[str, str] | None = None) -> Any:
    providers = Providers(customer_namespace=namespace, customer_namespaces=issuers or {})
    return read_body(json.dumps(event), sent_at=None, providers=providers)


def test_without_a_namespace_ids_stay_as_the_system_gives_them() -> None:
    event = read(keycloak(), namespace="none")

    assert (event.customer_id, event.session_id) == ("ada", "s1")


def test_ids_of_two_realms_differ_and_event_ids_stay() -> None:
    one, other = read(keycloak()), read(keycloak(realmId="realm-c"))

    assert (one.event_id, one.customer_id, one.session_id) == ("e1", "keycloak:realm-b:ada", "keycloak:realm-b:s1")
    assert other.customer_id == "keycloak:realm-c:ada"


def test_a_back_channel_logout_of_the_same_issuer_names_the_same_customer_and_session() -> None:
    login = read(keycloak())
    logout = read(LOGOUT_TOKEN, issuers={ISSUER: "keycloak:realm-b"})

    assert (logout.customer_id, logout.session_id) == (login.customer_id, login.session_id)


@pytest.mark.parametrize("changes", [{"iss": "https://other.example.org"}, {"iss": None}, {"iss": []}], ids=repr)
def test_an_issuer_that_is_not_known_is_rejected(changes: dict[str, object]) -> None:
    with pytest.raises(RejectedEventError, match="issuer"):
        read(LOGOUT_TOKEN | changes, issuers={ISSUER: "keycloak:realm-b"})


@pytest.mark.parametrize("realm", [None, "", [], {}], ids=repr)
def test_an_event_whose_tenant_is_missing_is_rejected(realm: object) -> None:
    with pytest.raises(RejectedEventError, match="tenant"):
        read(keycloak(realmId=realm))


def test_256_characters_count_without_the_namespace_and_the_bytes_of_a_key_with_it() -> None:
    assert len(read(keycloak(userId="c" * 256)).customer_id) == 256 + len("keycloak:realm-b:")
    with pytest.raises(RejectedEventError, match="with its namespace"):
        read(keycloak(userId="c" * 256, realmId="r" * 800))


def test_a_canonical_event_keeps_its_ids() -> None:
    event = {"event_id": "e", "event_type": "logout_all", "occurred_at": "2026-03-01T10:00:00Z", "customer_id": "ada"}

    assert read(event).customer_id == "ada"


@given(
    st.lists(st.tuples(st.text(":%ab", min_size=1), st.text(":%ab", min_size=1)), min_size=2, max_size=2, unique=True)
)
def test_no_two_pairs_of_tenant_and_customer_share_an_id(pairs: list[tuple[str, str]]) -> None:
    first, second = (read(keycloak(realmId=realm, userId=user)).customer_id for realm, user in pairs)

    assert first != second


def test_a_mapping_with_a_session_that_cannot_be_read_never_ends_all_sessions() -> None:
    text = """
provider = "example"
type = "kind"
absent = ["unknown"]
[[recognise]]
has = ["kind", "details"]
[fields]
event_id = "id"
occurred_at = "at"
customer_id = "who"
session_id = "details.session"
[[events]]
is = "logout"
types = ["out"]
[[events]]
is = "logout"
types = ["ended"]
requires = ["session_id"]
[[events]]
is = "rejected"
types = ["odd"]
because = "the format is not read"
showing = "details.format"
"""
    mappings = ProviderMappings([ProviderMapping(parse_mapping(text, name="example.toml"))])
    event = {"kind": "out", "id": "e", "at": 1772357400, "who": "ada", "details": {"session": "unknown"}}

    def outcome(**changes: object) -> Any:
        return read_body(json.dumps(event | changes), sent_at=None, providers=Providers(lambda: mappings))

    assert outcome().event_type == "logout_all"
    for changes, reason in (
        ({"details": [{"session": "s"}]}, "cannot be read"),
        ({"details": {"session": {"id": "s"}}}, "session_id"),
        ({"kind": "ended"}, "session_id is missing"),
        ({"kind": "odd", "details": {"format": "jwt_id"}}, "is not read: jwt_id"),
    ):
        with pytest.raises(RejectedEventError, match=reason):
            outcome(**changes)


def test_the_names_of_members_that_mappings_read_are_listed() -> None:
    names = bundled_mappings().member_names()

    assert {"userId", "published", "eventType", "sub_id", "session_id"} <= names
    assert "access_token" not in names
