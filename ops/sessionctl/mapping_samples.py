"""Events in sample files, and what mappings make of each: where one stands, its type, the result."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.sessionctl.failures import CannotRunError
from providers.envelopes import IgnoredEvent, Providers, ReadEvent, RejectedEvent, read_events
from providers.mapping_format import MappingFile
from providers.provider_mappings import ProviderMapping, ProviderMappings, bundled_mappings
from schemas.errors import RejectedEventError
from schemas.events import Event, to_json

EXPECTED = ".expected.json"
"""How the name of a file ends that says what is expected of the sample beside it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A message as a system sends it.

    Attributes:
        name: How it is shown.
        text: The message.
        expected: What is expected of each of its events; None where nobody said.
    """

    name: str
    text: str
    expected: list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What was made of one event of a sample.

    Attributes:
        document: Outcome (`read`, `ignored`, `rejected`), and event, type and provider, or reason.
        providers: Whose mappings recognise it: one, none, or by mistake several.
        event_type: Its type as the system calls it; empty where no mapping recognised it.
    """

    document: dict[str, Any]
    providers: tuple[str, ...] = ()
    event_type: str = ""


def read_samples(places: Sequence[Path]) -> list[Sample]:
    """Read sample files, and those in folders, at any depth.

    Raises:
        CannotRunError: There is none, or one cannot be read.
    """
    samples = [_sample(path, folder if len(places) == 1 else folder.parent) for path, folder in _files(places)]
    if not samples:
        raise CannotRunError(f"no samples (*.json, *.jsonl) in {', '.join(map(str, places))}")
    return samples


def _files(places: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    for place in places:
        if place.is_dir():
            found = sorted(path for path in place.rglob("*.json*") if path.suffix in (".json", ".jsonl"))
            yield from ((path, place) for path in found if not path.name.endswith(EXPECTED))
        else:
            yield place, place.parent


def _sample(path: Path, folder: Path) -> Sample:
    beside = path.with_suffix(EXPECTED)
    try:
        text = path.read_text(encoding="utf-8").strip()
        expected = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else None
    except (OSError, ValueError) as error:
        raise CannotRunError(f"{path}: cannot be read: {error}") from None
    whole = _token(text)
    return Sample(
        str(path.relative_to(folder).with_suffix("")),
        text if whole is None else whole,
        [expected] if isinstance(expected, dict) else expected,
    )


def _token(text: str) -> str | None:
    """Return a token that stands in a file as a JSON string: on a queue it comes without quotes."""
    if not text.startswith('"'):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, str) else None


class _Observed(ProviderMappings):
    """Mappings that remember whose each event was, and its type."""

    def __init__(self, mappings: Iterable[ProviderMapping]) -> None:
        super().__init__(mappings)
        self._events: list[tuple[object, tuple[str, ...], str]] = []

    def read(self, event: dict[str, Any], **context: Any) -> Event | IgnoredEvent | None:
        envelope = context.get("envelope")
        found = self.recognise(event, None if envelope is None else envelope.get("source"))
        names = tuple(mapping.provider for mapping in found)
        event_type = found[0].type_of(event, envelope) if found else ""
        try:
            result = super().read(event, **context)
        except RejectedEventError as error:
            self._events.append((error.reason, names, event_type))
            raise
        self._events.append((result, names, event_type))
        return result

    def whose(self, reading: ReadEvent) -> tuple[tuple[str, ...], str]:
        """Return the systems and the type of what was read; none and empty for what no mapping recognised."""
        for result, names, event_type in self._events:
            if result is reading or (isinstance(reading, RejectedEvent) and _ends_with(reading, result)):
                return names, event_type
        return (), ""


def _ends_with(reading: RejectedEvent, reason: object) -> bool:
    """Whether it was rejected for a reason; the place in the message may stand before that."""
    return isinstance(reason, str) and reading.error.reason.endswith(reason)


def readings(sample: Sample, mappings: Iterable[ProviderMapping]) -> list[Reading]:
    """Read a sample as a consumer would, and say whose each event is."""
    observed = _Observed(mappings)
    found = read_events(sample.text, sent_at=None, providers=Providers(lambda: observed))
    return [Reading(_document(reading), *observed.whose(reading)) for reading in found]


def with_bundled(file: MappingFile) -> list[ProviderMapping]:
    """Return the bundled mappings and this one, which replaces one of the same system."""
    others = (other for other in bundled_mappings().mappings if other.provider != file.provider)
    return [*others, ProviderMapping(file)]


class _Collector(ProviderMappings):
    """No mappings: takes each event out of its envelopes, and reads none."""

    def __init__(self) -> None:
        super().__init__(())
        self.found: list[tuple[dict[str, Any], Mapping[str, Any] | None]] = []

    def read(self, event: dict[str, Any], **context: Any) -> IgnoredEvent:
        self.found.append((event, context.get("envelope")))
        return IgnoredEvent()


def events_in(samples: Iterable[Sample]) -> list[tuple[dict[str, Any], Mapping[str, Any] | None]]:
    """Take the events out of the envelopes of samples; each with the EventBridge event around it, if any."""
    collector = _Collector()
    for sample in samples:
        read_events(sample.text, sent_at=None, providers=Providers(lambda: collector))
    return collector.found


def _document(reading: ReadEvent) -> dict[str, Any]:
    if isinstance(reading, RejectedEvent):
        return {"outcome": "rejected", "reason": reading.error.reason}
    if isinstance(reading, IgnoredEvent):
        return {"outcome": "ignored", "provider": reading.provider, "type": reading.event_type}
    return {"outcome": "read", "provider": reading.source, "event": to_json(reading)}
