"""The JSON Schemas of life-cycle events, for consumers: of the `detail`, and of the whole EventBridge event.

They mean the same in JSON Schema draft-07, which AsyncAPI knows, and 2020-12.
"""

from typing import Any

from pydantic import BaseModel

from schemas.life_cycle import DETAIL_TYPES
from schemas.life_cycle_event import LifeCycleDetail, LifeCycleEvent

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_ID = "urn:session-event-processor:{}:1"


def detail_schema() -> dict[str, Any]:
    """Make the schema of an event's `detail`, which is also a line of the archive: JSON Schema, draft 2020-12."""
    return {"$schema": _DRAFT, "$id": _ID.format("life-cycle-detail"), **_generated(LifeCycleDetail, "#/$defs/{model}")}


def event_schema() -> dict[str, Any]:
    """Make the schema of the whole event: JSON Schema, draft 2020-12."""
    generated = _generated(LifeCycleEvent, "#/$defs/{model}")
    kinds = [of_kind(kind) for kind in DETAIL_TYPES]
    return {"$schema": _DRAFT, "$id": _ID.format("life-cycle-event"), **generated, "oneOf": kinds}


def components() -> dict[str, Any]:
    """Make the schemas as the components of an AsyncAPI document, by name."""
    generated = _generated(LifeCycleEvent, "#/components/schemas/{model}")
    return {**generated.pop("$defs"), LifeCycleEvent.__name__: generated}


def of_kind(kind: str) -> dict[str, Any]:
    """Make what tells the events of one kind from the others."""
    detail = {"type": "object", "properties": {"kind": {"const": kind}}}
    return {"properties": {"detail-type": {"const": DETAIL_TYPES[kind]}, "detail": detail}}


def _generated(model: type[BaseModel], references: str) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template=references)
    return dict(_without_field_titles(schema))


def _without_field_titles(node: Any) -> Any:
    """Leave out pydantic's titles of fields, which repeat their names."""
    if isinstance(node, list):
        return [_without_field_titles(member) for member in node]
    if not isinstance(node, dict):
        return node
    members = {name: _without_field_titles(member) for name, member in node.items()}
    is_field = "properties" not in members and isinstance(members.get("title"), str)
    return {name: member for name, member in members.items() if name != "title"} if is_field else members
