"""Where an archive is: of the stack, in a bucket, or in a folder; and its options."""

# ruff: noqa: PLC0415 (boto3 and DuckDB are slow to import)

import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.sessionctl.durations import parse_since
from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.screen import progress
from ops.sessionctl.stacks import Stack, Where, open_stack

if TYPE_CHECKING:
    from ops.analytics.loading import ArchiveFile
    from ops.analytics.problems import Found
    from ops.analytics.reading import Range

Since = Annotated[
    str | None,
    typer.Option("--since", metavar="30d|DATE", help="Show from then on; everything is read all the same."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Show until then; default: now.")]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="ARCHIVE|FOLDER", help="A folder, or s3://BUCKET/PREFIX, instead of the stack's."),
]
Identify = Annotated[
    bool, typer.Option("--identify", help="Show customers, addresses and devices, not pseudonyms of them.")
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="FILE", help="The key of the pseudonyms; made where it is not there."),
]

_BUCKET_URL = re.compile(r"s3://(?P<bucket>[^/]+)/?(?P<prefix>.*)")


@dataclass(frozen=True, slots=True)
class Source:
    """An archive, as files.

    Attributes:
        name: What messages call it.
        files: The files.
        found: What is wrong with them.
        stack: The stack to compare it with; None: there is none.
    """

    name: str
    files: "Sequence[ArchiveFile]"
    found: "Sequence[Found]"
    stack: Stack | None


def need_duckdb() -> None:
    """Say what to install where DuckDB is not.

    Raises:
        CannotRunError: It is not.
    """
    try:
        import duckdb  # noqa: F401 (whether it can be imported)
    except ImportError:
        raise CannotRunError(
            "DuckDB is not installed: run `make .venv/ops.ready`, which installs what requirements/ops.txt locks"
        ) from None


@contextmanager
def open_archive(where: Where, source: str | None) -> Iterator[Source]:
    """Find an archive; fetch what is new of it, where it is in S3.

    Args:
        where: The stack that is meant. It may be left out where a source is given.
        source: A folder or an S3 URL; None: the archive of the stack.

    Raises:
        CannotRunError: There is no such archive.
        OSError: The folder cannot be read, or the copy not written.
        ClientError: S3 refused.
    """
    is_url = source is not None and source.startswith("s3://")
    is_stack_named = where.local or where.name is not None or where.stack_name is not None
    if source is not None and not is_url and not is_stack_named and (where.profile or where.region):
        raise CannotRunError("--profile and --region are for S3 or a stack: leave them out")
    with ExitStack() as opened:
        stack = opened.enter_context(open_stack(where)) if source is None or is_stack_named else None
        if source is None and stack is not None:
            bucket = stack.outputs.get("ArchiveBucketName")
            if bucket is None:
                raise CannotRunError(
                    f"{stack.name} keeps no archive: deploy it with ArchiveSessionEvents=true, then run "
                    "`sessionctl rebuild register` to tell the sessions there are; or name a folder with --from"
                )
            yield _fetched(stack.client("s3"), bucket, "", stack)
        elif is_url:
            found = _BUCKET_URL.fullmatch(str(source))
            if found is None:
                raise CannotRunError(f"{source} names no bucket: write s3://BUCKET/PREFIX")
            yield _fetched(_s3(where, stack), found["bucket"], found["prefix"], stack)
        else:
            yield _folder(Path(str(source)), stack)


def range_of(since: str | None, until: str | None, now: datetime) -> "Range":
    """Read --since and --until: a duration before now, a date, or a time.

    Raises:
        BadParameter: It is none of these.
    """
    from ops.analytics.reading import Range

    return Range(
        None if since is None else _moment(since, now, "--since"),
        now if until is None else _moment(until, now, "--until"),
    )


def key_of(identify: bool, key_file: Path | None, default: Path, *, make: bool) -> bytes | None:
    """Return the key of the pseudonyms; None: there are none.

    Args:
        identify: Whether customers are shown.
        key_file: The file that was named.
        default: The file where none was.
        make: Whether the default is made where it is not there; else the key is of this run alone.

    Raises:
        CannotRunError: The file is empty, or both are asked for.
        OSError: It cannot be read or made.
    """
    from ops.analytics.pseudonyms import KeyFileError, read_or_make_key

    if identify and key_file is not None:
        raise CannotRunError("--identify shows customers, and --key-file hides them: leave one out")
    if identify:
        return None
    if key_file is None and not make and not default.exists():
        return secrets.token_bytes(32)
    try:
        return read_or_make_key(key_file or default)
    except KeyFileError as error:
        raise CannotRunError(str(error)) from error


def _moment(text: str, now: datetime, option: str) -> datetime:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        text = f"{text}T00:00:00Z"
    try:
        return parse_since(text, now)
    except ValueError as error:
        raise typer.BadParameter(f"{error}, nor a date like 2026-03-01", param_hint=option) from None


def _s3(where: Where, stack: Stack | None) -> Any:
    if stack is not None:
        return stack.client("s3")
    import boto3

    return boto3.Session(profile_name=where.profile, region_name=where.region).client("s3")


def _folder(folder: Path, stack: Stack | None) -> Source:
    from ops.analytics.files import files_of

    files, found = files_of(folder)
    return Source(str(folder), files, found, stack)


def _fetched(client: Any, bucket: str, prefix: str, stack: Stack | None) -> Source:
    from ops.analytics.fetching import Copy

    copy = Copy(client, bucket, cache_folder(), prefix)
    objects, missing = copy.missing()
    with progress("Fetching (bytes)", sum(found.size for found in missing)) as steps:
        copy.fetch(missing, steps.advance)
    return Source(f"s3://{bucket}/{prefix}", copy.files(objects), [], stack)


def cache_folder() -> Path:
    """Return where copies of archives are kept. Source: XDG Base Directory Specification, cache home."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "session-event-processor" / "archives"


def utc_now() -> datetime:
    """Return the time, aware UTC."""
    return datetime.now(UTC)
