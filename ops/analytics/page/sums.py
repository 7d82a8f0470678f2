"""What the pictures must agree about: each fact, as each picture that shows it counts it."""

from ops.analytics.page.figures import Figures, live_series, sums_by
from ops.analytics.proof import Sum


def sums_of(figures: Figures) -> tuple[Sum, ...]:
    """Return the facts that several pictures show, and what each of them says. All values of one are equal."""
    totals, series = figures.row("totals"), live_series(figures)
    logins, ends, concurrency = (figures.rows(name) for name in ("logins", "ends", "concurrency"))
    overall = {
        row["measure"]: row["sessions"]
        for row in figures.rows("durations")
        if row["source"] is None and row["country"] is None
    }
    steps = {
        measure: sum(row["sessions"] for row in figures.rows("duration_steps") if row["measure"] == measure)
        for measure in ("until over", "until last refresh")
    }
    endings = sums_by(ends, "ending", "sessions")
    before = [row for row in concurrency if row["begins_s"] is None]
    peak = next((row["live"] for row in figures.rows("peak")), 0)
    highest = max((live for *_, live in series), default=0)
    facts = {
        "sessions of the range": {
            "plain count": totals["sessions"],
            "concurrency": sum(row["started"] for row in concurrency),
            "endings": sum(endings.values()),
        },
        "sessions started in the range": {
            "plain count": totals["started"],
            "concurrency": sum(started for _, started, _, _ in series),
            "logins by source": sum(sums_by(logins, "source", "logins").values()),
            "logins by country": sum(sums_by(logins, "country", "logins").values()),
            "logins by device": sum(sums_by(logins, "device", "logins").values()),
        },
        "sessions live before the range": {
            "plain count": totals["live_at_since"],
            "concurrency": sum(row["started"] - row["over"] for row in before),
        },
        "sessions over in the range": {
            "plain count": totals["over"],
            "concurrency": sum(row["over"] for row in concurrency),
            "endings": sum(number for name, number in endings.items() if name != "still live"),
        },
        "sessions over in the range, of a known start": {
            "plain count": totals["lasted"],
            "durations until over": overall.get("until over", 0),
            "durations until last refresh": overall.get("until last refresh", 0),
            "curve until over": steps["until over"],
            "curve until last refresh": steps["until last refresh"],
        },
        "sessions live at the end": {
            "plain count": totals["live_at_until"],
            "concurrency": series[-1][3] if series else 0,
            "endings": endings.get("still live", 0),
        },
        "the peak is not below the line": {"peak": peak, "the greater of peak and line": max(peak, highest)},
    }
    return tuple(Sum(name, values) for name, values in facts.items())
