"""Which sessions are meant: conditions on what a session's item says, for lists and for ending many at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from ops.inspection.devices import device_of
from processors.projections.activity import CustomerActivity
from schemas.items import ACTIVE, Session
from schemas.keys import SESSION_PREFIX
from schemas.times import format_rfc3339, to_epoch_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Conditions, all of which must hold; None asks nothing.

    Attributes:
        is_live: Only sessions that are live.
        address: An address, or a network as `203.0.113.0/24`.
        country: As it is stored, in upper or lower case.
        device: Part of the device's name or id, or of the user agent, in upper or lower case.
        source: The identity system.
        customer_id: The customer.
        since: The last login came then or later, aware UTC.
    """

    is_live: bool = False
    address: str | None = None
    country: str | None = None
    device: str | None = None
    source: str | None = None
    customer_id: str | None = None
    since: datetime | None = None

    @property
    def are_of_sessions(self) -> bool:
        """Whether a condition asks for what only session items say, and no projection."""
        return any((self.address, self.country, self.device, self.source))

    def match(self, session: Session, now: datetime) -> bool:
        """Say whether a session is meant; a child needs its parent attached to be judged live."""
        return (
            session.has_login
            and (not self.is_live or session.is_live(now))
            and (self.address is None or _is_in(session.client_ip, self.address))
            and (self.country is None or (session.country or "").casefold() == self.country.casefold())
            and (self.device is None or _mentions(session, self.device.casefold()))
            and (self.source is None or session.source == self.source)
            and (self.customer_id is None or session.customer_id == self.customer_id)
            and (self.since is None or (session.last_login_time is not None and session.last_login_time >= self.since))
        )

    def match_activity(self, activity: CustomerActivity) -> bool:
        """Say whether a customer is meant, by what a projection says; conditions on sessions are passed over."""
        last = activity.last_login_time
        return (not self.is_live or activity.session_count > 0) and (
            self.since is None or (last is not None and last >= self.since)
        )

    def request(self, now: datetime) -> dict[str, Any]:
        """Write what DynamoDB can judge itself, so that other items are not sent: members of a Scan request.

        An item that passes still has to `match`.
        """
        conditions, values = ["begins_with(PK, :sessions)"], {":sessions": {"S": SESSION_PREFIX}}
        names: dict[str, str] = {}
        if self.is_live:
            conditions += ["session_state = :active", "(attribute_not_exists(expires_at) OR expires_at > :now)"]
            values |= {":active": {"S": ACTIVE}, ":now": {"N": str(to_epoch_seconds(now))}}
        if self.source is not None:
            conditions.append("#source = :source")
            names["#source"], values[":source"] = "source", {"S": self.source}
        if self.since is not None:
            conditions.append("last_login_time >= :since")
            values[":since"] = {"S": format_rfc3339(self.since)[:19]}  # of any precision, with a zone or without
        if self.country is not None:
            spellings = sorted({self.country, self.country.upper(), self.country.lower(), self.country.title()})
            values |= {f":country{number}": {"S": spelling} for number, spelling in enumerate(spellings)}
            conditions.append(f"country IN ({', '.join(f':country{number}' for number in range(len(spellings)))})")
        request: dict[str, Any] = {
            "FilterExpression": " AND ".join(conditions),
            "ExpressionAttributeValues": values,
        }
        return request | ({"ExpressionAttributeNames": names} if names else {})


CONDITIONS = ("address", "country", "customer", "device", "source")
"""What `NAME=VALUE` may name."""


def filters_from(conditions: Mapping[str, str], *, is_live: bool, since: datetime | None = None) -> Filters:
    """Make filters of names and values.

    Args:
        conditions: By name, one of `CONDITIONS`.
        is_live: Only sessions that are live.
        since: The last login came then or later.

    Raises:
        ValueError: A name is not known, or a value is empty or not a network.
    """
    for name, value in conditions.items():
        if name not in CONDITIONS:
            raise ValueError(f"{name!r} is not one of {', '.join(CONDITIONS)}")
        if not value:
            raise ValueError(f"{name} has no value")
    address = conditions.get("address")
    if address is not None and "/" in address:
        try:
            ip_network(address, strict=False)
        except ValueError:
            raise ValueError(f"{address!r} is not a network like 203.0.113.0/24") from None
    return Filters(
        is_live=is_live,
        address=address,
        country=conditions.get("country"),
        device=conditions.get("device"),
        source=conditions.get("source"),
        customer_id=conditions.get("customer"),
        since=since,
    )


def _is_in(client_ip: str | None, address: str) -> bool:
    if client_ip is None:
        return False
    if client_ip == address:
        return True
    try:
        network: IPv4Network | IPv6Network = ip_network(address, strict=False)
        return ip_address(client_ip) in network
    except ValueError:  # an item may hold any text
        return False


def _mentions(session: Session, part: str) -> bool:
    texts = (device_of(session.user_agent), session.device_id, session.user_agent)
    return any(part in text.casefold() for text in texts if text is not None)
