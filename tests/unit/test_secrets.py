"""What looks like a secret, and what stays of a text without them."""

import pytest

from schemas.secrets import has_secret, is_masked, type_name, without_secrets

RUN = "a1B2" * 10
"""Forty characters of base64: as long as an opaque token."""


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a eyJhbGci.eyJzdWIi.c2ln z", "a  z"),
        ("a eyJabcde z", "a  z"),
        (f"a {RUN} z", "a  z"),
        (RUN, ""),
        ("a Bearer abc z", "a Bearer z"),
        ("a basic: dXNlcg== z", "a basic z"),
        ("a BEARER=abc eyJabcde.x z", "a BEARER  z"),
    ],
)
def test_what_looks_like_a_token_or_credentials_is_found_and_removed(text: str, left: str) -> None:
    assert has_secret(text)
    assert without_secrets(text) == left


@pytest.mark.parametrize(
    ("text", "is_shown"),
    [
        ("user.session.start", True),
        ("risc/event-type/account-credential-change-required", True),
        ("5", True),
        ("two words", True),
        (RUN, False),
        (f"session-{RUN}", False),
        ("Bearer abc", False),
        ("eyJhbGciOi.eyJzdWIi", False),
        ("a" * 41, False),
        ("", False),
        ("p\u00e4ss", False),
    ],
)
def test_a_type_is_shown_where_it_looks_like_one_and_like_no_token(text: str, is_shown: bool) -> None:
    assert type_name(text) == (text if is_shown else "(unnamed)")


@pytest.mark.parametrize("text", ["", "Mozilla/5.0 (X11)", "eyJabcd", RUN[:-1], "forbearer x", "basics"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert not has_secret(text)
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<text, 5>", True),
        ("<number, 12, 0123456789ab>", True),
        ("<text, 5> ", False),
        (" <text, 5>", False),
        ("<text>", False),
        ("<text, 5, 0123>", False),
        ("text, 5", False),
    ],
)
def test_the_masked_form_is_told_from_other_texts(text: str, expected: bool) -> None:
    assert is_masked(text) is expected
