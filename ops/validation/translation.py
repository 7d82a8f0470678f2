"""Translate template.yaml offline, as CloudFormation would."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from ops.checkout import CHECKOUT

TEMPLATE_PATH = CHECKOUT / "template.yaml"

# The translator accepts code only where `sam package` has put it.
_PACKAGED_CODE = "s3://checkout/code"


class TemplateError(Exception):
    """The file is no SAM template; the message names the place and says what is wrong."""


def translate(path: Path = TEMPLATE_PATH, parameters: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Translate a SAM template into the CloudFormation document that a deployment would make of it.

    Raises:
        TemplateError: The file is not YAML, or not a valid SAM template.
    """
    source = load_template(path)
    _stand_in_for_packaged_code(source)
    # An empty map of managed policies: every role of ours is written out, so none is looked up by name.
    translator = Translator({}, Parser(), boto_session=_RegionOfSession("us-east-1"))
    try:
        document: dict[str, Any] = translator.translate(source, dict(parameters or {}))
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise TemplateError(f"{path}: not a valid SAM template: {causes}") from error
    finally:
        translator.metrics.publish()  # goes nowhere, and without it the translator warns of metrics left behind
    return document


@dataclass(frozen=True)
class _RegionOfSession:
    """All that the translator asks of a boto3 session. A real one reads the user's AWS configuration."""

    region_name: str


def load_template(path: Path = TEMPLATE_PATH) -> dict[str, Any]:
    """Read a SAM template; intrinsic functions are in their long form.

    Raises:
        TemplateError: The file is not YAML, or has no resources.
    """
    try:
        source = deepcopy(_parse(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise TemplateError(f"{path}: not YAML: {error}") from error
    if not (isinstance(source, dict) and isinstance(source.get("Resources"), dict)):
        raise TemplateError(f"{path}: a template with a Resources section is needed.")
    return source


@lru_cache(maxsize=4)
def _parse(text: str) -> Any:
    """Parse once: it takes most of a second, and a check reads the same template many times."""
    return yaml_parse(text)


def _stand_in_for_packaged_code(source: dict[str, Any]) -> None:
    """Replace `CodeUri: .`, which the translator does not take before packaging, by a bucket's address."""
    holders = {"Globals.Function": source.get("Globals", {}).get("Function", {})}
    for logical_id, resource in source["Resources"].items():
        if resource.get("Type") == "AWS::Serverless::Function":
            holders[logical_id] = resource.get("Properties", {})
    for where, holder in holders.items():
        code = holder.get("CodeUri", ".")
        if code not in {".", "./"}:
            raise TemplateError(f"{where}.CodeUri: the build packs the whole checkout, so '.', not {code!r}.")
        if "CodeUri" in holder:
            holder["CodeUri"] = _PACKAGED_CODE
