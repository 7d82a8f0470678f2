"""The sections of the page, in order."""

from ops.analytics.page.breakdowns import ends, logins
from ops.analytics.page.distributions import durations, lateness
from ops.analytics.page.figures import Figures
from ops.analytics.page.over_time import customers, live
from ops.analytics.page.sections import Section
from ops.analytics.page.unusual import unusual


def sections_of(figures: Figures) -> list[Section]:
    """Return the sections of the page, in order."""
    return [make(figures) for make in (live, customers, durations, logins, ends, lateness, unusual)]
