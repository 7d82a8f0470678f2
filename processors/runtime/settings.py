"""Handler configuration, from environment variables. Read when a handler is called, never at import.

By hand: pydantic-settings would add its import to every cold start (decision 5).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from processors.projections.state import CAPACITY
from processors.register.sessions import Lifetimes

MAX_EVENT_AGE_SECONDS = 1_296_000
"""15 days: the 14 that SQS keeps a dead letter, and one. Tombstones are kept for as long (`schemas.items`)."""

_STAND_INS = {"SESSION_COMMANDS_QUEUE_URL": "SESSION_EVENTS_QUEUE_URL"}
"""Variables, and what is read where one is not set."""

_NAMESPACE = re.compile(r"[A-Za-z0-9._%-]+:[^:\x00-\x1f\x7f-\x9f]*")

_RESOURCE = re.compile(r"[A-Za-z0-9_.:/-]+")
"""A table, bucket, bus or stream: what all of their names and ARNs are made of."""
_URL = re.compile(r"https?://[!-~]+")


class SettingsError(ValueError):
    """An environment variable is missing or wrong; the message names it, what was seen and what would be right."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment, checked. A URL or a table that a handler does not use may be empty."""

    sessions_table: str
    projections_table: str
    rejected_events_queue_url: str
    lifetimes: Lifetimes
    max_sessions_per_customer: int
    batch_statements: bool
    log_level: str
    provider_mappings_directory: str = ""
    token_jwks: str = ""
    session_commands_queue_url: str = ""
    """Where the projector sends its logouts: `SESSION_EVENTS_QUEUE_URL` where no queue of their own is named."""
    failed_batches_bucket: str = ""
    max_event_age: timedelta = timedelta(seconds=MAX_EVENT_AGE_SECONDS)
    """Logins older than this are rejected."""
    customer_namespace: str = "none"
    """`provider`: ids that a mapping reads get the prefix `<provider>:<tenant>:`."""
    customer_namespaces: Mapping[str, str] = field(default_factory=dict)
    """Prefix `provider:tenant` by the issuer (`iss`) of what generic mappings read."""
    sessions_bus_name: str = ""
    """The bus of life-cycle events; this and the next two are off where empty."""
    archive_stream_name: str = ""
    expiry_agenda_table: str = ""
    expiry_interval_seconds: int = 5
    publish_refreshed_sessions: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, needs: tuple[str, ...]) -> "Settings":
        """Read and check the environment.

        Args:
            environment: `os.environ`, or what stands in for it.
            needs: Variables that must not be empty.

        Raises:
            SettingsError: A variable is missing or wrong.
        """
        for name in needs:
            stand_in = _STAND_INS.get(name)
            if not environment.get(name) and not (stand_in and environment.get(stand_in)):
                raise SettingsError(
                    f"the environment variable {name} is not set{f', nor is {stand_in}' if stand_in else ''}; "
                    "template.yaml sets what each function needs"
                )
        age = _whole_number(environment, "MAX_EVENT_AGE_SECONDS", MAX_EVENT_AGE_SECONDS, least=1)
        if age > MAX_EVENT_AGE_SECONDS:
            raise SettingsError(
                f"MAX_EVENT_AGE_SECONDS is {age}, but logouts are remembered for {MAX_EVENT_AGE_SECONDS} seconds, and "
                f"an older login could revive a session; set at most {MAX_EVENT_AGE_SECONDS}"
            )
        maximum = _whole_number(environment, "SESSION_MAX_LIFETIME_SECONDS", 604_800, least=1)
        limit = _whole_number(environment, "MAX_SESSIONS_PER_CUSTOMER", 0, least=0)
        if limit > CAPACITY:
            raise SettingsError(
                f"MAX_SESSIONS_PER_CUSTOMER is {limit}, but a projection keeps {CAPACITY} sessions: "
                f"a limit above that cannot be enforced; set at most {CAPACITY}, or 0 for no limit"
            )
        return cls(
            sessions_table=_name(environment, "SESSIONS_TABLE"),
            projections_table=_name(environment, "PROJECTIONS_TABLE"),
            rejected_events_queue_url=_url(environment, "REJECTED_EVENTS_QUEUE_URL"),
            lifetimes=Lifetimes(
                default=timedelta(seconds=_whole_number(environment, "SESSION_TTL_SECONDS", 43_200, least=1)),
                maximum=timedelta(seconds=maximum),
            ),
            max_sessions_per_customer=limit,
            batch_statements=_truth(environment, "DYNAMODB_BATCH_STATEMENTS", default=True),
            log_level=_log_level(environment),
            provider_mappings_directory=environment.get("PROVIDER_MAPPINGS_DIRECTORY", ""),
            token_jwks=environment.get("TOKEN_JWKS", ""),
            session_commands_queue_url=_url(environment, "SESSION_COMMANDS_QUEUE_URL")
            or _url(environment, "SESSION_EVENTS_QUEUE_URL"),
            failed_batches_bucket=_name(environment, "FAILED_BATCHES_BUCKET"),
            max_event_age=timedelta(seconds=age),
            customer_namespace=_choice(environment, "CUSTOMER_NAMESPACE", ("none", "provider")),
            customer_namespaces=_namespaces(environment),
            sessions_bus_name=_name(environment, "SESSIONS_BUS_NAME"),
            archive_stream_name=_name(environment, "ARCHIVE_STREAM_NAME"),
            expiry_agenda_table=_name(environment, "EXPIRY_AGENDA_TABLE"),
            expiry_interval_seconds=_whole_number(environment, "EXPIRY_INTERVAL_SECONDS", 5, least=1),
            publish_refreshed_sessions=_truth(environment, "PUBLISH_REFRESHED_SESSIONS", default=False),
        )


