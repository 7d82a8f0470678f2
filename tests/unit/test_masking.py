"""What a rejected event shows: what is on the list, and of everything else its shape."""

import json
import time
from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.intake.masking import mask_body, mask_id
from processors.intake.vocabulary import Kind, Vocabulary, vocabulary
from processors.runtime.intake import vocabulary_of
from providers.envelopes import BUNDLED

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"
PLAIN = vocabulary()


@cache
def bundled() -> Vocabulary:
    return vocabulary_of(BUNDLED.mappings)


def hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


def test_a_canonical_event_shows_its_ids_times_addresses_and_types_and_nothing_else() -> None:
    event = {
        "event_id": "e-1",
        "event_type": "login",
        "occurred_at": "2026-03-01T10:20:30.123Z",
        "session_id": "auth0|5f7c8ec7c33c6c004bbafe82",
        "access_token": "x" * 43,
        "client": {"ip": "192.0.2.1", "user_agent": "Mozilla/5.0 (X11)"},
        "expires_at": 1795600000,
    }

    masked = json.loads(mask_body(json.dumps(event), PLAIN))

    assert masked == event | {
        "access_token": "<text, 43>",
        "client": {"ip": "192.0.2.1", "user_agent": "<text, 17>"},
    }


def test_unknown_names_are_numbered_and_their_values_keep_their_shape() -> None:
    body = '{"access_toke-": "abc", "event_id": "e", "x": [1.5, {"code": "q"}, null, true], "x": "twice"}'

    assert mask_body(body, PLAIN) == (
        '{"<name 1, 12>": "<text, 3>", "event_id": "e", "<name 2, 1>": ["<number, 3>", {"<name 1, 4>": "<text, 1>"}, '
        'null, true], "<name 3, 1>": "<text, 5>"}'
    )


@pytest.mark.parametrize("secret", [JWT, "a1" * 20, "a" * 129, "two words", "päss", "Bearer:abc"])
def test_an_id_that_looks_like_none_is_masked_and_can_be_traced(secret: str) -> None:
    masked = json.loads(mask_body(json.dumps({"session_id": secret}), PLAIN))

    assert masked == {"session_id": f"<text, {len(secret)}, {hashed(secret)}>"}
    assert mask_id(secret) == masked["session_id"]
    assert mask_id("m-1") == "m-1"


def test_a_pair_of_name_and_value_shows_no_value_though_mappings_know_the_names() -> None:
    body = json.dumps({"name": "Authorization", "value": "hunter2hunter2"})

    assert "hunter2" not in mask_body(body, bundled())


def test_names_that_a_mapping_reads_are_shown_and_its_ids_are() -> None:
    words = vocabulary(
        ("user-id", "uid", "kind"), [("customer_id", "detail.\"user-id\" || list[?kind=='secretword'].uid | [0]")]
    )

    masked = mask_body('{"user-id": 1, "uid": "u-1", "kind": "user", "secretword": "s"}', words)

    assert masked == '{"user-id": "<number, 1>", "uid": "u-1", "kind": "<text, 4>", "<name 1, 10>": "<text, 1>"}'


def test_a_notification_shows_the_event_in_it() -> None:
    body = json.dumps({"Type": "Notification", "Message": json.dumps({"event_id": "e", "pin": "1234"})})

    assert json.loads(json.loads(mask_body(body, PLAIN))["Message"]) == {"event_id": "e", "<name 1, 3>": "<text, 4>"}


def test_what_is_not_json_shows_the_fault_and_a_window_of_known_words() -> None:
    body = '{"event_id": "login-1", "access_token": "secretsecret", x}'

    assert mask_body(body, PLAIN) == (
        "(not valid JSON at character 56: Expecting property name enclosed in double quotes; from character 0:) "
        '{"event_id": "<text, 7>", "access_token": "<text, 12>", <text, 1>}'
    )


@pytest.mark.parametrize("body", ["[" * 100_000, "[" * 900 + "]" * 900, '{"a":' * 50 + "1" + "}" * 50, "9" * 5000])
def test_depth_and_length_beyond_what_anybody_reads_fail_nothing(body: str) -> None:
    assert len(mask_body(body, PLAIN)) < 2000


SECRETS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFXYZ0123456789-_.~+/", min_size=8, max_size=60).map(lambda s: f"Q{s}")
HIDDEN_NAMES = st.sampled_from(["access_token", "user_agent", "code", "password", "value", "Authorization", "client"])


