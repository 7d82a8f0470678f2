"""Everything that is stored of a customer, as one JSON document: for a person's request to see it."""

import base64
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from ops.erasure.archive import Archive
from ops.erasure.customer_keys import find_keys, scan_for
from processors.aws.conditional_writes import Item
from processors.projection_table import ProjectionTable
from processors.session_table import SessionTable
from schemas.keys import CHILD_PREFIX, CUSTOMER_PREFIX
from schemas.projection_items import projection_key
from schemas.times import format_rfc3339

FORMAT = 1

ELSEWHERE = (
    "events that are not processed yet, were rejected or are in a dead-letter queue (queues)",
    "stream records that could not be processed (failed-batches bucket)",
    "ids of events and sessions (functions' logs)",
    "earlier states of the tables (point-in-time recovery, backups)",
)
"""Where something of a customer may be that an export does not show."""


def export(
    customer_id: str,
    sessions: SessionTable,
    projections: ProjectionTable,
    *,
    now: datetime,
    archive: Archive | None = None,
    with_scan: bool = False,
) -> dict[str, Any]:
    """Read everything that is stored of a customer: items as they are, with what other writers keep in them.

    Args:
        customer_id: The customer.
        sessions: The register.
        projections: The projections.
        now: Aware UTC.
        archive: The archive of life-cycle events, where it is to be read.
        with_scan: Also scan the register for child sessions whose parent is not there.

    Raises:
        ReadError: A table could not be read.
        ClientError: The service refused a scan, or S3 refused to list the bucket.
        BotoCoreError: It could not be reached.
    """
    key = projection_key(customer_id)
    projection = projections.store.read([key]).get(key)
    named = projection.get("sessions", {}).get("M", {}) if projection else {}
    scanned = scan_for(sessions, customer_id) if with_scan else ()
    keys = find_keys(sessions, customer_id, named=named, scanned=scanned)
    children = keys.children
    stored = sessions.store.read([*children, *keys.sessions, *keys.revocation])
    own = {
        key: item
        for key, item in stored.items()
        if key not in children or item.get("customer_id", {}).get("S", children[key]) == customer_id
    }
    erased_at = sessions.erased.current().erased_at_of(customer_id)
    problems: dict[str, str] = {}
    document = {
        "export": "customer",
        "format": FORMAT,
        "customer_id": customer_id,
        "exported_at": format_rfc3339(now),
        "erased_at": None if erased_at is None else format_rfc3339(erased_at),
        "sessions": [plain_item(own[key]) for key in sorted(own) if (key.sk or "").startswith(CUSTOMER_PREFIX)],
        "child_sessions": [plain_item(own[key]) for key in sorted(own) if (key.sk or "").startswith(CHILD_PREFIX)],
        "revocation": next((plain_item(own[key]) for key in keys.revocation if key in own), None),
        "projection": None if projection is None else plain_item(projection),
        "archive": None if archive is None else list(archive.details_of(customer_id, problems)),
        "not_included": list(ELSEWHERE) + ([] if archive is not None else ["life-cycle events (archive)"]),
    }
    return document | ({"unreadable_objects": problems} if problems else {})


def is_empty(document: Mapping[str, Any]) -> bool:
    """Whether an export shows nothing but that the customer is not known."""
    return not any(
        document[part] for part in ("sessions", "child_sessions", "revocation", "projection", "archive", "erased_at")
    )


def plain_item(item: Item) -> dict[str, Any]:
    """Write an item as JSON: numbers as numbers, bytes in base64, sets as lists."""
    return {name: _plain(value) for name, value in sorted(item.items())}


def _plain(value: Mapping[str, Any]) -> Any:  # noqa: PLR0911 (a line per type of DynamoDB's)
    [(kind, content)] = value.items()
    match kind:
        case "N":
            return _number(content)
        case "B":
            return base64.b64encode(content).decode()
        case "L":
            return [_plain(member) for member in content]
        case "M":
            return {name: _plain(member) for name, member in content.items()}
        case "NULL":
            return None
        case "NS":
            return _sorted(map(_number, content))
        case "BS":
            return _sorted(base64.b64encode(member).decode() for member in content)
        case "SS":
            return _sorted(content)
    return content


def _number(text: str) -> int | float:
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else float(number)


def _sorted(members: Iterable[Any]) -> list[Any]:
    return sorted(members)
