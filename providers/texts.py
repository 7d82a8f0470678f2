"""Texts that hold events: JSON, JSON texts one after another, a JWT, a form field, base64 of gzip. Bounded in size."""

import base64
import binascii
import json
import re
import zlib
from dataclasses import dataclass
from typing import Any

from schemas.errors import RejectedEventError
from schemas.strict_json import MAX_BODY_BYTES, load_json

MAX_DECOMPRESSED_BYTES = 1_048_576
"""Most bytes that one message may decompress to, all its gzip streams together."""

_SPACE = re.compile(r"[ \t\r\n]*")
_GZIP = b"\x1f\x8b"
_GZIP_IN_BASE64 = "H4sI"
_LOGOUT_TOKEN_FIELD = "logout_token="  # noqa: S105 (the name of a form field, OIDC Back-Channel Logout 2.5)


@dataclass(slots=True)
class Text:
    """A text that is not read yet: each is an outcome of its own.

    Attributes:
        text: The text.
        what: What reasons call it.
        most: Largest size read, in UTF-8 bytes.
    """

    text: str
    what: str
    most: int = MAX_BODY_BYTES


@dataclass(slots=True)
class Budget:
    """What one message may still take.

    Attributes:
        events: Events.
        decompressed: Bytes of decompressed data.
    """

    events: int
    decompressed: int = MAX_DECOMPRESSED_BYTES

    def gunzip(self, data: bytes) -> str:
        """Decompress gzip to a text, never more than what is left.

        Raises:
            RejectedEventError: It is not valid gzip, not UTF-8, or larger.
        """
        decompressor = zlib.decompressobj(wbits=31)
        try:
            content = decompressor.decompress(data, self.decompressed + 1)
        except zlib.error:
            raise RejectedEventError("the data is not valid gzip") from None
        if len(content) > self.decompressed:
            raise RejectedEventError(
                f"the message decompresses to more than {MAX_DECOMPRESSED_BYTES:,} bytes; send fewer events at a time"
            )
        if not decompressor.eof or decompressor.unused_data:
            raise RejectedEventError("the data is not one complete gzip stream")
        self.decompressed -= len(content)
        return _decoded(content)


def from_base64(data: str, budget: Budget, what: str) -> Text:
    """Decode base64 of a text, or of gzip of a text.

    Raises:
        RejectedEventError: It is neither.
    """
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise RejectedEventError(f"the {what} is not valid base64") from None
    if content.startswith(_GZIP):
        return Text(budget.gunzip(content), what, MAX_DECOMPRESSED_BYTES)
    return Text(_decoded(content), what)


def read_text(source: Text, budget: Budget) -> Any:
    """Read a text to a JSON value, a list of `Text`, or a JWT.

    Raises:
        RejectedEventError: It is none of these; the reason shows no part of it.
    """
    text = source.text
    if text.startswith("eyJ") and _is_token(text.strip()):
        return text.strip()
    if text.startswith(_LOGOUT_TOKEN_FIELD):
        return text.removeprefix(_LOGOUT_TOKEN_FIELD).partition("&")[0]
    if text.startswith(_GZIP_IN_BASE64):
        return [from_base64(text.strip(), budget, source.what)]
    try:
        return load_json(text, what=source.what, most=source.most)
    except RejectedEventError:
        if len(text) > source.most:
            raise
        parts = _parts(text)
        if not parts:
            raise
        return parts


def _parts(text: str) -> list[Text]:
    """Split what `load_json` refuses into texts to be read one by one; empty where it is a single text.

    These are JSON texts one after another (JSON Lines, Firehose to S3), and the members of an array, or of `Records` in
    an object, of which one cannot be read.
    """
    stripped = text.strip()
    if stripped.startswith("[") and stripped.endswith("]"):
        return [Text(part, "event") for part in _scanned(stripped[1:-1], separator=",") or ()]
    if not stripped.startswith("{"):
        return []
    scanned = _scanned(stripped, separator="")
    if scanned is None:
        lines = [line for line in stripped.splitlines() if line.strip()]
        scanned = lines if _is_object(lines[0]) else []
    if len(scanned) == 1:
        return [Text(part, "event") for part in _records(stripped)]
    return [Text(part, "line") for part in scanned]


def _records(text: str) -> list[str]:
    """Find the members of the array under `Records` or `records` in an object, where the fault is one of theirs."""
    decoder, position = json.JSONDecoder(parse_int=str), _after_space(text, 1)
    while text[position] != "}":
        name, end = decoder.raw_decode(text, position)
        start = _after_space(text, _after_space(text, end) + 1)
        value, end = decoder.raw_decode(text, start)
        if name in ("Records", "records") and isinstance(value, list):
            is_list = _is_envelope(f"{text[:start]}[]{text[end:]}")
            return (_scanned(text[start + 1 : end - 1], separator=",") or []) if is_list else []
        position = _after_space(text, end)
        if text[position] == ",":
            position = _after_space(text, position + 1)
    return []


def _scanned(text: str, *, separator: str) -> list[str] | None:
    """Find the JSON texts in a text, by a decoder that refuses nothing but wrong syntax; None where there is any."""
    parts: list[str] = []
    decoder, position = json.JSONDecoder(parse_int=str), _after_space(text, 0)
    while position < len(text):
        try:
            _, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return None
        parts.append(text[position:end])
        position = _after_space(text, end)
        if separator and position < len(text):
            if text[position] != separator:
                return None
            position = _after_space(text, position + 1)
    return parts


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return position if found is None else found.end()


def _is_object(text: str) -> bool:
    try:
        return isinstance(load_json(text), dict)
    except RejectedEventError:
        return False


def _is_envelope(text: str) -> bool:
    try:
        return "event_type" not in load_json(text)
    except RejectedEventError:
        return False


def _is_token(text: str) -> bool:
    from providers.tokens import is_token  # noqa: PLC0415 (start-up: canonical events need none of it)

    return is_token(text)


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise RejectedEventError("the data is not UTF-8 text") from None
