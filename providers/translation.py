"""One event of an identity system, written as the canonical event: the rules that all mappings share."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from providers.expressions import Expression
from providers.mapping_format import FieldPaths, MappingFile, Paths, Rule
from providers.misplaced import misplaced_name
from providers.values import (
    clean_ip,
    clean_text,
    derived_event_id,
    derived_session_id,
    is_absent,
    read_id,
    read_time,
)
from schemas.errors import RejectedEventError
from schemas.secrets import type_name
from schemas.times import format_rfc3339

_LONGEST = {"device_id": 256, "country": 64}
_LONGEST_REASON = 64


def first_present(paths: Paths | None, view: object, absent: tuple[str, ...] = ()) -> Any:
    """Return the first value that is present, or None.

    Args:
        paths: Where to look, in order.
        view: The event.
        absent: Placeholders of the system, in lower case.
    """
    for path in paths or ():
        value = path.search(view)
        if not _is_missing(value, path, absent):
            return value
    return None


def _is_missing(value: Any, path: Expression, absent: tuple[str, ...]) -> bool:
    """True for no value: false is none where a condition does not hold, but a wrong value where a path leads to it."""
    if is_absent(value) or (value is False and not path.is_path):
        return True
    return bool(absent) and isinstance(value, str) and value.lower() in absent


@dataclass(frozen=True, slots=True)
class Translation:
    """Writes one event as the canonical event.

    Attributes:
        mapping: The mapping of the identity system.
        event_type: The event's type as that system calls it.
        paths: Where its fields are.
        view: The event in the form that the paths are for.
        envelope: The EventBridge event around it, for the `id` and `time` that it may lack.
    """

    mapping: MappingFile
    event_type: str
    paths: FieldPaths
    view: object
    envelope: Mapping[str, Any]

    def canonical(self, rule: Rule) -> dict[str, Any]:
        """Return the canonical JSON object, not validated yet.

        Raises:
            RejectedEventError: It lacks what is needed, or the rule rejects it.
        """
        if rule.is_ == "rejected":
            raise self._rejection(self._because(rule))
        customer_id, session_id = self._id("customer_id"), self._id("session_id")
        for name, value in (("customer_id", customer_id), ("session_id", session_id)):
            if value is None and name in rule.requires:
                raise self._missing(name)
        self._check_not_misplaced("customer_id", customer_id is not None)
        self._check_not_misplaced("session_id", rule.is_ != "logout_all")
        kind = "logout_all" if rule.is_ == "logout" and session_id is None else rule.is_
        if customer_id is None and kind != "logout":
            raise self._missing("customer_id", "session_id" if rule.is_ == "logout" else None)
        occurred_at = self._occurred_at()
        event_id = self._event_id() or derived_event_id(
            (self.mapping.provider, self.event_type, customer_id, session_id, occurred_at)
        )
        if kind == "login" and session_id is None:
            session_id = derived_session_id(self.mapping.provider, event_id)
        fields = {
            "event_id": event_id,
            "event_type": kind,
            "occurred_at": occurred_at,
            "customer_id": customer_id,
            "session_id": None if kind == "logout_all" else session_id,
            "parent_session_id": self._id("parent_session_id"),
            "except_session_id": self._id("except_session_id"),
            "expires_at": self._time("expires_at"),
            "client": self._client() if kind == "login" else None,
            "reason": self._reason(),
            "source": self.mapping.provider,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def _id(self, name: str) -> str | None:
        value = self._readable(name)
        try:
            return None if value is None else read_id(value)
        except ValueError as error:
            raise self._rejection(f"{name} {error}: {self._where(name)}") from None

    def _check_not_misplaced(self, name: str, matters: bool) -> None:
        """Reject an event whose id seems to stand where it is not read, before it counts as absent or another does."""
        paths: Paths = getattr(self.paths, name) or ()
        missing = list(takewhile(lambda path: _is_missing(path.search(self.view), path, self.mapping.absent), paths))
        if not (matters and missing):
            return
        found = misplaced_name(missing, paths[len(missing) :], self.view, self.mapping)
        if found is not None:
            raise self._rejection(f"{name} is missing, and {type_name(found)} looks like it: {self._where(name)}")

    def _event_id(self) -> str | None:
        """Return its own id, else that of its envelope, which differs each time the event is published."""
        if (event_id := self._id("event_id")) is not None:
            return event_id
        envelope_id = self.envelope.get("id")
        return envelope_id if isinstance(envelope_id, str) and not is_absent(envelope_id) else None

    def _occurred_at(self) -> str:
        """Return the event's own time, also where that of its envelope is earlier; else that of the envelope."""
        moment = self._time("occurred_at")
        if moment is not None:
            return moment
        try:
            return format_rfc3339(read_time(self.envelope.get("time")))
        except ValueError:
            raise self._missing("occurred_at") from None

    def _time(self, name: str) -> str | None:
        value = self._readable(name)
        try:
            return None if value is None else format_rfc3339(read_time(value))
        except ValueError as error:
            raise self._rejection(f"{name} {error}: {self._where(name)}") from None

    def _client(self) -> dict[str, str] | None:
        client = self.paths.client
        user_agent = first_present(client.user_agent, self.view)
        values = {
            "ip": next(filter(None, (clean_ip(path.search(self.view)) for path in client.ip or ())), None),
            "user_agent": user_agent if isinstance(user_agent, str) else None,
            "device_id": clean_text(first_present(client.device_id, self.view), longest=_LONGEST["device_id"]),
            "country": clean_text(first_present(client.country, self.view), longest=_LONGEST["country"]),
        }
        return {name: value for name, value in values.items() if value is not None} or None

    def _reason(self) -> str | None:
        reason = self._value("reason")
        return clean_text(reason[:_LONGEST_REASON] if isinstance(reason, str) else None, longest=_LONGEST_REASON)

    def _value(self, name: str) -> Any:
        return first_present(getattr(self.paths, name), self.view, self.mapping.absent)

    def _readable(self, name: str) -> Any:
        """Return a value as `_value` does; one that cannot be read is rejected: neither absent nor passed over."""
        for path in getattr(self.paths, name) or ():
            if path.is_blocked(self.view):
                raise self._rejection(
                    f"{name} cannot be read, because a member on its path is not an object: {self._where(name)}"
                )
            if not _is_missing(value := path.search(self.view), path, self.mapping.absent):
                return value
        return None

    def _because(self, rule: Rule) -> str:
        shown = None if rule.showing is None else rule.showing.search(self.view)
        return f"{rule.because}: {type_name(shown)}" if isinstance(shown, str) else rule.because or ""

    def _where(self, name: str) -> str:
        paths: Paths | None = getattr(self.paths, name)
        return " || ".join(path.text for path in paths or ()) or "the mapping names no path"

    def _missing(self, name: str, other: str | None = None) -> RejectedEventError:
        missing = f"{name} is missing: {self._where(name)}"
        return self._rejection(missing if other is None else f"{missing}; and so is {other}: {self._where(other)}")

    def _rejection(self, problem: str) -> RejectedEventError:
        event_id = self._value("event_id")
        return RejectedEventError(
            f"{self.mapping.provider} {type_name(self.event_type)}: {problem}",
            event_id=event_id if isinstance(event_id, str) and event_id.isprintable() else None,
        )
