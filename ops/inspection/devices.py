"""Devices as people name them: "Safari on iPhone". The rules of user agents are ua-parser's, which knows thousands."""

import re
from functools import lru_cache

from ua_parser import DefaultedResult, parse

_FORM = re.compile(r"\b(?:Mobile|iOS|WebView)\b")
"""What ua-parser adds to a browser's name for its form on a phone; the device says that already."""
_APP = {"Mobile Safari UI/WKWebView", "Android", "CFNetwork", "Dalvik"}
"""Families that stand for the system's own web view or client inside some app."""
_UNKNOWN_DEVICES = {"Generic", "Generic_Android", "Generic_Inettv", "Spider"}
_PRODUCT = re.compile(r"[^\s/();,]{1,30}")


@lru_cache(maxsize=4096)
def device_of(user_agent: str | None) -> str | None:
    """Name the client and the device of a user agent.

    Args:
        user_agent: The header as it was sent, perhaps cut.

    Returns:
        For example "Chrome on Windows", "App on iPhone" or "curl"; None where there is no user agent. Of one that
        nobody knows its first word.
    """
    if not user_agent:
        return None
    found = parse(user_agent).with_defaults()
    client, device = _client(found), _device(found)
    if not client and not device:
        first = _PRODUCT.search(user_agent)
        return first[0] if first else None
    return f"{client} on {device}" if client and device else client or device


def _client(found: DefaultedResult) -> str:
    family = found.user_agent.family
    if family in _APP:
        return "App"
    return "" if family == "Other" else " ".join(_FORM.sub(" ", family).split()) or family


def _device(found: DefaultedResult) -> str:
    device, system = found.device, found.os.family
    if device.family == "iOS-Device":
        return "iOS"
    if device.family == "Other" or device.brand in _UNKNOWN_DEVICES or device.family in _UNKNOWN_DEVICES:
        return "" if system == "Other" else system
    return device.family
