"""The key sets that signed tokens are verified with, and the claims that each of them requires.

Imported only where `TOKEN_JWKS` is set. Whatever can be wrong with a key is found here, once, and not at an event.
Sources: RFC 7517 (JWK, JWK Set), RFC 7518 sections 3 and 6 (algorithms and their keys), RFC 8037 and RFC 9864 (Ed25519,
Ed448).
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from providers.tokens import shown

_KEYS: dict[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
"""What a public key consists of, by its `kty`."""
_RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVE_ALGORITHMS: dict[str, dict[str, tuple[str, ...]]] = {
    "EC": {"P-256": ("ES256",), "P-384": ("ES384",), "P-521": ("ES512",)},
    "OKP": {"Ed25519": ("Ed25519", "EdDSA"), "Ed448": ("Ed448", "EdDSA")},
}
_PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_RSA_BITS = range(2048, 16_384 + 1)
"""At least: RFC 7518, 3.3 and 3.5. At most: what OpenSSL verifies with."""
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_CLAIMS = ("issuer", "audience", "require_expiry")
_FORMS = 'a JWK Set {"keys": [...]}, or {"key_sets": [{"issuer": ..., "audience": ..., "keys": [...]}]}'


class KeySetError(ValueError):
    """The key sets cannot be used; the message names the key, what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key.

    Attributes:
        kid: Its name; empty where it has none, and then it is tried for any token.
        algorithms: The algorithms that it may verify.
        key: The key itself.
    """

    kid: str
    algorithms: tuple[str, ...]
    key: RSAKey | ECKey | OKPKey


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of an issuer, and what a token that one of them signed must say.

    Attributes:
        keys: At least one.
        issuer: What `iss` must be; empty for anything.
        audiences: `aud` must name one of them; empty for anything.
        require_expiry: Whether `exp` must be there and must not have passed.
    """

    keys: tuple[VerificationKey, ...]
    issuer: str = ""
    audiences: tuple[str, ...] = ()
    require_expiry: bool = False


