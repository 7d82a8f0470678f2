"""Find the line of a TOML text on which a value is written, for messages about mapping files. Source: TOML 1.0."""

import re

_LINE = re.compile(r"at line (\d+)")
_HEADER = re.compile(r"\s*(\[{1,2})\s*([\w.-]+)\s*\]{1,2}\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([\w.-]+)\s*=(?!=)")


def line_of_syntax_error(message: str, text: str) -> int:
    """Return the line that a message of tomllib names, or the last one."""
    found = _LINE.search(message)
    return int(found[1]) if found else len(text.splitlines())


def line_of(location: tuple[int | str, ...], text: str) -> int:
    """Find the line of a TOML text on which a value, or the nearest thing around it, is written.

    Args:
        location: Keys and positions from the root.
        text: The text; keys are not quoted.
    """
    best, depth = 1, 0
    table: tuple[int | str, ...] = ()
    positions: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = tuple(header[2].split("."))
            if header[1] == "[[":
                positions[header[2]] = positions.get(header[2], -1) + 1
                table += (positions[header[2]],)
            path = table
        elif key := _KEY.match(line):
            path = table + tuple(key[1].split("."))
        else:
            continue
        if len(path) > depth and location[: len(path)] == path:
            best, depth = number, len(path)
    return best
