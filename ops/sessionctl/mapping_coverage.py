"""Which types that a mapping knows have no sample."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ops.sessionctl.mapping_samples import Sample, readings
from providers.mapping_format import MappingFile
from providers.provider_mappings import ProviderMapping


@dataclass(frozen=True, slots=True)
class Coverage:
    """The types of a mapping, with and without a sample.

    Attributes:
        provider: The system.
        covered: Types that its rules or its `ignored` name and a sample has.
        missing: Those that none has.
        others: Types of samples that it does not name.
    """

    provider: str
    covered: tuple[str, ...]
    missing: tuple[str, ...]
    others: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "provider": self.provider,
            "known": len(self.covered) + len(self.missing),
            "without_sample": list(self.missing),
            "not_named": list(self.others),
        }


def coverage(files: Sequence[MappingFile], samples: Iterable[Sample]) -> list[Coverage]:
    """Compare the types that mappings name with those of samples."""
    mappings = [ProviderMapping(file) for file in files]
    found = [reading for sample in samples for reading in readings(sample, mappings)]
    return [_of(file, {each.event_type for each in found if file.provider in each.providers}) for file in files]


def _of(file: MappingFile, seen: set[str]) -> Coverage:
    known = list(dict.fromkeys([name for rule in file.events for name in rule.types or ()] + list(file.ignored)))
    covered = tuple(name for name in known if name in seen)
    missing = tuple(name for name in known if name not in seen)
    return Coverage(file.provider, covered, missing, tuple(sorted(seen.difference(known))))
