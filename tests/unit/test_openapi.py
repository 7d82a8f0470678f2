"""What goes into EventBridge's schema registry: OpenAPI 3, and the sample events fit it."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator
from openapi_spec_validator import validate

from ops.schema_export.export import DIRECTORY, documents
from schemas.events import DETAIL_TYPES, EVENT_MODELS

SAMPLES = Path(__file__).parents[1] / "events"
FILES = {name: document for name, document in documents().items() if name.endswith(".openapi.json")}


@pytest.mark.parametrize("name", FILES)
def test_each_document_is_openapi_3_and_the_file_is_in_step_with_the_models(name: str) -> None:
    validate(FILES[name])

    assert json.loads((DIRECTORY / name).read_text(encoding="utf-8")) == FILES[name]


def test_there_is_a_document_per_detail_type() -> None:
    events = [document["components"]["schemas"]["AWSEvent"] for document in FILES.values()]

    assert [event["x-amazon-events-detail-type"] for event in events] == list(DETAIL_TYPES)


@pytest.mark.parametrize(("detail_type", "event_type"), DETAIL_TYPES.items())
def test_a_document_has_every_field_of_its_event(detail_type: str, event_type: str) -> None:
    document = FILES[f"eventbridge-{event_type.replace('_', '-')}.openapi.json"]

    fields = document["components"]["schemas"][detail_type]["properties"]
    assert fields.keys() == EVENT_MODELS[event_type].model_fields.keys()


def eventbridge_event(detail_type: str, detail: Any) -> dict[str, Any]:
    envelope = json.loads((SAMPLES / "eventbridge-login.json").read_text(encoding="utf-8"))
    return {**envelope, "detail-type": detail_type, "detail": detail}


@pytest.mark.parametrize("sample", ["login", "child-login", "logout", "logout-all"])
def test_a_sample_event_fits_the_document_of_its_type_and_a_wrong_one_does_not(sample: str) -> None:
    detail = json.loads((SAMPLES / f"{sample}.json").read_text(encoding="utf-8"))
    document = FILES[f"eventbridge-{detail['event_type'].replace('_', '-')}.openapi.json"]
    [detail_type] = [name for name, event_type in DETAIL_TYPES.items() if event_type == detail["event_type"]]
    validator = Draft4Validator(document | {"$ref": "#/components/schemas/AWSEvent"})

    assert list(validator.iter_errors(eventbridge_event(detail_type, detail))) == []
    assert not validator.is_valid(eventbridge_event(detail_type, {**detail, "customer_id": 7}))
