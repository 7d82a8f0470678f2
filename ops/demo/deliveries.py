"""What is sent during a day: each message with what it is, and what is wrong with it."""

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ops.demo.provider_shapes import message_from, provider_of
from ops.publishing.publisher import Channel, Message

_DETAIL_TYPES = {"login": "Login", "logout": "Logout", "logout_all": "LogoutAll"}


class Kind(StrEnum):
    """What a delivery is."""

    LOGIN = "login"
    REFRESH = "silent re-login"
    CHILD_LOGIN = "login of a child session"
    LOGOUT = "logout"
    LOGOUT_WITHOUT_CUSTOMER = "logout that names no customer"
    LOGOUT_ALL = "logout everywhere"
    LOGOUT_ALL_EXCEPT = "logout everywhere else"
    REPEATED_EVENT = "the same event again"
    REPEATED_FACT = "the same fact under a new event id"
    OTHER = "event of another kind"
    MALFORMED = "malformed"
    POISON = "poison"


@dataclass(frozen=True, slots=True)
class Delivery(Message):
    """A message of the day, and what it is.

    Attributes:
        kind: What it is.
        note: What is wrong with it, in words; empty where nothing is.
        provider: The identity system whose shape it has; empty for our own.
    """

    kind: Kind
    note: str = ""
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Sending:
    """An event on its way, and when it leaves its publisher: occurrence plus delay."""

    at: datetime
    kind: Kind
    channel: Channel
    detail: dict[str, Any]
    note: str = ""
    body: str = ""
    """What is sent in place of the detail, where it is malformed."""

    def delivery(self) -> Delivery:
        """Dress the event for its channel: on EventBridge the detail-type says what the body need not."""
        provider = "" if self.body else provider_of(self.detail)
        if provider:
            # As a rule on the system's own bus puts it into the queue.
            body = message_from(provider, self.detail, sent_at=self.at)
            return Delivery(Channel.QUEUE, "", body, self.kind, self.note, provider)
        if self.channel is Channel.QUEUE:
            return Delivery(self.channel, "", self.body or json.dumps(self.detail), self.kind, self.note)
        detail_type = _DETAIL_TYPES[self.detail["event_type"]]
        bare = {name: value for name, value in self.detail.items() if name != "event_type"}
        return Delivery(self.channel, detail_type, self.body or json.dumps(bare), self.kind, self.note)
