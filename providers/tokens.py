"""Signed tokens that carry events: security event tokens and logout tokens, as JWTs.

Without keys the payload is read and nothing is verified: whoever may send to the queue is trusted, as with every other
event. With keys a token that does not verify is refused. Sources: RFC 7515, RFC 7519, RFC 8417.
"""

import base64
import binascii
import json
import re
from typing import Any, Protocol

from schemas.errors import RejectedEventError
from schemas.strict_json import load_json

_COMPACT = re.compile(r"e[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", re.ASCII)
"""Three parts in base64url; the first holds a JSON object, and in base64 a brace comes out as an e."""

_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
"""Those with a public key to verify with. `none` and shared secrets are refused."""


class TokenVerifier(Protocol):
    """What verifies tokens, in the form that `TokenKeys` has."""

    def verify(self, token: str) -> None:
        """Raise RejectedEventError where the signature is not that of a known key."""


class TokenKeysError(ValueError):
    """The keys cannot be used; the message says what to do."""


class TokenKeys:
    """Public keys that tokens are verified with.

    Args:
        jwks: A JSON Web Key Set (RFC 7517), as an issuer publishes it.

    Raises:
        TokenKeysError: It is none, or the library is not there.
    """

    def __init__(self, jwks: str) -> None:
        try:
            from joserfc.errors import JoseError  # noqa: PLC0415 (an extra, for those who configure keys)
            from joserfc.jwk import KeySet  # noqa: PLC0415 (an extra, for those who configure keys)
        except ImportError:
            raise TokenKeysError(
                "verification of tokens needs joserfc in the bundle: install the extra `jose` "
                "(add joserfc to requirements.txt)"
            ) from None
        try:
            self._keys = KeySet.import_key_set(json.loads(jwks))
        except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise TokenKeysError(f"no JSON Web Key Set: {type(error).__name__}") from None
        if any(key.key_type == "oct" for key in self._keys):
            raise TokenKeysError("the JSON Web Key Set holds a shared secret (kty oct); only public keys verify")

    def verify(self, token: str) -> None:
        """Verify a token's signature with the key its header names, or where it names none, with any.

        Raises:
            RejectedEventError: No key verifies it.
        """
        from joserfc import jws  # noqa: PLC0415 (as above)
        from joserfc.errors import JoseError  # noqa: PLC0415 (as above)

        kid = _header(token).get("kid")
        for key in self._keys:
            if kid is not None and key.kid != kid:
                continue
            try:
                jws.deserialize_compact(token, key, algorithms=_ALGORITHMS)
            except (JoseError, ValueError, TypeError):
                continue
            return
        raise RejectedEventError("the token's signature is not that of a key we have; check TOKEN_JWKS and the issuer")


def is_token(text: str) -> bool:
    """Whether a text is a JWT in compact form."""
    return _COMPACT.fullmatch(text) is not None


def read_claims(token: str, verifier: TokenVerifier | None) -> Any:
    """Read the payload of a JWT, after its signature is verified where there are keys.

    Raises:
        RejectedEventError: The signature is wrong, or the payload no JSON.
    """
    if verifier is not None:
        verifier.verify(token)
    return load_json(_decoded(token.split(".")[1]), what="token's payload")


def _header(token: str) -> dict[str, Any]:
    header = load_json(_decoded(token.partition(".")[0]), what="token's header")
    if not isinstance(header, dict):
        raise RejectedEventError("the token's header is no JSON object")
    return header


def _decoded(part: str) -> str:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise RejectedEventError("the token is no JWT: a part is no base64url text") from None
