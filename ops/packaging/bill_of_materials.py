"""What a package for Lambda holds of others: a bill of materials, and the licences that go with it.

Both are read from the package itself, and are the same for the same package: there is no date and no random number.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PathDistribution
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.spdx import is_expression, is_supported_id
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ops.checkout import CHECKOUT
from ops.packaging.package import PYTHON_VERSION, BuildError

_LAMBDA = {
    "python_version": PYTHON_VERSION,
    "python_full_version": f"{PYTHON_VERSION}.0",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "aarch64",
    "os_name": "posix",
    "extra": "",
}
"""The machine for which markers of requirements are read."""


@dataclass(frozen=True, slots=True)
class _Shipped:
    """A distribution in a package, and the folder of its metadata."""

    name: str
    info: Path
    distribution: PathDistribution

    def __str__(self) -> str:
        return f"{self.name} {self.distribution.version}"

    @property
    def licence(self) -> str:
        """The licence as SPDX writes it."""
        metadata = self.distribution.metadata
        stated = next((metadata[name] for name in ("License-Expression", "License") if name in metadata), "none")
        if not (is_supported_id(stated) or is_expression(stated)):
            raise BuildError(f"{self}: its licence, {stated[:60]!r}, is not SPDX's: look at it before it ships")
        return stated

    @property
    def licence_texts(self) -> list[str]:
        """Of the files that PEP 639 puts into `licenses`, and that stood beside METADATA before it."""
        files = [path for path in sorted(self.info.rglob("*")) if path.name.upper().startswith(("LICEN", "COPYING"))]
        return [path.read_text(encoding="utf-8").strip() for path in files if path.is_file()]


def bill_of_materials(package: Path, digest: str) -> str:
    """Write what a package holds as CycloneDX 1.6, in JSON.

    Args:
        package: The folder that Lambda gets.
        digest: Of its content, from `content_digest`.

    Raises:
        BuildError: It holds no distribution, or one whose licence is not on the SPDX list.
    """
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shipped = _shipped(package)
    root = Component(
        type=ComponentType.APPLICATION,
        name=project["name"],
        version=project["version"],
        bom_ref=project["name"],
        licenses=[LicenseFactory().make_from_string(project["license"])],
        properties=[Property(name=f"{project['name']}:content-sha256", value=digest)],
    )
    components = {one.name: _component(one) for one in shipped}
    bill = Bom(
        components=components.values(),
        metadata=BomMetaData(component=root),
        serial_number=uuid5(NAMESPACE_URL, f"sha256:{digest}"),
    )
    bill.metadata.timestamp = None  # type: ignore[assignment] # optional in CycloneDX; the library sets the time of day
    needs = [(root, project["dependencies"])]
    needs += [(components[one.name], one.distribution.requires or []) for one in shipped]
    for component, requirements in needs:
        bill.register_dependency(component, [components[name] for name in _names(requirements) if name in components])
    return JsonV1Dot6(bill).output_as_string(indent=1) + "\n"


def licences(package: Path) -> str:
    """Write each distribution of a package, its licence, and the text of the licence.

    Raises:
        BuildError: It holds no distribution, or one whose licence is not on the SPDX list, or brings no text of it.
    """
    parts = []
    for one in _shipped(package):
        texts = one.licence_texts
        if not texts:
            raise BuildError(f"{one} brings no text of its licence, which has to be shipped with it")
        title = f"{one}: {one.licence}"
        parts.append("\n\n".join([title, "=" * len(title), *texts]))
    return "\n\n\n".join(parts) + "\n"


def _shipped(package: Path) -> list[_Shipped]:
    """Give the distributions in a folder, sorted by name."""
    found = [(info, PathDistribution(info)) for info in package.glob("*.dist-info")]
    if not found:
        raise BuildError(f"{package} holds no distribution: run make build")
    shipped = [_Shipped(canonicalize_name(one.metadata["Name"]), info, one) for info, one in found]
    return sorted(shipped, key=lambda one: one.name)


def _component(one: _Shipped) -> Component:
    version = one.distribution.version
    return Component(
        name=one.name,
        version=version,
        bom_ref=f"{one.name}=={version}",
        licenses=[LicenseFactory().make_from_string(one.licence)],
        purl=PackageURL("pypi", name=one.name, version=version),
    )


def _names(requirements: list[str]) -> Iterator[str]:
    """Give what is required on Lambda."""
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(_LAMBDA):
            yield canonicalize_name(requirement.name)
