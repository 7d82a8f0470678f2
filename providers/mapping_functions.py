"""Functions that mapping files may call, for what JMESPath lacks. Times and addresses are read without one.

Each accepts any value and returns null where it does not apply, so that expressions stay short.
"""

import json
import re
from functools import lru_cache
from typing import Any

import jmespath  # type: ignore[import-untyped] # it ships no types
from jmespath.functions import Functions, signature  # type: ignore[import-untyped] # it ships no types

_MAX_TEXT = 100_000


class MappingFunctions(Functions):  # type: ignore[misc] # jmespath ships no types
    """JMESPath's own functions and ours. Source: jmespath.py, "Custom Functions"."""

    @signature({"types": []}, {"types": []})  # type: ignore[untyped-decorator] # jmespath ships no types
    def _func_member(self, container: Any, name: Any) -> Any:
        """Return the member of an object whose name is known only from the event."""
        return container.get(name) if isinstance(container, dict) and isinstance(name, str) else None

    @signature({"types": []}, {"types": ["string"]})  # type: ignore[untyped-decorator] # jmespath ships no types
    def _func_capture(self, text: Any, pattern: str) -> str | None:
        """Return the first group of the first match of a regular expression, or the match where it has no group."""
        if not isinstance(text, str) or len(text) > _MAX_TEXT:
            return None
        found = _compiled(pattern).search(text)
        return None if found is None else found[1] if found.re.groups else found[0]

    @signature({"types": []})  # type: ignore[untyped-decorator] # jmespath ships no types
    def _func_parse_json(self, text: Any) -> Any:
        """Return the value of a JSON text."""
        try:
            return json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            return None


OPTIONS = jmespath.Options(custom_functions=MappingFunctions())
"""Given to every evaluation."""


def arity_of(name: str) -> tuple[int, bool] | None:
    """Return how many arguments a function takes, and whether more may follow; None for an unknown function."""
    function = MappingFunctions.FUNCTION_TABLE.get(name)
    if function is None:
        return None
    parameters = function["signature"]
    return len(parameters), bool(parameters) and bool(parameters[-1].get("variadic"))


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
