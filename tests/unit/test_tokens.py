"""Signed tokens: read as they are without keys, refused unless they verify with keys."""

import base64
import json
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from processors.runtime.intake import providers_of
from processors.runtime.settings import Settings, SettingsError
from providers.envelopes import Providers, read_body
from providers.tokens import TokenKeys, TokenKeysError
from schemas.errors import RejectedEventError
from schemas.events import LogoutEvent

CLAIMS = {
    "iss": "https://op.example.org",
    "aud": "web",
    "iat": 1772358600,
    "jti": "logout-9",
    "sub": "ada-1",
    "sid": "sid-9",
    "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
}
RSA, EC, OTHER = (
    RSAKey.generate_key(2048, {"kid": "rsa"}),
    ECKey.generate_key("P-256", {"kid": "ec"}),
    ECKey.generate_key("P-256", {"kid": "other"}),
)
JWKS = json.dumps(KeySet([RSA, EC]).as_dict(private=False))


def signed(key: Any, **header: str) -> str:
    return jws.serialize_compact(header, json.dumps(CLAIMS), key, algorithms=[header["alg"]])


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def read(token: str, jwks: str | None = JWKS) -> Any:
    return read_body(token, sent_at=None, providers=Providers(verifier=TokenKeys(jwks) if jwks else None))


@pytest.mark.parametrize(
    "token",
    [signed(RSA, alg="RS256", kid="rsa"), signed(EC, alg="ES256", kid="ec"), signed(EC, alg="ES256")],
    ids=["RSA", "EC", "no key named"],
)
def test_a_token_that_a_key_of_ours_signed_is_read(token: str) -> None:
    assert isinstance(read(token), LogoutEvent)


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
def test_a_token_that_no_key_of_ours_signed_is_refused_where_there_are_keys(token: str) -> None:
    with pytest.raises(RejectedEventError, match="the token's signature is not that of a key we have") as caught:
        read(token)

    assert "eyJ" not in caught.value.reason


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
def test_without_keys_nothing_is_verified(token: str) -> None:
    assert isinstance(read(token, None), LogoutEvent)


@pytest.mark.parametrize(
    "token", ["eyJ.eyJ.x", "eyJhbGciOiJub25lIn0.ZQ.", "eyJh.é.x", "eyJ..", "a.b.c", "eyJ.eyJ.x.y.z"]
)
def test_what_only_looks_like_a_token_is_rejected(token: str) -> None:
    for jwks in (None, JWKS):
        with pytest.raises(RejectedEventError):
            read(token, jwks)


def test_the_form_field_of_the_wire_is_taken_as_well() -> None:
    assert isinstance(read(f"logout_token={signed(EC, alg='ES256')}"), LogoutEvent)


@pytest.mark.parametrize(
    ("jwks", "problem"),
    [
        ("no json", "no JSON Web Key Set"),
        ("[]", "no JSON Web Key Set"),
        ("{}", "no JSON Web Key Set"),
        ('{"keys": []}', "no JSON Web Key Set"),
        ('{"keys": [{"kty": "RSA"}]}', "no JSON Web Key Set"),
        ('{"keys": [{"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQ"}]}', "shared secret"),
    ],
)
def test_wrong_keys_are_refused_at_start_and_not_shown(jwks: str, problem: str) -> None:
    with pytest.raises(TokenKeysError, match=problem) as caught:
        TokenKeys(jwks)

    assert "c2Vj" not in str(caught.value)
    with pytest.raises(SettingsError, match=f"TOKEN_JWKS: .*{problem}"):
        providers_of(Settings.from_environment({"TOKEN_JWKS": jwks}, needs=()))


def test_keys_of_the_environment_verify() -> None:
    providers = providers_of(Settings.from_environment({"TOKEN_JWKS": JWKS}, needs=()))

    assert isinstance(read_body(signed(RSA, alg="RS256", kid="rsa"), sent_at=None, providers=providers), LogoutEvent)
    with pytest.raises(RejectedEventError):
        read_body(FORGED["another key"], sent_at=None, providers=providers)
