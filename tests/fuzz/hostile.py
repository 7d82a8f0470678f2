"""Hostile bodies, events and stream records: good ones spoilt in one or several places, by a seeded source.

Every good one carries two marks that no log line may show: one in its token, one in its free texts. Ids carry none: a
log line names what it is about.
"""

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

TOKEN = "mark-of-a-token-4711"
TEXT = "mark-of-a-free-text-0815"

Json = Any


def nested(depth: int) -> Json:
    """A list in a list in a list."""
    value: Json = []
    for _ in range(depth):
        value = [value]
    return value


_LONG = "a" * 257
VALUES: list[Json] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        -0.0,
        1e308,
        10**30,
        10**399,
        -(10**399),
        253402300800,
        float("inf"),
        float("nan"),
    ),
    *(
        "",
        " ",
        "\x00",
        "a\x00b",
        "\ud800",
        "\udfff x",
        "\ufeff",
        "\u202e",
        "#",
        "%",
        "%23",
        "%zz",
        "c#x",
        "c#",
        "suuid#x",
        "suuid#",
        "child#suuid#",
        "'\"`;--",
    ),
    *(_LONG, _LONG[:256], "é" * 256, "\U0001f600" * 84, "#" * 256, "﷽" * 5000, "١٢٣", "NaN", "1e400", "9" * 5000, "-1"),
    *("login", "LOGIN", "Logout", "logout_all", "active", "closing", "ACTIVE", "undefined"),
    *("2026-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9000-01-01T00:00:00Z"),
    *("2026-03-01T10:20:30", "2026-03-01", "1772359200", "2026-03-01T10:20:30.123456789Z", "2030-01-01T00:00:00Z"),
    *(
        [],
        {},
        [[]],
        [None],
        ["x"],
        {"": ""},
        {"a": {"b": {}}},
        {"S": "x"},
        {"S": 1},
        {"N": "x"},
        nested(60),
        nested(400),
    ),
]

NAMES = ["", "__proto__", "__class__", "self", "model_config", "\x00", "\ud800", "#", "a" * 3000]


