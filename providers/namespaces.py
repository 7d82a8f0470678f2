"""Namespaces of ids: customers of two identity systems, or of two tenants of one, are never the same customer.

With `CUSTOMER_NAMESPACE=provider` the ids that a mapping yields become `<provider>:<tenant>:<id>`. Formats that many
systems share (back-channel logout, SSF) carry an issuer, for which `CUSTOMER_NAMESPACES` gives `provider:tenant`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from providers.mapping_format import MappingFile
from providers.translation import first_present
from providers.values import read_id
from schemas.errors import RejectedEventError
from schemas.events import Event
from schemas.keys import MAX_ENCODED_ID_BYTES, encode_id

_IDS = ("customer_id", "session_id", "parent_session_id", "except_session_id")


@dataclass(frozen=True, slots=True)
class Namespaces:
    """How ids that mappings yield are told apart.

    Attributes:
        by_provider: Whether ids get the provider and its tenant (`CUSTOMER_NAMESPACE=provider`).
        by_issuer: `provider:tenant` by issuer, used as it stands (`CUSTOMER_NAMESPACES`).
    """

    by_provider: bool = False
    by_issuer: Mapping[str, str] = field(default_factory=dict)

    def applied(self, event: Event, mapping: MappingFile, view: object) -> Event:
        """Return the event with its ids in their namespace.

        Args:
            event: The canonical event; its ids are within their limits without the namespace.
            mapping: The mapping that yielded it.
            view: The original event in the form that the mapping's expressions are for.

        Raises:
            RejectedEventError: The tenant or the issuer is missing or unknown, or an id no longer fits a key.
        """
        prefix = self._prefix(mapping, view)
        if prefix is None:
            return event
        ids = {name: f"{prefix}:{value}" for name in _IDS if (value := getattr(event, name, None)) is not None}
        for name, value in ids.items():
            if len(encode_id(value)) > MAX_ENCODED_ID_BYTES:
                raise RejectedEventError(
                    f"{name} is longer than {MAX_ENCODED_ID_BYTES:,} bytes with its namespace, percent-encoded"
                )
        return event.model_copy(update=ids)

    def _prefix(self, mapping: MappingFile, view: object) -> str | None:
        if mapping.issuer is not None:
            return self._of_issuer(mapping, view) if self.by_provider or self.by_issuer else None
        if not self.by_provider:
            return None
        tenant = ""
        if mapping.tenant is not None:
            tenant = _read(first_present(mapping.tenant, view, mapping.absent), "tenant", mapping.tenant)
        return f"{_encoded(mapping.provider)}:{_encoded(tenant)}"

    def _of_issuer(self, mapping: MappingFile, view: object) -> str:
        issuer = _read(first_present(mapping.issuer, view), "issuer", mapping.issuer or ())
        if issuer not in self.by_issuer:
            raise RejectedEventError("the issuer is not in CUSTOMER_NAMESPACES; add it there as provider:tenant")
        return self.by_issuer[issuer]


NO_NAMESPACES = Namespaces()
"""Ids as the identity systems give them."""


def _read(value: Any, what: str, paths: tuple[Any, ...]) -> str:
    where = " || ".join(path.text for path in paths)
    if value is None:
        raise RejectedEventError(f"{what} is missing: {where}")
    try:
        return read_id(value)
    except ValueError as error:
        raise RejectedEventError(f"{what} {error}: {where}") from None


def _encoded(part: str) -> str:
    return part.replace("%", "%25").replace(":", "%3A")
