"""The JSON Schema of the canonical event: `python -m ops.schema_export` writes it to `schemas/json/`.

Beside it goes what is made of it for EventBridge's schema registry, a document per detail-type, and, for consumers, the
schemas and the AsyncAPI document of life-cycle events.

What the schema of the canonical event accepts, with `format` asserted, the parser accepts; the parser is more lenient
where that costs nobody anything (early years, long ids that are not ASCII), and stricter where a schema cannot see:
clocks, and half surrogate pairs.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from ops.checkout import CHECKOUT
from ops.schema_export.asyncapi import asyncapi_document
from ops.schema_export.life_cycle import detail_schema, event_schema
from ops.schema_export.openapi import registry_document
from schemas.events import DETAIL_TYPES, EVENT_MODELS, TIME_SCHEMA, Event
from schemas.ids import CONTROLS, ID_SCHEMA, NO_CONTROLS

DIRECTORY = CHECKOUT / "schemas" / "json"

_HEAD = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "urn:session-event-processor:session-event:1",
    "title": "Session event, version 1",
    "description": "A login, a logout, or a logout of everything: the body of an SQS message, or the `detail` of an "
    "EventBridge event, where the event's `id` and detail-type stand in for `event_id` and `event_type`. Optional "
    "fields may be null, which means absent; fields not named here are ignored.",
}


_SHARED: dict[str, dict[str, Any]] = {"Id": ID_SCHEMA, "Time": TIME_SCHEMA}
_NOTES = {
    "Id": "Kept exactly as given. Beyond 83 characters send ASCII only: keys have room for 1,000 encoded bytes.",
    "Time": "RFC 3339 date-time with offset; what is finer than a millisecond is cut.",
}


def session_event_schema() -> dict[str, Any]:
    """Make the schema of the canonical event: JSON Schema, draft 2020-12."""
    generated = TypeAdapter(Annotated[Event, Field(discriminator="event_type")]).json_schema()
    definitions = {name: _complete(_portable(definition)) for name, definition in generated["$defs"].items()}
    shared = {name: {"title": name, "description": _NOTES[name]} | schema for name, schema in _SHARED.items()}
    return _HEAD | {"oneOf": generated["oneOf"], "$defs": definitions | shared}


def documents() -> dict[str, dict[str, Any]]:
    """Make everything there is for publishers and consumers, by file name."""
    schema = session_event_schema()
    registry = {
        f"eventbridge-{event_type.replace('_', '-')}.openapi.json": registry_document(
            schema, EVENT_MODELS[event_type].__name__, detail_type
        )
        for detail_type, event_type in DETAIL_TYPES.items()
    }
    consumers = {
        "life-cycle-detail.schema.json": detail_schema(),
        "life-cycle-event.schema.json": event_schema(),
        "life-cycle.asyncapi.json": asyncapi_document(),
    }
    return {"session-event.schema.json": schema, **registry, **consumers}


def _portable(node: Any) -> Any:
    """Name what ids and times share, and say "no control characters" so that every dialect of patterns agrees.

    In Python, unlike in JavaScript, `$` lets a line feed pass.
    """
    if isinstance(node, list):
        return [_portable(member) for member in node]
    if not isinstance(node, dict):
        return node
    for name, shared in _SHARED.items():
        if shared.items() <= node.items():
            return {"$ref": f"#/$defs/{name}"} | {key: value for key, value in node.items() if key not in shared}
    members = {name: _portable(member) for name, member in node.items()}
    if members.get("pattern") == NO_CONTROLS:
        del members["pattern"]
        members["not"] = {"pattern": CONTROLS}
    return members


def _complete(definition: dict[str, Any]) -> dict[str, Any]:
    """Require the type, which tells the events apart, and let null stand for every field that may be absent."""
    fields = definition["properties"]
    required = [name for name in fields if name in (*definition.get("required", ()), "event_type")]
    properties = {
        name: _without(field, "default") if name in required else _nullable(field) for name, field in fields.items()
    }
    return definition | {"properties": properties} | ({"required": required} if required else {})


def _nullable(field: dict[str, Any]) -> dict[str, Any]:
    default = field.get("default")
    notes: dict[str, Any] = {name: field[name] for name in ("title", "description") if name in field}
    value = _without(field, "title", "description", "default")
    return {
        **(value if "anyOf" in value else {"anyOf": [value, {"type": "null"}]}),
        **notes,
        **({"default": default} if isinstance(default, str) else {}),
    }


def _without(field: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: member for name, member in field.items() if name not in names}


def main(arguments: Sequence[str] | None = None, *, directory: Path = DIRECTORY) -> int:
    """Write the schemas, or check that they are in step with the models.

    Args:
        arguments: Command line; None for that of the process.
        directory: Where the files are.

    Returns:
        Exit code: 1 where `--check` finds a file out of date, else 0.
    """
    parser = argparse.ArgumentParser(
        prog="python -m ops.schema_export", description="Write the schemas for publishers and consumers."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file is out of date")
    is_check = parser.parse_args(arguments).check
    stale = [
        (directory / name, text)
        for name, document in documents().items()
        if not _holds(directory / name, text := json.dumps(document, indent=2) + "\n")
    ]
    for file, text in stale:
        if is_check:
            print(f"{file.name} is out of date; write it anew: python -m ops.schema_export", file=sys.stderr)
        else:
            directory.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            print(f"{file.name} written")
    return 1 if is_check and stale else 0


def _holds(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text
