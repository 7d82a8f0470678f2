"""Events as careless publishers send them: each of these can never be processed, however often it is retried."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ops.publishing.publisher import Channel

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Breakage:
    """One way to spoil a good login.

    Attributes:
        note: What is wrong, in words.
        channel: What can carry it: EventBridge takes JSON objects only, a queue takes any text.
        spoil: The body to send, from the good login and the end of the day.
    """

    note: str
    channel: Channel
    spoil: Callable[[Event, datetime], str]


def _cut_off(login: Event, now: datetime) -> str:
    return json.dumps(login)[:-12]


def _without_customer(login: Event, now: datetime) -> str:
    return json.dumps({name: value for name, value in login.items() if name != "customer_id"})


def _number_as_time(login: Event, now: datetime) -> str:
    return json.dumps(login | {"occurred_at": int(now.timestamp()) - 3600})


def _repeated_key(login: Event, now: datetime) -> str:
    return json.dumps(login)[:-1] + ', "customer_id": "customer-2002"}'


def _not_a_number(login: Event, now: datetime) -> str:
    return json.dumps(login | {"expires_at": float("nan")})


def _from_the_future(login: Event, now: datetime) -> str:
    return json.dumps(login | {"occurred_at": (now + timedelta(days=1)).isoformat(timespec="milliseconds")})


def _empty_session_id(login: Event, now: datetime) -> str:
    return json.dumps(login | {"session_id": ""})


def _contradicting_type(login: Event, now: datetime) -> str:
    return json.dumps(login | {"event_type": "logout"})


def _no_object(login: Event, now: datetime) -> str:
    return json.dumps([login["event_id"]])


def _time_without_zone(login: Event, now: datetime) -> str:
    return json.dumps(login | {"occurred_at": (now - timedelta(hours=1)).replace(tzinfo=None).isoformat()})


BREAKAGES = (
    Breakage("JSON that is cut off", Channel.QUEUE, _cut_off),
    Breakage("a login without customer_id", Channel.EVENTBRIDGE, _without_customer),
    Breakage("a bare number as time", Channel.EVENTBRIDGE, _number_as_time),
    Breakage("customer_id given twice", Channel.QUEUE, _repeated_key),
    Breakage("NaN as time", Channel.QUEUE, _not_a_number),
    Breakage("a time in the future", Channel.EVENTBRIDGE, _from_the_future),
    Breakage("an empty session_id", Channel.EVENTBRIDGE, _empty_session_id),
    Breakage("an event_type that contradicts the detail-type", Channel.EVENTBRIDGE, _contradicting_type),
    Breakage("a list of ids where events belong", Channel.QUEUE, _no_object),
    Breakage("a time without zone", Channel.QUEUE, _time_without_zone),
)
