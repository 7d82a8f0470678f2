"""What lands in the rejected-events queue: small enough, readable, without a token."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.aws.message_queue import MAX_MESSAGE_BYTES
from processors.intake.masking import mask_body
from processors.intake.rejections import MAX_REJECTION_BYTES, rejection
from processors.intake.vocabulary import vocabulary
from schemas.errors import RejectedEventError

NOW = datetime(2026, 3, 1, 10, 20, 30, 123000, tzinfo=UTC)
TOKEN = "Zq7Xw9-Kp3Vt5_Ym"


def written(body: str, *, event_id: str | None = "login-1", message_id: str = "m-1") -> tuple[str, dict[str, Any]]:
    error = RejectedEventError("session_id is missing", event_id=event_id)
    text = rejection(error, message_id=message_id, body=body, now=NOW, vocabulary=vocabulary())
    return text, json.loads(text)


def test_a_rejection_says_what_why_and_when() -> None:
    body = json.dumps({"event_id": "login-1", "access_token": TOKEN})

    text, fields = written(body)

    assert TOKEN not in text
    assert fields == {
        "reason": "session_id is missing",
        "event_id": "login-1",
        "message_id": "m-1",
        "rejected_at": "2026-03-01T10:20:30.123Z",
        "body_sha256": sha256(body.encode()).hexdigest(),
        "body": '{"event_id": "login-1", "access_token": "<text, 16>"}',
        "body_cut": False,
    }


def test_an_event_without_readable_id_has_none() -> None:
    _, fields = written("{", event_id=None)

    assert fields["event_id"] is None


def limit_to(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr("processors.intake.rejections.MAX_REJECTION_BYTES", limit)


def test_a_rejection_of_just_the_size_is_whole_and_one_byte_more_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps({"event_type": "login", "event_id": "login-1"})
    whole, _ = written(body)

    limit_to(monkeypatch, len(whole))
    _, fits = written(body)
    limit_to(monkeypatch, len(whole) - 1)
    _, cut = written(body)

    assert (fits["body"], fits["body_cut"]) == (body, False)
    assert (cut["body"], cut["body_cut"]) == (body[: len(body) // 2], True)


def test_a_body_that_masking_makes_longer_is_cut_to_the_limit_and_then_by_halves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = f"[{'1, ' * 300}1]"
    masked = mask_body(body, vocabulary())
    limit_to(monkeypatch, 1000)

    text, fields = written(body)

    assert len(text) <= 1000
    assert (fields["body"], fields["body_cut"]) == (masked[:500], True)


@pytest.mark.parametrize(("more", "is_cut"), [(0, False), (1, True)], ids=["at the limit", "above"])
def test_a_body_above_the_limit_is_cut_before_it_is_masked_and_hashed_whole(
    monkeypatch: pytest.MonkeyPatch, more: int, is_cut: bool
) -> None:
    limit_to(monkeypatch, 1000)
    body = " " * (999 + more) + "\ud800"

    _, fields = written(body)

    assert fields["body_cut"] is is_cut
    assert fields["body"] == mask_body(body[:1000], vocabulary())[: len(fields["body"])]
    assert fields["body_sha256"] == sha256(body.encode(errors="surrogatepass")).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("character", ["a", "é", "😀", "\\", '"', "\n", "\0", "\ud800"], ids=ascii)
@pytest.mark.parametrize("size", [MAX_REJECTION_BYTES - 1000, 300_000, 1_000_000])
def test_a_large_body_fits_and_says_where_it_was_cut(character: str, size: int) -> None:
    member = json.dumps({character: character}) + ", "
    body = f"[{member * (size // len(member))}0]"

    text, fields = written(body)

    assert text.isascii()
    assert len(text) <= MAX_REJECTION_BYTES
    assert fields["body_cut"] == (len(body) > MAX_REJECTION_BYTES or fields["body"] != mask_body(body, vocabulary()))
    assert fields["body_sha256"] == sha256(body.encode(errors="surrogatepass")).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("characters_before_the_cut", [0, 8, 16, 20, 24, 40])
def test_a_token_at_the_cut_is_masked(characters_before_the_cut: int) -> None:
    before = "x " * ((MAX_REJECTION_BYTES - characters_before_the_cut) // 2)
    body = f'{before}"access_token": "{TOKEN}", {"x " * 1000}'

    text, fields = written(body)

    assert fields["body_cut"]
    assert TOKEN[:5] not in text


def test_ids_that_are_tokens_or_large_are_masked_and_can_be_traced() -> None:
    large = "\0" * 1_000_000

    text, fields = written("{}", event_id=f"eyJ{TOKEN}", message_id=large)

    assert TOKEN not in text
    assert fields["event_id"] == f"<text, 19, {sha256(f'eyJ{TOKEN}'.encode()).hexdigest()[:12]}>"
    assert fields["message_id"] == f"<text, 1000000, {sha256(large.encode()).hexdigest()[:12]}>"


@pytest.mark.slow
@given(
    st.text(st.characters(), max_size=50),
    st.integers(0, 20_000),
    st.none() | st.text(st.characters(), max_size=300),
    st.text(st.characters(), max_size=300),
)
def test_any_rejection_fits_the_queue_and_is_ascii_json(
    unit: str, times: int, event_id: str | None, message_id: str
) -> None:
    body = unit * times if len(unit) * times < 400_000 else unit

    text, fields = written(body, event_id=event_id, message_id=message_id)

    assert text.isascii()
    assert len(text) <= MAX_REJECTION_BYTES <= MAX_MESSAGE_BYTES
    assert fields["reason"] == "session_id is missing"
