"""Reads mapping files; messages about a wrong one name its line, what was seen, and what would be right.

Source: TOML 1.0.
"""

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from providers.mapping_format import ClientPaths, FieldPaths, MappingFile, Page, Recognition, Rule
from providers.toml_lines import line_of, line_of_syntax_error

_TABLES: Mapping[str, type[BaseModel]] = {
    "": MappingFile,
    "recognise": Recognition,
    "page": Page,
    "fields": FieldPaths,
    "events": Rule,
    "client": ClientPaths,
}
"""The model of each table of a file."""

_RIGHT = {
    "string_pattern_mismatch": "write lower-case letters, digits and _, at most 32, a letter first",
    "tuple_type": "write a list: [...]",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
}
"""What would be right, by pydantic's type of error; otherwise its own words say it."""

_MOST_SHOWN = 40
"""Most characters of a value that a message shows."""


class MappingError(ValueError):
    """A mapping file is wrong; the message names the file, the line, and what to do."""


def read_mapping_file(file: Path) -> MappingFile:
    """Read and check a mapping file.

    Raises:
        MappingError: It cannot be read or is wrong.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"{file}: cannot be read: {error}") from None
    return parse_mapping(text, name=str(file))


def parse_mapping(text: str, *, name: str) -> MappingFile:
    """Check the text of a mapping file.

    Args:
        text: The text.
        name: What messages call it.

    Raises:
        MappingError: It is wrong; every problem has a line of its own.
    """
    try:
        return MappingFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"{name}:{line_of_syntax_error(str(error), text)}: invalid TOML: {error}") from None
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
        wrong = {problem["loc"][:1] for problem in problems if len(problem["loc"]) > 1}
        lines = [
            f"{name}:{line_of(problem['loc'], text)}: {_explain(problem)}"
            for problem in problems
            if problem["type"] != "too_short" or problem["loc"] not in wrong  # its members failed: it is not empty
        ]
        raise MappingError("\n".join(lines)) from None


def _explain(problem: Any) -> str:
    """Say what is wrong, what was seen, and what would be right."""
    where, kind, message = ".".join(str(part) for part in problem["loc"]), problem["type"], problem["msg"]
    if kind == "value_error":
        return f"{where} {message.removeprefix('Value error, ')}".lstrip()
    if kind in ("missing", "too_short"):
        return f"{where} is missing" if kind == "missing" else f"{where} is empty; give at least one"
    if kind == "extra_forbidden":
        return f"{where} is an unknown name; {_suggestion(problem['loc'])}"
    right = _RIGHT.get(kind) or f"write {message.removeprefix('Input should be ')}"
    return f"{where} is {_seen(problem['input'])}; {right}"


def _suggestion(loc: tuple[int | str, ...]) -> str:
    table = next((part for part in reversed(loc[:-1]) if part in _TABLES), "")
    fields = _TABLES[str(table)].model_fields
    known = [field.alias or name for name, field in fields.items()]
    close = get_close_matches(str(loc[-1]), known, 1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"


def _seen(value: object) -> str:
    text = repr(value) if isinstance(value, str | int | float | bool) else f"a {type(value).__name__}"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
