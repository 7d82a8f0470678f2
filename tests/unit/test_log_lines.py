"""No log line is forgotten: each has a constant text, and stands in the table that says what it speaks of."""

import ast
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.log_lines import LINES, About, LogLines, faults_of

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "processors"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every `logger.<level>(…)` of the functions, with its place."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="logger"), attr=level)) if level in LEVELS:
                    yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def texts_of(call: ast.Call) -> set[str]:
    """The constant texts of a call: one, or those between which an expression chooses."""
    match call.args:
        case [ast.Constant(value=str(text))]:
            return {text}
        case [ast.IfExp(body=ast.Constant(value=str(one)), orelse=ast.Constant(value=str(other)))]:
            return {one, other}
    return set()


def test_every_log_line_of_the_functions_has_a_constant_text_that_the_table_knows_and_no_other_is_in_it() -> None:
    texts = {place: texts_of(call) for place, call in calls()}

    assert [place for place, found in texts.items() if not found] == []
    assert set().union(*texts.values()) == set(LINES)


def test_nothing_is_logged_or_printed_but_through_those_loggers() -> None:
    others = re.compile(r"\bprint\(|\bwarnings\.|\blogging\.(?!getLogger\(__name__\)$)")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for package in ("processors", "providers", "schemas")
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.name != "telemetry.py"  # it sets the loggers up
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if others.search(text) or ("getLogger" in text and not text.startswith("logger = "))
    ]

    assert found == []


@pytest.mark.parametrize(
    ("text", "facts", "fault"),
    [
        ("a new line", {}, "is not in tests/log_lines.py"),
        ("event rejected", {"message_id": "m-1", "reason": "r"}, "lacks event_id"),
        ("event rejected", {"message_id": "m-1", "event_id": "e-1", "reason": "r", "body": "b"}, "may not carry body"),
        ("event rejected", {"message_id": "m-1", "event_id": "a" * 64, "reason": "r"}, "shows event_id as it is"),
        ("stream record cannot be read", {"reason": "r"}, "lacks sequence_number"),
    ],
)
def test_a_line_that_does_not_name_its_event_or_says_too_much_is_a_fault(
    text: str, facts: dict[str, object], fault: str
) -> None:
    [found] = faults_of(text, facts)

    assert fault in found


def test_a_record_is_checked_by_what_it_carries_beyond_what_logging_gives_it() -> None:
    lines = LogLines()

    lines.emit(logging.makeLogRecord({"msg": "event rejected", "message_id": "m-1", "reason": "r"}))

    assert lines.faults == ["'event rejected' lacks event_id"]


def test_events_and_records_are_spoken_of_one_by_one() -> None:
    named = {About.EVENT: {"message_id", "event_id"}, About.RECORD: {"sequence_number"}}

    assert all(line.facts >= named.get(line.about, set()) for line in LINES.values())
    assert all(not line.facts & named[About.EVENT] for line in LINES.values() if line.about is not About.EVENT)
