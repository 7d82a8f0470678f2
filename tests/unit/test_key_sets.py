"""The keys of signed tokens: whatever is wrong with them is said at start, in one line, and without a part of a key."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey, RSAKey

from ops.validation.token_keys import findings_in_token_keys
from processors.runtime.intake import providers_of
from processors.runtime.settings import Settings, SettingsError
from providers.key_sets import KeySetError, read_key_sets

RSA: dict[str, Any] = {**RSAKey.generate_key(2048, private=False).as_dict(), "kid": "rsa"}
PRIVATE: dict[str, Any] = {**ECKey.generate_key("P-256").as_dict(private=True), "kid": "private"}
EC: dict[str, Any] = {**ECKey.generate_key("P-256", private=False).as_dict(), "kid": "ec"}
SECOND: dict[str, Any] = {**ECKey.generate_key("P-256", private=False).as_dict(), "kid": "second"}
OCT = {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQ", "kid": "shared"}
SMALL = {**RSAKey.import_key(generate_private_key(65537, 1024).public_key()).as_dict(), "kid": "rsa"}  # noqa: S505 (refused)
WRONG = {
    "empty object": ("{}", "this is not a set of keys; write a JWK Set"),
    "not JSON": ("no json", "this is not valid JSON; write a JWK Set"),
    "a list": ("[]", "this is not a set of keys; write"),
    "both forms": ({"keys": [EC], "key_sets": []}, "this is not a set of keys; write"),
    "no keys": ({"keys": []}, "keys must be a list of at least one public key"),
    "keys not a list": ({"keys": EC}, "keys must be a list of at least one public key"),
    "a key that is a text": ({"keys": ["EC"]}, "key 1 is not a JSON object"),
    "no kty": ({"keys": [EC, {"kid": "x"}]}, "key 2 (kid 'x'): kty is missing; write RSA, EC or OKP"),
    "kty of the future": ({"keys": [{"kty": "AKP"}]}, "key 1: kty is 'AKP'; write RSA, EC or OKP"),
    "kty a list": ({"keys": [{"kty": []}]}, "key 1: kty is of type list; write"),
    "kid a number": ({"keys": [{**EC, "kid": 7}]}, "key 1: kid must be a text"),
    "a shared secret": ({"keys": [OCT]}, "key 1 (kid 'shared') is a shared secret (kty oct); only public keys verify"),
    "a private key": (
        {"keys": [PRIVATE]},
        "key 1 (kid 'private') is a private key, because it has d; write its public",
    ),
    "no modulus": ({"keys": [{"kty": "RSA", "e": "AQAB"}]}, "key 1 is broken: n is missing or not base64url"),
    "not base64url": ({"keys": [{**RSA, "n": "a+b/c="}]}, "(kid 'rsa') is broken: n is missing or not base64url"),
    "not on the curve": (
        {"keys": [{**EC, "y": EC["x"]}]},
        "(kid 'ec') is broken: crv and x and y do not make a public EC",
    ),
    "a short coordinate": (
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}]},
        "key 1 is broken: crv and x do not make",
    ),
    "a small key": ({"keys": [SMALL]}, "key 1 (kid 'rsa') has 1024 bits; an RSA key must have 2048 to 16384"),
    "another curve": ({"keys": [{**EC, "crv": "secp256k1"}]}, "crv is 'secp256k1'; write P-256 or P-384 or P-521"),
    "another alg": ({"keys": [{**EC, "alg": "RS256"}]}, "alg is 'RS256', but this key verifies ES256"),
    "a symmetric alg": ({"keys": [{**RSA, "alg": "HS256"}]}, "alg is 'HS256', but this key verifies RS256 or"),
    "one name for two": ({"keys": [EC, {**SECOND, "kid": "ec"}]}, "2 keys have the kid 'ec'; give each another kid"),
    "one name, one alg": ({"keys": [{**RSA, "alg": "RS256"}, {**RSA, "alg": "RS256"}]}, "2 keys have the kid 'rsa'"),
    "one name, an open alg": ({"keys": [RSA, {**EC, "kid": "rsa"}]}, "2 keys have the kid 'rsa'; give each another"),
    "keys to encrypt only": ({"keys": [{**RSA, "use": "enc"}]}, "no key is for signatures"),
    "claims of a plain set": ({"keys": [EC], "issuer": "i"}, "issuer is for the sets in key_sets only"),
    "no sets": ({"key_sets": []}, "key_sets must be a list of at least one set"),
    "more beside the sets": ({"key_sets": [{"keys": [EC]}], "issuer": "i"}, "key_sets must be a list"),
    "a set that is a text": ({"key_sets": ["keys"]}, "key set 1: it is not a JSON object; write keys and"),
    "an empty set": ({"key_sets": [{"keys": [EC]}, {"keys": []}]}, "key set 2: keys must be a list of at least one"),
    "a wrong key in a set": ({"key_sets": [{"keys": [OCT]}]}, "key set 1: key 1 (kid 'shared') is a shared secret"),
    "a misspelt claim": ({"key_sets": [{"keys": [EC], "audiences": "a"}]}, "key set 1: it has the member 'audiences'"),
    "an empty issuer": ({"key_sets": [{"keys": [EC], "issuer": ""}]}, "key set 1: issuer must be the iss"),
    "an empty audience": ({"key_sets": [{"keys": [EC], "audience": [""]}]}, "key set 1: audience must be the aud"),
    "no audience": ({"key_sets": [{"keys": [EC], "audience": []}]}, "key set 1: audience is an empty list"),
    "expiry a text": ({"key_sets": [{"keys": [EC], "require_expiry": "true"}]}, "require_expiry must be true or false"),
}


def as_setting(content: object) -> str:
    return content if isinstance(content, str) else json.dumps(content)


@pytest.mark.parametrize(("content", "problem"), WRONG.values(), ids=WRONG)
def test_wrong_keys_are_refused_at_start_in_one_line_that_shows_none(content: object, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        providers_of(Settings.from_environment({"TOKEN_JWKS": as_setting(content)}, needs=()))

    message = str(caught.value)
    assert message.startswith("the environment variable TOKEN_JWKS: ")
    assert problem in message
    assert "\n" not in message
    assert not any(secret in message for secret in (OCT["k"], PRIVATE["d"], RSA["n"], EC["x"]))


def test_each_kind_of_key_says_what_it_verifies() -> None:
    keys = [
        RSA,
        {**RSA, "kid": "pss", "alg": "PS256", "use": "sig", "key_ops": ["verify"], "x5c": ["MII"], "ext": True},
        EC,
        *(ECKey.generate_key(curve, private=False).as_dict() for curve in ("P-384", "P-521")),
        *(OKPKey.generate_key(curve, private=False).as_dict() for curve in ("Ed25519", "Ed448")),
    ]

    [read] = read_key_sets(json.dumps({"keys": keys, "published": "by an issuer, with members of its own"}))

    assert [key.algorithms for key in read.keys] == [
        ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
        ("PS256",),
        *(("ES256",), ("ES384",), ("ES512",)),
        *(("Ed25519", "EdDSA"), ("Ed448", "EdDSA")),
    ]
    assert (read.issuer, read.audiences, read.require_expiry) == ("", (), False)


def test_keys_with_another_use_are_left_out() -> None:
    keys = [EC, {**RSA, "use": "enc", "alg": "RSA-OAEP"}, {**SECOND, "key_ops": ["deriveKey"]}]

    [read] = read_key_sets(json.dumps({"keys": keys}))

    assert [key.kid for key in read.keys] == ["ec"]


def test_keys_may_share_a_name_where_each_has_an_algorithm_of_its_own() -> None:
    keys = [{**RSA, "alg": "RS256"}, {**RSA, "alg": "PS256"}, {**EC, "kid": "rsa"}]

    [read] = read_key_sets(json.dumps({"keys": keys}))

    assert [key.algorithms for key in read.keys] == [("RS256",), ("PS256",), ("ES256",)]


def test_each_key_set_has_claims_of_its_own() -> None:
    first, second = read_key_sets(
        json.dumps(
            {
                "key_sets": [
                    {"keys": [EC], "issuer": "https://a.example", "audience": "web", "require_expiry": True},
                    {"keys": [EC], "audience": ["web", "app"]},
                ]
            }
        )
    )

    assert (first.issuer, first.audiences, first.require_expiry) == ("https://a.example", ("web",), True)
    assert (second.issuer, second.audiences, second.require_expiry) == ("", ("web", "app"), False)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["AQAB", "RSA", "P-256"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = ["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "key_ops"]


@given(st.sampled_from([RSA, EC]), st.dictionaries(st.sampled_from(MEMBERS), ANY_JSON, min_size=1))
def test_a_key_with_changed_members_is_taken_or_refused_and_nothing_else(
    key: dict[str, Any], changed: dict[str, Any]
) -> None:
    with suppress(KeySetError):
        [read] = read_key_sets(json.dumps({"keys": [{**key, **changed}]}))

        assert len(read.keys) == 1


@given(ANY_JSON | st.dictionaries(st.sampled_from(["keys", "key_sets", "issuer"]), ANY_JSON))
def test_any_other_value_is_refused_and_nothing_else(content: Any) -> None:
    with pytest.raises(KeySetError):
        read_key_sets(json.dumps(content))


@pytest.mark.parametrize(
    "overrides",
    [
        r'''"LogLevel=\"DEBUG\" TokenJwks=\"{\\\"keys\\\": []}\""''',
        """['LogLevel=DEBUG', 'TokenJwks={"keys": []}']""",
        r'''"ParameterKey=LogLevel,ParameterValue=DEBUG ParameterKey=TokenJwks,ParameterValue='{\"keys\":[]}'"''',
    ],
    ids=["as sam deploy --guided writes them", "a list", "the long form"],
)
def test_keys_of_the_sam_configuration_are_checked_before_they_are_deployed(tmp_path: Path, overrides: str) -> None:
    file = tmp_path / "samconfig.toml"
    file.write_text(f"version = 0.1\n[live.deploy.parameters]\nparameter_overrides = {overrides}\n")

    [finding] = findings_in_token_keys({}, file)

    assert finding.startswith(
        "samconfig.toml.live.deploy.parameters.parameter_overrides: TokenJwks: keys must be a list"
    )


def test_keys_of_the_environment_are_checked_before_they_are_deployed(tmp_path: Path) -> None:
    wrong = findings_in_token_keys({"TOKEN_JWKS": json.dumps({"keys": [OCT]})}, tmp_path / "none.toml")
    right = findings_in_token_keys({"TOKEN_JWKS": json.dumps({"keys": [EC]})}, tmp_path / "none.toml")

    assert [finding[:60] for finding in wrong] == ["TOKEN_JWKS: key 1 (kid 'shared') is a shared secret (kty oct"]
    assert right == []
