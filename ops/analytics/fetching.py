"""Keep a copy of an archive's bucket in a folder: what is new is fetched, what is gone or rewritten is not kept."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING
from urllib.parse import quote

from ops.analytics.loading import ArchiveFile

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_AT_A_TIME = 8


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of the archive.

    Attributes:
        key: Its key.
        size: Bytes.
        written_at: When it was written last, aware UTC.
    """

    key: str
    size: int
    written_at: datetime


@dataclass(frozen=True, slots=True)
class Copy:
    """A folder that holds a copy of a bucket, or of what is below a prefix of it.

    Attributes:
        client: A boto3 S3 client.
        bucket: The bucket.
        folder: The folder, of this bucket alone.
        prefix: What the keys begin with.
    """

    client: "S3Client"
    bucket: str
    folder: Path
    prefix: str = ""

    def missing(self) -> tuple[list[StoredObject], list[StoredObject]]:
        """List the bucket.

        Returns:
            All objects, and those of them that the folder has not, or has otherwise.

        Raises:
            ClientError: S3 refused.
        """
        objects = sorted(self._objects(), key=lambda found: found.key)
        return objects, [found for found in objects if not self._has(found)]

    def fetch(self, missing: list[StoredObject], advance: Callable[[int], object]) -> None:
        """Fetch objects, several at a time. What was fetched before an error stays.

        Args:
            missing: The objects.
            advance: Told how many bytes were fetched just now.

        Raises:
            ClientError: S3 refused.
            OSError: The folder cannot be written.
        """
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            for size in pool.map(self._fetch, missing):
                advance(size)

    def files(self, objects: list[StoredObject]) -> list[ArchiveFile]:
        """Return the objects as files, and remove every other file of the folder."""
        files = [ArchiveFile(self._path(found), found.key, found.size) for found in objects]
        wanted = {file.path for file in files}
        for path in self.folder.rglob("*"):
            if path.is_file() and path not in wanted and path.is_relative_to(self._below()):
                path.unlink()
        return files

    def _objects(self) -> Iterator[StoredObject]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        for page in pages:
            for found in page.get("Contents", []):
                if not found["Key"].endswith("/"):  # a console's "folder"
                    yield StoredObject(found["Key"], found["Size"], found["LastModified"])

    def _below(self) -> Path:
        return self.folder / quote(self.bucket, safe="")

    def _path(self, found: StoredObject) -> Path:
        """Return a key's file: no key leads out of the folder."""
        parts = (quote(part, safe="=") for part in found.key.split("/"))
        return self._below().joinpath(*(part if part.strip(".") else f"%{part}" for part in parts))

    def _has(self, found: StoredObject) -> bool:
        try:
            status = self._path(found).stat()
        except FileNotFoundError:
            return False
        return status.st_size == found.size and int(status.st_mtime) == int(found.written_at.timestamp())

    def _fetch(self, found: StoredObject) -> int:
        path = self._path(found)
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=".fetched-", delete=False) as file:
            temporary = Path(file.name)
            try:
                self.client.download_fileobj(self.bucket, found.key, file)
                file.flush()
                os.utime(temporary, (found.written_at.timestamp(),) * 2)
                temporary.rename(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        return found.size
