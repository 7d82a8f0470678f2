"""Which mappings recognise an event: an index, so that many mappings cost little more than few."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from providers.mapping_format import MappingFile, Page, Recognition


class RecognitionIndex:
    """Finds mappings by the members of an event.

    Each way of recognition is filed under the one of its members that the fewest others name; only ways whose member
    the event has are tried.

    Args:
        files: The mappings, in order.
    """

    def __init__(self, files: Sequence[MappingFile]) -> None:
        self._files = files
        uses = Counter(name for file in files for way in file.recognise for name in way.has)
        self._by_member: dict[str, list[tuple[int, Recognition]]] = {}
        self._by_source: list[tuple[int, Recognition]] = []
        self._others: list[tuple[int, Recognition]] = []
        for number, file in enumerate(files):
            for way in file.recognise:
                if way.source is not None:
                    self._by_source.append((number, way))
                elif way.has:
                    rarest = min(way.has, key=lambda name: uses[name])
                    self._by_member.setdefault(rarest, []).append((number, way))
                else:
                    self._others.append((number, way))

    def matches(self, event: dict[str, Any], source: object) -> list[int]:
        """Return the positions of the mappings that recognise an event, in order.

        Args:
            event: The event.
            source: The `source` of the EventBridge event around it, if any.
        """
        found = {number for number, way in self._others if way.holds(event, source)}
        if isinstance(source, str):
            found.update(number for number, way in self._by_source if way.holds(event, source))
        by_member = self._by_member
        for name in event:
            if name in by_member:
                found.update(number for number, way in by_member[name] if way.holds(event, source))
        return sorted(found)

    def page(self, content: dict[str, Any]) -> tuple[MappingFile, Page] | None:
        """Return the page of a known system that an object is, if any."""
        for file in self._files:
            for page in file.page:
                if page.holds(content):
                    return file, page
        return None

    def nearest(self, event: dict[str, Any]) -> str:
        """Describe the system that an unrecognised event looks most like, from names of members alone; else empty."""
        best, described = (1, 0.5), ""
        for file in self._files:
            for way in file.recognise:
                missing = [name for name in way.has if name not in event]
                present = len(way.has) - len(missing)
                score = (present, present / len(way.has)) if way.has else (0, 0.0)
                if score[1] >= 0.5 and (score > best or (score == best and not described)):
                    best = score
                    lacks = f"{', '.join(missing)} is missing" if missing else "a condition does not hold"
                    described = f"it looks most like {file.provider}, but {lacks}"
        return described
