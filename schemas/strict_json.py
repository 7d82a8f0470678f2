"""JSON as publishers must send it: RFC 8259, and nothing that two parsers read in two ways (RFC 7493, I-JSON)."""

import json
from typing import Any, NoReturn

from schemas.errors import RejectedEventError

MAX_BODY_BYTES = 262_144
"""Largest body read, in UTF-8 bytes; the largest canonical event is a tenth of it."""

_MAX_DIGITS = 400


def load_json(text: str, *, what: str = "body", most: int = MAX_BODY_BYTES) -> Any:
    """Read one JSON text.

    Args:
        text: The JSON text.
        what: What the reason calls it.
        most: Largest size read, in UTF-8 bytes.

    Raises:
        RejectedEventError: It is too large, is not valid JSON, or has duplicate keys, NaN, infinities, numbers that
            overflow, or nesting deeper than the interpreter can follow. The reason shows no part of the text.
    """
    if len(text) > most or (not text.isascii() and len(text.encode(errors="replace")) > most):
        raise RejectedEventError(f"the {what} is larger than {most:,} bytes; send events one by one, and small")
    if text.startswith("\ufeff"):
        raise RejectedEventError(f"the {what} starts with a byte order mark; send UTF-8 without it")
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise RejectedEventError("the JSON is nested too deeply; an event has two levels") from None
    except json.JSONDecodeError as error:
        raise RejectedEventError(f"the {what} is not valid JSON: {error.msg} (character {error.pos})") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise RejectedEventError("the JSON has an object with a duplicate key; send each field once")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise RejectedEventError(f"{name} is not a valid JSON number; leave the field out")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise RejectedEventError("the JSON contains a number too large to represent; send it as a string")
    return number


def _bounded_integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise RejectedEventError(f"the JSON contains a number of more than {_MAX_DIGITS} digits; send it as a string")
    return int(digits)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_without_duplicates,
    parse_constant=_refuse_constant,
    parse_float=_finite,
    parse_int=_bounded_integer,
)
