"""The field's English: no word of the project's old private vocabulary in code, docs and messages.

Only docs/decisions.md and the changelog, which tell the history, and what an earlier release said may keep it.
"""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OLD_WORDS = {
    r"gave up": "retries exhausted, or failed every attempt",
    r"no JSON": "not valid JSON",
    r"no JWT": "not a valid JWT",
    r"no TOML": "invalid TOML",
    r"is no (?:whole number|object|list|duration|function|regular expression|JMESPath)": "is not a ...",
    r"doubted": "suspect, or re-read",
    r"believed": "used, or re-read",
    r"told to end": "marked as ending",
    r"[Ww]hat [^.\n]{1,40} comes? to": "the result of ...",
    r"asks most": "the most severe",
    r"come along": "bundled",
    r"Fate": "WriteResult",
    r"Taken": "BatchResult",
    r"what is none": "None if it is not a ...",
    r"finite neither": "also rejects NaN and infinity",
    r"go(?:es)? round": "loop",
}
"""Regular expressions, and what to write instead."""
HISTORY = {"docs/decisions.md", "CHANGELOG.md", "tests/unit/test_english.py", "tests/deploy/previous-template.yaml"}
SUFFIXES = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".svg", ""}


def tracked_files() -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 # a fixed command
    if listed.returncode:
        pytest.skip("not a checkout: nothing says which files are the project's")
    names = {name for name in listed.stdout.split("\0") if name and Path(name).suffix in SUFFIXES}
    return sorted(name for name in names if (ROOT / name).is_file())


def old_words_in(text: str) -> list[str]:
    return [
        f"line {text.count(chr(10), 0, found.start()) + 1}: {found[0]!r}: write {instead!r}"
        for pattern, instead in OLD_WORDS.items()
        for found in re.finditer(rf"\b{pattern}\b", text)
    ]


def test_no_file_speaks_the_old_private_vocabulary() -> None:
    names = [name for name in tracked_files() if name not in HISTORY]

    found = [f"{name}, {word}" for name in names for word in old_words_in((ROOT / name).read_text(encoding="utf-8"))]

    assert len(names) > 200
    assert found == []


def test_an_old_word_is_found_whole_with_its_line_and_what_to_write() -> None:
    text = "the body\nis no JSON; Fateful, taken and budgeted are fine"

    assert old_words_in(text) == ["line 2: 'no JSON': write 'not valid JSON'"]
