"""The locks pin everything, with hashes, agree with each other, and with what they were made from."""

import hashlib
import re
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ops.checkout import CHECKOUT
from ops.packaging.locks import Pin, read_lock
from ops.packaging.package import REQUIREMENTS, BuildError, install

FOLDER = CHECKOUT / "requirements"
LOCKS = [REQUIREMENTS, *sorted(FOLDER.glob("*.txt"))]
OURS = "session-event-processor"
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCKED = {
    "requirements.txt": [],
    "dev.txt": [*EXTRAS["ops"], *EXTRAS["analytics"], *EXTRAS["build"], *EXTRAS["dev"]],
    "ops.txt": [*EXTRAS["ops"], *EXTRAS["analytics"]],
}
"""Which of the extras each lock holds, beside the dependencies."""
WHEEL = "found-1.0-py3-none-any.whl"


def name_of(lock: Path) -> str:
    return str(lock.relative_to(CHECKOUT))


def versions(lock: Path) -> dict[str, set[str]]:
    """The versions of a distribution, of which there may be two for two Pythons."""
    found: dict[str, set[str]] = {}
    for pin in read_lock(lock):
        found.setdefault(pin.name, set()).add(pin.version)
    return found


def unmet(requirements: list[str], pins: tuple[Pin, ...]) -> list[str]:
    """What no pin meets, of requirements."""
    asked = [Requirement(text) for text in requirements]
    return [
        str(requirement)
        for requirement in asked
        if requirement.name != OURS
        and not any(
            pin.name == canonicalize_name(requirement.name) and requirement.specifier.contains(pin.version)
            for pin in pins
        )
    ]


def wheel(folder: Path) -> str:
    """Write a distribution with one module into a folder, and give its hash."""
    files = {
        "found.py": "",
        "found-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: found\nVersion: 1.0\n",
        "found-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "found-1.0.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest()


@pytest.mark.parametrize("lock", LOCKS, ids=name_of)
def test_a_lock_pins_each_of_its_lines_with_hashes_and_names_no_index(lock: Path) -> None:
    """An index has a name on each machine; it may serve no other file anywhere."""
    pins = read_lock(lock)

    assert pins
    assert not [line for line in lock.read_text(encoding="utf-8").splitlines() if line.startswith("-") or "://" in line]


@pytest.mark.parametrize(
    "lock", [lock for lock in LOCKS if lock.stem in {"requirements", "ops", "lambda"}], ids=name_of
)
def test_what_ships_what_runs_locally_and_what_lambda_brings_is_what_the_tests_run_on(lock: Path) -> None:
    tested = versions(FOLDER / "dev.txt")

    assert {name: found for name, found in versions(lock).items() if found != tested.get(name)} == {}


@pytest.mark.parametrize("name", LOCKED)
def test_a_lock_meets_every_requirement_of_the_project(name: str) -> None:
    """Where this fails, pyproject.toml was changed without `make lock`."""
    [lock] = [lock for lock in LOCKS if lock.name == name]

    assert unmet([*PROJECT["dependencies"], *LOCKED[name]], read_lock(lock)) == []


@pytest.mark.parametrize("source", sorted(FOLDER.glob("*.in")), ids=name_of)
def test_a_lock_meets_every_requirement_of_its_source(source: Path) -> None:
    lines = [line.partition("#")[0].strip() for line in source.read_text(encoding="utf-8").splitlines()]

    assert unmet([line for line in lines if line], read_lock(source.with_suffix(".txt"))) == []


def test_every_action_of_the_workflows_is_a_commit_and_no_tag_that_may_move() -> None:
    workflows = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
    used = [line for path in workflows for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]

    assert used
    assert [line for line in used if not re.fullmatch(r" *- uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", line)] == []


def test_the_bundle_ships_nothing_that_lambda_brings() -> None:
    assert not versions(REQUIREMENTS).keys() & {"awslambdaric", "boto3", "botocore", "s3transfer", "urllib3"}


@pytest.mark.slow
def test_a_file_of_the_locked_hash_is_installed_and_of_another_hash_refused_with_what_to_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text(f"found==1.0 \\\n    --hash=sha256:{wheel(tmp_path)}\n")
    bad.write_text(f"found==1.0 \\\n    --hash=sha256:{hashlib.sha256(b'another').hexdigest()}\n")
    offline = ("--no-index", "--find-links", str(tmp_path))

    install(tmp_path / "one", good, *offline)
    with pytest.raises(BuildError, match=r"bad\.txt cannot be installed as it is locked.*A hash that does not match"):
        install(tmp_path / "other", bad, *offline)

    assert (tmp_path / "one" / "found.py").exists()
    assert not (tmp_path / "other").exists()
    assert "DO NOT MATCH THE HASHES" in capfd.readouterr().err


@pytest.mark.slow
def test_a_distribution_that_is_in_no_lock_is_not_installed(tmp_path: Path) -> None:
    wheel(tmp_path)
    (tmp_path / "lock.txt").write_text("found==1.0\n")

    with pytest.raises(BuildError, match="cannot be installed as it is locked"):
        install(tmp_path / "one", tmp_path / "lock.txt", "--no-index", "--find-links", str(tmp_path))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("found==1.0", "found==1.0 has no SHA-256"),
        ("found==1.0 --hash=md5:00", "found==1.0 has no SHA-256"),
        ("found>=1.0 --hash=sha256:00", "found>=1.0 is not pinned"),
        ("found --hash=sha256:00", "found is not pinned"),
        ("found @ https://example.com/found.whl --hash=sha256:00", "is not pinned"),
        ("--index-url https://example.com/simple", "--index-url https://example.com/simple is no requirement"),
    ],
)
def test_a_line_that_locks_nothing_is_refused_by_name(line: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text(f"# a comment\n\n{line}\n")

    with pytest.raises(BuildError, match=f"{problem}.*: run make lock"):
        read_lock(tmp_path / "lock.txt")


def test_a_pin_is_for_the_machines_that_its_marker_names(tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text(
        "one==1 ; sys_platform == 'nowhere' \\\n    --hash=sha256:00\n    # via two\nTwo_Words==2 \\\n"
        "    --hash=sha256:01 \\\n    --hash=sha256:02\n"
    )

    one, two = read_lock(tmp_path / "lock.txt")

    assert (one.is_for_this_machine, two.is_for_this_machine) == (False, True)
    assert (two.name, two.version, two.hashes) == ("two-words", "2", frozenset({"sha256:01", "sha256:02"}))
