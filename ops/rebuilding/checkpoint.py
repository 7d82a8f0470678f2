"""How far a long run has come, in a file: after a crash or Ctrl-C it goes on from there."""

import json
import sqlite3
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS done (name TEXT PRIMARY KEY, problem TEXT) WITHOUT ROWID;
"""


class CheckpointError(Exception):
    """A file cannot be used as the checkpoint of this run; the message is one line that says what to do."""


class Checkpoint:
    """A checkpoint; a context manager. Every change is on disk when its method returns.

    Args:
        path: The file, which is made; None keeps the state for this run alone, in a temporary file.
        purpose: What run it is for, with the tables: a checkpoint of another run is refused.
    """

    def __init__(self, path: Path | None, purpose: str) -> None:
        self._path = path
        self._purpose = purpose

    def __enter__(self) -> "Checkpoint":
        """Open or make the file.

        Raises:
            CheckpointError: It is something else, or another run's.
        """
        try:
            self._database = sqlite3.connect("" if self._path is None else self._path, isolation_level=None)
            self._database.executescript(_SCHEMA)
            known = self.get("purpose")
        except sqlite3.Error as error:
            raise CheckpointError(
                f"{self._path} cannot be used as a checkpoint ({error}): name another file with --checkpoint"
            ) from error
        if known not in (None, self._purpose):
            raise CheckpointError(
                f"{self._path} is the checkpoint of another run ({known}): name another file with --checkpoint"
            )
        self.set("purpose", self._purpose)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it; the file stays."""
        self._database.close()

    def finish(self) -> None:
        """Remove the file: the run is complete."""
        self._database.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def get(self, name: str) -> Any:
        """Return a value that `set` kept, or None."""
        row = self._database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def set(self, name: str, value: Any) -> None:
        """Keep a JSON value, such as a position."""
        self._database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))

    def not_done(self, names: Collection[str]) -> list[str]:
        """Leave out the names that are done; the others in order, once each."""
        ask = "SELECT 1 FROM done WHERE name = ?"
        return [name for name in dict.fromkeys(names) if self._database.execute(ask, (name,)).fetchone() is None]

    def add_done(self, problems: Mapping[str, str | None]) -> None:
        """Note names as done, each with what went wrong, or None."""
        with self._database:
            self._database.execute("BEGIN")
            self._database.executemany("INSERT OR REPLACE INTO done VALUES (?, ?)", problems.items())

    def problems(self) -> dict[str, str]:
        """Return what went wrong, by name."""
        return dict(self._database.execute("SELECT name, problem FROM done WHERE problem IS NOT NULL ORDER BY name"))

    @property
    def done_count(self) -> int:
        """How many names are done."""
        return int(self._database.execute("SELECT count(*) FROM done").fetchone()[0])
