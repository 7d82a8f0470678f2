"""Read files of sessions line by line: JSON lines, CSV, and DynamoDB's exports to S3."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from ops.importing.records import FIELDS, Reading

_SUFFIXES = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
_GZIP = b"\x1f\x8b"


class ImportFileError(Exception):
    """A file cannot be read on; the message is one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file, or a row.

    Args:
        file: The file's name, relative to the folder that is imported; empty where a file is.
        number: Its number, from 1.
        text: As it stands there.
        value: What it says, as JSON; None where it is wrong.
        problem: What is wrong with it; None where nothing is.
    """

    file: str
    number: int
    text: str
    value: Any = None
    problem: str | None = None

    @property
    def place(self) -> str:
        """Where it is, as `line 3` or `data/a.json.gz, line 3`."""
        return f"{self.file}, line {self.number}" if self.file else f"line {self.number}"


def find_files(path: Path) -> list[Path]:
    """List the files of a folder that hold lines, in order; or the one file.

    The manifests of a DynamoDB export are left out: its lines are in the folder `data`.

    Raises:
        ImportFileError: There is none.
    """
    if not path.is_dir():
        if not path.is_file():
            raise ImportFileError(f"there is no file {path}")
        return [path]
    found = sorted(
        file for file in path.rglob("*") if file.is_file() and file.name.endswith((*_SUFFIXES, ".csv", ".csv.gz"))
    )
    data = [file for file in found if "data" in file.relative_to(path).parts[:-1]]
    files = data or [file for file in found if not file.name.startswith("manifest")]
    if not files:
        raise ImportFileError(f"there is no file of sessions in {path}: .jsonl, .csv, or .json.gz of a DynamoDB export")
    return files


def read_lines(path: Path, name: str, reading: Reading) -> Iterator[Line]:
    """Read a file line by line; empty lines are passed over.

    Args:
        path: The file; compressed with gzip or not.
        name: What its lines call it.
        reading: How files are read.

    Raises:
        ImportFileError: It cannot be read on, or lacks columns.
    """
    is_csv = path.name.removesuffix(".gz").endswith(".csv")
    number = 0
    with _opened(path) as file:
        lines = _rows(file, path, name, reading) if is_csv else _json_lines(file, path, name)
        try:
            for line in lines:
                number = line.number
                yield line
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ImportFileError(f"{path} is damaged after line {number}: {error}; fetch it again") from error
        except csv.Error as error:
            raise ImportFileError(f"{path} is not CSV after line {number}: {error}") from error


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        with path.open("rb") as file:
            is_gzip = file.read(2) == _GZIP
            file.seek(0)
            if is_gzip:
                with gzip.open(file) as unpacked:
                    yield cast("IO[bytes]", unpacked)
            else:
                yield file
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            raise
        raise ImportFileError(f"{path} cannot be read: {error.strerror}") from error


def _json_lines(file: IO[bytes], path: Path, name: str) -> Iterator[Line]:
    for number, raw in enumerate(file, 1):
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            yield Line(name, number, raw.decode("latin-1").rstrip("\r\n"), problem="not UTF-8")
            continue
        if number == 1 and text.startswith("["):
            raise ImportFileError(f"{path} is a JSON array, and not lines: write `jq -c '.[]' {path.name}` to a file")
        if not text:
            continue
        try:
            yield Line(name, number, text, json.loads(text))
        except (ValueError, RecursionError):
            yield Line(name, number, text, problem="not valid JSON")


def _rows(file: IO[bytes], path: Path, name: str, reading: Reading) -> Iterator[Line]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    rows = csv.reader(text, strict=True)
    header = next(rows, None)
    if header is None:
        return
    wanted = {reading.columns.get(field, field) for field in FIELDS}
    missing = [column for column in reading.columns.values() if column not in header]
    if missing or not wanted.intersection(header):
        what = f"has no column {' or '.join(missing)}" if missing else "has no column of a known name"
        raise ImportFileError(
            f"{path} {what}: its columns are {', '.join(header)}; name them with --column FIELD=COLUMN"
        )
    for row in rows:
        if not row:
            continue
        written = io.StringIO()
        csv.writer(written).writerow(row)
        line = written.getvalue().strip("\r\n")
        if not line.isascii() and any("\udc80" <= character <= "\udcff" for character in line):
            original = line.encode("utf-8", "surrogateescape").decode("latin-1")
            yield Line(name, rows.line_num, original, problem="not UTF-8")
        elif len(row) != len(header):
            yield Line(name, rows.line_num, line, problem=f"has {len(row)} fields, and the header {len(header)}")
        else:
            yield Line(name, rows.line_num, line, dict(zip(header, row, strict=True)))
