"""Items of the sessions table: sessions, child sessions, revocations.

Plain values with their mapping from and to the attribute maps of DynamoDB's API. Times are aware UTC `datetime`. What
the original AWS session-management schema holds (no `version`, no `expires_at`, times without zone) is read as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from schemas.errors import MalformedItemError
from schemas.keys import (
    CHILD_PREFIX,
    CUSTOMER_PREFIX,
    MAX_ENCODED_ID_BYTES,
    REVOKED_PREFIX,
    SESSION_PREFIX,
    Key,
    child_session_key,
    decode_id,
    encode_id,
    revocation_key,
    session_key,
)
from schemas.times import format_rfc3339, from_epoch_seconds, parse_stored, to_epoch_seconds

Attributes = Mapping[str, Mapping[str, Any]]
"""An item as DynamoDB's API has it: `{"PK": {"S": "suuid#..."}, ...}`."""

ACTIVE = "active"
CLOSING = "closing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session, or a child session where `parent_session_id` is set.

    `closing` means over: the item is a tombstone until DynamoDB deletes it. A tombstone whose login has not arrived has
    no `last_login_time`. `expires_at` is when the session runs out, floored to the second; None: an item of the
    original schema, which is live while active. `ttl` only says when the item may go.
    """

    session_id: str
    customer_id: str | None
    parent_session_id: str | None = None
    session_state: str = ACTIVE
    started_at: datetime | None = None
    last_login_time: datetime | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    ended_event_id: str | None = None
    end_reason: str | None = None
    access_token_sha256: str | None = None
    client_ip: str | None = None
    user_agent: str | None = None
    device_id: str | None = None
    country: str | None = None
    source: str | None = None
    last_login_event_id: str | None = None
    ttl: int | None = None
    version: int | None = None
    parent: "Session | None" = None
    """The parent's item, where a read of children fetched it. No attribute of the table."""

    @property
    def key(self) -> Key:
        """Primary key of the item.

        Raises:
            ValueError: A top-level session without customer has none.
        """
        if self.parent_session_id is not None:
            return child_session_key(self.parent_session_id, self.session_id)
        if self.customer_id is None:
            raise ValueError("a top-level session belongs to a customer")
        return session_key(self.session_id, self.customer_id)

    @property
    def has_login(self) -> bool:
        """Whether a login made it; an item without `version` is of the original schema, where nothing else did."""
        return self.last_login_time is not None or self.version is None

    def ends_after(self, ended_at: datetime, event_id: str | None) -> bool:
        """Whether an end would move this session's: it has none, or a later one.

        The law of every end: the smallest (`ended_at`, `ended_event_id`) wins, whatever order they arrive in.
        """
        if self.session_state == ACTIVE:
            return True
        if self.ended_at is None:  # ended by another writer, who did not say when
            return False
        return (self.ended_at, self.ended_event_id or "") > (ended_at, event_id or "")

    def is_live(self, now: datetime) -> bool:
        """Whether the session has a login, was not ended and has not run out; a child needs a live parent, too."""
        return (
            self.session_state == ACTIVE
            and self.has_login
            and (self.expires_at is None or now < self.expires_at)
            and (self.parent is None or self.parent.is_live(now))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """What a customer's `logout_all` events come to: exact for any number of them.

    A session that began at or before `revoked_at` is revoked, unless it is `except_session_id`; that one is where it
    began at or before `other_revoked_at`, the newest revocation with another exception.
    """

    customer_id: str
    revoked_at: datetime
    except_session_id: str | None = None
    other_revoked_at: datetime | None = None
    other_except_session_id: str | None = None
    ttl: int | None = None
    version: int | None = None

    @property
    def key(self) -> Key:
        """Primary key of the item."""
        return revocation_key(self.customer_id)

    def covers(self, session_id: str, started_at: datetime) -> bool:
        """Whether the session is among those ended."""
        revoked_at = self.revoked_at if session_id != self.except_session_id else self.other_revoked_at
        return revoked_at is not None and started_at <= revoked_at


_SESSION_TEXTS = (
    "session_id",
    "customer_id",
    "parent_session_id",
    "session_state",
    "end_reason",
    "access_token_sha256",
    "client_ip",
    "user_agent",
    "device_id",
    "country",
    "source",
    "last_login_event_id",
    "ended_event_id",
)
_SESSION_TIMES = ("started_at", "last_login_time", "ended_at")
_REVOCATION_TEXTS = ("customer_id", "except_session_id", "other_except_session_id")
_REVOCATION_TIMES = ("revoked_at", "other_revoked_at")


def key_of(attributes: Attributes) -> Key:
    """Primary key of an item or an image.

    Raises:
        MalformedItemError: It has none.
    """
    try:
        return Key(_string(attributes["PK"]["S"]), _string(attributes["SK"]["S"]))
    except (KeyError, TypeError):
        raise MalformedItemError("an item without the string keys PK and SK") from None


def read_item(attributes: Attributes) -> Session | Revocation | None:
    """Read an item of the sessions table.

    Returns:
        What it holds, or None where the key is of no kind known here: the table may hold items of others.

    Raises:
        MalformedItemError: A key of ours with attributes that are not.
    """
    key = key_of(attributes)
    try:
        if key.pk.startswith(SESSION_PREFIX):
            if key.sk.startswith(CUSTOMER_PREFIX):
                return _read_session(
                    attributes,
                    decode_id(key.pk[len(SESSION_PREFIX) :]),
                    decode_id(key.sk[len(CUSTOMER_PREFIX) :]),
                    None,
                )
            if key.sk.startswith(CHILD_PREFIX):
                return _read_session(
                    attributes,
                    decode_id(key.sk[len(CHILD_PREFIX) :]),
                    _text(attributes, "customer_id"),
                    decode_id(key.pk[len(SESSION_PREFIX) :]),
                )
        if key.pk.startswith(CUSTOMER_PREFIX) and key.sk.startswith(REVOKED_PREFIX):
            return _read_revocation(attributes, decode_id(key.sk[len(REVOKED_PREFIX) :]))
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, OSError) as error:
        raise MalformedItemError(f"item {key.pk} / {key.sk} breaks the schema ({type(error).__name__})") from None
    return None


