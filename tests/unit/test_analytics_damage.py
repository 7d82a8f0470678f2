"""An archive whose bytes are damaged: what is lost is counted and named, what is whole is used."""

import gzip
import json
import random
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.analytics.problems import Kind, Problem
from ops.analytics.reading import Range, open_folder
from tests.conftest import at
from tests.unit.test_analytics_reading import history, started

GZIP_HEADER_BYTES = 10
"""Source: RFC 1952 section 2.3; without a name."""

NAMED = {Kind.CUT_OFF, Kind.UNREADABLE_FILE, Kind.NOT_AN_EVENT, Kind.NEWER_FORMAT}


def lines_of(seed: int) -> bytes:
    return b"".join(json.dumps(detail).encode() + b"\n" for detail in history(seed))


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Flip, remove or repeat some bytes, or cut the end off."""
    bytes_ = bytearray(content)
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(bytes_) or 1)
        match chance.randrange(5):
            case 0:
                bytes_[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                bytes_[place : place + 1] = bytes([(bytes_[place] if bytes_ else 0) ^ 1 << chance.randrange(8)])
            case 2:
                del bytes_[place : place + chance.randrange(1, 200)]
            case 3:
                bytes_[place:place] = bytes_[place : place + chance.randrange(1, 200)]
            case _:
                del bytes_[place:]
    return bytes(bytes_)


def read(folder: Path) -> tuple[int, list[Problem], set[str]]:
    with open_folder(folder, Range(None, at(10_000)), now=at(100_000)) as archive:
        sessions = archive.connection.execute("SELECT session_id FROM sessions").fetchall()
        problems = [problem for problem in archive.problems if problem.kind in NAMED]
        return archive.counts["events"], problems, {session for (session,) in sessions}


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.randoms(use_true_random=False))
def test_of_damaged_lines_each_is_an_event_or_counted_and_named(
    tmp_path_factory: pytest.TempPathFactory, seed: int, chance: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("archive")
    content = damaged(lines_of(seed), chance)
    (folder / "damaged.json").write_bytes(content)
    (folder / "whole.json").write_bytes(json.dumps(started(session_id="whole")).encode())

    events, problems, sessions = read(folder)

    assert "whole" in sessions
    lines = [line for line in content.split(b"\n") if line.strip()]
    assert events - 1 + sum(problem.count for problem in problems) == len(lines)
    assert all(place.startswith("damaged.json") for problem in problems for place in problem.examples)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.randoms(use_true_random=False))
def test_a_damaged_gzip_file_is_named_and_its_whole_lines_before_the_damage_are_used(
    tmp_path_factory: pytest.TempPathFactory, seed: int, chance: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("archive")
    content = damaged(gzip.compress(lines_of(seed)), chance)
    (folder / "damaged.json.gz").write_bytes(content)
    (folder / "whole.json").write_bytes(json.dumps(started(session_id="whole")).encode())

    events, problems, sessions = read(folder)

    assert "whole" in sessions
    assert problems or events - 1 == len(inflated(content).splitlines())
    assert all(place.startswith("damaged.json.gz") for problem in problems for place in problem.examples)


def inflated(content: bytes) -> bytes:
    """Inflate without a look at the check sum, which DuckDB does not compare either."""
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(content[GZIP_HEADER_BYTES:])
