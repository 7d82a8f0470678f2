"""Sections about time: live sessions, and active customers."""

from collections.abc import Sequence

from ops.analytics.page import wording
from ops.analytics.page.figures import Figures, Row, Step, live_series
from ops.analytics.page.sections import Picture, Section, Table


def live(figures: Figures) -> Section:
    """Return the section."""
    series, peak = live_series(figures), _peak(figures)
    step = figures.row("period")["step_seconds"]
    finding = (
        f"The peak is {wording.plural(peak['live'], 'live session')} at {wording.moment(peak['at_s'])} UTC."
        if peak
        else "No session was live in this range."
    )
    return Section(
        id="live",
        title="Concurrent sessions",
        finding=finding,
        pictures=[
            Picture(
                "live",
                "Live sessions over time (UTC)",
                f"A line of live sessions from {wording.minute(figures.row('period')['since_at'])} to "
                f"{wording.minute(figures.row('period')['until_at'])} UTC. {finding}",
            )
        ],
        tables=[_live_table(series, step)],
        queries=["concurrency", "peak", "period", "labelled"],
        note="Drag over the lower strip to zoom. A session is live from its start until just before its end; the line "
        f"is drawn every {wording.duration(step)}, the peak is exact to the millisecond. Of a source or country alone "
        "the peak is the highest point of the line.",
    )


def _peak(figures: Figures) -> Row | None:
    rows = figures.rows("peak")
    return rows[0] if rows else None


def _live_table(series: Sequence[Step], step: int) -> Table:
    """Sum the steps to hours of a short range, to days of a longer one."""
    length = 3600 if len(series) * step <= 2 * 86_400 + step else 86_400
    length = max(length, step)
    rows: dict[int, list[int]] = {}
    for begins, started, over, live in series:
        row = rows.setdefault(begins // length * length, [0, 0, 0, 0])
        row[0] += started
        row[1] += over
        row[2] = live
        row[3] = max(row[3], live)
    unit = "hour" if length == 3600 else "day" if length == 86_400 else "week"
    return Table(
        f"Sessions by {unit} (UTC), all sources and countries",
        [unit.capitalize(), "Started", "Over", "Live at its end", f"Most, looked at every {wording.duration(step)}"],
        [
            [wording.minute(begins) if length == 3600 else wording.day(begins // 86_400), *map(wording.count, row)]
            for begins, row in rows.items()
        ],
    )


def customers(figures: Figures) -> Section:
    """Return the section."""
    days = figures.rows("active_customers")
    busiest = max(days, key=lambda row: row["daily"], default=None)
    finding = (
        f"{wording.plural(busiest['daily'], 'customer')} on the busiest day, {wording.day(busiest['day'])}."
        if busiest and busiest["daily"]
        else "No customer was active in this range."
    )
    return Section(
        id="customers",
        title="Active customers",
        finding=finding,
        pictures=[
            Picture(
                "customers",
                "Customers a day, and in the 7 and 30 days that end with it",
                f"Bars of daily, lines of weekly and monthly active customers. {finding}",
            )
        ],
        tables=[
            Table(
                "Active customers by day (UTC)",
                ["Day", "Daily", "Weekly (7 days)", "Monthly (30 days)"],
                [
                    [
                        wording.day(row["day"]),
                        wording.count(row["daily"]),
                        wording.count(row["weekly"]) + ("" if place >= 6 else " *"),
                        wording.count(row["monthly"]) + ("" if place >= 29 else " *"),
                    ]
                    for place, row in enumerate(days)
                ],
            )
        ],
        queries=["active_customers", "labelled", "customers"],
        note="A customer is active on a day on which one of the customer's sessions started or was refreshed. "
        "Dashed, and * in the table: the range is shorter than the 7 or 30 days there, so the number is too low.",
        is_filtered=False,
    )
