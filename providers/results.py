"""Results of reading a message (an event, an ignored or a rejected one), and the settings of reading."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from schemas.errors import RejectedEventError
from schemas.events import Event

if TYPE_CHECKING:
    from providers.namespaces import Namespaces
    from providers.provider_mappings import ProviderMappings
    from providers.token_keys import TokenKeys


@dataclass(frozen=True, slots=True)
class IgnoredEvent:
    """A valid event that is neither a login nor a logout.

    Attributes:
        provider: The identity system or family of events; empty for an event of unknown origin.
        event_type: Its type as that system calls it; empty where it has none.
    """

    provider: str = ""
    event_type: str = ""


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """An event that no retry can fix.

    Attributes:
        error: The reason.
        body: The event, as JSON, where it is one of several in its message; None where it is the whole message.
    """

    error: RejectedEventError
    body: str | None = None


ReadEvent: TypeAlias = Event | IgnoredEvent | RejectedEvent
"""The result of reading one event."""


def _bundled() -> "ProviderMappings":
    from providers.provider_mappings import bundled_mappings  # noqa: PLC0415 (start-up: canonical events need none of it)

    return bundled_mappings()


@dataclass(frozen=True, slots=True)
class Providers:
    """How events of identity systems are read.

    Attributes:
        mappings: Gives their mappings; called at the first event that is not canonical.
        token_keys: Verify signed tokens; None reads them unverified.
        customer_namespace: `provider` or `none`: whether ids that a mapping yields become `<provider>:<tenant>:<id>`.
        customer_namespaces: `provider:tenant` by issuer, for formats that many systems share.
    """

    mappings: "Callable[[], ProviderMappings]" = _bundled
    token_keys: "TokenKeys | None" = None
    customer_namespace: str = "none"
    customer_namespaces: Mapping[str, str] = field(default_factory=dict)

    def namespaces(self) -> "Namespaces":
        """Return how ids of customers and sessions are told apart."""
        from providers.namespaces import Namespaces  # noqa: PLC0415 (start-up: canonical events need none of it)

        return Namespaces(self.customer_namespace == "provider", self.customer_namespaces)


BUNDLED = Providers()
"""The bundled mappings, without verification of tokens."""
