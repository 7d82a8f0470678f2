"""Families of events that carry more than logins: known, and nothing for us. They are ignored and counted by type.

Our own life-cycle events are one of them, where a rule brings them back.
Sources: CloudTrail "record contents"; Azure Monitor "resource logs schema" (`time`, `category`, `operationName`).
"""

from typing import Any

from schemas.life_cycle import SOURCE

_FAMILIES = (
    ("cloudtrail", ("eventSource", "eventName", "eventID"), "eventName"),
    ("azure", ("time", "category"), "category"),
)


_LIFE_CYCLE = {"id", "format", "kind", "occurred_at", "over_at", "over_reason", "session"}


def family_of(content: dict[str, Any]) -> tuple[str, str] | None:
    """Return the family of an event and its type there; None for one of no known family."""
    for family, members, event_type in _FAMILIES:
        if all(isinstance(content.get(name), str) and content[name] for name in members):
            return family, content[event_type]
    if content.keys() >= _LIFE_CYCLE:
        return SOURCE, str(content["kind"])
    return None
