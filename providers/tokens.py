"""Signed tokens that carry events: security event tokens and logout tokens, as JWTs.

Without keys the payload is read and nothing is verified: whoever may send to the queue is trusted, as with every other
event. With keys (`providers.token_keys`) a token that does not verify is rejected. Sources: RFC 7515, 7519 and 8417.
"""

import base64
import binascii
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from schemas.errors import RejectedEventError
from schemas.strict_json import load_json

if TYPE_CHECKING:
    from providers.token_keys import TokenKeys

_COMPACT = re.compile(r"e[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", re.ASCII)
"""Three parts in base64url; the first holds a JSON object, and in base64 a brace comes out as an e."""
_LONGEST_SHOWN = 100


def is_token(text: str) -> bool:
    """Return True for a JWT in compact form."""
    return _COMPACT.fullmatch(text) is not None


def read_claims(token: str, keys: "TokenKeys | None", received_at: datetime | None) -> Any:
    """Read the payload of a JWT, after it is verified where there are keys.

    Args:
        token: The JWT in compact form.
        keys: The keys to verify with; None verifies nothing.
        received_at: As in `TokenKeys.verified_claims`.

    Raises:
        RejectedEventError: It does not verify, or the payload is not valid JSON.
    """
    if keys is not None:
        return keys.verified_claims(token, received_at)
    return load_json(_decoded(token.split(".")[1]), what="token's payload")


def read_header(token: str) -> dict[str, Any]:
    """Read the header of a JWT, which nothing vouches for.

    Raises:
        RejectedEventError: It is not a JSON object.
    """
    header = load_json(_decoded(token.partition(".")[0]), what="token's header")
    if not isinstance(header, dict):
        raise RejectedEventError("the token's header is not a JSON object")
    return header


def shown(value: object) -> str:
    """Show what a sender or a setting says in a message: on one line, and not at any length."""
    if not isinstance(value, str):
        return "missing" if value is None else f"of type {type(value).__name__}"
    return ascii(value) if len(value) <= _LONGEST_SHOWN else f"a text of {len(value):,} characters"


def _decoded(part: str) -> str:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise RejectedEventError("the token is not a valid JWT: a part is not base64url of a text") from None
