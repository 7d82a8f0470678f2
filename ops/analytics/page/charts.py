"""The pictures, in Vega-Lite's grammar; their rows are made in the reader's browser (page.js), as filters change.

Source of the grammar: https://vega.github.io/vega-lite/docs/. In the files of `charts/` a word in capitals stands for a
value: WIDTH and HEIGHT are the room on the reader's screen, the others stand below. Colours are variables of page.css,
so that pictures follow a light or a dark screen, and paper.
"""

import json
from pathlib import Path
from typing import Any

CHARTS = Path(__file__).parent / "charts"

_LIMITS = {
    0.01: "10 ms", 0.1: "0.1 s", 1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h", 21_600: "6 h",
    86_400: "1 d", 604_800: "7 d", 2_592_000: "30 d",
}  # fmt: skip
"""Seconds at which an axis of durations has a label."""


def _shares(colours: dict[str, str], *, unit: float) -> dict[str, Any]:
    """Say how shares are drawn over a logarithmic axis of time, from `unit` seconds on."""
    return {
        "SERIES": list(colours),
        "COLOURS": list(colours.values()),
        "UNIT": unit,
        "LIMITS": [limit for limit in _LIMITS if limit >= unit],
        "LIMIT_NAMES": f"{ {str(limit): text for limit, text in _LIMITS.items()} }[datum.value]",
    }


def _bars(dimension: str, *, is_chosen_by: bool = False) -> dict[str, Any]:
    return {"DIMENSION": dimension, "CURSOR": "pointer" if is_chosen_by else "default"}


_PICTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "live": ("live", {}),
    "customers": ("customers", {}),
    "durations": ("shares", _shares({"until last refresh": "var(--c3)", "until over": "var(--c1)"}, unit=1)),
    "logins-source": ("bars", _bars("Source", is_chosen_by=True)),
    "logins-country": ("bars", _bars("Country", is_chosen_by=True)),
    "logins-device": ("bars", _bars("Device")),
    "ends": ("bars", _bars("Ending")),
    "lateness": (
        "shares",
        _shares({"login": "var(--c1)", "refresh": "var(--c3)", "logout": "var(--c2)"}, unit=0.01),
    ),
}
"""By the picture's name, the file of its chart, and the values of the words in it."""


def charts() -> dict[str, Any]:
    """Return what page.js draws with."""
    names = sorted(path.stem for path in CHARTS.glob("*.json"))
    found = {name: json.loads((CHARTS / f"{name}.json").read_text(encoding="utf-8")) for name in names}
    pictures = {name: {"chart": chart, "values": values} for name, (chart, values) in _PICTURES.items()}
    return {"config": found.pop("config"), "charts": found, "pictures": pictures}
