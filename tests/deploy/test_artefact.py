"""What is deployed: the same commit gives the same bytes, and the bill says what is in them."""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from ops.packaging.bill_of_materials import bill_of_materials, licences
from ops.packaging.files import content_digest, zip_folder
from ops.packaging.locks import read_lock
from ops.packaging.package import REQUIREMENTS, find_python
from tests.deploy.conftest import ROOT, run


class Artefacts(NamedTuple):
    one: Path
    another: Path


def package(target: Path, python: str, umask: int, **environment: str) -> Path:
    """Build in a process of its own, as `sam build` does."""
    subprocess.run(  # noqa: S603 # ours
        [python, "-m", "ops.packaging", "package", str(target)],
        cwd=ROOT,
        env={**os.environ, **environment},
        umask=umask,
        check=True,
    )
    return target


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Artefacts:
    """The artefact, built twice: by another user in another time zone, another folder, and by another Python."""
    folder = tmp_path_factory.mktemp("artefact")
    return Artefacts(
        package(folder / "one", sys.executable, 0o022, TZ="UTC", PYTHONHASHSEED="1"),
        package(
            *(folder / "a longer way" / "to another", find_python() or sys.executable, 0o077),
            TZ="Pacific/Auckland",
            LC_ALL="C",
            PYTHONHASHSEED="2",
        ),
    )


def test_two_builds_of_one_commit_have_the_same_files_bytes_and_modes(built: Artefacts) -> None:
    modes = [
        {path.relative_to(folder): stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
        for folder in built
    ]

    assert content_digest(built.one) == content_digest(built.another)
    assert modes[0] == modes[1]
    assert set(modes[0].values()) == {0o644, 0o755}
    assert zip_folder(built.one) == zip_folder(built.another)
    assert bill_of_materials(built.one, "digest") == bill_of_materials(built.another, "digest")
    assert licences(built.one) == licences(built.another)


def test_the_digest_is_the_one_that_the_page_makes_with_the_tools_of_any_machine(built: Artefacts) -> None:
    page = (ROOT / "docs" / "supply-chain.md").read_text(encoding="utf-8")
    [command] = re.findall(r"^find \. -type f.*$", page, re.MULTILINE)

    printed = run(["bash", "-c", command], dict(os.environ), cwd=built.one)

    assert printed.split()[0] == content_digest(built.one)


def test_the_artefact_holds_each_distribution_that_is_locked_for_it_and_the_bill_names_them(built: Artefacts) -> None:
    text = bill_of_materials(built.one, content_digest(built.one))
    bill: dict[str, Any] = json.loads(text)

    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)

    assert problem is None
    locked = {(pin.name, pin.version) for pin in read_lock(REQUIREMENTS)}
    assert {(one["name"], one["version"]) for one in bill["components"]} == locked
    assert all(one["licenses"] for one in bill["components"])
    needed = {entry["ref"]: entry.get("dependsOn", []) for entry in bill["dependencies"]}
    reached, pending = set(), ["session-event-processor"]
    while pending:
        reached.add(pending[-1])
        pending += [name for name in needed[pending.pop()] if name not in reached]
    assert {name.partition("==")[0] for name in reached} == {name for name, _ in locked} | {"session-event-processor"}
    assert all(f"{name} {version}: " in licences(built.one) for name, version in locked)
