"""What is wrong with a template."""

from collections.abc import Mapping
from typing import Any


class TemplateError(Exception):
    """The template holds something the local stack does not understand, or contradicts itself; the text says where."""


def refuse_unknown(entry: Mapping[str, Any], known: set[str], where: str) -> None:
    """Refuse what nobody here knows the meaning of.

    Raises:
        TemplateError: The entry has an attribute that is not among the known ones.
    """
    for name in sorted(entry.keys() - known):
        raise TemplateError(f"{where}.{name}: not supported locally; known here: {', '.join(sorted(known))}.")
