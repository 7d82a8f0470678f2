"""Values of boto3 as the JSON of a Lambda event has them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any


def to_base64(data: bytes) -> str:
    """Encode binary data as Lambda events do."""
    return base64.b64encode(data).decode("ascii")


def to_json_value(value: Any) -> Any:
    """Encode an attribute value of DynamoDB, in any depth: binary data becomes Base64, the rest stays."""
    if isinstance(value, bytes):
        return to_base64(value)
    if isinstance(value, Mapping):
        return {name: to_json_value(member) for name, member in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [to_json_value(member) for member in value]
    return value
