"""Devices as people name them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.inspection.devices import device_of

SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0"


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) {SAFARI} Version/17.4 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            f"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) {SAFARI} CriOS/124.0 Mobile/15E148 Safari/604.1",
            "Chrome on iPad",
        ),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) {SAFARI} Mobile/15E148", "App on iPhone"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 Edg/124.0", "Edge on Windows"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {SAFARI} Version/17.4 Safari/605.1.15", "Safari on Mac"),
        (f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {CHROME} Mobile Safari/537.36", "Chrome on Pixel 8"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0", "Firefox on Ubuntu"),
        ("Dalvik/2.1.0 (Linux; U; Android 13; SM-S911B Build/TP1A)", "App on Samsung SM-S911B"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot"),
        ("curl/8.5.0", "curl"),
        ("ACME-Terminal/3 (build 7)", "ACME-Terminal"),
        ("()", None),
        ("", None),
        (None, None),
    ],
)
def test_a_device_is_named_as_its_owner_would(user_agent: str | None, device: str | None) -> None:
    assert device_of(user_agent) == device


@given(st.text(max_size=256))
def test_any_text_is_answered_with_a_short_name_or_none(user_agent: str) -> None:
    device = device_of(user_agent)

    assert device is None or 0 < len(device) < 300
