"""Ids as events carry them: any text of up to 256 characters without control characters."""

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints, WithJsonSchema

from schemas.keys import MAX_ENCODED_ID_BYTES, encode_id
from schemas.secrets import MASKED_PATTERN, is_masked

MAX_ID = 256
"""Most characters of an id."""

_NAMESPACE = re.compile(r"[^:]+:[^:]*:(?=.)", re.DOTALL)
"""What `CUSTOMER_NAMESPACE` puts before an id: provider and tenant, percent-encoded (`providers.namespaces`)."""

CONTROLS = r"[\x00-\x1f\x7f-\x9f]"
"""What no text that is stored may hold: the C0 and C1 control characters."""

NO_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f]*$"
"""Pattern of a text without them, in the dialect of pydantic, where `$` is the very end."""

ID_SCHEMA = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_ID,
    "not": {"pattern": f"{CONTROLS}|{MASKED_PATTERN}"},
    "anyOf": [{"not": {"pattern": r"[^\x00-\x7f]"}}, {"maxLength": MAX_ENCODED_ID_BYTES // len("%F0%9F%98%80")}],
}


def _validate_id(identifier: str) -> str:
    if is_masked(identifier):
        raise ValueError("is the masked form of a value in a rejected event; publish the original event instead")
    if not identifier.isascii() and len(encode_id(identifier)) > MAX_ENCODED_ID_BYTES:
        raise ValueError(f"is longer than {MAX_ENCODED_ID_BYTES:,} bytes once percent-encoded")
    return identifier


def _validate_namespaced_id(identifier: str) -> str:
    namespace = _NAMESPACE.match(identifier) if len(identifier) > MAX_ID else None
    if len(identifier) - (namespace.end() if namespace else 0) > MAX_ID:
        raise ValueError(f"should have at most {MAX_ID} characters, a namespace not counted")
    if namespace and len(encode_id(identifier)) > MAX_ENCODED_ID_BYTES:
        raise ValueError(f"is longer than {MAX_ENCODED_ID_BYTES:,} bytes once percent-encoded")
    return _validate_id(identifier)


Id = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_ID, pattern=NO_CONTROLS),
    AfterValidator(_validate_id),
    WithJsonSchema(ID_SCHEMA, mode="validation"),
]
NamespacedId = Annotated[
    str,
    StringConstraints(min_length=1, pattern=NO_CONTROLS),
    AfterValidator(_validate_namespaced_id),
    WithJsonSchema(ID_SCHEMA, mode="validation"),
]
"""An id that may be of a namespace: commands carry ids as they are stored. Publishers are shown the limit of `Id`."""
