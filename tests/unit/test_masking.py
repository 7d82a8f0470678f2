"""Masking: whatever a rejected body looks like, a token planted in it does not come out."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.intake.masking import MASK, mask_secrets

TOKEN = "Zq7Xw9-Kp3Vt5_Ym"
PIECES = [TOKEN[start : start + 5] for start in range(len(TOKEN) - 4)]
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"
NAMES = [
    "access_token",
    "accessToken",
    "ACCESS-TOKEN",
    "refresh_token",
    "id_token",
    "token",
    "tokens",
    "token (new)",
    "token:new, or old",
    "https://example.com/token",
    "session.token.value",
    "client_secret",
    "password",
    "passwd",
    "pwd",
    "Authorization",
    "bearer",
    "Cookie",
    "set-cookie",
    "credentials",
    "client_assertion",
    "SAMLResponse",
    "jwt",
    "apikey",
    "api_key",
    "x-api-key",
    "private_key",
]
names = st.sampled_from(NAMES)
harmless = st.dictionaries(
    st.sampled_from(["event_id", "x", "note", "client"]), st.text(max_size=6) | st.integers() | st.none(), max_size=3
)


def shows_token(text: str) -> bool:
    return any(piece in text for piece in PIECES)


def escaped(name: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in name)


def planted(name: str, secret: object = TOKEN) -> st.SearchStrategy[object]:
    """JSON with a secret in a member of that name: beside others, in lists, in objects, in strings that are JSON."""
    member = harmless.map(lambda others: others | {name: secret, "z": 1})
    return st.recursive(
        member,
        lambda inner: (
            st.tuples(inner, harmless).map(list)
            | st.tuples(harmless, inner).map(list)
            | st.tuples(inner, harmless).map(lambda pair: pair[1] | {"detail": pair[0], "y": [2]})
            | inner.map(lambda value: {"Message": json.dumps(value), "after": "w"})
        ),
        max_leaves=4,
    )


bodies = names.flatmap(planted).map(json.dumps)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(bodies)
def test_a_token_in_a_member_named_like_a_secret_is_masked_at_any_depth(body: str) -> None:
    masked = mask_secrets(body)

    assert not shows_token(masked)
    assert MASK in masked
    json.loads(masked)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    names.flatmap(
        lambda name: planted(name, [TOKEN, {"a": TOKEN}]) | planted(name, {"value": TOKEN, "b": ["x", TOKEN]})
    ).map(json.dumps),
    st.data(),
)
def test_lists_and_objects_named_like_a_secret_are_masked_whole_even_when_cut(body: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(body)))

    assert not shows_token(mask_secrets(body))
    assert not shows_token(mask_secrets(body[:cut]))


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(bodies, st.data())
def test_a_token_in_json_that_is_cut_anywhere_is_masked(body: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(body)))

    assert not shows_token(mask_secrets(body[:cut]))


@pytest.mark.parametrize("levels", [0, 1, 2, 3])
@pytest.mark.parametrize("spoil", ["{}", "[{}", "{},", "x{}", "\ufeff{}", '{{"a":1,"a":{}}}'])
def test_a_token_in_strings_of_json_in_broken_json_is_masked(levels: int, spoil: str) -> None:
    body = json.dumps({"a": 1, "access_token": TOKEN, "z": "w"})
    for _ in range(levels):
        body = json.dumps({"Message": body, "after": "w"})

    for cut in range(len(body) + 1):
        assert not shows_token(mask_secrets(spoil.format(body[:cut])))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ending", ["}", "", "}}", '"'])
def test_a_name_spelt_in_unicode_escapes_hides_nothing(name: str, ending: str) -> None:
    body = f'{{"{escaped(name)}": "{TOKEN}"{ending}'

    assert not shows_token(mask_secrets(body))
    assert not shows_token(mask_secrets(json.dumps({"Message": body})))
    assert not shows_token(mask_secrets(json.dumps({"Message": body})[:-1]))


@pytest.mark.parametrize("ending", ["}", ""])
@pytest.mark.parametrize(
    "secret",
    [
        f'x\\"{TOKEN}',
        f'x\\\\\\"{TOKEN}',
        f"x\\u0022{TOKEN}",
        f"x\\n{TOKEN}",
        f"x\\\n{TOKEN}",
        f"x, {TOKEN}",
        f'x"{TOKEN}',
        f"}}]{TOKEN}",
        f"x: {TOKEN}",
    ],
)
def test_quotes_and_escapes_in_a_secret_do_not_end_it(secret: str, ending: str) -> None:
    assert not shows_token(mask_secrets(f'{{"a": 1, "access_token": "{secret}", "b": 2{ending}'))


@pytest.mark.parametrize(
    "body",
    [
        f"access_token={TOKEN}&x=1",
        f"x=1&client_secret={TOKEN}",
        f"https://example.com/?token={TOKEN}",
        f"token: {TOKEN}",
        f"Authorization: Bearer {TOKEN}",
        f"Authorization: Digest username=x, response={TOKEN}",
        f"Cookie: a=b; sid={TOKEN}",
        f"GET / with bearer {TOKEN}",
        f"<access_token>{TOKEN}</access_token>",
        f"{{'token': '{TOKEN}'}}",
        f"{{'token': 'it\\'s {TOKEN}'}}",
        f"{{token: {TOKEN}, x: 1}}",
        f"token => {TOKEN}",
        f"opaque {TOKEN * 3}",
    ],
)
def test_a_token_in_text_that_is_no_json_is_masked(body: str) -> None:
    assert not shows_token(mask_secrets(body))


@pytest.mark.parametrize(
    "text",
    [f"access_token={TOKEN}", f"Bearer {TOKEN}", f"Cookie: sid={TOKEN}", f"see https://example.com/?token={TOKEN}&a=b"],
)
def test_a_token_in_a_harmless_member_is_masked_where_the_text_says_what_it_is(text: str) -> None:
    assert not shows_token(mask_secrets(json.dumps({"note": text, "list": [text], text: 1})))


@pytest.mark.parametrize(
    "body", ["{jwt}", '{{"note": "user sent {jwt}!"}}', '{{"a": ["{jwt}"]}}', '{{"{jwt}": 1}}', '{{"a": "{jwt}']
)
def test_a_json_web_token_is_masked_wherever_it_stands(body: str) -> None:
    masked = mask_secrets(body.format(jwt=JWT))

    assert not any(part in masked for part in JWT.split("."))


def test_a_long_opaque_text_is_masked_in_broken_json_within_json() -> None:
    assert not shows_token(mask_secrets(json.dumps({"Message": '{"x": "' + TOKEN * 3})))


def test_numbers_named_like_a_secret_are_masked_too() -> None:
    assert "8731" not in mask_secrets('{"pwd": 8731}')
    assert "8731" not in mask_secrets('{"pwd": 8731')


def test_what_is_no_secret_stays_to_be_looked_at() -> None:
    event = {
        "event_id": "login-1",
        "occurred_at": 1772442000,
        "customer_id": "customer-" + "1" * 60,
        "client": {"user_agent": "Mozilla/5.0 (X11; Linux x86_64)", "ip": "192.0.2.1"},
        "has_token": True,
        "token": None,
        "x": [1.5, "é"],
    }

    assert json.loads(mask_secrets(json.dumps(event))) == event


def test_a_duplicate_key_stays_visible() -> None:
    masked = mask_secrets(f'{{"session_id": "s-1", "session_id": "s-2", "access_token": "{TOKEN}"}}')

    assert "s-1" in masked
    assert "s-2" in masked
    assert not shows_token(masked)


def test_what_nests_deeper_than_anybody_reads_is_masked_whole() -> None:
    body = '{"a":' * 500 + f'"{TOKEN}"' + "}" * 500

    assert not shows_token(mask_secrets(body))


@pytest.mark.parametrize("body", ["[" * 100_000, '{"a":' * 100_000, '{"access_token": ' + "[" * 100_000 + f'"{TOKEN}"'])
def test_nesting_beyond_the_interpreter_is_masked_by_pattern(body: str) -> None:
    assert not shows_token(mask_secrets(body))


@pytest.mark.parametrize(
    "unit",
    ["a", '"', "\\", "token", 'token"', "token ", "token:", "{", "eyJ", "\\u0061", "bearer ", "cookie:", '"token\\"'],
)
def test_masking_takes_linear_time(unit: str) -> None:
    body = unit * (100_000 // len(unit))

    started = time.process_time()
    mask_secrets(body)

    assert time.process_time() - started < 1.5


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(), max_size=60) | st.text(alphabet="{}[]\"':=,\\u07token ", max_size=60))
def test_any_text_is_masked_without_failing(body: str) -> None:
    assert isinstance(mask_secrets(body), str)
