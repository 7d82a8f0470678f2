"""Parameters of the template that contradict each other, or do nothing. Pure."""

from collections.abc import Iterator, Mapping

_OFF = "false"
_VISIBILITY_SECONDS = 190
"""Between two attempts at a message of the session-events queue."""
_WARM_BY_DEFAULT = {"Write": 4_000, "Read": 12_000}
"""With these the template sets no warm throughput."""


def contradictions(parameters: Mapping[str, str]) -> Iterator[str]:
    """Name each contradiction, and what would be right.

    Args:
        parameters: The stack's parameters; one that an older template does not have may be missing.
    """
    ttl, longest = (_number(parameters, name) for name in ("SessionTtlSeconds", "SessionMaxLifetimeSeconds"))
    if ttl is not None and longest is not None and ttl > longest:
        yield (
            f"SessionTtlSeconds ({ttl}) is above SessionMaxLifetimeSeconds ({longest}), so every session without an "
            "expiry of its own is cut short: lower the one or raise the other"
        )
    is_publishing = parameters.get("PublishSessionEvents", _OFF) != _OFF
    if not is_publishing and parameters.get("PublishRefreshedSessions", _OFF) != _OFF:
        yield "PublishRefreshedSessions does nothing without PublishSessionEvents: switch that on too"
    if not is_publishing and parameters.get("ExpiryIntervalSeconds", "5") != "5":
        yield "ExpiryIntervalSeconds does nothing without PublishSessionEvents: switch that on too"
    if parameters.get("ArchiveSessionEvents", _OFF) == _OFF and parameters.get("ArchiveRetentionDays", "0") != "0":
        yield "ArchiveRetentionDays does nothing without ArchiveSessionEvents: switch that on too"
    if parameters.get("EnableEventBridgeDirect", _OFF) == _OFF and parameters.get("DirectMaxConcurrency", "10") != "10":
        yield "DirectMaxConcurrency does nothing without EnableEventBridgeDirect: switch that on too"
    if parameters.get("CustomerNamespace") == "provider" and parameters.get("CustomerNamespaces", "{}").strip() == "{}":
        yield (
            "CustomerNamespace is provider and CustomerNamespaces is empty, so logout tokens and security events, "
            "which name an issuer only, are rejected: list their issuers"
        )
    yield from _capacity(parameters)
    silent, age = _number(parameters, "SilenceAlarmMinutes"), _number(parameters, "MaxEventAgeSeconds")
    tried = _VISIBILITY_SECONDS * (_number(parameters, "MaxReceiveCount") or 0)
    if age is not None and age < tried:
        yield (
            f"MaxEventAgeSeconds ({age}) is shorter than a message is tried, {tried} s by MaxReceiveCount: a login "
            "that waits for the end of an outage would be rejected; raise the one or lower the other"
        )
    if silent and age is not None and silent * 60 > age:
        yield (
            f"SilenceAlarmMinutes ({silent}) is longer than MaxEventAgeSeconds ({age}): logins that come after "
            "such a silence would be rejected"
        )


def _capacity(parameters: Mapping[str, str]) -> Iterator[str]:
    """Compare the bounds of auto scaling with the billing mode, with each other and with warm throughput."""
    is_provisioned = parameters.get("BillingMode") == "PROVISIONED"
    for kind in ("Write", "Read"):
        least, most, warm = (
            _number(parameters, name) or 0 for name in (f"Min{kind}Capacity", f"Max{kind}Capacity", f"Warm{kind}Units")
        )
        for name, value in ((f"Min{kind}Capacity", least), (f"Max{kind}Capacity", most)):
            if is_provisioned and not value:
                yield f"{name} is 0: BillingMode PROVISIONED needs the bounds of auto scaling"
            if value and not is_provisioned:
                yield f"{name} does nothing without BillingMode PROVISIONED: choose that, or leave it 0"
        if is_provisioned and least > most > 0:
            yield f"Min{kind}Capacity ({least}) is above Max{kind}Capacity ({most}): lower the one or raise the other"
        if is_provisioned and least > warm > _WARM_BY_DEFAULT[kind]:
            yield (
                f"Warm{kind}Units ({warm}) is below Min{kind}Capacity ({least}), which the tables bear at once anyway: "
                "raise it, or leave it out"
            )


def notes(parameters: Mapping[str, str]) -> Iterator[str]:
    """Name what is allowed and surprises."""
    if parameters.get("AlarmTopicArn") == "":
        yield "AlarmTopicArn is empty: the alarms notify nobody"
    if parameters.get("EnableEventBridgeDirect", _OFF) != _OFF:
        yield "EnableEventBridgeDirect is on: each event of the bus is processed twice"


def _number(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() else None
