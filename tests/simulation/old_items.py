"""Items that are in the tables before a run, and items as a trace shows them."""

import json
from datetime import UTC, datetime

from ops.dynamodb_double.tables import Item
from schemas.items import ACTIVE, CLOSING
from tests.simulation.facts import TOKEN, Fact


def old_item(fact: Fact, is_over: bool) -> Item:
    """An item as earlier versions wrote it."""
    moment = datetime.fromtimestamp(fact.occurred_at / 1000, UTC)
    sort_key = f"c#{fact.customer}" if fact.parent is None else f"child#suuid#{fact.session}"
    item: Item = {
        "PK": {"S": f"suuid#{fact.parent or fact.session}"},
        "SK": {"S": sort_key},
        "session_state": {"S": CLOSING if is_over else ACTIVE},
    }
    if fact.is_original:
        item["access_token"] = {"S": TOKEN}
        if fact.parent is None:
            item["last_login_time"] = {"S": moment.strftime("%Y-%m-%dT%H:%M:%S")}
        return item
    item |= {
        "session_id": {"S": fact.session or ""},
        "customer_id": {"S": fact.customer or ""},
        "last_login_time": {"S": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")},
        "expires_at": {"N": str((fact.expires_at or 0) // 1000)},
        "ttl": {"N": str((fact.expires_at or 0) // 1000 + 6000)},  # expiry and time of the write, plus grace
        "version": {"N": "3"},
    }
    if fact.parent is not None:
        item["parent_session_id"] = {"S": fact.parent}
    return item


def broken_item() -> Item:
    """Make an item that nobody here can read."""
    return {
        "PK": {"S": "suuid#"},  # an empty id, which no event can have
        "SK": {"S": "c#A"},
        "broken": {"BOOL": True},
    }


def short(item: Item | None) -> str:
    """Write an item in one line."""
    if item is None:
        return "nothing"
    return json.dumps({name: next(iter(value.values())) for name, value in item.items()}, separators=(",", ":"))