def _paths(value: Json, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something can be spoilt: every member and element, to the depth events have."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if len(path) == 8:
        return []
    return [found for name, member in members for found in ((*path, name), *_paths(member, (*path, name)))]


def _parent(value: Json, path: tuple[Any, ...]) -> Json:
    for name in path[:-1]:
        value = value[name]
    return value


def _replace(source: Random, parent: Json, name: Any) -> None:
    parent[name] = copy.deepcopy(source.choice(VALUES))


def _remove(source: Random, parent: Json, name: Any) -> None:
    del parent[name]


def _rename(source: Random, parent: Json, name: Any) -> None:
    if isinstance(parent, dict):
        parent[source.choice([*NAMES, str(name).upper(), f"{name} "])] = parent.pop(name)


def _wrap(source: Random, parent: Json, name: Any) -> None:
    parent[name] = source.choice((lambda v: [v], lambda v: {"S": v}, lambda v: {str(name): v}, repr))(parent[name])


def _add(source: Random, parent: Json, name: Any) -> None:
    if isinstance(parent, dict):
        parent[source.choice(NAMES)] = copy.deepcopy(source.choice(VALUES))


_SPOILERS: list[Callable[[Random, Json, Any], None]] = [_replace, _replace, _replace, _remove, _rename, _wrap, _add]


def spoil(source: Random, value: Json, keep: frozenset[str] = frozenset()) -> Json:
    """Spoil a copy of a JSON value in one to three places; the members named in `keep` stay as they are."""
    spoilt = copy.deepcopy(value)
    for _ in range(source.choice((1, 1, 1, 2, 3))):
        paths = [path for path in _paths(spoilt) if path[0] not in keep]
        if paths:
            path = source.choice(paths)
            source.choice(_SPOILERS)(source, _parent(spoilt, path), path[-1])
    return spoilt


def good_event(source: Random) -> dict[str, Any]:
    """A valid canonical event with both marks in it."""
    number = source.randrange(40)
    minute = source.randrange(60)
    kind = source.choice(("login", "login", "logout", "logout_all"))
    event: dict[str, Any] = {
        "event_id": f"e{source.randrange(10**9)}",
        "event_type": kind,
        "occurred_at": f"2026-03-01T12:{minute:02}:00.123Z",
        "customer_id": f"c{number % 7}",
        "source": f"idp {TEXT}",
        "note": TEXT,
        "nested": {"note": [TEXT, {"access_token": TOKEN}]},
    }
    if kind != "logout_all":
        event["session_id"] = f"s{number}"
        if source.random() < 0.2:
            event["parent_session_id"] = f"s{source.randrange(40)}"
    if kind == "login":
        event |= {
            "expires_at": "2026-03-02T12:00:00Z",
            "access_token": TOKEN,
            "client": {"ip": "192.0.2.1", "user_agent": TEXT, "device_id": "d", "country": TEXT},
        }
    elif kind == "logout":
        event["reason"] = TEXT
        if source.random() < 0.3:
            del event["customer_id"]
    else:
        event["except_session_id"] = "s1"
    return event


def eventbridge_event(source: Random, detail: Json) -> dict[str, Any]:
    return {
        "version": "0",
        "id": f"envelope-{source.randrange(10**9)}",
        "detail-type": source.choice(("Login", "Logout", "LogoutAll", "Refund", TEXT)),
        "source": f"idp {TEXT}",
        "account": "123456789012",
        "time": "2026-03-01T13:00:00Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": detail,
    }


def _cut(source: Random, text: str) -> str:
    return text[: source.randrange(len(text))]


def _cut_head(source: Random, text: str) -> str:
    return text[source.randrange(len(text)) :]


def _insert(source: Random, text: str) -> str:
    position = source.randrange(len(text))
    piece = source.choice(
        ('"', "\\", "{", "}", "[", ",", "\x00", "\ud800", "NaN", "-", "\\u", "1e999", "\n", "\ufeff", "'")
    )
    return text[:position] + piece + text[position:]


def _twice(source: Random, text: str) -> str:
    return text + source.choice(("", " ", ",")) + text


def _repeat_member(source: Random, text: str) -> str:
    return text[:-1] + f', "access_token": "{TOKEN}", "customer_id": "c1"}}'


def _deep(source: Random, text: str) -> str:
    depth = source.choice((100, 990, 5_000, 100_000))
    return text[:-1] + ', "deep": ' + "[" * depth + source.choice(("", "]" * depth + "}"))


def _long_number(source: Random, text: str) -> str:
    return (
        text[:-1]
        + ', "number": '
        + "9" * source.choice((20, 400, 401, 5_000))
        + source.choice(("", "e400", ".5"))
        + "}"
    )


def _padded(source: Random, text: str) -> str:
    return text[:-1] + ', "padding": "' + source.choice("xé") * source.choice((1_000, 140_000, 262_144)) + '"}'


def _quoted(source: Random, text: str) -> str:
    return json.dumps(text)


def _single_quotes(source: Random, text: str) -> str:
    return text.replace('"', "'")


_TEXT_SPOILERS: list[Callable[[Random, str], str]] = [
    *(_cut, _cut, _cut_head, _insert, _insert, _insert, _twice, _repeat_member),
    *(_deep, _long_number, _quoted, _single_quotes),
]


def hostile_body(source: Random) -> str:
    """A message body: good one time in ten, spoilt as a value or as a text otherwise."""
    event = good_event(source)
    draw = source.random()
    if 0.1 <= draw < 0.7:
        event = spoil(source, event)
    content: Json = event
    shape = source.random()
    if shape < 0.25:
        content = eventbridge_event(source, event)
        if source.random() < 0.3:
            content = spoil(source, content)
    text = json.dumps(content, ensure_ascii=source.random() < 0.5)
    if shape > 0.85:
        text = json.dumps({"Type": "Notification", "Message": text, "MessageId": "m"})
    if draw >= 0.7:
        text = _padded(source, text) if source.random() < 0.01 else source.choice(_TEXT_SPOILERS)(source, text)
    return text


def hostile_eventbridge_event(source: Random) -> dict[str, Any]:
    """What Lambda hands over for a rule: an object, with anything in it that JSON can hold."""
    event = eventbridge_event(
        source, spoil(source, good_event(source)) if source.random() < 0.7 else good_event(source)
    )
    if source.random() < 0.5:
        event = spoil(source, event)
    if source.random() < 0.02:
        event["detail"] = {"deep": nested(source.choice((100, 500, 900)))}
    return event


def good_image(source: Random, customer_id: str, session_id: str) -> dict[str, Any]:
    """An item of the sessions table, of any kind."""
    version = {"N": str(source.randrange(1, 9))}
    kind = source.choice(("session", "session", "ended", "child", "tombstone", "revocation", "foreign", "original"))
    if kind == "revocation":
        return {
            "PK": {"S": f"c#{customer_id}"},
            "SK": {"S": f"revoked#c#{customer_id}"},
            "customer_id": {"S": customer_id},
            "revoked_at": {"S": "2026-03-01T11:00:00.000Z"},
            "ttl": {"N": "1773000000"},
            "version": version,
        }
    if kind == "foreign":
        return {"PK": {"S": "config"}, "SK": {"S": "x"}, "note": {"S": TEXT}}
    image: dict[str, Any] = {
        "PK": {"S": f"suuid#{session_id}"},
        "SK": {"S": f"c#{customer_id}"},
        "session_id": {"S": session_id},
        "customer_id": {"S": customer_id},
        "session_state": {"S": "active"},
        "started_at": {"S": "2026-03-01T11:00:00.000Z"},
        "last_login_time": {"S": "2026-03-01T11:00:00.000Z"},
        "user_agent": {"S": TEXT},
        "source": {"S": TEXT},
    }
    if kind == "original":
        return image
    image |= {"expires_at": {"N": "1772452800"}, "ttl": {"N": "1773000000"}, "version": version, "country": {"S": TEXT}}
    if kind == "child":
        image |= {"PK": {"S": "suuid#parent"}, "SK": {"S": f"child#suuid#{session_id}"}}
        image["parent_session_id"] = {"S": "parent"}
    if kind in ("ended", "tombstone"):
        image |= {"session_state": {"S": "closing"}, "ended_at": {"S": "2026-03-01T11:30:00.000Z"}}
        image |= {"end_reason": {"S": TEXT}, "ended_event_id": {"S": "e1"}}
    if kind == "tombstone":
        del image["last_login_time"], image["started_at"], image["expires_at"]
    return image


def stream_record(image: dict[str, Any], number: int, old_image: dict[str, Any] | None = None) -> dict[str, Any]:
    change: dict[str, Any] = {
        "ApproximateCreationDateTime": 1772366400.0 + number,
        "Keys": {name: image[name] for name in ("PK", "SK") if name in image},
        "NewImage": image,
        "SequenceNumber": str(10**21 + number),
        "SizeBytes": 500,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    if old_image is not None:
        change["OldImage"] = old_image
    return {
        "eventID": f"{number:032x}",
        "eventName": "INSERT" if old_image is None else "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": change,
        "eventSourceARN": "arn:aws:dynamodb:eu-west-1:123456789012:table/sessions/stream/x",
    }


def hostile_record(source: Random, number: int) -> dict[str, Any]:
    """A stream record whose image, or anything beside it, is spoilt; its sequence number names it, so it stays."""
    customer_id, session_id = f"h{source.randrange(9)}", f"s{source.randrange(30)}"
    image = good_image(source, customer_id, session_id)
    old = good_image(source, customer_id, session_id) if source.random() < 0.3 else None
    record = stream_record(image, number, old)
    if source.random() < 0.7:
        record["dynamodb"]["NewImage"] = spoil(source, image)
    if source.random() < 0.3:
        record["dynamodb"] = spoil(source, record["dynamodb"], keep=frozenset({"SequenceNumber"}))
    if source.random() < 0.05:
        record = spoil(source, record, keep=frozenset({"dynamodb"}))
    return record
