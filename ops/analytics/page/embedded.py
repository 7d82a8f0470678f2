"""What the page carries for its pictures: the figures, short, with names of sources and countries told once."""

from collections.abc import Iterable, Sequence
from typing import Any

from ops.analytics.page.distributions import LATENESS_NAMES
from ops.analytics.page.figures import Figures, Row, sums_by

MEASURES = ("until last refresh", "until over")


def filters_of(figures: Figures) -> dict[str, list[str]]:
    """Return the sources and countries to choose from, the commonest first."""
    rows = figures.rows("ends")
    return {name: list(sums_by(rows, name, "sessions")) for name in ("source", "country")}


def embedded_figures(figures: Figures) -> dict[str, Any]:
    """Return what page.js draws from."""
    period = figures.row("period")
    since, until, step = period["since_at"].timestamp(), period["until_at"].timestamp(), period["step_seconds"]
    first = int(since // step * step)
    names = filters_of(figures) | {
        "measure": list(MEASURES),
        "device": list(sums_by(figures.rows("logins"), "device", "logins")),
        "ending": list(sums_by(figures.rows("ends"), "ending", "sessions")),
        "event": list(LATENESS_NAMES.values()),
    }
    live = _columns(figures.rows("concurrency"), names, ["source", "country"], "started")
    live["over"] = [row["over"] for row in figures.rows("concurrency")]
    live["step"] = [
        None if row["begins_s"] is None else (row["begins_s"] - first) // step for row in figures.rows("concurrency")
    ]
    durations = _columns(
        figures.rows("duration_steps"), names, ["source", "country"], "sessions", series=("measure", "measure")
    )
    durations["step"] = [row["step"] for row in figures.rows("duration_steps")]
    told = [row for row in figures.rows("lateness") if row["step"] is not None]
    return {
        "period": {"first": first, "step": step, "steps": _steps(first, until, step), "until": until},
        "names": names,
        "live": live,
        "peak": next(iter(figures.rows("peak")), None),
        "customers": [[row[name] for name in ("day", "daily", "weekly", "monthly")] for row in _active(figures)],
        "durations": durations,
        "percentiles": _percentiles(figures, names),
        "logins": _columns(figures.rows("logins"), names, ["source", "country", "device"], "logins"),
        "ends": _columns(figures.rows("ends"), names, ["source", "country", "ending"], "sessions"),
        "lateness": {
            "series": [list(LATENESS_NAMES).index(row["kind"]) for row in told],
            "step": [row["step"] for row in told],
            "number": [row["events"] for row in told],
        },
    }


def _steps(first: int, until: float, step: int) -> int:
    return int(-(-(until - first) // step))


def _active(figures: Figures) -> Sequence[Row]:
    return figures.rows("active_customers")


def _columns(
    rows: Iterable[Row],
    names: dict[str, list[str]],
    columns: Sequence[str],
    number: str,
    *,
    series: tuple[str, str] | None = None,
) -> dict[str, list[Any]]:
    """Turn rows into columns, and names into their places."""
    rows = list(rows)
    places = {kind: {name: place for place, name in enumerate(found)} for kind, found in names.items()}
    found: dict[str, list[Any]] = {column: [places[column][row[column]] for row in rows] for column in columns}
    if series:
        found["series"] = [places[series[1]][row[series[0]]] for row in rows]
    return found | {"number": [row[number] for row in rows]}


def _percentiles(figures: Figures, names: dict[str, list[str]]) -> dict[str, list[int]]:
    """Return p50, p90 and p99 by measure, source and country, each of the latter empty for all."""
    found = {}
    for row in figures.rows("durations"):
        source = "" if row["source"] is None else names["source"].index(row["source"])
        country = "" if row["country"] is None else names["country"].index(row["country"])
        found[f"{row['measure']}/{source}/{country}"] = [row["p50"], row["p90"], row["p99"]]
    return found
