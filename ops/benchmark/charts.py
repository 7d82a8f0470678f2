"""Bar charts as static SVG, of our own: two dozen bars need no library.

Pygal refers to a script on another server in every file it draws, and Matplotlib brings NumPy along.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

_COLOURS = ("#2a78b5", "#e08a2e", "#8a8f98")
_LEFT, _WIDTH, _BAR, _GAP = 190, 420, 16, 14
_STYLE = "font-family:system-ui,sans-serif;font-size:12px;fill:#24292f"


def bar_chart(title: str, groups: Mapping[str, Mapping[str, float]], *, unit: str, logarithmic: bool = False) -> str:
    """Draw groups of horizontal bars.

    Args:
        title: What is shown.
        groups: By the group's name, values by the contender's; contenders keep their colours from group to group.
        unit: Behind each value.
        logarithmic: For values of several orders of magnitude; the axis begins at a tenth of the smallest.
    """
    names = list(dict.fromkeys(name for values in groups.values() for name in values))
    values = [value for group in groups.values() for value in group.values() if value > 0]
    low, high = (min(values) / 10, max(values)) if logarithmic else (0.0, max(values))
    lines = []
    top = 62
    for group, bars in groups.items():
        middle = top + len(bars) * _BAR / 2 + 4
        lines.append(
            f'<text x="{_LEFT - 8}" y="{middle:.0f}" text-anchor="end" style="{_STYLE}">{escape(group)}</text>'
        )
        for name, value in bars.items():
            width = _WIDTH * _share(value, low, high, logarithmic=logarithmic)
            colour = _COLOURS[names.index(name) % len(_COLOURS)]
            lines.append(f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR - 2}" fill="{colour}"/>')
            label = f"{_figure(value)} {unit}"
            lines.append(f'<text x="{_LEFT + width + 6:.1f}" y="{top + 11}" style="{_STYLE}">{escape(label)}</text>')
            top += _BAR
        top += _GAP
    scale = ", logarithmic" if logarithmic else ""
    head = [f'<text x="12" y="22" style="{_STYLE};font-size:15px;font-weight:600">{escape(title)}{scale}</text>']
    for position, name in enumerate(names):
        left = _LEFT + position * 110
        colour = _COLOURS[position % len(_COLOURS)]
        head.append(f'<rect x="{left}" y="36" width="12" height="12" fill="{colour}"/>')
        head.append(f'<text x="{left + 18}" y="46" style="{_STYLE}">{escape(name)}</text>')
    width = _LEFT + _WIDTH + 110
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" width="{width}" height="{top}">',
            f'<rect width="{width}" height="{top}" fill="#ffffff"/>',
            *head,
            *lines,
            "</svg>\n",
        ]
    )


def _share(value: float, low: float, high: float, *, logarithmic: bool) -> float:
    if value <= 0:
        return 0.0
    return math.log(value / low) / math.log(high / low) if logarithmic else value / high


def _figure(value: float) -> str:
    """Write three digits that count."""
    if value >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}"
