"""Signed tokens: read as they are without keys; with keys they must verify and say what the key set requires."""

import base64
import json
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from processors.runtime.intake import providers_of
from processors.runtime.settings import Settings
from providers.envelopes import Providers, RejectedEvent, read_body, read_eventbridge_events
from providers.token_keys import CLOCK_TOLERANCE, TokenKeys
from schemas.errors import RejectedEventError
from schemas.events import LogoutEvent

LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
ISSUED_AT = datetime(2026, 3, 1, 9, 50, tzinfo=UTC)
EXPIRES_AT = ISSUED_AT + timedelta(minutes=2)
CLAIMS = {
    "iss": "https://op.example.org",
    "aud": "web",
    "iat": int(ISSUED_AT.timestamp()),
    "exp": int(EXPIRES_AT.timestamp()),
    "jti": "logout-9",
    "sub": "ada-1",
    "sid": "sid-9",
    "events": {LOGOUT: {}},
}
RSA, EC, ED, OTHER = (
    RSAKey.generate_key(2048, {"kid": "rsa"}),
    ECKey.generate_key("P-256", {"kid": "ec"}),
    OKPKey.generate_key("Ed25519", {"kid": "ed"}),
    ECKey.generate_key("P-256", {"kid": "other"}),
)
JWKS = json.dumps(KeySet([RSA, EC, ED]).as_dict(private=False))
ALGORITHMS = ["RS256", "RS512", "PS256", "ES256", "Ed25519"]


def signed(key: Any, claims: Any = CLAIMS, **header: Any) -> str:
    registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    return jws.serialize_compact(header, json.dumps(claims), key, registry=registry)


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def read(token: str, setting: str | None = JWKS, *, sent_at: datetime | None = None) -> Any:
    return read_body(token, sent_at=sent_at, providers=Providers(token_keys=TokenKeys(setting) if setting else None))


def key_sets(*sets: dict[str, Any]) -> str:
    own = {"keys": [EC.as_dict(private=False)]}
    return json.dumps({"key_sets": [own | required for required in sets]})


@pytest.mark.parametrize(
    "token",
    [
        signed(RSA, alg="RS256", kid="rsa"),
        signed(RSA, alg="PS512", kid="rsa"),
        signed(EC, alg="ES256", kid="ec"),
        signed(ED, alg="Ed25519", kid="ed"),
        signed(EC, alg="ES256"),
        signed(EC, alg="ES256", kid="ec", typ="logout+jwt", tenant="a member of the sender's own", x5t="0" * 600),
    ],
    ids=["RSA", "RSA-PSS", "EC", "Ed25519", "no key named", "further header members"],
)
def test_a_token_that_a_key_of_ours_signed_is_read(token: str) -> None:
    assert isinstance(read(token), LogoutEvent)


def test_a_key_without_a_name_verifies_a_token_that_names_one() -> None:
    jwk = {name: value for name, value in EC.as_dict(private=False).items() if name != "kid"}

    assert isinstance(read(signed(EC, alg="ES256", kid="2026-03"), json.dumps({"keys": [jwk]})), LogoutEvent)


