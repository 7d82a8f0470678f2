"""Events of identity systems made canonical, each as its mapping file says. The rules that all of them share are here.

Imported at the first event that is not canonical, so that a function which sees none starts without it.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from providers.envelopes import IgnoredEvent
from providers.mapping_files import FieldPaths, MappingError, MappingFile, Paths, Rule, read_mapping_file
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
from schemas.events import Event, parse_event
from schemas.times import format_rfc3339

DIRECTORY = Path(__file__).parent / "mappings"
"""The mapping files that come along."""

_LONGEST = {"device_id": 256, "country": 64}
_LONGEST_REASON = 64
_TYPE_NAME = re.compile(r"\w[\w.:/ -]{0,63}", re.ASCII)


class ProviderMapping:
    """Reads the events of one identity system.

    Args:
        file: Its mapping file.
    """

    def __init__(self, file: MappingFile) -> None:
        self.provider = file.provider
        self._file = file
        self._rules = [(rule, file.fields.overridden_by(rule)) for rule in file.events]

    def recognises(self, event: dict[str, Any], source: object) -> bool:
        """Whether an event has this system's shape, or comes from its `source` on EventBridge."""
        return any(recognition.holds(event, source) for recognition in self._file.recognise)

    def canonical(
        self, event: dict[str, Any], envelope: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | IgnoredEvent:
        """Write an event as the canonical JSON object, not validated yet.

        Args:
            event: An event that is recognised.
            envelope: The EventBridge event around it, for the `id` and `time` that it may lack.

        Raises:
            RejectedEventError: It lacks what is needed; the reason names provider, type and path.
        """
        view = self._view(event)
        event_type = self._type_of(view)
        for rule, paths in self._rules:
            if _applies(rule, event_type, view):
                return _Making(self.provider, event_type or "", paths, view, envelope or {}).canonical(rule)
        return IgnoredEvent(self.provider, event_type or "")

    def type_of(self, event: dict[str, Any]) -> str:
        """Give an event's type as its system calls it, fit to be shown; `(unnamed)` where it has none."""
        return type_name(self._type_of(self._view(event)) or "")

    def _view(self, event: dict[str, Any]) -> object:
        return event if self._file.view is None else self._file.view.search(event)

    def _type_of(self, view: object) -> str | None:
        value = _first(self._file.type, view)
        try:
            return None if value is None else read_id(value)
        except ValueError:
            return None


class ProviderMappings:
    """The mappings of all identity systems.

    Args:
        mappings: One for each system.
    """

    def __init__(self, mappings: Iterable[ProviderMapping]) -> None:
        self.mappings = tuple(mappings)

    def recognise(self, event: dict[str, Any], source: object = None) -> list[ProviderMapping]:
        """Find the mappings that recognise an event: none, one, or a mistake."""
        return [mapping for mapping in self.mappings if mapping.recognises(event, source)]

    def read(
        self, event: dict[str, Any], *, envelope: Mapping[str, Any] | None = None, sent_at: datetime | None = None
    ) -> Event | IgnoredEvent | None:
        """Read an event of an identity system.

        Args:
            event: The event, out of its envelopes.
            envelope: The EventBridge event around it.
            sent_at: When the message was sent, aware UTC; None skips the check of clocks.

        Returns:
            The canonical event, what is known of one that is ignored, or None where no system has this shape.

        Raises:
            RejectedEventError: No retry can fix it; or two mappings recognise it, which is theirs to mend.
        """
        found = self.recognise(event, None if envelope is None else envelope.get("source"))
        if not found:
            return None
        if len(found) > 1:
            names = " and ".join(mapping.provider for mapping in found)
            raise RejectedEventError(f"the mappings of {names} both recognise this event; make one of them narrower")
        [mapping] = found
        fields = mapping.canonical(event, envelope)
        if isinstance(fields, IgnoredEvent):
            return fields
        try:
            return parse_event(fields, sent_at=sent_at)
        except RejectedEventError as error:
            reason = f"{mapping.provider} {mapping.type_of(event)}: {error.reason}"
            raise RejectedEventError(reason, event_id=error.event_id) from None


def load_mappings(*directories: Path) -> ProviderMappings:
    """Read every mapping file of some directories; a later file of the same provider replaces an earlier one.

    Raises:
        MappingError: A file is wrong, a directory is not there, or two files of one directory have one provider.
    """
    mappings: dict[str, ProviderMapping] = {}
    for directory in directories:
        if not directory.is_dir():
            raise MappingError(f"{directory}: no such directory of mapping files")
        here: dict[str, Path] = {}
        for path in sorted(directory.glob("*.toml")):
            file = read_mapping_file(path)
            if file.provider in here:
                raise MappingError(f"{path}:1: {here[file.provider].name} is a mapping of {file.provider} already")
            here[file.provider] = path
            mappings[file.provider] = ProviderMapping(file)
    return ProviderMappings(mappings.values())


@lru_cache(maxsize=1)
def bundled_mappings() -> ProviderMappings:
    """Give the mappings that come along, read once."""
    return load_mappings(DIRECTORY)


def type_name(event_type: str) -> str:
    """Make a type fit to stand in logs and reasons: whoever sends an event decides what it says."""
    return event_type if _TYPE_NAME.fullmatch(event_type) else "(unnamed)"


def _applies(rule: Rule, event_type: str | None, view: object) -> bool:
    if rule.types is not None and event_type not in rule.types:
        return False
    return rule.when is None or rule.when.holds(view)


def _first(paths: Paths | None, view: object) -> Any:
    for path in paths or ():
        value = path.search(view)
        if not is_absent(value) and value is not False:
            return value
    return None


class _Making:
    """One canonical event in the making."""

    def __init__(
        self, provider: str, event_type: str, paths: FieldPaths, view: object, envelope: Mapping[str, Any]
    ) -> None:
        self._provider = provider
        self._event_type = event_type
        self._paths = paths
        self._view = view
        self._envelope = envelope

    def canonical(self, rule: Rule) -> dict[str, Any]:
        if rule.is_ == "rejected":
            raise self._rejection(rule.because or "")
        customer_id, session_id = self._id("customer_id"), self._id("session_id")
        kind = "logout_all" if rule.is_ == "logout" and session_id is None else rule.is_
        if customer_id is None and kind != "logout":
            raise self._missing("customer_id", "session_id" if rule.is_ == "logout" else None)
        occurred_at = self._occurred_at()
        event_id = self._event_id() or derived_event_id(
            (self._provider, self._event_type, customer_id, session_id, occurred_at)
        )
        if kind == "login" and session_id is None:
            session_id = derived_session_id(self._provider, event_id)
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
            "source": self._provider,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def _id(self, name: str) -> str | None:
        value = self._value(name)
        try:
            return None if value is None else read_id(value)
        except ValueError as error:
            raise self._rejection(f"{name} {error}: {self._where(name)}") from None

    def _event_id(self) -> str | None:
        """Only an event without an id takes that of its envelope, which is another for each time it is published."""
        if (event_id := self._id("event_id")) is not None:
            return event_id
        envelope_id = self._envelope.get("id")
        return envelope_id if isinstance(envelope_id, str) and not is_absent(envelope_id) else None

    def _occurred_at(self) -> str:
        """The event's own time beats that of its envelope, also where that is later."""
        moment = self._time("occurred_at")
        if moment is not None:
            return moment
        try:
            return format_rfc3339(read_time(self._envelope.get("time")))
        except ValueError:
            raise self._missing("occurred_at") from None

    def _time(self, name: str) -> str | None:
        value = self._value(name)
        try:
            return None if value is None else format_rfc3339(read_time(value))
        except ValueError as error:
            raise self._rejection(f"{name} {error}: {self._where(name)}") from None

    def _client(self) -> dict[str, str] | None:
        client = self._paths.client
        user_agent = _first(client.user_agent, self._view)
        values = {
            "ip": next(filter(None, (clean_ip(path.search(self._view)) for path in client.ip or ())), None),
            "user_agent": user_agent if isinstance(user_agent, str) else None,
            "device_id": clean_text(_first(client.device_id, self._view), longest=_LONGEST["device_id"]),
            "country": clean_text(_first(client.country, self._view), longest=_LONGEST["country"]),
        }
        return {name: value for name, value in values.items() if value is not None} or None

    def _reason(self) -> str | None:
        reason = self._value("reason")
        return clean_text(reason[:_LONGEST_REASON] if isinstance(reason, str) else None, longest=_LONGEST_REASON)

    def _value(self, name: str) -> Any:
        return _first(getattr(self._paths, name), self._view)

    def _where(self, name: str) -> str:
        paths: Paths | None = getattr(self._paths, name)
        return " || ".join(path.text for path in paths or ()) or "the mapping names no path"

    def _missing(self, name: str, other: str | None = None) -> RejectedEventError:
        missing = f"{name} is missing: {self._where(name)}"
        return self._rejection(missing if other is None else f"{missing}; and so is {other}: {self._where(other)}")

    def _rejection(self, problem: str) -> RejectedEventError:
        event_id = self._value("event_id")
        return RejectedEventError(
            f"{self._provider} {type_name(self._event_type)}: {problem}",
            event_id=event_id if isinstance(event_id, str) and event_id.isprintable() else None,
        )
