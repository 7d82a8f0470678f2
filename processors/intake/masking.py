"""Taking secrets out of a body that somebody must look at: pure, in linear time.

A body that is rejected may be anything. What parses as JSON is masked by the names of its members, at any depth and
inside strings that are JSON themselves (SNS); what does not is masked by pattern, rather too much than too little.
"""

import json
import re
from typing import Any

MASK = "***"

_NAMES = "token|secret|passw|pwd|authorization|bearer|cookie|credential|assertion|saml|jwt|api[_-]?key|private[_-]?key"
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)
_JWT = re.compile(r"eyJ[\w-]{5,}(?:\.[\w-]*)*")
_SCHEME = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
_HEADER = re.compile(r"((?:cookie|authorization)\s{0,50}:\s*)[^\s\"'\\][^\r\n]*", re.IGNORECASE)
_REST_OF_NAME = r"""(?:[^"]{0,200}"|[^:=>,{}\[\]\n]{0,200}?)"""
_VALUE = "|".join(
    (
        r"""\\*"(?:[^"\\]|\\.|"(?!\s{0,50}(?:[,}\]]|$)))*\\*"?""",  # up to a quote with which a member can end
        r"""'(?:[^'\\]|\\.)*'?""",
        r"""[\[{].*""",  # a list or an object: all that follows
        r"""[^\s,;&}\]]+""",
    )
)
_SECRET_MEMBER = re.compile(
    rf"((?:{_NAMES}){_REST_OF_NAME}\s{{0,50}}[:=>]{{1,2}}\s*)(?:{_VALUE})",
    re.IGNORECASE | re.DOTALL,
)
_ESCAPED_ASCII = re.compile(r"(?<!\\)\\+u00([2-7][0-9a-fA-F])")
_LONG_RUN = re.compile(r"[A-Za-z0-9_+/=-]{40,}")
_MAX_DEPTH = 40


def mask_secrets(body: str) -> str:
    """Give the body with tokens and other secrets replaced by `***`."""
    masked = _mask_json(body, _MAX_DEPTH)
    return _mask_broken(body) if masked is None else masked


def _mask_json(text: str, depth: int) -> str | None:
    try:
        content = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict | list):
        return None
    return json.dumps(_mask(content, depth), ensure_ascii=False)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a duplicate key: masked by pattern, so that whoever looks sees it")
    return members


def _mask(value: Any, depth: int) -> Any:
    if depth == 0:
        return MASK
    if isinstance(value, dict):
        return {
            _mask_words(name): MASK
            if _SECRET_NAME.search(name) and not isinstance(member, bool | None)
            else _mask(member, depth - 1)
            for name, member in value.items()
        }
    if isinstance(value, list):
        return [_mask(member, depth - 1) for member in value]
    return _mask_string(value, depth - 1) if isinstance(value, str) else value


def _mask_string(text: str, depth: int) -> str:
    if text.lstrip()[:1] not in ("{", "["):
        return _mask_words(text)
    masked = _mask_json(text, depth)
    return _mask_broken(text) if masked is None else masked


def _mask_broken(text: str) -> str:
    return _LONG_RUN.sub(MASK, _mask_words(text))


def _mask_words(text: str) -> str:
    plain = _ESCAPED_ASCII.sub(_name_character, text)
    for pattern, replacement in (
        (_JWT, MASK),
        (_SCHEME, rf"\g<1> {MASK}"),
        (_HEADER, rf"\g<1>{MASK}"),
        (_SECRET_MEMBER, rf"\g<1>{MASK}"),
    ):
        plain = pattern.sub(replacement, plain)
    return plain


def _name_character(escape: re.Match[str]) -> str:
    """What an escape hides where it may be part of a name; a quote, say, stays escaped."""
    character = chr(int(escape[1], 16))
    return character if character.isalnum() or character in "_-" else escape[0]
