"""Parameters of the template that contradict each other, or do nothing. Pure."""

from collections.abc import Iterator, Mapping

_OFF = "false"


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
    silent, age = _number(parameters, "SilenceAlarmMinutes"), _number(parameters, "MaxEventAgeSeconds")
    if silent and age is not None and silent * 60 > age:
        yield (
            f"SilenceAlarmMinutes ({silent}) is longer than MaxEventAgeSeconds ({age}): logins that come after "
            "such a silence would be rejected"
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
