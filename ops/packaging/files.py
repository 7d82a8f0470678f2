"""A folder's files: their names, their modes, their digest, and a zip of them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

_FILE_MODE = 0o644
_FOLDER_MODE = 0o755
_UNIX = 3
"""The system that modes in a zip are read for. Source: APPNOTE.TXT of the zip format, 4.4.2."""


def files_of(folder: Path) -> list[Path]:
    """Give every file in a folder, at any depth, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def set_modes(folder: Path) -> None:
    """Let everybody read a folder, and nobody else write: Lambda runs as another user, whatever the builder's umask."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(_FOLDER_MODE if path.is_dir() else _FILE_MODE)


def content_digest(folder: Path) -> str:
    """Digest names and contents of a folder's files, however they are zipped: SHA-256, as hex.

    It is the digest of what `sha256sum` prints of the files, sorted by the bytes of their names, so that anybody can
    make it with coreutils (docs/supply-chain.md).
    """
    names = {path.relative_to(folder).as_posix().encode(): path for path in files_of(folder)}
    listing = hashlib.sha256()
    for name in sorted(names):
        listing.update(hashlib.sha256(names[name].read_bytes()).hexdigest().encode() + b"  " + name + b"\n")
    return listing.hexdigest()


def zip_folder(folder: Path) -> bytes:
    """Zip a folder, deflated, without dates: the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files_of(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
            entry.create_system = _UNIX
            entry.external_attr = (0o100000 | _FILE_MODE) << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
