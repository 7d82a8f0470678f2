"""The JSON Schema for publishers: in step with the models, and nothing it accepts is rejected."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from ops.schema_export.export import DIRECTORY, main, session_event_schema
from providers.envelopes import read_body
from schemas.errors import RejectedEventError
from schemas.events import EVENT_MODELS

SAMPLES = Path(__file__).parents[1] / "events"
FORMATS = FormatChecker(formats=[])


@FORMATS.checks("date-time")
def is_date_time(value: object) -> bool:
    """The calendar, which a pattern cannot know; jsonschema checks it only with a further package."""
    try:
        datetime.fromisoformat(str(value).upper())
    except ValueError:
        return not isinstance(value, str)
    return True


SCHEMA = json.loads((DIRECTORY / "session-event.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=FORMATS)

LOGIN: dict[str, Any] = json.loads((SAMPLES / "login.json").read_text(encoding="utf-8"))
LOGOUT: dict[str, Any] = json.loads((SAMPLES / "logout.json").read_text(encoding="utf-8"))
LOGOUT_ALL: dict[str, Any] = json.loads((SAMPLES / "logout-all.json").read_text(encoding="utf-8"))


def is_accepted_by_parser(event: object) -> bool:
    try:
        return read_body(json.dumps(event), sent_at=None) is not None
    except RejectedEventError:
        return False


def test_the_file_is_in_step_with_the_models() -> None:
    assert session_event_schema() == SCHEMA, "python -m ops.schema_export"


def test_the_file_is_a_schema_of_draft_2020_12() -> None:
    Draft202012Validator.check_schema(SCHEMA)

    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_there_is_one_alternative_per_event_type() -> None:
    names = [alternative["$ref"].rsplit("/", 1)[-1] for alternative in SCHEMA["oneOf"]]

    types = [SCHEMA["$defs"][name]["properties"]["event_type"]["const"] for name in names]

    assert sorted(types) == sorted(EVENT_MODELS)


def test_every_field_of_every_model_is_there_with_a_description() -> None:
    for model in EVENT_MODELS.values():
        properties = SCHEMA["$defs"][model.__name__]["properties"]

        assert list(properties) == list(model.model_fields)
        assert all(field.get("description") for field in properties.values())


@pytest.mark.parametrize("name", ["event_id", "event_type"])
def test_what_an_eventbridge_envelope_stands_in_for_says_so(name: str) -> None:
    for model in EVENT_MODELS:
        definition = SCHEMA["$defs"][EVENT_MODELS[model].__name__]

        assert name in definition["required"]
        assert "EventBridge" in definition["properties"][name]["description"]


@pytest.mark.parametrize("name", ["login.json", "child-login.json", "logout.json", "logout-all.json"])
def test_the_samples_are_valid(name: str) -> None:
    event = json.loads((SAMPLES / name).read_text(encoding="utf-8"))

    assert [error.message for error in VALIDATOR.iter_errors(event)] == []


VALID = [
    LOGIN | {"x": {"more": [1]}, "version": 3},
    LOGIN | dict.fromkeys(("parent_session_id", "expires_at", "access_token", "client", "source")),
    LOGOUT | dict.fromkeys(("customer_id", "parent_session_id", "reason", "source")),
    LOGOUT_ALL | dict.fromkeys(("except_session_id", "source")),
    LOGIN | {"client": {}},
    LOGIN | {"client": dict.fromkeys(("ip", "user_agent", "device_id", "country"))},
    LOGIN | {"client": dict.fromkeys(("ip", "user_agent", "device_id", "country"), "")},
    LOGIN | {"client": {"user_agent": "x" * 5000 + "\n"}},
    LOGIN | {"occurred_at": "2026-03-01t10:20:30.123456789+05:45"},
    LOGIN | {"expires_at": "9999-12-31T23:59:59Z"},
    LOGIN | {"customer_id": "x" * 256, "session_id": "#" * 256, "event_id": "%" * 256},
    LOGIN | {"customer_id": "😀" * 83, "session_id": "é" * 83},
    LOGIN | {"access_token": "x" * 20_000},
    LOGOUT | {"reason": "x" * 64},
]
INVALID = [
    *(
        {key: value for key, value in LOGIN.items() if key != name}
        for name in SCHEMA["$defs"]["LoginEvent"]["required"]
    ),
    *(
        LOGIN | {name: value}
        for name in ("customer_id", "session_id", "event_id")
        for value in ("", None, 5, "a\n", "\0")
    ),
    *(LOGIN | {name: "x" * 257} for name in ("customer_id", "session_id", "event_id", "parent_session_id")),
    *(LOGIN | {"occurred_at": time} for time in (1772442000, "1772442000", "2026-03-01", "2026-03-01T10:20:30")),
    *(
        LOGIN | {"occurred_at": time}
        for time in ("2026-02-30T10:20:30Z", "2026-03-01T10:20:60Z", "0000-01-01T00:00:00Z")
    ),
    LOGIN | {"customer_id": "😀" * 84},
    LOGIN | {"event_type": "LOGIN"},
    LOGIN | {"access_token": ""},
    LOGIN | {"access_token": 5},
    LOGIN | {"client": []},
    LOGIN | {"client": {"ip": "x" * 65}},
    LOGIN | {"client": {"device_id": "a\n"}},
    LOGIN | {"source": "x" * 129},
    LOGOUT | {"reason": "x" * 65},
    LOGOUT | {"reason": ""},
    LOGOUT_ALL | {"customer_id": None},
    [LOGIN["event_id"]],
    "login",
    None,
]


@pytest.mark.parametrize("event", VALID, ids=range(len(VALID)))
def test_what_publishers_may_send_is_valid_and_accepted(event: object) -> None:
    assert VALIDATOR.is_valid(event)
    assert is_accepted_by_parser(event)


@pytest.mark.parametrize("event", INVALID, ids=range(len(INVALID)))
def test_what_the_parser_rejects_is_invalid(event: object) -> None:
    assert not VALIDATOR.is_valid(event)
    assert not is_accepted_by_parser(event)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=90) | st.text("ab\n\x9f#é", max_size=300)
TIME = st.datetimes().map(lambda moment: moment.isoformat() + "Z") | st.from_regex(
    SCHEMA["$defs"]["Time"]["pattern"].replace("[0-9]+", "[0-9]{1,9}"), fullmatch=True
)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | TEXT
    | TIME
    | st.dictionaries(st.sampled_from(["ip", "user_agent", "device_id", "country", "x"]), TEXT | st.none())
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([LOGIN, LOGOUT, LOGOUT_ALL]),
    st.dictionaries(st.sampled_from([*LOGIN, *LOGOUT, *LOGOUT_ALL, "x"]), VALUES, min_size=1, max_size=2),
)
def test_what_the_schema_accepts_the_parser_accepts(base: dict[str, Any], changes: dict[str, Any]) -> None:
    event = base | changes
    beyond_any_clock = any(str(event.get(name)).startswith("9") for name in ("occurred_at", "expires_at"))

    if VALIDATOR.is_valid(event) and not beyond_any_clock:
        assert is_accepted_by_parser(event)


def test_the_export_writes_the_file_where_it_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "json"

    code = main([], directory=directory)

    assert code == 0
    assert json.loads((directory / "session-event.schema.json").read_text(encoding="utf-8")) == SCHEMA
    assert "written" in capsys.readouterr().out


def test_the_check_fails_and_writes_nothing_where_the_file_is_out_of_date(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "session-event.schema.json"
    file.write_text("{}", encoding="utf-8")

    code = main(["--check"], directory=tmp_path)

    assert code == 1
    assert file.read_text(encoding="utf-8") == "{}"
    assert capsys.readouterr().err.splitlines()[0] == (
        "session-event.schema.json is out of date; write it anew: python -m ops.schema_export"
    )


def test_the_check_passes_on_the_file_that_ships() -> None:
    assert main(["--check"]) == 0
