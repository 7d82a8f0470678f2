"""The canonical event in the form of EventBridge's schema registry: OpenAPI 3.0, one document per detail-type.

It is for finding the events and for code bindings, so it is plain: to validate, use the JSON Schema it is made of.
Source: EventBridge User Guide, "EventBridge schemas"; the registry takes OpenAPI 3 and JSON Schema draft 4.
"""

from collections.abc import Mapping
from typing import Any

SOURCE = "com.example.auth"
"""Stands for the publisher's own name on the bus."""

_REFERENCE = "#/$defs/"
_STAND_INS = ("event_id", "event_type")
"""May be left out of a `detail`: the event's `id` and detail-type stand in."""

_ANNOTATIONS = ("title", "description", "default")
_PLAIN = ("type", "format", "minLength", "maxLength", "enum", "default", "description")
"""What generators of code understand of a field; patterns and alternatives make classes of their own."""


def registry_document(schema: Mapping[str, Any], model: str, detail_type: str) -> dict[str, Any]:
    """Make the registry's document of one type of event.

    Args:
        schema: The JSON Schema of the canonical event.
        model: Which of its definitions.
        detail_type: How EventBridge calls it.
    """
    definitions = schema["$defs"]
    detail = _object(definitions, definitions[model])
    return {
        "openapi": "3.0.0",
        "info": {
            "title": detail_type,
            "version": "1.0.0",
            "description": f"{definitions[model]['description']} Put your own name in the place of {SOURCE}.",
        },
        "paths": {},
        "components": {"schemas": {"AWSEvent": _envelope(detail_type), detail_type: detail}},
    }


def _envelope(detail_type: str) -> dict[str, Any]:
    texts = ("account", "detail-type", "id", "region", "source", "version")
    return {
        "type": "object",
        "required": ["detail-type", "resources", "detail", "id", "source", "time", "region", "version", "account"],
        "x-amazon-events-detail-type": detail_type,
        "x-amazon-events-source": SOURCE,
        "properties": {
            "detail": {"$ref": f"#/components/schemas/{detail_type}"},
            **{name: {"type": "string"} for name in texts},
            "time": {"type": "string", "format": "date-time"},
            "resources": {"type": "array", "items": {"type": "string"}},
        },
    }


def _object(definitions: Mapping[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    required = [name for name in node.get("required", ()) if name not in _STAND_INS]
    return {
        "type": "object",
        **({"required": required} if required else {}),
        "properties": {name: _field(definitions, field) for name, field in node["properties"].items()},
    }


def _field(definitions: Mapping[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    """Make a plain field of a node: references followed, null left out, a constant as the only value."""
    described = {name: node[name] for name in _ANNOTATIONS if name in node}
    if "anyOf" in node:
        [only] = [member for member in node["anyOf"] if member.get("type") != "null"]
        return _field(definitions, {**only, **described})
    if "$ref" in node:
        target = definitions[node["$ref"].removeprefix(_REFERENCE)]
        if "properties" in target:
            return {**_object(definitions, target), "description": described.get("description", target["description"])}
        node = {**target, **described}
    if "const" in node:
        node = {**node, "type": "string", "enum": [node["const"]]}
    return {name: node[name] for name in _PLAIN if name in node}
