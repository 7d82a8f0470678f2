"""The archive of life-cycle events: find a customer's lines in its objects, and rewrite objects without them.

An object is replaced by one PutObject under its key, which S3 does at once or not at all, on the condition that it is
still the one that was read. So a run that ends in the middle leaves whole objects, and the next run does the rest.
"""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ops.erasure.archive_lines import detail_of, lines_in, rest_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_GZIP = b"\x1f\x8b"
_KEPT_HEADERS = ("ContentType", "ContentEncoding", "Metadata", "StorageClass")
_CHANGED_MEANWHILE = ("PreconditionFailed", "ConditionalRequestConflict")


@dataclass(slots=True)
class Rewriting:
    """What became of an archive.

    Args:
        objects: How many objects were read.
        rewritten: How many were rewritten.
        deleted: How many held nothing else, and were deleted.
        lines: How many lines were removed.
        shortened: How many lines of sessions that go on had their start raised to the erasure.
        problems: Objects that could not be read or replaced, with the reason.
        keeps_versions: Whether the bucket keeps what was replaced as older versions.
    """

    objects: int = 0
    rewritten: int = 0
    deleted: int = 0
    lines: int = 0
    shortened: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    keeps_versions: bool = False


class Archive:
    """The objects of an archive bucket.

    Args:
        client: A boto3 S3 client.
        bucket: The bucket.
    """

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client: Any = client
        self._bucket = bucket

    def keys(self) -> Iterator[str]:
        """List the objects.

        Raises:
            ClientError: S3 refused.
            BotoCoreError: It could not be reached.
        """
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket):
            yield from (found["Key"] for found in page.get("Contents", ()))

    def details_of(self, customer_id: str, problems: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Read a customer's life-cycle events.

        Args:
            customer_id: The customer.
            problems: Gets the objects that cannot be read, with the reason.
        """
        for key in self.keys():
            try:
                _, data = self._read(key)
            except (ClientError, OSError, EOFError) as error:
                problems[key] = _reason(error)
                continue
            for line in lines_in(data):
                detail = detail_of(line, customer_id)
                if detail is not None:
                    yield detail

    def erase(
        self, customer_id: str, erased_at: datetime, *, on_object: Callable[[int], object] = lambda _count: None
    ) -> Rewriting:
        """Rewrite every object that holds events of a customer up to a time.

        Args:
            customer_id: The customer.
            erased_at: Aware UTC.
            on_object: Learns how many objects are done.

        Raises:
            ClientError: S3 refused to list the bucket.
            BotoCoreError: It could not be reached.
        """
        done = Rewriting(keeps_versions=self._keeps_versions())
        for key in self.keys():
            done.objects += 1
            try:
                self._erase_in(key, customer_id, erased_at, done)
            except (ClientError, OSError, EOFError) as error:
                done.problems[key] = _reason(error)
            on_object(done.objects)
        return done

    def _erase_in(self, key: str, customer_id: str, erased_at: datetime, done: Rewriting) -> None:
        found, data = self._read(key)
        rest = rest_of(data, customer_id, erased_at)
        if not rest.removed and not rest.shortened:
            return
        if rest.lines:
            body = b"".join(rest.lines)
            headers = {name: found[name] for name in _KEPT_HEADERS if found.get(name)}
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=gzip.compress(body, mtime=0) if found["is_gzip"] else body,
                IfMatch=found["ETag"],
                **headers,
            )
            done.rewritten += 1
        else:
            self._client.delete_object(Bucket=self._bucket, Key=key)
            done.deleted += 1
        done.lines += rest.removed
        done.shortened += rest.shortened

    def _read(self, key: str) -> tuple[dict[str, Any], bytes]:
        found = self._client.get_object(Bucket=self._bucket, Key=key)
        data = found["Body"].read()
        is_gzip = data[:2] == _GZIP
        return {**found, "is_gzip": is_gzip}, gzip.decompress(data) if is_gzip else data

    def _keeps_versions(self) -> bool:
        return "Status" in self._client.get_bucket_versioning(Bucket=self._bucket)


def _reason(error: Exception) -> str:
    if isinstance(error, ClientError):
        code = str(error.response["Error"].get("Code"))
        return "it was changed meanwhile: run it again" if code in _CHANGED_MEANWHILE else code
    return f"not valid gzip ({error})"