FORGED = {
    "another key": signed(OTHER, alg="ES256", kid="other"),
    "another key under the name of ours": signed(OTHER, alg="ES256", kid="ec"),
    "a changed payload": ".".join(
        [signed(EC, alg="ES256").split(".")[0], part(CLAIMS | {"sub": "eve"}), signed(EC, alg="ES256").split(".")[2]]
    ),
    "no signature": f"{part({'alg': 'none'})}.{part(CLAIMS)}.",
    "the public key as a shared secret": signed(
        OctKey.import_key(json.dumps(RSA.as_dict(private=False)).encode()), alg="HS256", kid="rsa"
    ),
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
def test_a_token_that_no_key_of_ours_signed_is_rejected_where_there_are_keys(token: str) -> None:
    with pytest.raises(RejectedEventError, match=r"not (that of a key|in) .*TOKEN_JWKS|TOKEN_JWKS: alg") as caught:
        read(token)

    assert "eyJ" not in caught.value.reason


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
def test_without_keys_nothing_is_verified(token: str) -> None:
    assert isinstance(read(token, None), LogoutEvent)


def test_a_rejection_names_the_key_that_the_token_asks_for() -> None:
    with pytest.raises(RejectedEventError, match="not in TOKEN_JWKS: alg 'ES256', kid 'other'"):
        read(FORGED["another key"])


TOKEN = signed(EC, alg="ES256", kid="ec")


@given(position=st.integers(0, len(TOKEN) - 1), character=st.sampled_from("AZaz09-_."))
def test_no_change_of_a_single_character_makes_another_event(position: int, character: str) -> None:
    changed = TOKEN[:position] + character + TOKEN[position + 1 :]

    with suppress(RejectedEventError):
        assert read(changed) == read(TOKEN)  # the last character of a part has bits that say nothing


@given(
    st.dictionaries(
        st.sampled_from(["alg", "kid", "crit", "b64", "typ", "jwk", "x5u"]),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()) | st.sampled_from(ALGORITHMS),
    )
)
def test_no_header_makes_an_unsigned_token_pass_or_fail_otherwise_than_by_rejection(header: dict[str, Any]) -> None:
    with pytest.raises(RejectedEventError):
        read(f"{part(header)}.{part(CLAIMS)}.{part('signature')}")


@pytest.mark.parametrize(
    "token", ["eyJ.eyJ.x", "eyJhbGciOiJub25lIn0.ZQ.", "eyJh.é.x", "eyJ..", "a.b.c", "eyJ.eyJ.x.y.z"]
)
def test_what_only_looks_like_a_token_is_rejected(token: str) -> None:
    for setting in (None, JWKS):
        with pytest.raises(RejectedEventError):
            read(token, setting)


def test_the_form_field_of_the_wire_is_taken_as_well() -> None:
    assert isinstance(read(f"logout_token={TOKEN}"), LogoutEvent)


def test_a_jwk_set_alone_requires_no_claims() -> None:
    claims = {name: value for name, value in CLAIMS.items() if name not in ("iss", "aud", "exp")}

    assert isinstance(read(signed(EC, claims, alg="ES256"), sent_at=ISSUED_AT), LogoutEvent)
    assert isinstance(read(TOKEN, sent_at=EXPIRES_AT + timedelta(days=1)), LogoutEvent)


REQUIRED = {"issuer": "https://op.example.org", "audience": ["app", "web"], "require_expiry": True}


@pytest.mark.parametrize("audience", ["web", ["web"], ["another", "app"]])
def test_a_token_that_says_what_its_key_set_requires_is_read(audience: object) -> None:
    token = signed(EC, CLAIMS | {"aud": audience}, alg="ES256")

    assert isinstance(read(token, key_sets(REQUIRED), sent_at=ISSUED_AT), LogoutEvent)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": "https://evil.example"}, "iss is 'https://evil.example', but its key is of 'https://op.example.org'"),
        ({"iss": None}, "iss is missing, but its key is of"),
        ({"iss": ["https://op.example.org"]}, "iss is of type list, but its key is of"),
        ({"aud": "other"}, "aud is 'other', but must name 'app' or 'web'"),
        ({"aud": ["a", "b", "c", "d"]}, "aud is 'a', 'b', 'c', but must name"),
        ({"aud": []}, "aud is an empty list, but must name"),
        ({"aud": None}, "aud is missing, but must name"),
        ({"aud": {"web": 1}}, "aud is of type dict, but must name"),
        ({"exp": None}, "exp is missing, but its key set requires an expiry, in seconds since 1970"),
        ({"exp": "1772359920"}, "exp is '1772359920', but its key set requires an expiry"),
        ({"exp": True}, "exp is another value, but"),
        ({"exp": -1e300}, "exp is another value, but"),
        ({"exp": 1772359920000}, "exp is another value, but"),
        ({"exp": 1772300000}, "expired at 2026-02-28T17:33:20.000Z, and was sent at 2026-03-01T09:50:00.000Z"),
    ],
)
def test_a_token_that_says_otherwise_is_rejected_with_what_was_seen(changed: dict[str, Any], reason: str) -> None:
    token = signed(EC, CLAIMS | changed, alg="ES256")

    with pytest.raises(RejectedEventError, match=re.escape(f"the token's {reason}".replace("'s expired", " expired"))):
        read(token, key_sets(REQUIRED), sent_at=ISSUED_AT)


