"""The member names that a rejected event may show, and what the values of some of them look like: pure.

The list is of what may be shown: a list of secret names would show every secret that it does not foresee.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from schemas.events import DETAIL_TYPES, EVENT_MODELS, Client
from schemas.secrets import has_secret


class Kind(Enum):
    """What a value must look like to be shown."""

    ID = re.compile(r"[\w.:@|/+=,~#%-]{1,128}", re.ASCII)
    TIME = re.compile(
        r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:[Zz]|[+-]\d\d:?\d\d)?|\d{1,17}", re.ASCII
    )
    ADDRESS = re.compile(r"\[?[0-9A-Fa-f:.]{2,45}\]?(?::\d{1,5})?", re.ASCII)
    TYPE = re.compile(r"\w[\w.:/ -]{0,63}", re.ASCII)

    def is_shown(self, text: str) -> bool:
        """Return whether a value looks like this kind, and like no secret."""
        return self.value.fullmatch(text) is not None and not has_secret(text)


_CANONICAL = {
    **dict.fromkeys(
        ("event_id", "customer_id", "session_id", "parent_session_id", "except_session_id", "device_id"), Kind.ID
    ),
    **dict.fromkeys(("occurred_at", "expires_at"), Kind.TIME),
    "ip": Kind.ADDRESS,
    **dict.fromkeys(("event_type", "source", "reason", "country"), Kind.TYPE),
}
_ENVELOPES = {
    **dict.fromkeys(("id", "MessageId"), Kind.ID),
    **dict.fromkeys(("time", "Timestamp"), Kind.TIME),
    **dict.fromkeys(("version", "detail-type", "account", "region", "Type"), Kind.TYPE),
}
_ENVELOPE_NAMES = (
    "resources",
    "detail",
    "TopicArn",
    "Subject",
    "Message",
    "Records",
    "records",
    "sets",
    "logout_token",
)
FIELD_KINDS = {
    **dict.fromkeys(
        ("event_id", "customer_id", "session_id", "parent_session_id", "except_session_id", "device_id"), Kind.ID
    ),
    **dict.fromkeys(("occurred_at", "expires_at"), Kind.TIME),
    "ip": Kind.ADDRESS,
    "type": Kind.TYPE,
}
"""What the values are that a mapping reads for a canonical field, or as an event's type."""

_ANYTHING = re.compile(
    "token|secret|pass|pwd|auth|bearer|cookie|credential|assertion|saml|jwt|^code$|api.?key|^values?$|^names?$|^key$|^text$",
    re.IGNORECASE,
)
"""Names whose values are secrets, or are whatever another member says: never shown, whatever a mapping reads there."""

_NAME = re.compile(r"""'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|"((?:[^"\\]|\\.)*)"|\b([A-Za-z_]\w*)\b(?!\()""")
"""A literal, or a member name of a JMESPath expression (https://jmespath.org/specification.html)."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What may be shown.

    Attributes:
        names: Member names that the canonical event, an envelope or a mapping knows.
        kinds: What the value of some of them must look like to be shown; of all others no value is.
        words: What may be shown of a text that is not JSON: names, types and JSON's own words.
    """

    names: frozenset[str]
    kinds: Mapping[str, Kind]
    words: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "words", self.names | {"true", "false", "null", *EVENT_MODELS, *DETAIL_TYPES, "Notification"}
        )


def vocabulary(known: Iterable[str] = (), paths: Iterable[tuple[str, str]] = ()) -> Vocabulary:
    """Return what may be shown of events.

    Args:
        known: Member names that mappings read.
        paths: Where mappings read values: the canonical field, or `type`, each with its JMESPath expression.
    """
    names = {name for model in (*EVENT_MODELS.values(), Client) for name in model.model_fields}
    names |= {*known, *_CANONICAL, *_ENVELOPES, *_ENVELOPE_NAMES}
    kinds: dict[str, Kind] = {}
    for canonical_field, expression in paths:
        here = [quoted or plain for quoted, plain in _NAME.findall(expression) if quoted or plain]
        kind = FIELD_KINDS.get(canonical_field)
        if here and kind is not None and not _ANYTHING.search(here[-1]):
            kinds.setdefault(here[-1], kind)
    return Vocabulary(frozenset(names), kinds | _ENVELOPES | _CANONICAL)
