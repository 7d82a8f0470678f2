"""Taking secrets out of a body that somebody must look at: pure.

A body that is rejected may be anything. What parses as JSON is masked by the names of its members, at any depth and
inside strings that are JSON themselves (SNS); what does not is masked by pattern, rather too much than too little.
"""

import json
import re
from typing import Any

MASK = "***"

_SECRET_NAME = re.compile(
    r"token|secret|passw|pwd|authorization|cookie|credential|assertion|jwt|api_?key", re.IGNORECASE
)
_JWT = re.compile(r"eyJ[\w-]{5,}(?:\.[\w-]*)*")
_ESCAPED_ASCII = re.compile(r"\\u00([0-7][0-9a-fA-F])")
_SECRET_MEMBER = re.compile(
    r"""([\w\\."'-]*(?:token|secret|passw|pwd|authorization|cookie|credential|assertion|jwt|api_?key)[\w\\."'-]*\s*[:=]\s*)"""
    r"""(?:\\*"(?:[^"\\]|\\.)*\\*"?|'[^']*'?|(?:bearer\s+|basic\s+)?[^\s,;&}\]]+)""",
    re.IGNORECASE,
)
_LONG_RUN = re.compile(r"[A-Za-z0-9_+/=-]{40,}")
_MAX_DEPTH = 40


def mask_secrets(body: str) -> str:
    """Give the body with tokens and other secrets replaced by `***`."""
    return _mask_text(body, _MAX_DEPTH)


def _mask_text(text: str, depth: int) -> str:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return _mask_by_pattern(text)
    if not isinstance(content, dict | list):
        return _mask_by_pattern(text)
    return json.dumps(_mask(content, depth), ensure_ascii=False)


def _mask(value: Any, depth: int) -> Any:
    if depth == 0:
        return MASK
    if isinstance(value, dict):
        return {
            name: MASK
            if _SECRET_NAME.search(name) and not isinstance(member, bool | None)
            else _mask(member, depth - 1)
            for name, member in value.items()
        }
    if isinstance(value, list):
        return [_mask(member, depth - 1) for member in value]
    if isinstance(value, str):
        return _mask_text(value, depth - 1) if value.lstrip()[:1] in ("{", "[") else _JWT.sub(MASK, value)
    return value


def _mask_by_pattern(text: str) -> str:
    plain = _ESCAPED_ASCII.sub(lambda match: chr(int(match[1], 16)), text)
    return _LONG_RUN.sub(MASK, _SECRET_MEMBER.sub(rf"\g<1>{MASK}", _JWT.sub(MASK, plain)))
