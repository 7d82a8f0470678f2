"""The section of unusual things: three rules, each with what it may mean."""

from ops.analytics.page import wording
from ops.analytics.page.figures import Figures
from ops.analytics.page.sections import Section, Table


def unusual(figures: Figures) -> Section:
    """Return the section."""
    found = {name: len(figures.rows(f"unusual_{name}")) for name in ("concurrency", "country", "journey")}
    total = sum(found.values())
    return Section(
        id="unusual",
        title="Unusual things",
        finding=f"{wording.plural(total, 'case')} to look at, at most ten a rule."
        if total
        else "Nothing unusual is found.",
        pictures=[],
        tables=[],
        queries=[],
        is_filtered=False,
        parts=[_own_concurrency(figures), _first_country(figures), _fast_journey(figures)],
    )


def _own_concurrency(figures: Figures) -> Section:
    return Section(
        id="unusual-concurrency",
        title="More sessions at once than the customer's own p99",
        finding="Three or more at once, and more than during 99 % of the time in which the customer had any. Look for "
        "an account that many use, or one taken over. Innocent: a customer who sets up a new device.",
        pictures=[],
        tables=[
            Table(
                "Concurrency above a customer's own p99",
                ["Customer", "At (UTC)", "At once", "Own p99", "Time online"],
                [
                    [
                        row["customer_id"],
                        wording.moment(row["at_s"]),
                        wording.count(row["most"]),
                        wording.count(row["own_p99"]),
                        wording.duration(row["seconds_online"]),
                    ]
                    for row in figures.rows("unusual_concurrency")
                ],
                texts=2,
            )
        ],
        queries=["unusual_concurrency", "labelled", "customers"],
    )


def _first_country(figures: Figures) -> Section:
    return Section(
        id="unusual-country",
        title="First login from a country",
        finding="After at least five logins of this range from elsewhere. An account that is taken over is often first "
        "seen from a new place. Innocent: a journey, a VPN, the gateway of a mobile network.",
        pictures=[],
        tables=[
            Table(
                "First login from a country",
                ["Customer", "At (UTC)", "Country", "Session", "Logins before"],
                [
                    [
                        row["customer_id"],
                        wording.moment(row["at_s"]),
                        row["country"],
                        row["session_id"],
                        wording.count(row["logins_before"]),
                    ]
                    for row in figures.rows("unusual_country")
                ],
                texts=4,
            )
        ],
        queries=["unusual_country"],
    )


def _fast_journey(figures: Figures) -> Section:
    return Section(
        id="unusual-journey",
        title="Too fast a journey",
        finding="Two logins of a customer, one after the other, from two countries in less than two hours. Only "
        "countries are known, no places: neighbours can be reached in that time, so look at the pair. "
        "Innocent: a border, a VPN.",
        pictures=[],
        tables=[
            Table(
                "Two countries in less than two hours",
                ["Customer", "At (UTC)", "From", "To", "Session", "Time between"],
                [
                    [
                        row["customer_id"],
                        wording.moment(row["at_s"]),
                        row["country_before"],
                        row["country"],
                        row["session_id"],
                        wording.duration(row["seconds"]),
                    ]
                    for row in figures.rows("unusual_journey")
                ],
                texts=5,
            )
        ],
        queries=["unusual_journey"],
    )
