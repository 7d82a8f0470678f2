"""Fill a folder with what Lambda runs.

SAM calls `package` for each function, through the Makefile: a folder with what the handlers import and nothing else,
for arm64 whatever machine builds it, compiled for the runtime's Python. Lambda starts functions from a read-only folder
of files dated 1980, so byte code that is missing, or that is checked against the date of its source, is made anew at
every cold start. Only the standard library is needed, because `sam build` runs with whatever `python3` there is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ops.checkout import CHECKOUT
from ops.packaging.files import set_modes

PYTHON_VERSION = "3.13"
"""The runtime of the template's functions."""

SOURCES = ("processors", "schemas", "providers")
NOT_DEPLOYED = {Path("schemas", "life_cycle_event.py")}
"""What consumers of life-cycle events import, and no function of ours."""
MAPPING_FILES = Path("providers", "mappings")
"""What says how the events of identity systems are read; a file added there is shipped."""

REQUIREMENTS = CHECKOUT / "requirements.txt"
"""What the bundle ships, locked."""
LAMBDA_REQUIREMENTS = CHECKOUT / "requirements" / "lambda.txt"
"""What Lambda's runtime brings, locked."""

_ARM64 = (
    *("--platform", "manylinux2014_aarch64", "--implementation", "cp"),
    *("--python-version", PYTHON_VERSION),
)
# Scanners find the packages of a deployed function by METADATA; their licences ask to stay with them.
_KEPT_OF_DIST_INFO = {"METADATA", "LICENSE", "licenses", "sboms"}


class BuildError(Exception):
    """The package cannot be built or measured; the message says what to do."""


def package(target: Path, *, python: str | None, pip: Sequence[str] = (sys.executable,), arm64: bool = True) -> None:
    """Fill a folder with what a function runs.

    Args:
        target: The folder; it may exist.
        python: An interpreter of the runtime's version that compiles, or None to leave byte code out.
        pip: The interpreter whose pip installs.
        arm64: Install for Lambda; otherwise for the machine this runs on, with `pip`'s own version.

    Raises:
        BuildError: pip or the compiler failed; it has said why.
    """
    platform = _ARM64 if arm64 else ()
    install(target, REQUIREMENTS, *platform, pip=pip)
    for leftover in _leftovers(target):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    copy_sources(target)
    if python is not None:
        compile_all(target, python)
    set_modes(target)


def copy_sources(target: Path) -> None:
    """Copy the modules of ours that a function runs, and the mapping files they read."""
    for source in SOURCES:
        for module in (CHECKOUT / source).rglob("*.py"):
            if module.relative_to(CHECKOUT) in NOT_DEPLOYED:
                continue
            copy = target / module.relative_to(CHECKOUT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(module, copy)
    shutil.copytree(CHECKOUT / MAPPING_FILES, target / MAPPING_FILES, dirs_exist_ok=True)


def compile_all(target: Path, python: str) -> None:
    """Compile every module in place; the same sources give the same bytes.

    Raises:
        BuildError: A module does not compile.
    """
    _run(
        *(python, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"),
        *("-s", str(target), "-p", "/var/task", str(target)),  # the folder that tracebacks in Lambda name
        environment={"PYTHONHASHSEED": "0"},
    )


def find_python() -> str | None:
    """Find an interpreter of the runtime's version: on the PATH, pyenv's, or the one this runs on.

    Each is tried, because pyenv puts programs on the PATH that only say which version is missing.
    """
    name = f"python{PYTHON_VERSION}"
    folders = [Path(folder) for folder in os.get_exec_path()]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [Path(sys.executable), *(folder / name for folder in folders)]
    candidates += sorted(pyenv.glob(f"versions/{PYTHON_VERSION}*/bin/{name}"), reverse=True)
    return next((str(candidate) for candidate in candidates if _is_of_version(candidate)), None)


def require_python() -> str | None:
    """Find the interpreter that compiles; where there is none, warn as loudly as a build can.

    Raises:
        BuildError: There is none and this is CI (the variable CI is set): what is deployed has to be compiled.
    """
    python = find_python()
    if python is None:
        problem = (
            f"No python{PYTHON_VERSION} here: the package has no byte code, and cold starts take up to twice as long. "
            f"Install Python {PYTHON_VERSION} (pyenv install {PYTHON_VERSION}) and build again."
        )
        if os.environ.get("CI"):
            raise BuildError(problem)
        print(f"{'!' * 100}\n{problem}\n{'!' * 100}", flush=True)  # SAM hides standard error where a build succeeds
    return python


def install(target: Path, lock: Path, *arguments: str, pip: Sequence[str] = (sys.executable,)) -> None:
    """Have pip install a lock into a folder: nothing else, no file of another hash, and no byte code.

    Raises:
        BuildError: pip failed; it has said why.
    """
    try:
        _run(
            *pip,
            *("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"),
            *("--no-compile", "--upgrade", "--target", str(target), "--only-binary=:all:", "--no-deps"),
            *("--require-hashes", "--requirement", str(lock), *arguments),
        )
    except BuildError as error:
        problem = f"{lock.name} cannot be installed as it is locked (docs/supply-chain.md, A hash that does not match)"
        raise BuildError(f"{problem}: {error}") from error


def _leftovers(target: Path) -> Iterator[Path]:
    """Give what pip leaves in a target that nothing imports."""
    yield from target.glob("bin")
    for info in target.glob("*.dist-info"):
        yield from (entry for entry in info.iterdir() if entry.name not in _KEPT_OF_DIST_INFO)


def _run(*command: str, environment: dict[str, str] | None = None) -> None:
    try:
        subprocess.run(command, check=True, env={**os.environ, **(environment or {})})  # noqa: S603 (it is ours)
    except (subprocess.CalledProcessError, OSError) as error:
        raise BuildError(f"{' '.join(command[:4])} failed: {error}") from error


def _is_of_version(python: Path) -> bool:
    question = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
    try:
        answer = subprocess.run(  # noqa: S603 (the command is ours)
            [str(python), "-c", question], check=False, capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.stdout.strip() == PYTHON_VERSION