@given(secret=SECRETS, name=HIDDEN_NAMES, data=st.data())
def test_no_run_of_a_value_that_is_not_on_the_list_comes_out_however_the_document_is_damaged(
    secret: str, name: str, data: st.DataObject
) -> None:
    shape = data.draw(st.sampled_from([0, 1, 2, 3]))
    value = [secret, [secret], {"name": "x", "value": secret}, json.dumps({name: secret})][shape]
    document = json.dumps({"event_type": "login", name: value, "event_id": "e-1", "Message": json.dumps({name: value})})
    start = data.draw(st.integers(0, len(document)))
    inserted = data.draw(st.sampled_from(["", '"', "\\", "}", ",", "\0", "é"]))
    damaged = document[:start] + inserted + document[start + data.draw(st.integers(0, 3)) :]

    known = " ".join(bundled().words)
    runs = {secret[i : i + 8] for i in range(len(secret) - 7)}
    for body in (document, damaged, document[:start]):
        shown = mask_body(body, bundled())
        assert not any(run in shown and run not in known for run in runs)


@given(
    st.text()
    | st.recursive(st.none() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)).map(json.dumps)
)
def test_any_text_is_masked_without_failing(body: str) -> None:
    assert isinstance(mask_body(body, PLAIN), str)


@pytest.mark.slow
@pytest.mark.no_cover  # measured for coverage it takes three times the time
@pytest.mark.parametrize("unit", ['{"a":1},', '{"session_id":"abc"},', '{"Message":"[1]"},'])
def test_masking_a_batch_of_six_megabytes_stays_inside_the_deadline(unit: str) -> None:
    body = "[" + (unit * (248_000 // len(unit))).rstrip(",") + "]"
    started = time.process_time()

    for _ in range(24):
        mask_body(body, PLAIN)

    assert time.process_time() - started < 14  # half of the 28 seconds of an invocation; about two here


@pytest.mark.parametrize(
    ("opening", "closing", "shown"),
    [("[", "]", '"<list, 0>"'), ('{"client": ', "}", '"<object, 0>"')],
    ids=["lists", "objects"],
)
def test_forty_levels_are_shown_and_of_the_next_its_size(opening: str, closing: str, shown: str) -> None:
    innermost = "[]" if opening == "[" else "{}"

    forty = mask_body(opening * 39 + innermost + closing * 39, PLAIN)
    more = mask_body(opening * 40 + innermost + closing * 40, PLAIN)

    assert forty == opening * 39 + innermost + closing * 39
    assert more == opening * 40 + shown + closing * 40


@pytest.mark.parametrize(("levels", "is_opened"), [(39, True), (40, False)])
def test_a_notifications_message_is_opened_down_to_the_last_level(levels: int, is_opened: bool) -> None:
    body = '{"client": ' * (levels - 1) + '{"Message": "[1]"}' + "}" * (levels - 1)

    shown = mask_body(body, PLAIN)

    assert ("<number, 1>" in shown, "<text, 3>" in shown) == (is_opened, not is_opened)


def test_a_body_that_is_nested_too_deeply_shows_known_words_of_its_beginning() -> None:
    shown = mask_body('["event_id","secret",' * 100_000, PLAIN)

    assert shown.startswith(
        '(not valid JSON at character 0: nested too deeply; from character 0:) ["event_id","<text, 6>",['
    )


def test_a_value_on_its_own_or_under_an_unknown_name_or_in_a_list_is_shown_as_what_it_is_called() -> None:
    assert mask_body('"abc"', PLAIN) == '"<text, 3>"'
    assert mask_body('{"unknown": "abc"}', PLAIN) == '{"<name 1, 7>": "<text, 3>"}'
    assert mask_body('{"session_id": ["abc", 5]}', PLAIN) == '{"session_id": ["abc", 5]}'


def test_an_id_with_half_a_character_is_masked_and_can_be_traced() -> None:
    digest = sha256("\ud800".encode(errors="surrogatepass")).hexdigest()

    assert mask_id("\ud800") == f"<text, 1, {digest[:12]}>"


def test_words_are_the_known_names_and_what_json_and_the_types_are_made_of() -> None:
    words = {"true", "false", "null", "login", "logout", "logout_all", "Login", "Logout", "LogoutAll", "Notification"}

    made = vocabulary()

    assert made.words == made.names | words


@pytest.mark.parametrize(
    ("field", "expression", "name", "kind"),
    [
        ("session_id", "a.sid", "sid", Kind.ID),
        ("session_id", "token.sid", "sid", Kind.ID),
        ("session_id", "a.token.sid", "sid", Kind.ID),
        ("session_id", "sid.token", "token", None),
        ("session_id", '"the-sid"', "the-sid", Kind.ID),
        ("user_agent", "ua", "ua", None),
        ("ip", "`ua`", "ua", None),
    ],
)
def test_the_last_name_of_a_path_has_the_kind_of_its_field_unless_it_is_a_secrets(
    field: str, expression: str, name: str, kind: Kind | None
) -> None:
    kinds = vocabulary(paths=[(field, expression)]).kinds

    assert kinds.get(name) is kind
    assert (name in kinds) is (kind is not None)
