"""The page as text: one HTML file with its data, its style and its scripts."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ops.analytics.page import vega, wording
from ops.analytics.page.charts import charts
from ops.analytics.page.contents import sections_of
from ops.analytics.page.embedded import embedded_figures, filters_of
from ops.analytics.page.figures import Figures, sql_of
from ops.analytics.page.verdict import Verdict
from ops.analytics.problems import Problem

_HERE = Path(__file__).parent


def render(figures: Figures, verdict: Verdict, problems: Sequence[Problem], *, made_at: datetime | None = None) -> str:
    """Return the page.

    Args:
        figures: What is shown.
        verdict: What the proof says.
        problems: What was left out.
        made_at: When it is made, aware; None to leave it out.
    """
    period = figures.row("period")
    script, libraries = (_HERE / "page.js").read_text(encoding="utf-8"), vega.SCRIPT.read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html.j2").render(
        policy=_policy(script, libraries),
        since=wording.minute(period["since_at"]),
        until=wording.minute(period["until_at"]),
        made_at=made_at and wording.minute(made_at),
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),  # noqa: S704 (a file of ours)
        script=Markup(script),  # noqa: S704 (a file of ours)
        vega=Markup(libraries),  # noqa: S704 (a file of ours)
        verdict=verdict,
        problems=problems,
        tiles=_tiles(figures),
        sections=sections_of(figures),
        filters=filters_of(figures),
        sql=sql_of,
        report=charts() | {"figures": embedded_figures(figures)},
    )


def _policy(*scripts: str) -> str:
    """Allow the page's own scripts, and no network. Vega compiles its expressions, hence 'unsafe-eval'.

    Source: https://www.w3.org/TR/CSP3/.
    """
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return f"default-src 'none'; script-src 'unsafe-eval' {allowed}; style-src 'unsafe-inline'; img-src data:"


def _tiles(figures: Figures) -> list[tuple[str, str, str]]:
    totals, peak = figures.row("totals"), next(iter(figures.rows("peak")), None)
    overall = next((row for row in figures.rows("durations") if row["source"] is None and row["country"] is None), None)
    children = f"{wording.count(totals['children'])} of them children" if totals["children"] else ""
    return [
        ("Sessions", wording.count(totals["sessions"]), children),
        ("Customers", wording.count(totals["customers"]), ""),
        ("Logins", wording.count(totals["started"]), "sessions started"),
        ("Most at once", wording.count(peak["live"]) if peak else "0", wording.minute(peak["at_s"]) if peak else ""),
        ("Live at the end", wording.count(totals["live_at_until"]), ""),
        ("Lasted, p50", wording.duration(overall["p50"]) if overall else "-", "until over"),
    ]
