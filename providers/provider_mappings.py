"""Mappings of identity systems: which one recognises an event, and what it makes of it.

Imported at the first event that is not canonical, so that a function which sees none starts without it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from providers.mapping_files import MappingError, read_mapping_file
from providers.mapping_format import MappingFile, Rule
from providers.namespaces import NO_NAMESPACES, Namespaces
from providers.recognition import RecognitionIndex
from providers.results import IgnoredEvent
from providers.translation import Translation, first_present
from providers.values import read_id
from schemas.errors import RejectedEventError
from schemas.events import Event, parse_event
from schemas.secrets import type_name

DIRECTORY = Path(__file__).parent / "mappings"
"""The bundled mapping files."""


class ProviderMapping:
    """Reads the events of one identity system.

    Args:
        file: Its mapping file.
    """

    def __init__(self, file: MappingFile) -> None:
        self.provider = file.provider
        self.file = file
        self._rules = [(rule, file.fields.overridden_by(rule)) for rule in file.events]

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
        view = self.view(event)
        event_type = self._type_of(view, envelope)
        for rule, paths in self._rules:
            if _applies(rule, event_type, view):
                return Translation(self.file, event_type or "", paths, view, envelope or {}).canonical(rule)
        return IgnoredEvent(self.provider, event_type or "")

    def type_of(self, event: dict[str, Any], envelope: Mapping[str, Any] | None = None) -> str:
        """Give an event's type as its system calls it, fit to be shown; `(unnamed)` where it has none."""
        return type_name(self._type_of(self.view(event), envelope) or "")

    def view(self, event: dict[str, Any]) -> object:
        """Return the event in the form that the mapping's expressions are for."""
        return event if self.file.view is None else self.file.view.search(event)

    def _type_of(self, view: object, envelope: Mapping[str, Any] | None) -> str | None:
        if self.file.detail_type and envelope is not None and isinstance(envelope.get("detail-type"), str):
            return str(envelope["detail-type"])
        value = first_present(self.file.type, view)
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
        self._index = RecognitionIndex([mapping.file for mapping in self.mappings])

    def recognise(self, event: dict[str, Any], source: object = None) -> list[ProviderMapping]:
        """Find the mappings that recognise an event: none, one, or a mistake."""
        return [self.mappings[number] for number in self._index.matches(event, source)]

    def page_members(self, content: dict[str, Any]) -> tuple[str, list[Any]] | None:
        """Return the system and the events of a page as its API lists them; None for what is no known page.

        Raises:
            RejectedEventError: The page's list is not a list.
        """
        found = self._index.page(content)
        if found is None:
            return None
        file, page = found
        members = page.listed(content)
        if members is not None and not isinstance(members, list):
            raise RejectedEventError(f"a page of {file.provider} without a list: {page.members.text}")
        return file.provider, members or []

    def nearest(self, event: dict[str, Any]) -> str:
        """Describe the system that an unrecognised event looks most like; empty where there is none."""
        return self._index.nearest(event)

    def member_names(self) -> frozenset[str]:
        """Return the names of all members that the mappings read."""
        return frozenset(name for mapping in self.mappings for name in mapping.file.member_names)

    def read(
        self,
        event: dict[str, Any],
        *,
        envelope: Mapping[str, Any] | None = None,
        sent_at: datetime | None = None,
        namespaces: Namespaces = NO_NAMESPACES,
    ) -> Event | IgnoredEvent | None:
        """Read an event of an identity system.

        Args:
            event: The event, out of its envelopes.
            envelope: The EventBridge event around it.
            sent_at: When the message was sent, aware UTC; None skips the check of clocks.
            namespaces: How ids of customers and sessions are told apart.

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
            parsed = parse_event(fields, sent_at=sent_at)
            return None if parsed is None else namespaces.applied(parsed, mapping.file, mapping.view(event))
        except RejectedEventError as error:
            reason = f"{mapping.provider} {mapping.type_of(event, envelope)}: {error.reason}"
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
    """Return the bundled mappings, read once."""
    return load_mappings(DIRECTORY)


def _applies(rule: Rule, event_type: str | None, view: object) -> bool:
    if rule.types is not None and event_type not in rule.types:
        return False
    return rule.when is None or rule.when.holds(view)
