"""Every message about a wrong setting, mapping file or template parameter: what was seen, and what would be right."""

import re
from typing import Any

import pytest

from ops.validation.translation import load_template
from processors.runtime.settings import Settings, SettingsError
from providers.mapping_files import MappingError, parse_mapping
from tests.unit.test_provider_mappings import MAPPING

NAMESPACES = 'a JSON object like {"https://id.example.com": "keycloak:realm-1"}'
SETTINGS = [
    (
        {"SESSIONS_TABLE": ""},
        "the environment variable SESSIONS_TABLE is not set; template.yaml sets what each function needs",
    ),
    (
        {"SESSION_TTL_SECONDS": "12 h"},
        (
            "the environment variable SESSION_TTL_SECONDS must be a whole number of at least 1 and at most 10 digits, "
            "but is '12 h'"
        ),
    ),
    (
        {"SESSION_MAX_LIFETIME_SECONDS": "0"},
        (
            "the environment variable SESSION_MAX_LIFETIME_SECONDS must be a whole number of at least 1 and at most "
            "10 digits, but is '0'"
        ),
    ),
    (
        {"MAX_SESSIONS_PER_CUSTOMER": "300"},
        (
            "MAX_SESSIONS_PER_CUSTOMER is 300, but a projection keeps 256 sessions: a limit above that cannot "
            "be enforced; "
            "set at most 256, or 0 for no limit"
        ),
    ),
    (
        {"MAX_EVENT_AGE_SECONDS": "2592000"},
        (
            "MAX_EVENT_AGE_SECONDS is 2592000, but logouts are remembered for 1296000 seconds, and an older "
            "login could "
            "revive a session; set at most 1296000"
        ),
    ),
    (
        {"DYNAMODB_BATCH_STATEMENTS": "yes"},
        "the environment variable DYNAMODB_BATCH_STATEMENTS must be true or false, but is 'yes'",
    ),
    (
        {"LOG_LEVEL": "loud"},
        "the environment variable LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL, but is 'loud'",
    ),
    (
        {"CUSTOMER_NAMESPACE": "tenant"},
        "the environment variable CUSTOMER_NAMESPACE must be none or provider, but is 'tenant'",
    ),
    (
        {"CUSTOMER_NAMESPACES": "{"},
        f"the environment variable CUSTOMER_NAMESPACES is not valid JSON; write {NAMESPACES}",
    ),
    ({"CUSTOMER_NAMESPACES": "[]"}, f"the environment variable CUSTOMER_NAMESPACES must be {NAMESPACES}"),
    (
        {"CUSTOMER_NAMESPACES": '{"https://id.example.com": "keycloak"}'},
        (
            "the environment variable CUSTOMER_NAMESPACES gives the issuer 'https://id.example.com' a wrong namespace; "
            f"write provider:tenant, with : and % in either percent-encoded, as in {NAMESPACES}"
        ),
    ),
    (
        {"EXPIRY_INTERVAL_SECONDS": "five"},
        (
            "the environment variable EXPIRY_INTERVAL_SECONDS must be a whole number of at least 1 and at most "
            "10 digits, "
            "but is 'five'"
        ),
    ),
    (
        {"PUBLISH_REFRESHED_SESSIONS": "1"},
        "the environment variable PUBLISH_REFRESHED_SESSIONS must be true or false, but is '1'",
    ),
]


@pytest.mark.parametrize(("changes", "message"), SETTINGS, ids=[next(iter(changes)) for changes, _ in SETTINGS])
def test_a_wrong_setting_is_named_with_what_was_seen_and_what_would_be_right(
    changes: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({"SESSIONS_TABLE": "sessions"} | changes, needs=("SESSIONS_TABLE",))

    assert str(caught.value) == message


MAPPINGS = [
    ('type = "kind"', "type = ", "2: invalid TOML: Invalid value (at line 2, column 8)"),
    (
        'type = "kind"',
        'type = "kind["',
        '2: type is not a valid JMESPath expression: Invalid jmespath expression: Incomplete expression: "kind[" ^',
    ),
    (
        'type = "kind"',
        "type = 5",
        "2: type must be a text with a JMESPath expression, or a list of them of which the first present counts",
    ),
    ('type = "kind"\n', "", "1: type is missing"),
    (
        'type = "kind"',
        'type = "kind"\ndetail_type = "maybe"',
        "3: detail_type is 'maybe'; write true or false",
    ),
    (
        'type = "kind"',
        'type = "kind"\ntenant = "a"\nissuer = "b"',
        "1: names tenant and issuer: keep tenant for one system, issuer for a format that many share",
    ),
    (
        '"example"',
        '"Example"',
        "1: provider is 'Example'; write lower-case letters, digits and _, at most 32, a letter first",
    ),
    (
        'has = ["kind", "who"]',
        "",
        "4: recognise.0 needs a source, members (has), or a condition (when)",
    ),
    ('has = ["kind", "who"]', "has = 5", "5: recognise.0.has is 5; write a list: [...]"),
    (
        'customer_id = "who"',
        'customer = "who"',
        "10: fields.customer is an unknown name; did you mean customer_id?",
    ),
    (
        'session_id = "session"',
        'session_id = "upper(session)"',
        "11: fields.session_id calls upper(), which is an unknown function",
    ),
    (
        'session_id = "session"',
        'session_id = "capture(session)"',
        "11: fields.session_id calls capture() with 1 arguments; it takes 2",
    ),
    (
        'session_id = "session"',
        "session_id = \"capture(session, '(')\"",
        (
            "11: fields.session_id calls capture() with an invalid regular expression: missing ), unterminated "
            "subpattern "
            "at position 0"
        ),
    ),
    (
        "\"result == 'ok'\"",
        '"!result.ok"',
        "16: events.0.when says !a.b, which JMESPath reads as (!a).b: write !(a.b)",
    ),
    (
        'is = "logout"',
        'is = "signout"',
        "21: events.1.is is 'signout'; write 'login', 'logout', 'logout_all' or 'rejected'",
    ),
    (
        'is = "logout"',
        'is = "rejected"',
        "20: events.1 needs `because`, the reason, where is = 'rejected', and has none elsewhere",
    ),
    (
        'client.ip = "from"',
        'client.address = "from"',
        "17: events.0.client.address is an unknown name; known are ip, user_agent, device_id, country",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), MAPPINGS, ids=range(len(MAPPINGS)))
def test_a_wrong_mapping_file_is_named_with_its_line_what_was_seen_and_what_would_be_right(
    old: str, new: str, message: str
) -> None:
    assert old in MAPPING

    with pytest.raises(MappingError) as caught:
        parse_mapping(MAPPING.replace(old, new), name="wrong.toml")

    assert str(caught.value) == f"wrong.toml:{message}"


PARAMETERS = load_template()["Parameters"]


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_template_parameter_says_what_it_is_and_a_pattern_what_would_be_right(name: str) -> None:
    parameter: dict[str, Any] = PARAMETERS[name]

    assert re.search(r"\w.*\.$", parameter["Description"], re.DOTALL)
    if "AllowedPattern" in parameter:
        assert parameter["ConstraintDescription"].endswith(".")
    if parameter["Type"] == "Number":
        assert {"MinValue", "AllowedValues"} & parameter.keys()