def _name(environment: Mapping[str, str], name: str) -> str:
    text = environment.get(name, "")
    if text and not _RESOURCE.fullmatch(text):
        raise SettingsError(
            f"the environment variable {name} must be a name or an ARN, without spaces, but is {_seen(text)}"
        )
    return text


def _url(environment: Mapping[str, str], name: str) -> str:
    text = environment.get(name, "")
    if text and not _URL.fullmatch(text):
        raise SettingsError(f"the environment variable {name} must be a URL (https://...), but is {_seen(text)}")
    return text


def _whole_number(environment: Mapping[str, str], name: str, default: int, *, least: int) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) >= least):
        raise SettingsError(
            f"the environment variable {name} must be a whole number of at least {least} and at most 10 digits, "
            f"but is {_seen(text)}"
        )
    return int(text)


def _truth(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = (environment.get(name) or str(default)).lower()
    if text not in ("true", "false"):
        raise SettingsError(f"the environment variable {name} must be true or false, but is {_seen(text)}")
    return text == "true"


def _log_level(environment: Mapping[str, str]) -> str:
    text = environment.get("LOG_LEVEL") or "INFO"
    level = text.upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        raise SettingsError(
            f"the environment variable LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL, but is {_seen(text)}"
        )
    return level


def _choice(environment: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """Read one of some words; the first is the default."""
    text = environment.get(name) or choices[0]
    if text not in choices:
        raise SettingsError(f"the environment variable {name} must be {' or '.join(choices)}, but is {_seen(text)}")
    return text


def _namespaces(environment: Mapping[str, str]) -> Mapping[str, str]:
    text = environment.get("CUSTOMER_NAMESPACES") or "{}"
    wanted = 'a JSON object like {"https://id.example.com": "keycloak:realm-1"}'
    try:
        namespaces = json.loads(text)
    except (ValueError, RecursionError):
        raise SettingsError(f"the environment variable CUSTOMER_NAMESPACES is not valid JSON; write {wanted}") from None
    if not isinstance(namespaces, dict):
        raise SettingsError(f"the environment variable CUSTOMER_NAMESPACES must be {wanted}")
    for issuer, namespace in namespaces.items():
        if not issuer or not isinstance(namespace, str) or not _NAMESPACE.fullmatch(namespace):
            raise SettingsError(
                f"the environment variable CUSTOMER_NAMESPACES gives the issuer {_seen(issuer)} a wrong namespace; "
                f"write provider:tenant, with : and % in either percent-encoded, as in {wanted}"
            )
    return namespaces


def _seen(text: str) -> str:
    """Show a setting's value in a message: on one line, and not at any length."""
    return ascii(text if len(text) <= 40 else f"{text[:40]}...")
