"""The files of an archive in a folder of any depth, and whether they are of one archive."""

import re
from collections.abc import Sequence
from pathlib import Path

from ops.analytics.loading import ArchiveFile
from ops.analytics.problems import Found, Kind

_ENDINGS = frozenset({".json", ".gz"})

_OF_FIREHOSE = re.compile(
    r"(?P<stream>.+)-\d+-\d{4}(?:-\d\d){5}-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}.*", re.ASCII
)
"""Source: Amazon Data Firehose, "Configure Amazon S3 object name format": stream, its version, time, random."""


def files_of(folder: Path) -> tuple[list[ArchiveFile], list[Found]]:
    """List the files of a folder, by name; hidden ones are left out.

    Returns:
        Those of an archive; those of other kinds, and what is no file.

    Raises:
        NotADirectoryError: It is not a folder.
    """
    if not folder.is_dir():
        raise NotADirectoryError(20, "is not a folder", str(folder))
    files: list[ArchiveFile] = []
    found: list[Found] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_dir() or any(part.startswith(".") for part in name.parts):
            continue
        if not path.is_file():
            found.append(Found(Kind.UNREADABLE_FILE, f"{name}: it is not a file, or a link to nothing"))
        elif path.suffix in _ENDINGS:
            files.append(ArchiveFile(path, str(name), path.stat().st_size))
        else:
            found.append(Found(Kind.OTHER_FILE, str(name)))
    return files, found


def mixed_archives(files: Sequence[ArchiveFile]) -> list[Found]:
    """Tell whether files are of several archives: of several Firehose streams, or of several folders with days."""
    archives = sorted({archive for file in files if (archive := _archive_of(file.name))})
    return [Found(Kind.MIXED, archive) for archive in archives] if len(archives) > 1 else []


def _archive_of(name: str) -> str:
    above, separator, below = name.rpartition("year=")
    folder = above.rstrip("/") if separator else ""
    found = _OF_FIREHOSE.fullmatch((below or name).rsplit("/", 1)[-1])
    return " ".join(filter(None, (f"folder {folder}" if folder else "", f"stream {found['stream']}" if found else "")))
