"""The AsyncAPI document against AsyncAPI's own JSON Schema, which only the npm registry has."""

import json
from typing import Any

import pytest
from jsonschema import Draft7Validator

from ops.engines.dynamodb_local import default_cache
from ops.engines.npm_package import NpmPackage
from ops.schema_export.asyncapi import asyncapi_document

pytestmark = pytest.mark.engine

SPECIFICATION = NpmPackage(
    "@asyncapi/specs@6.11.1", sha256="01af8744dc33c0c7eb2e908f6a955319ee58b70ecadc9387d1aeb16c0cd28928"
)


@pytest.fixture(scope="module")
def official() -> Any:
    file = SPECIFICATION.fetch(default_cache()) / "package" / "schemas" / "3.0.0.json"
    return Draft7Validator(json.loads(file.read_text(encoding="utf-8")))


def test_the_document_is_asyncapi_3_by_the_official_schema(official: Draft7Validator) -> None:
    assert [error.message[:200] for error in official.iter_errors(asyncapi_document())] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("asyncapi",), "2.6.0"),
        (("info", "version"), None),
        (("operations", "publishWhatBecameOfASession", "action"), "tell"),
    ],
)
def test_a_document_that_is_not_is_found_by_it(official: Draft7Validator, path: tuple[str, ...], value: object) -> None:
    document = asyncapi_document()
    node = document
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value

    assert not official.is_valid(document)
