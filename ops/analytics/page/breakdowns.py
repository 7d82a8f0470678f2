"""Sections about how many of each kind: logins, and endings."""

from collections.abc import Mapping

from ops.analytics.page import wording
from ops.analytics.page.figures import Figures, sums_by
from ops.analytics.page.sections import Picture, Section, Table


def logins(figures: Figures) -> Section:
    """Return the section."""
    rows = figures.rows("logins")
    total = sum(row["logins"] for row in rows)
    dimensions = {name: sums_by(rows, name, "logins") for name in ("source", "country", "device")}
    first = {name: next(iter(values), None) for name, values in dimensions.items()}
    finding = (
        f"{wording.plural(total, 'login')}; most by {first['source']}, from {first['country']}, "
        f"on this kind of device: {first['device']}."
        if total
        else "No session started in this range."
    )
    return Section(
        id="logins",
        title="Logins by source, country and device",
        finding=finding,
        pictures=[
            Picture(
                f"logins-{name}",
                f"By {name}",
                f"Bars of logins by {name}: " + "; ".join(f"{key} {value:,}" for key, value in values.items()),
            )
            for name, values in dimensions.items()
        ],
        tables=[_shares(f"Logins by {name}", name.capitalize(), values) for name, values in dimensions.items()],
        queries=["logins", "labelled"],
        note="A login is a session that started; silent re-logins are not counted. The kind of device is read from the "
        "user agent. Press a bar of a source or country to see it alone, and again to see all.",
    )


def ends(figures: Figures) -> Section:
    """Return the section."""
    rows = figures.rows("ends")
    endings = sums_by(rows, "ending", "sessions")
    over = sum(number for name, number in endings.items() if name != "still live")
    commonest = next((name for name in endings if name != "still live"), None)
    finding = (
        f"{over:,} of {wording.plural(sum(endings.values()), 'session')} ended, most often by: {commonest} "
        f"({wording.count(endings[commonest])})."
        if commonest
        else "No session ended in this range."
    )
    return Section(
        id="ends",
        title="How sessions end",
        finding=finding,
        pictures=[
            Picture(
                "ends",
                "Sessions by what ended them",
                "Bars by ending: " + "; ".join(f"{key} {value:,}" for key, value in endings.items()),
            )
        ],
        tables=[_shares("Sessions by what ended them", "Ending", endings)],
        queries=["ends", "labelled"],
        note="expired: it ran out. parent: its parent session ended first. deleted: its item was removed. Others are "
        "the reasons of logouts, as their publishers say them.",
    )


def _shares(caption: str, head: str, values: Mapping[str, int]) -> Table:
    total = sum(values.values())
    shown = list(values.items())
    return Table(
        f"{caption}, all sources and countries",
        [head, "Number", "Share"],
        [[name, wording.count(number), wording.share(number, total)] for name, number in shown],
    )
