"""What the handlers are told by their environment. Read when a handler is called, never at import."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from processors.projections.state import CAPACITY
from processors.register.sessions import Lifetimes


class SettingsError(ValueError):
    """An environment variable is missing or wrong; the message names it and says what it takes."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment, checked. A URL or a table that a handler does not use may be empty."""

    sessions_table: str
    projections_table: str
    session_events_queue_url: str
    rejected_events_queue_url: str
    lifetimes: Lifetimes
    max_sessions_per_customer: int
    batch_statements: bool
    log_level: str
    provider_mappings_directory: str = ""
    token_jwks: str = ""
    session_commands_queue_url: str = ""
    """Where the projector sends its logouts; the session-events queue where the environment names no other."""
    failed_batches_bucket: str = ""

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
            if not environment.get(name):
                raise SettingsError(f"the environment variable {name} is not set")
        maximum = _whole_number(environment, "SESSION_MAX_LIFETIME_SECONDS", 604_800, least=1)
        limit = _whole_number(environment, "MAX_SESSIONS_PER_CUSTOMER", 0, least=0)
        if limit > CAPACITY:
            raise SettingsError(
                f"MAX_SESSIONS_PER_CUSTOMER is {limit}, but a projection keeps {CAPACITY} sessions: "
                f"a limit above that cannot be enforced; set at most {CAPACITY}, or 0 for no limit"
            )
        return cls(
            sessions_table=environment.get("SESSIONS_TABLE", ""),
            projections_table=environment.get("PROJECTIONS_TABLE", ""),
            session_events_queue_url=environment.get("SESSION_EVENTS_QUEUE_URL", ""),
            rejected_events_queue_url=environment.get("REJECTED_EVENTS_QUEUE_URL", ""),
            lifetimes=Lifetimes(
                default=timedelta(seconds=_whole_number(environment, "SESSION_TTL_SECONDS", 43_200, least=1)),
                maximum=timedelta(seconds=maximum),
            ),
            max_sessions_per_customer=limit,
            batch_statements=_truth(environment, "DYNAMODB_BATCH_STATEMENTS", default=True),
            log_level=_log_level(environment),
            provider_mappings_directory=environment.get("PROVIDER_MAPPINGS_DIRECTORY", ""),
            token_jwks=environment.get("TOKEN_JWKS", ""),
            session_commands_queue_url=environment.get("SESSION_COMMANDS_QUEUE_URL")
            or environment.get("SESSION_EVENTS_QUEUE_URL", ""),
            failed_batches_bucket=environment.get("FAILED_BATCHES_BUCKET", ""),
        )


def _whole_number(environment: Mapping[str, str], name: str, default: int, *, least: int) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) >= least):
        raise SettingsError(
            f"the environment variable {name} must be a whole number of at least {least} and at most 10 digits"
        )
    return int(text)


def _truth(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = (environment.get(name) or str(default)).lower()
    if text not in ("true", "false"):
        raise SettingsError(f"the environment variable {name} must be true or false")
    return text == "true"


def _log_level(environment: Mapping[str, str]) -> str:
    level = (environment.get("LOG_LEVEL") or "INFO").upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        raise SettingsError("the environment variable LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return level
