"""Rules of releases before, each put back as a small patch: what the operations must catch."""

from collections.abc import Callable, Collection, Mapping
from typing import Any
from unittest import mock

from processors.projections import facts
from processors.register.reader import RegisterReader
from schemas import stream


def _find_nothing(self: RegisterReader, customer_ids: Collection[str], **_: Any) -> dict[str, Any]:
    return dict.fromkeys(customer_ids, ())


OLD_RULES: Mapping[str, Callable[[], list[Any]]] = {
    "born-of-the-batch": lambda: [mock.patch.object(RegisterReader, "find_session_keys", _find_nothing)],
    "removals-ignored": lambda: [mock.patch.object(facts, "_removed", return_value=None)],
    "restores-unread": lambda: [mock.patch.object(stream, "_went_down", return_value=False)],
}
"""By name: makes the patches."""
