"""End sessions by ordinary logouts: the events any publisher may send, so nothing else has to know of it.

Publishing a logout again, or for a session that has ended meanwhile, changes nothing: whatever interrupts this, running
it again is safe.
"""

import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

from ops.publishing.publisher import Channel, Message, Publisher
from processors.register.reader import RegisterReader
from schemas.items import Session
from schemas.keys import Key
from schemas.times import format_rfc3339

SOURCE = "sessionctl"
REASON = "security"

_KEYS_PER_REQUEST = 100
_POLL_SECONDS = 1.0


class Target(NamedTuple):
    """A session that is to end."""

    session_id: str
    customer_id: str
    parent_session_id: str | None
    key: Key


def target_of(session: Session) -> Target | None:
    """Return what ends a session; None for a child of the original schema that names no customer."""
    if session.customer_id is None:
        return None
    return Target(session.session_id, session.customer_id, session.parent_session_id, session.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How sessions are to end.

    Attributes:
        reason: The logouts' reason.
        occurred_at: The time of the logouts, aware UTC: sessions that begin later are not meant.
        channel: What carries the logouts.
    """

    reason: str
    occurred_at: datetime
    channel: Channel

    def logouts(self, targets: Iterable[Target]) -> Iterator[Message]:
        """Write the logout of each session."""
        for target in targets:
            yield self._message(
                "Logout",
                {
                    "event_type": "logout",
                    "occurred_at": format_rfc3339(self.occurred_at),
                    "customer_id": target.customer_id,
                    "session_id": target.session_id,
                    "parent_session_id": target.parent_session_id,
                    "reason": self.reason,
                },
            )

    def logout_all(self, customer_id: str, *, except_session_id: str | None = None) -> Message:
        """Write the logout of everything of a customer, which also ends what arrives late.

        It occurred a millisecond after the logouts, so that they, and their reason, are the ends that count.
        """
        return self._message(
            "LogoutAll",
            {
                "event_type": "logout_all",
                "occurred_at": format_rfc3339(self.occurred_at + timedelta(milliseconds=1)),
                "customer_id": customer_id,
                "except_session_id": except_session_id,
            },
        )

    def _message(self, detail_type: str, fields: dict[str, str | None]) -> Message:
        event = {"event_id": str(uuid4()), **fields, "source": SOURCE}
        body = json.dumps({name: value for name, value in event.items() if value is not None})
        return Message(self.channel, detail_type if self.channel is Channel.EVENTBRIDGE else "", body)


@dataclass(slots=True)
class Published:
    """What became of the logouts.

    Attributes:
        count: How many were taken.
        refused: Why others were refused, each five times.
    """

    count: int
    refused: list[str]


def publish(
    publisher: Publisher, messages: Iterable[Message], report: Published, on_published: Callable[[int], object]
) -> None:
    """Publish logouts in requests of ten; what is refused is tried again, then reported.

    Args:
        publisher: Sends them.
        messages: The logouts.
        report: Is kept up to date, also where an error or Ctrl-C is the end.
        on_published: Called with the number of logouts of each request.

    Raises:
        ClientError: A whole request was refused.
        BotoCoreError: Nobody answered.
    """

    def count(published: int) -> None:
        report.count += published
        on_published(published)

    publisher.publish(messages, on_published=count, on_refused=lambda message, reason: report.refused.append(reason))


def wait_until_ended(
    reader: RegisterReader,
    targets: Collection[Target],
    *,
    timeout_seconds: float,
    now: Callable[[], datetime],
    on_ended: Callable[[int], object] = lambda count: None,
    pause: Callable[[float], None] = time.sleep,
) -> list[Target]:
    """Read the sessions again and again, strongly consistent, until each has ended.

    Args:
        reader: Reads the sessions table.
        targets: The sessions.
        timeout_seconds: How long to wait without any of them ending.
        now: Returns the time, aware UTC.
        on_ended: Called with the number of sessions that were found ended.
        pause: Waits the given number of seconds.

    Returns:
        Those that are live still, after nothing has moved for so long.

    Raises:
        ReadError: The table could not be read.
    """
    waiting = list(targets)
    moved_at = now()
    while waiting:
        live = list(_live(reader, waiting, now()))
        if len(live) < len(waiting):
            on_ended(len(waiting) - len(live))
            moved_at = now()
        waiting = live
        if not waiting or (now() - moved_at).total_seconds() >= timeout_seconds:
            break
        pause(_POLL_SECONDS)
    return waiting


def _live(reader: RegisterReader, targets: Sequence[Target], now: datetime) -> Iterator[Target]:
    for start in range(0, len(targets), _KEYS_PER_REQUEST):
        part = targets[start : start + _KEYS_PER_REQUEST]
        items = reader.read_items([target.key for target in part])
        for target in part:
            session = items.sessions.get(target.key)
            if target.key in items.unreadable or (session is not None and session.is_live(now)):
                yield target
