"""Verification of signed tokens: the signature, and the claims that the key's set requires.

Imported only where `TOKEN_JWKS` is set. Sources: RFC 7515, RFC 7519 section 4.1; OpenID Connect Core 1.0, 3.1.3.7;
OpenID Connect Back-Channel Logout 1.0 with errata set 1 (2023-12), 2.4 and 2.6.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from providers.key_sets import KeySet, VerificationKey, read_key_sets
from providers.tokens import read_header, shown
from schemas.errors import RejectedEventError
from schemas.strict_json import MAX_BODY_BYTES, load_json
from schemas.times import format_rfc3339

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How long after `exp` a token is still accepted: for clocks that differ, and for the two retries of an event that
EventBridge hands to Lambda, one and two minutes later. OpenID Connect Core 1.0, 2 allows a few minutes."""

_LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class TokenKeys:
    """The keys that tokens are verified with.

    Args:
        setting: The value of `TOKEN_JWKS`, as `read_key_sets` takes it.

    Raises:
        KeySetError: The setting is wrong.
    """

    def __init__(self, setting: str) -> None:
        self._key_sets = read_key_sets(setting)

    def verified_claims(self, token: str, received_at: datetime | None) -> Any:
        """Verify a token and return its payload.

        Where several sets have the key that signed it, the claims have to satisfy one of them.

        Args:
            token: A JWT in compact form.
            received_at: When the message was sent, by a clock that its sender cannot set; that of a queue is the same
                at each delivery, so that no token expires in it. Aware UTC; None skips the check of `exp`.

        Raises:
            RejectedEventError: No key verifies it, or a claim is not what the key's set requires.
        """
        payload, key_sets = self._verified(token)
        claims = load_json(payload, what="token's payload")
        if not isinstance(claims, dict):
            raise RejectedEventError("the token's payload is not a JSON object")
        problems = [found for one in key_sets if (found := _problem(claims, one, received_at)) is not None]
        if len(problems) == len(key_sets):
            raise RejectedEventError(problems[0])
        _check_logout_token(claims)
        return claims

    def _verified(self, token: str) -> tuple[str, list[KeySet]]:
        """Return the payload and the sets with a key that verifies it."""
        header = read_header(token)
        alg, kid = header.get("alg"), header.get("kid")
        found: list[KeySet] = []
        payload, was_tried = "", False
        for key_set in self._key_sets:
            for key in key_set.keys:
                if alg in key.algorithms and kid in (None, key.kid or kid):
                    was_tried = True
                    if (signed := _verified_payload(token, alg, key)) is not None:
                        payload = signed
                        found.append(key_set)
                        break
        if found:
            return payload, found
        if was_tried:
            raise RejectedEventError(
                f"the token's signature is not that of a key in TOKEN_JWKS: alg {shown(alg)}, kid {shown(kid)}"
            )
        raise RejectedEventError(
            f"the token is signed with a key that is not in TOKEN_JWKS: alg {shown(alg)}, kid {shown(kid)}; "
            "add the issuer's new keys where it rotated them"
        )


def _verified_payload(token: str, alg: str, key: VerificationKey) -> str | None:
    """Return what a key signed, or None where it did not."""
    # Unknown header members are ignored, unless `crit` names them (RFC 7515, 4); the message bounds all sizes.
    registry = jws.JWSRegistry(algorithms=[alg], strict_check_header=False)
    registry.max_header_length = registry.max_payload_length = registry.max_signature_length = MAX_BODY_BYTES
    try:
        return jws.deserialize_compact(token, key.key, registry=registry).payload.decode()
    except (JoseError, ValueError, TypeError):
        return None


def _problem(claims: Mapping[str, Any], key_set: KeySet, received_at: datetime | None) -> str | None:
    """Describe the first claim that is not what the key set requires; None where each is."""
    issuer, audience = claims.get("iss"), claims.get("aud")
    if key_set.issuer and issuer != key_set.issuer:
        return f"the token's iss is {shown(issuer)}, but its key is of {shown(key_set.issuer)}"
    named = audience if isinstance(audience, list) else [audience]
    if key_set.audiences and not any(one in key_set.audiences for one in named):
        seen = ", ".join(shown(one) for one in named[:3]) or "an empty list"
        return f"the token's aud is {seen}, but must name {' or '.join(map(shown, key_set.audiences))}"
    return _expiry_problem(claims.get("exp"), received_at) if key_set.require_expiry else None


def _expiry_problem(exp: object, received_at: datetime | None) -> str | None:
    try:
        if isinstance(exp, bool) or not isinstance(exp, int | float):
            raise TypeError
        expires_at = datetime.fromtimestamp(exp, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        seen = shown(exp) if exp is None or isinstance(exp, str) else "another value"
        return f"the token's exp is {seen}, but its key set requires an expiry, in seconds since 1970"
    if received_at is None or received_at - CLOCK_TOLERANCE < expires_at:
        return None
    return f"the token expired at {format_rfc3339(expires_at)}, and was sent at {format_rfc3339(received_at)}"


def _check_logout_token(claims: Mapping[str, Any]) -> None:
    """Check what the mapping of logout tokens leaves open, because claims that come without a token may lack it.

    `exp` is required since errata set 1, and widely used systems still send none: `require_expiry` decides.
    """
    events = claims.get("events")
    if not isinstance(events, dict | list) or _LOGOUT_EVENT not in events:
        return
    if not isinstance(events, dict) or not isinstance(events[_LOGOUT_EVENT], dict):
        raise RejectedEventError("the logout token's events is not an object with an object for the logout event")
    for name, kind in (("iat", int | float), ("jti", str)):
        if not isinstance(claims.get(name), kind) or isinstance(claims[name], bool):
            raise RejectedEventError(f"the logout token's {name} is {shown(claims.get(name))}, but is required")
