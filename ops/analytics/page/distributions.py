"""Sections about how long: the duration of sessions, and the delay of events."""

import math
from collections.abc import Iterable, Sequence

from ops.analytics.page import wording
from ops.analytics.page.figures import Figures, Row
from ops.analytics.page.sections import Picture, Section, Table


def durations(figures: Figures) -> Section:
    """Return the section."""
    rows = figures.rows("durations")
    alls = {row["measure"]: row for row in rows if row["source"] is None and row["country"] is None}
    over = alls.get("until over")
    finding = (
        f"Half of the {wording.plural(over['sessions'], 'session')} that were over lasted at most "
        f"{wording.duration(over['p50'])}, 99 % at most {wording.duration(over['p99'])}."
        if over
        else "No session was over in this range."
    )
    return Section(
        id="durations",
        title="Duration",
        finding=finding,
        pictures=[
            Picture(
                "durations",
                "Share of sessions that lasted at most so long",
                f"Two rising curves over durations: until the session was over, and until its last refresh. {finding}",
            )
        ],
        tables=[
            Table(
                "Duration of sessions that were over in the range",
                ["Sessions", "Until", "Number", "p50", "p90", "p99", "Longest"],
                [_duration_row(row) for row in sorted(rows, key=_group)],
                texts=2,
            )
        ],
        queries=["durations", "duration_steps", "labelled"],
        note="From the start: until the session was over on the wall clock, and until its last refresh, the last sign "
        "of life. The horizontal lines are p50, p90 and p99. A duration counts in whole seconds.",
    )


def _group(row: Row) -> tuple[bool, bool, int, str]:
    """Order groups: all, then sources, then countries, the commonest first."""
    return (
        row["country"] is not None,
        row["source"] is not None,
        -row["sessions"],
        row["source"] or row["country"] or "",
    )


def _duration_row(row: Row) -> list[str]:
    name = row["source"] or row["country"] or "all"
    kind = "source " if row["source"] else "country " if row["country"] else ""
    times = [wording.duration(row[column]) for column in ("p50", "p90", "p99", "longest")]
    return [kind + name, row["measure"].removeprefix("until "), wording.count(row["sessions"]), *times]


LATENESS_NAMES = {"started": "login", "refreshed": "refresh", "ended": "logout"}


def lateness(figures: Figures) -> Section:
    """Return the section."""
    rows = figures.rows("lateness")
    total = sum(row["events"] for row in rows)
    early = sum(row["events"] for row in rows if row["step"] is None)
    late = sum(row["events"] for row in rows if row["step"] is not None and row["step"] > STEPS_OF_A_MINUTE)
    finding = (
        f"{wording.share(late, total)} of {wording.plural(total, 'event')} arrived more than a minute late."
        if total
        else "The archive tells of no event in this range."
    )
    by_kind: dict[str, list[Row]] = {}
    for row in rows:
        by_kind.setdefault(LATENESS_NAMES[row["kind"]], []).append(row)
    return Section(
        id="lateness",
        title="How late events arrive",
        finding=finding,
        pictures=[
            Picture(
                "lateness",
                "Share of events that were written at most so late",
                f"Rising curves over delays from a second to weeks, by kind of event. {finding}",
            )
        ],
        tables=[
            Table(
                "Delay of events, at most",
                ["Event", "Number", "p50", "p90", "p99", "Clock ahead"],
                [_lateness_row(name, found) for name, found in by_kind.items()],
            )
        ],
        queries=["lateness"],
        note="What the archive knows: from when an event occurred, by its publisher's clock, until the register wrote "
        "it. Of copies and of a session told again by a rebuild the first writing counts; expiries have no publisher, "
        "and are left out. An archive begun over a full table shows its first telling as late. Limits are steps of "
        "a quarter of a doubling, so p50, p90 and p99 are up to 19 % too high. "
        + (
            f"{wording.plural(early, 'event')} came before occurring: the publisher's clock was ahead." if early else ""
        ),
        is_filtered=False,
    )


LATENESS_UNIT = 0.01
"""Seconds; step s ends at this times 2 ** (s / 4)."""

STEPS_OF_A_MINUTE = math.floor(4 * math.log2(60 / LATENESS_UNIT))
"""The last step whose end is at most a minute."""


def _lateness_row(name: str, rows: Sequence[Row]) -> list[str]:
    steps = [(row["step"], row["events"]) for row in rows if row["step"] is not None]
    total = sum(number for _, number in steps)
    early = sum(row["events"] for row in rows if row["step"] is None)
    limits = [wording.duration(_quantile(steps, total, q)) for q in (0.5, 0.9, 0.99)]
    return [name, wording.count(total + early), *limits, wording.count(early)]


def _quantile(steps: Iterable[tuple[int, int]], total: int, q: float) -> float | None:
    seen = 0
    for step, number in sorted(steps):
        seen += number
        if seen >= q * total:
            return float(LATENESS_UNIT * 2 ** (step / 4))
    return None
