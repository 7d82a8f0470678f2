"""The locks that `make lock` writes: each distribution to the version, with the hashes of its files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ops.packaging.package import BuildError


@dataclass(frozen=True, slots=True)
class Pin:
    """One distribution of a lock.

    Attributes:
        requirement: Its name, its version and the machines that it is for.
        hashes: Of its files, one of which is installed: `sha256:` and the digits.
    """

    requirement: Requirement
    hashes: frozenset[str]

    @property
    def name(self) -> str:
        """The name in its normal form."""
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        """The only version that is accepted."""
        return next(iter(self.requirement.specifier)).version

    @property
    def is_for_this_machine(self) -> bool:
        """Whether this interpreter, on this machine, needs it."""
        return self.requirement.marker is None or self.requirement.marker.evaluate()


def read_lock(file: Path) -> tuple[Pin, ...]:
    """Read a lock.

    Raises:
        BuildError: A line pins no version, or has no hash; the message names it.
        OSError: The file cannot be read.
    """
    return tuple(_pins(file))


def _pins(file: Path) -> Iterator[Pin]:
    lines = file.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    for line in lines:
        text, *hashes = line.partition("#")[0].split("--hash=")
        if not line.partition("#")[0].strip():
            continue
        try:
            requirement = Requirement(text.strip())
        except InvalidRequirement as error:
            raise BuildError(f"{file.name}: {text.strip()} is no requirement: run make lock") from error
        if [found.operator for found in requirement.specifier] != ["=="] or requirement.url is not None:
            raise BuildError(f"{file.name}: {text.strip()} is not pinned to one version: run make lock")
        digests = frozenset(digest.strip() for digest in hashes)
        if not digests or not all(digest.startswith("sha256:") for digest in digests):
            raise BuildError(f"{file.name}: {text.strip()} has no SHA-256: run make lock")
        yield Pin(requirement, digests)