@given(st.integers(-600, 1000))
def test_a_token_expires_by_the_clock_of_the_queue_with_some_tolerance(seconds: int) -> None:
    sent_at = EXPIRES_AT + CLOCK_TOLERANCE + timedelta(seconds=seconds)

    if seconds < 0:
        assert isinstance(read(TOKEN, key_sets(REQUIRED), sent_at=sent_at), LogoutEvent)
    else:
        with pytest.raises(RejectedEventError, match="the token expired at"):
            read(TOKEN, key_sets(REQUIRED), sent_at=sent_at)


def test_the_time_that_a_publisher_gives_its_event_does_not_revive_an_expired_token() -> None:
    event = {
        "source": "op",
        "detail-type": "Logout Token",
        "time": "2026-03-01T09:50:00Z",
        "id": "e-1",
        "detail": {"logout_token": TOKEN},
    }

    [result] = read_eventbridge_events(
        event, sent_at=EXPIRES_AT + timedelta(days=1), providers=Providers(token_keys=TokenKeys(key_sets(REQUIRED)))
    )

    assert isinstance(result, RejectedEvent)
    assert "the token expired at" in result.error.reason


def test_a_key_of_one_issuer_does_not_vouch_for_another() -> None:
    setting = json.dumps(
        {
            "key_sets": [
                {"issuer": "https://op.example.org", "keys": [EC.as_dict(private=False)]},
                {"issuer": "https://other.example.org", "keys": [OTHER.as_dict(private=False)]},
            ]
        }
    )

    assert isinstance(read(signed(EC, alg="ES256", kid="ec"), setting), LogoutEvent)
    with pytest.raises(RejectedEventError, match=r"iss is 'https://op.example.org', but its key is of 'https://other"):
        read(signed(OTHER, alg="ES256", kid="other"), setting)


@pytest.mark.parametrize("issuer", ["https://op.example.org", "https://two.example.org"])
def test_tenants_that_share_a_key_are_each_held_to_their_own_set(issuer: str) -> None:
    setting = key_sets({"issuer": "https://two.example.org"}, {"issuer": "https://op.example.org"})

    assert isinstance(read(signed(EC, CLAIMS | {"iss": issuer}, alg="ES256"), setting), LogoutEvent)
    with pytest.raises(RejectedEventError, match=r"iss is 'https://three.example.org', but its key is of"):
        read(signed(EC, CLAIMS | {"iss": "https://three.example.org"}, alg="ES256"), setting)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iat": None}, "the logout token's iat is missing, but is required"),
        ({"iat": True}, "the logout token's iat is of type bool, but is required"),
        ({"jti": None}, "the logout token's jti is missing, but is required"),
        ({"jti": 7}, "the logout token's jti is of type int, but is required"),
        ({"events": [LOGOUT]}, "the logout token's events is not an object"),
        ({"events": {LOGOUT: []}}, "the logout token's events is not an object with an object"),
        ({"nonce": "n"}, "nonce is there"),
        ({"sub": None, "sid": None}, "customer_id is missing: sub; and so is session_id: sid"),
    ],
)
def test_a_verified_logout_token_has_what_its_specification_requires(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(RejectedEventError, match=re.escape(reason)):
        read(signed(EC, CLAIMS | changed, alg="ES256"))


@pytest.mark.parametrize("payload", [[CLAIMS], "a text", 7, None])
def test_a_signed_payload_that_is_not_an_object_is_rejected(payload: object) -> None:
    with pytest.raises(RejectedEventError, match="the token's payload is not a JSON object"):
        read(signed(EC, payload, alg="ES256"))


def test_keys_of_the_environment_verify() -> None:
    providers = providers_of(Settings.from_environment({"TOKEN_JWKS": JWKS}, needs=()))

    assert isinstance(read_body(signed(RSA, alg="RS256", kid="rsa"), sent_at=None, providers=providers), LogoutEvent)
    with pytest.raises(RejectedEventError):
        read_body(FORGED["another key"], sent_at=None, providers=providers)
