"""The handlers' environment: defaults, and words that say what to do."""

from datetime import timedelta

import pytest

from processors.projections.state import CAPACITY
from processors.register.sessions import Lifetimes
from processors.runtime.settings import Settings, SettingsError

COMPLETE = {
    "SESSIONS_TABLE": "sessions",
    "PROJECTIONS_TABLE": "projections",
    "SESSION_COMMANDS_QUEUE_URL": "https://sqs.example.com/commands",
    "REJECTED_EVENTS_QUEUE_URL": "https://sqs.example.com/rejected",
}


def read(**changes: str) -> Settings:
    return Settings.from_environment(COMPLETE | changes, needs=tuple(COMPLETE))


def test_what_is_not_set_has_its_documented_default() -> None:
    assert read() == Settings(
        sessions_table="sessions",
        projections_table="projections",
        rejected_events_queue_url="https://sqs.example.com/rejected",
        lifetimes=Lifetimes(default=timedelta(hours=12), maximum=timedelta(days=7)),
        max_sessions_per_customer=0,
        batch_statements=True,
        log_level="INFO",
        session_commands_queue_url="https://sqs.example.com/commands",
    )


def test_without_a_queue_of_their_own_commands_go_to_the_session_events_queue() -> None:
    settings = read(SESSION_COMMANDS_QUEUE_URL="", SESSION_EVENTS_QUEUE_URL="https://sqs.example.com/events")

    assert settings.session_commands_queue_url == "https://sqs.example.com/events"


def test_without_any_queue_for_commands_both_variables_are_named() -> None:
    with pytest.raises(SettingsError, match="SESSION_COMMANDS_QUEUE_URL is not set, nor is SESSION_EVENTS_QUEUE_URL"):
        read(SESSION_COMMANDS_QUEUE_URL="")


def test_every_variable_is_read() -> None:
    settings = read(
        SESSION_TTL_SECONDS="60",
        SESSION_MAX_LIFETIME_SECONDS="120",
        MAX_SESSIONS_PER_CUSTOMER="5",
        DYNAMODB_BATCH_STATEMENTS="False",
        LOG_LEVEL="debug",
    )

    assert settings.lifetimes == Lifetimes(default=timedelta(minutes=1), maximum=timedelta(minutes=2))
    assert settings.max_sessions_per_customer == 5
    assert settings.batch_statements is False
    assert settings.log_level == "DEBUG"


@pytest.mark.parametrize(
    "name", ["SESSION_TTL_SECONDS", "MAX_SESSIONS_PER_CUSTOMER", "DYNAMODB_BATCH_STATEMENTS", "LOG_LEVEL"]
)
def test_an_empty_variable_is_one_that_is_not_set(name: str) -> None:
    assert read(**{name: ""}) == read()


@pytest.mark.parametrize("name", COMPLETE)
def test_a_variable_the_handler_needs_is_named_where_it_is_missing(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is not set"):
        read(**{name: ""})


def test_a_variable_the_handler_does_not_need_may_be_missing() -> None:
    settings = Settings.from_environment({"SESSIONS_TABLE": "sessions"}, needs=("SESSIONS_TABLE",))

    assert settings.projections_table == ""


@pytest.mark.parametrize("name", ["SESSION_TTL_SECONDS", "SESSION_MAX_LIFETIME_SECONDS", "MAX_SESSIONS_PER_CUSTOMER"])
@pytest.mark.parametrize(
    "value", ["-1", "1.5", "12h", " 60", "1e3", "٦٠", "1_000", "0x10", "1" * 11, "1" * 5000, "true"]
)
def test_what_is_no_whole_number_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} must be a whole number"):
        read(**{name: value})


@pytest.mark.parametrize("name", ["SESSION_TTL_SECONDS", "SESSION_MAX_LIFETIME_SECONDS"])
def test_a_lifetime_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} must be a whole number of at least 1"):
        read(**{name: "0"})


def test_a_limit_that_cannot_be_enforced_is_refused_with_the_largest_that_can() -> None:
    settings = read(MAX_SESSIONS_PER_CUSTOMER=str(CAPACITY))

    assert settings.max_sessions_per_customer == CAPACITY
    with pytest.raises(SettingsError, match=f"set at most {CAPACITY}, or 0"):
        read(MAX_SESSIONS_PER_CUSTOMER=str(CAPACITY + 1))


@pytest.mark.parametrize("value", ["yes", "1", "0", "on", " true"])
def test_a_truth_value_is_true_or_false(value: str) -> None:
    with pytest.raises(SettingsError, match="DYNAMODB_BATCH_STATEMENTS must be true or false"):
        read(DYNAMODB_BATCH_STATEMENTS=value)


@pytest.mark.parametrize("value", ["verbose", "10", "WARN"])
def test_a_log_level_is_one_of_five(value: str) -> None:
    with pytest.raises(SettingsError, match="LOG_LEVEL must be DEBUG, INFO"):
        read(LOG_LEVEL=value)
