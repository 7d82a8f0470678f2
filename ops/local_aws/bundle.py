"""The functions' code, built for this machine: its processor, its interpreter. Seconds, once per change; no network.

What `make build` fetches for Lambda is copied here from the environment that runs this, which holds the same versions
(both come of one lock: docs/supply-chain.md).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from ops.engines.dynamodb_local import default_cache
from ops.local_aws.compensations import STREAM_WRAPPER, STREAM_WRAPPER_SOURCE
from ops.packaging.files import files_of, zip_folder
from ops.packaging.locks import read_lock
from ops.packaging.package import REQUIREMENTS, BuildError, compile_all, copy_sources


def local_bundle(cache: Path | None = None) -> bytes:
    """Return the zipped code of the functions, from the cache where nothing has changed.

    Args:
        cache: Folder that keeps it from run to run; the user's cache folder by default.

    Raises:
        BuildError: A dependency is not installed, or a module does not compile.
        OSError: The cache cannot be written.
    """
    folder = (cache or default_cache()) / "bundles"
    with tempfile.TemporaryDirectory() as work:
        code = Path(work)
        copy_sources(code)
        (code / f"{STREAM_WRAPPER}.py").write_text(STREAM_WRAPPER_SOURCE, encoding="utf-8")
        bundle = folder / f"{_digest(code)}.zip"
        if not bundle.exists():
            copy_dependencies(code)
            compile_all(code, sys.executable)
            _replace(bundle, zip_folder(code))
    return bundle.read_bytes()


def copy_dependencies(target: Path) -> None:
    """Copy the distributions that requirements.txt pins, as they are installed here.

    Raises:
        BuildError: One is not installed, or the lock cannot be read.
    """
    for pin in read_lock(REQUIREMENTS):
        if pin.is_for_this_machine:
            _copy(_installed(pin.name), target)


def _installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        raise BuildError(f"{name} is not installed here: set up anew with `make clean run`") from error


def _copy(installed: Distribution, target: Path) -> None:
    for file in installed.files or ():
        if file.parts[0] == ".." or "__pycache__" in file.parts:
            continue
        copy = target / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(str(installed.locate_file(file))), copy)


def _digest(code: Path) -> str:
    """Name what the bundle depends on: our sources, the pinned versions, and this interpreter."""
    digest = hashlib.sha256("\0".join(_circumstances()).encode())
    for path in files_of(code):
        digest.update(str(path.relative_to(code)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:32]


def _circumstances() -> Iterator[str]:
    yield sys.version
    yield sysconfig.get_platform()
    yield sys.prefix
    yield REQUIREMENTS.read_text(encoding="utf-8")


def _replace(file: Path, content: bytes) -> None:
    """Write beside the file and move, so that a full disk or a second run leaves no half of it; drop older ones."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as new:
        try:
            new.write(content)
        except BaseException:
            os.unlink(new.name)  # noqa: PTH108 (a name, not a path)
            raise
    Path(new.name).replace(file)
    for old in sorted(file.parent.glob("*.zip"), key=lambda path: path.stat().st_mtime)[:-4]:
        old.unlink(missing_ok=True)
