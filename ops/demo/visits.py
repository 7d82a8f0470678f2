"""The sessions of a day: who visits, on which device, when, and how it ends."""

from dataclasses import dataclass
from datetime import datetime, timedelta

OVERTAKEN, NAMELESS = 1, 3
"""Of every 15 sessions, the one whose logout overtakes its login, and the one whose logout names no customer."""


@dataclass(frozen=True, slots=True)
class Device:
    """What a customer logs in with."""

    name: str
    user_agent: str
    lifetime: timedelta | None
    """How long its sessions last unless refreshed; None leaves it to the system's default."""
    refreshes: int
    """At most so many silent re-logins a session."""


DEVICES = (
    Device("phone", "ExampleApp/4.2 (Android 15)", None, 3),
    Device("laptop", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", timedelta(hours=8), 2),
    # Longer than any session may last: what the system clips.
    Device("tv", "ExampleTV/9.1", timedelta(days=30), 0),
)
COUNTRIES = ("DE", "FR", "NL", "PL", "SE")
NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
HOURLY_WEIGHTS = (1, 1, 1, 1, 1, 2, 4, 7, 9, 8, 7, 6, 7, 6, 6, 6, 7, 8, 9, 9, 8, 6, 4, 2)
"""How busy each hour (UTC) is: a morning and an evening peak."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One session, from its first login to the logout that may end it.

    The rarer fates go by number rather than by chance, so that the smallest day has each of them.
    """

    number: int
    customer_id: str
    device: Device
    client: dict[str, str]
    started_at: datetime
    ended_at: datetime | None

    @property
    def session_id(self) -> str:
        """Its id."""
        return f"session-{self.number:05d}"

    @property
    def runs_out(self) -> bool:
        """It names an early `expires_at`, and nobody refreshes it or logs it out."""
        return self.ended_at is None and self.number % 6 == 4

    @property
    def is_overtaken(self) -> bool:
        """Its logout is published before its login."""
        return self.number % 15 == OVERTAKEN

    @property
    def ends_nameless(self) -> bool:
        """Its logout names no customer: the one kind that needs its login to be here already."""
        return self.number % 15 == NAMELESS
