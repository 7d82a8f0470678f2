"""What may be shown of a body that somebody must look at, and of an id in a log line: pure, in linear time.

Shown are the member names of a vocabulary, and values of some of them that look as they should. Everything else keeps
its shape and shows its kind and length, so nothing secret is shown whatever it is called and wherever it stands.
"""

import json
import re
from hashlib import sha256
from json.encoder import encode_basestring
from typing import Any

from processors.intake.vocabulary import Kind, Vocabulary

WINDOW = 400
"""Characters shown on each side of the fault in a text that is not JSON."""

_MAX_DEPTH = 40
_RUN = re.compile(r'[^\s{}\[\]:,"]+')


class _Members(list[tuple[str, Any]]):
    """The members of an object in order; a duplicate name stays, so that whoever looks sees it."""


class _Number(str):
    """A number as it was written: never converted, however long it is."""

    __slots__ = ()


_DECODER = json.JSONDecoder(object_pairs_hook=_Members, parse_int=_Number, parse_float=_Number, parse_constant=_Number)


def mask_body(body: str, vocabulary: Vocabulary) -> str:
    """Return the body with everything masked that may not be shown.

    Args:
        body: Anything; JSON keeps its shape, of another text a window around its first fault is shown.
        vocabulary: What may be shown.
    """
    try:
        content = _DECODER.decode(body)
    except json.JSONDecodeError as error:
        return _window(body, error.pos, error.msg, vocabulary)
    except RecursionError:
        return _window(body, 0, "nested too deeply", vocabulary)
    return _shape(content, "", vocabulary, _MAX_DEPTH)


def mask_id(text: str) -> str:
    """Return an id as a log line may show it: itself where it looks like one, else its kind, length and hash."""
    return text if Kind.ID.is_shown(text) else _traceable(text)


def _shape(value: Any, name: str, vocabulary: Vocabulary, depth: int) -> str:
    """Write a value as JSON; members of a list are shown as the list's name says."""
    if isinstance(value, _Members):
        return f'"<object, {len(value)}>"' if depth == 0 else _object(value, vocabulary, depth - 1)
    if isinstance(value, list):
        if depth == 0:
            return f'"<list, {len(value)}>"'
        return f"[{', '.join([_shape(member, name, vocabulary, depth - 1) for member in value])}]"
    if isinstance(value, str):
        return _scalar(value, name, vocabulary, depth)
    return _WORDS[value]


_WORDS = {True: "true", False: "false", None: "null"}


def _scalar(value: str, name: str, vocabulary: Vocabulary, depth: int) -> str:
    kind = vocabulary.kinds.get(name)
    if isinstance(value, _Number):
        is_shown = kind is not None and kind.is_shown(value)
        return value if is_shown else f'"<number, {len(value)}>"'
    if name == "Message" and depth > 0:  # SNS: JSON in a string
        return encode_basestring(mask_body(value, vocabulary))
    return encode_basestring(_text(value, kind))


def _object(members: _Members, vocabulary: Vocabulary, depth: int) -> str:
    written, unknown = [], 0
    for name, value in members:
        if name in vocabulary.names:
            written.append(f"{encode_basestring(name)}: {_shape(value, name, vocabulary, depth)}")
        else:
            unknown += 1
            written.append(f'"<name {unknown}, {len(name)}>": {_shape(value, "", vocabulary, depth)}')
    return f"{{{', '.join(written)}}}"


def _text(text: str, kind: Kind | None) -> str:
    if kind is not None and kind.is_shown(text):
        return text
    return _traceable(text) if kind is Kind.ID else f"<text, {len(text)}>"


def _traceable(text: str) -> str:
    digest = sha256(text.encode(errors="surrogatepass")).hexdigest()
    return f"<text, {len(text)}, {digest[:12]}>"


def _window(text: str, position: int, fault: str, vocabulary: Vocabulary) -> str:
    start, end = max(0, position - WINDOW), position + WINDOW

    def word_or_mask(run: re.Match[str]) -> str:
        return run[0] if run[0] in vocabulary.words else f"<text, {len(run[0])}>"

    shown = _RUN.sub(word_or_mask, text[start:end])
    return f"(not valid JSON at character {position}: {fault}; from character {start}:) {shown}"