def _text(attributes: Attributes, name: str) -> str | None:
    value = attributes.get(name)
    return None if value is None else _string(value["S"])


def _number(attributes: Attributes, name: str) -> int | None:
    value = attributes.get(name)
    return None if value is None else int(_string(value["N"]))


def _string(value: object) -> str:
    """Refuse what DynamoDB never puts in an `S` or an `N`."""
    if not isinstance(value, str):
        raise TypeError("no string")
    return value


def _check_ids(*ids: str | None) -> None:
    """Refuse ids that no key could hold: reading such an item again would fail all that is read with it."""
    for identifier in ids:
        if identifier is not None and not 0 < len(encode_id(identifier)) <= MAX_ENCODED_ID_BYTES:
            raise ValueError("an id is empty or too long")


def _time(attributes: Attributes, name: str) -> datetime | None:
    value = attributes.get(name)
    return None if value is None else parse_stored(value["S"])


def _read_session(
    attributes: Attributes, session_id: str, customer_id: str | None, parent_session_id: str | None
) -> Session:
    _check_ids(session_id, customer_id, parent_session_id)
    last_login_time = _time(attributes, "last_login_time")
    expires_at = _number(attributes, "expires_at")
    return Session(
        session_id=session_id,
        customer_id=customer_id,
        parent_session_id=parent_session_id,
        session_state=_text(attributes, "session_state") or ACTIVE,
        started_at=_time(attributes, "started_at") or last_login_time,
        last_login_time=last_login_time,
        expires_at=None if expires_at is None else from_epoch_seconds(expires_at),
        ended_at=_time(attributes, "ended_at"),
        ttl=_number(attributes, "ttl"),
        version=_number(attributes, "version"),
        end_reason=_text(attributes, "end_reason"),
        access_token_sha256=_text(attributes, "access_token_sha256"),
        client_ip=_text(attributes, "client_ip"),
        user_agent=_text(attributes, "user_agent"),
        device_id=_text(attributes, "device_id"),
        country=_text(attributes, "country"),
        source=_text(attributes, "source"),
        last_login_event_id=_text(attributes, "last_login_event_id"),
        ended_event_id=_text(attributes, "ended_event_id"),
    )


def _read_revocation(attributes: Attributes, customer_id: str) -> Revocation:
    _check_ids(customer_id)
    revoked_at = _time(attributes, "revoked_at")
    if revoked_at is None:
        raise ValueError("revoked_at is missing")
    return Revocation(
        customer_id=customer_id,
        revoked_at=revoked_at,
        other_revoked_at=_time(attributes, "other_revoked_at"),
        ttl=_number(attributes, "ttl"),
        version=_number(attributes, "version"),
        except_session_id=_text(attributes, "except_session_id"),
        other_except_session_id=_text(attributes, "other_except_session_id"),
    )


def write_item(value: Session | Revocation) -> dict[str, dict[str, Any]]:
    """Write a session or a revocation as an item; what is None is left out, and `version` is the store's to set."""
    is_session = isinstance(value, Session)
    item: dict[str, dict[str, Any]] = {"PK": {"S": value.key.pk}, "SK": {"S": value.key.sk}}
    for name in _SESSION_TEXTS if is_session else _REVOCATION_TEXTS:
        text = getattr(value, name)
        if text is not None:
            item[name] = {"S": text}
    for name in _SESSION_TIMES if is_session else _REVOCATION_TIMES:
        moment = getattr(value, name)
        if moment is not None:
            item[name] = {"S": format_rfc3339(moment)}
    if isinstance(value, Session) and value.expires_at is not None:
        item["expires_at"] = {"N": str(to_epoch_seconds(value.expires_at))}
    if value.ttl is not None:
        item["ttl"] = {"N": str(value.ttl)}
    return item


def with_parent(child: Session, parents: Mapping[str, Session]) -> Session:
    """Attach the parent's item, by the child's customer; a child of the original schema names none, so the only one."""
    parent = parents.get(child.customer_id) if child.customer_id is not None else None
    if child.customer_id is None and len(parents) == 1:
        parent = next(iter(parents.values()))
    return replace(child, parent=parent, customer_id=child.customer_id or (parent.customer_id if parent else None))
