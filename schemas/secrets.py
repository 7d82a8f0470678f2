"""What a secret looks like, whatever it is called, and the form that stands in its place: pure, in linear time."""

import re

JWT = re.compile(r"eyJ[\w-]{5,}(?:\.[\w-]*)*")
"""A JSON Web Token, cut or whole (RFC 7519: a base64url JSON object comes first)."""

_LONG = 40
LONG_RUN = re.compile(rf"[A-Za-z0-9_+/=-]{{{_LONG},}}")
"""A run in the alphabets of base64, base64url and hex that is as long as an opaque token."""

SCHEME = re.compile(r"\b(bearer|basic)\b\s*[:=]?\s*\S*", re.IGNORECASE)
"""HTTP credentials and the scheme before them (RFC 6750, RFC 7617)."""

MASKED_PATTERN = r"^<[a-z]+, [0-9]+(, [0-9a-f]{12})?>$"
"""What a rejected event shows in place of a value, in the dialects of Python, pydantic and JSON Schema."""

_MASKED = re.compile(MASKED_PATTERN)


def is_masked(text: str) -> bool:
    """Return whether a text is the masked form of a value, which must never become an id."""
    return text.startswith("<") and _MASKED.fullmatch(text) is not None


def has_secret(text: str) -> bool:
    """Return whether a text contains what looks like a token or like credentials."""
    return any(pattern.search(text) for pattern in (JWT, LONG_RUN, SCHEME))


_TYPE = re.compile(r"\w[\w.:/ -]{0,63}", re.ASCII)
_WORDS = re.compile(r"[A-Za-z]{1,24}(?:[-_/.][A-Za-z]{1,24})*")
"""Words: long ones in a row look like a run of a token, but tokens have digits."""


def _is_type_name(text: str) -> bool:
    """Return whether a text that its sender calls a type may be shown: it looks like one, and like no secret."""
    if _TYPE.fullmatch(text) is None or JWT.search(text) is not None:
        return False
    return _WORDS.fullmatch(text) is not None or not has_secret(text)


def type_name(text: str) -> str:
    """Return a type as logs and reasons may show it; senders decide what it says, so others are `(unnamed)`."""
    return text if _is_type_name(text) else "(unnamed)"


def without_secrets(text: str) -> str:
    """Remove what looks like a token, and what follows `bearer` or `basic`, from free text."""
    folded = text.casefold()
    if "bearer" in folded or "basic" in folded:  # a search for these costs as much as reading the rest of an event
        text = SCHEME.sub(r"\g<1>", text)
    if "eyJ" in text:
        text = JWT.sub("", text)
    return LONG_RUN.sub("", text) if len(text) >= _LONG else text