def read_key_sets(text: str) -> tuple[KeySet, ...]:
    """Read and check the value of `TOKEN_JWKS`.

    Args:
        text: A JWK Set as an issuer publishes it, which requires no claims; or an object with `key_sets`, a list of JWK
            Sets that may have `issuer`, `audience` (a text or a list of them) and `require_expiry` as well.

    Raises:
        KeySetError: It is neither, or a key cannot be used. No part of a key is shown.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise KeySetError(f"this is not valid JSON; write {_FORMS}") from None
    if not isinstance(content, dict) or ("keys" in content) == ("key_sets" in content):
        raise KeySetError(f"this is not a set of keys; write {_FORMS}")
    if "keys" in content:
        if found := [name for name in _CLAIMS if name in content]:
            raise KeySetError(f"{found[0]} is for the sets in key_sets only; write {_FORMS}")
        return (KeySet(_keys(content, "")),)
    sets = content["key_sets"]
    if set(content) != {"key_sets"} or not isinstance(sets, list) or not sets:
        raise KeySetError(f"key_sets must be a list of at least one set, and stand alone; write {_FORMS}")
    return tuple(_key_set(one, f"key set {number}: ") for number, one in enumerate(sets, 1))


def _key_set(content: Any, where: str) -> KeySet:
    if not isinstance(content, dict) or (unknown := content.keys() - {"keys", *_CLAIMS}):
        seen = f"has the member {shown(min(unknown))}" if isinstance(content, dict) else "is not a JSON object"
        raise KeySetError(f"{where}it {seen}; write keys and, where required, {', '.join(_CLAIMS)}")
    issuer, audience = content.get("issuer", ""), content.get("audience", [])
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(issuer, str) or ("issuer" in content and not issuer):
        raise KeySetError(f"{where}issuer must be the iss of its tokens, a text that is not empty")
    if not isinstance(audiences, list) or not all(isinstance(one, str) and one for one in audiences):
        raise KeySetError(f"{where}audience must be the aud of its tokens: a text or a list of texts, none empty")
    if "audience" in content and not audiences:
        raise KeySetError(f"{where}audience is an empty list, which no token satisfies; leave it out to accept any")
    require_expiry = content.get("require_expiry", False)
    if not isinstance(require_expiry, bool):
        raise KeySetError(f"{where}require_expiry must be true or false")
    return KeySet(_keys(content, where), issuer, tuple(audiences), require_expiry)


def _keys(content: Mapping[str, Any], where: str) -> tuple[VerificationKey, ...]:
    listed = content.get("keys")
    if not isinstance(listed, list) or not listed:
        raise KeySetError(f"{where}keys must be a list of at least one public key, as the issuer's jwks_uri shows it")
    found = (_key(one, f"{where}key {number}") for number, one in enumerate(listed, 1))
    keys = tuple(key for key in found if key is not None)
    if not keys:
        raise KeySetError(f"{where}no key is for signatures: each has another use or key_ops; add one with use sig")
    _refuse_ambiguous(keys, where)
    return keys


def _key(jwk: Any, where: str) -> VerificationKey | None:
    """Return the key to verify with, or None for a sound one with another use, such as encryption."""
    if not isinstance(jwk, dict):
        raise KeySetError(f"{where} is not a JSON object; write a JWK such as the issuer's jwks_uri shows")
    kty, kid = jwk.get("kty"), jwk.get("kid", "")
    if not isinstance(kid, str):
        raise KeySetError(f"{where}: kid must be a text")
    where = f"{where} (kid {shown(kid)})" if kid else where
    if kty == "oct":
        raise KeySetError(f"{where} is a shared secret (kty oct); only public keys verify: write RSA, EC or OKP keys")
    if private := [name for name in _PRIVATE_MEMBERS if name in jwk]:
        raise KeySetError(
            f"{where} is a private key, because it has {private[0]}; write its public part, and replace the key pair"
        )
    if not isinstance(kty, str) or kty not in _KEYS:
        raise KeySetError(f"{where}: kty is {shown(kty)}; write RSA, EC or OKP")
    if jwk.get("use", "sig") != "sig" or "verify" not in _list(jwk.get("key_ops", ["verify"])):
        return None
    for name in _MEMBERS[kty]:
        if not isinstance(jwk.get(name), str) or not _BASE64URL.fullmatch(jwk[name]):
            raise KeySetError(f"{where} is broken: {name} is missing or not base64url; copy the {kty} key again")
    return VerificationKey(kid, _algorithms(jwk, kty, where), _public_key(jwk, kty, where))


def _algorithms(jwk: Mapping[str, Any], kty: str, where: str) -> tuple[str, ...]:
    algorithms: tuple[str, ...] = _RSA_ALGORITHMS
    if kty in _CURVE_ALGORITHMS:
        curves = _CURVE_ALGORITHMS[kty]
        if jwk["crv"] not in curves:
            raise KeySetError(f"{where}: crv is {shown(jwk['crv'])}; write {' or '.join(curves)} for kty {kty}")
        algorithms = curves[jwk["crv"]]
    alg = jwk.get("alg")
    if alg is not None and alg not in algorithms:
        raise KeySetError(f"{where}: alg is {shown(alg)}, but this key verifies {' or '.join(algorithms)}; write that")
    return algorithms if alg is None else (alg,)


def _public_key(jwk: Mapping[str, Any], kty: str, where: str) -> RSAKey | ECKey | OKPKey:
    try:
        key = _KEYS[kty].import_key({name: jwk[name] for name in ("kty", *_MEMBERS[kty])})
        bits = key.public_key.key_size if isinstance(key, RSAKey) else None
    except (JoseError, ValueError, TypeError):
        names = " and ".join(_MEMBERS[kty])
        raise KeySetError(f"{where} is broken: {names} do not make a public {kty} key; copy it again") from None
    if bits is not None and bits not in _RSA_BITS:
        raise KeySetError(f"{where} has {bits} bits; an RSA key must have {_RSA_BITS[0]} to {_RSA_BITS[-1]}")
    return key


def _refuse_ambiguous(keys: Iterable[VerificationKey], where: str) -> None:
    """Refuse two keys of one name, unless each is for another algorithm (RFC 7517, 4.5)."""
    by_name: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for key in keys:
        if key.kid:
            by_name[key.kid].append(key.algorithms)
    for kid, algorithms in by_name.items():
        number = len(algorithms)
        if number > 1 and (len(set(algorithms)) < number or any(len(one) > 1 for one in algorithms)):
            raise KeySetError(f"{where}{number} keys have the kid {shown(kid)}; give each another kid or another alg")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
