"""What commands write: lists in every form, progress, questions, Ctrl-C, and the help."""

import csv
import io
import json
import re
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.main import get_command
from typer.testing import CliRunner

from ops.sessionctl import screen
from ops.sessionctl.app import app
from ops.sessionctl.durations import distance, in_words, parse_since
from ops.sessionctl.failures import CannotRunError
from ops.sessionctl.options import Form, form_of
from ops.sessionctl.rows import Column, Row, show_rows, table_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
UUID = "0b4b4a5c-1f0e-4c53-9a51-0c9d1b0c7d0a"
COLUMNS = (
    Column("Session", "session_id"),
    Column("State", "state", is_text=True),
    Column("Device", "device", priority=1),
    Column("Country", "country", priority=3),
    Column("Address", "address", priority=2),
    Column("Source", "source", is_wide=True),
)
ROWS: Sequence[Row] = (
    {"session_id": UUID, "state": "live", "device": "Safari on iPhone", "country": "GB", "address": "192.0.2.1"},
    {"session_id": "s", "state": "ended 2 h ago (security)", "device": None, "country": 'D,"E', "source": "idp"},
)


def headings(room: int | None, columns: Sequence[Column] = COLUMNS) -> list[str]:
    return [str(column.header) for column in table_of(ROWS, columns, room).columns]


def shown(form: Form, capsys: pytest.CaptureFixture[str], rows: Sequence[Row] = ROWS) -> str:
    assert show_rows(rows, COLUMNS, form, title="Sessions") == len(rows)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("room", "kept"),
    [
        (60, ["Session", "State"]),
        (80, ["Session", "State", "Device"]),
        (100, ["Session", "State", "Device", "Country", "Address"]),
    ],
)
def test_a_narrow_terminal_loses_the_least_important_columns_first(room: int, kept: list[str]) -> None:
    narrow = [column for column in COLUMNS if not column.is_wide]

    assert headings(room, narrow) == kept


def test_of_columns_of_one_priority_the_last_goes_first_and_those_of_none_stay_in_any_terminal() -> None:
    columns = (
        Column("Session", "session_id"),
        Column("Device", "device", priority=1),
        Column("A", "state", priority=1),
    )

    assert headings(60, columns) == ["Session", "Device"]
    assert headings(10, columns) == ["Session"]


@given(room=st.integers(10, 200), length=st.integers(1, 256))
def test_an_id_stands_whole_on_one_line_in_a_terminal_of_any_width(room: int, length: int) -> None:
    session_id = "x" * length
    rows = [{"session_id": session_id, "state": "ended a long time ago by somebody else", "device": "Safari"}]
    table = table_of(rows, COLUMNS[:3], room)
    console = Console(file=io.StringIO(), width=max(room, length + 30))

    console.print(table)

    assert any(session_id in line for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined] # a StringIO


def test_what_is_piped_is_a_line_a_row_however_wide_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"session_id": "x" * 200, "state": "y " * 100, "device": "z"}]

    lines = shown(Form.TABLE, capsys, rows).splitlines()

    assert lines[0] == "Sessions"
    assert lines[-1].split() == ["x" * 200, *["y"] * 100, "z"]
    assert all(line == line.rstrip() for line in lines)


def test_wide_shows_the_columns_that_a_table_leaves_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert "idp" not in shown(Form.TABLE, capsys)
    assert "idp" in shown(Form.WIDE, capsys)


def test_names_are_the_first_column_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(Form.NAME, capsys) == f"{UUID}\ns\n"


def test_csv_is_read_back_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    read = list(csv.DictReader(io.StringIO(shown(Form.CSV, capsys))))

    assert read[1]["country"] == 'D,"E'
    assert read[1]["device"] == ""
    assert list(read[0]) == [column.key for column in COLUMNS]


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], []])
def test_json_is_one_array_of_the_rows(rows: Sequence[Row], capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(shown(Form.JSON, capsys, rows)) == list(rows)


def test_a_long_list_is_shown_as_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    read = 0

    def rows() -> Any:
        nonlocal read
        for read in range(1, 2_501):  # counts
            if read == 1_001:
                assert "s-999" in capsys.readouterr().out
            yield {"session_id": f"s-{read - 1}"}

    assert show_rows(rows(), COLUMNS, Form.TABLE) == 2_500
    assert "s-2499" in capsys.readouterr().out


def test_what_a_stranger_sent_cannot_command_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert "\x1b" not in shown(Form.TABLE, capsys, [{"session_id": "s", "state": "\x1b[2Jgone", "device": "d"}])


def test_json_and_another_form_contradict_each_other() -> None:
    assert form_of(Form.TABLE, True) is Form.JSON
    assert form_of(Form.CSV, False) is Form.CSV
    with pytest.raises(typer.BadParameter, match="leave one of -o csv and --json out"):
        form_of(Form.CSV, True)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3600, "1 h"), (90_061, "1 d 1 h"), (86_400 + 60, "1 d")],
)
def test_a_duration_is_written_in_its_two_largest_units(seconds: int, words: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(("seconds", "words"), [(-7200, "2 h ago"), (300, "in 5 min"), (0.2, "now")])
def test_a_moment_is_written_as_its_distance(seconds: float, words: str) -> None:
    assert distance(NOW + timedelta(seconds=seconds), NOW) == words


@pytest.mark.parametrize(
    ("text", "moment"), [("90m", NOW - timedelta(minutes=90)), ("2026-03-01T10:00:00+01:00", NOW - timedelta(hours=3))]
)
def test_since_is_a_duration_or_a_time(text: str, moment: datetime) -> None:
    assert parse_since(text, NOW) == moment


@pytest.mark.parametrize("text", ["yesterday", "", "2026-03-01", "999999999d"])
def test_since_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is neither a duration like 30m"):
        parse_since(text, NOW)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_progress_bar_comes_where_it_takes_longer_and_goes_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(screen, "_PATIENCE_SECONDS", 0.05)
    monkeypatch.setenv("TERM", "xterm")

    with screen.progress("Reading", 10) as steps:
        steps.advance(3)
        time.sleep(0.5)
        steps.advance(4)

    assert "Reading" in terminal.getvalue()
    assert "3/10" in terminal.getvalue()


def test_what_is_piped_stays_on_standard_output_while_a_bar_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setattr(screen, "_PATIENCE_SECONDS", 0.01)
    monkeypatch.setenv("TERM", "xterm")

    with screen.progress("Reading", 10):
        time.sleep(0.4)
        show_rows([{"session_id": "s"}], COLUMNS[:1], Form.CSV)

    assert capsys.readouterr().out == "session_id\ns\n"


def test_nothing_is_shown_where_it_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)

    with screen.progress("Reading", 10) as steps:
        steps.advance(10)

    assert terminal.getvalue() == ""


def test_ctrl_c_says_what_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, screen.interruptible(lambda: "3 of 10 are sent"):
        raise KeyboardInterrupt

    assert ended.value.exit_code == 130
    assert capsys.readouterr().err == "Interrupted: 3 of 10 are sent\n"


def test_where_nobody_can_be_asked_only_yes_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    screen.confirm("End 12 sessions?", yes=True)
    with pytest.raises(CannotRunError, match=r"End 12 sessions\? Nobody can be asked here: .* --yes"):
        screen.confirm("End 12 sessions?", yes=False)


@pytest.mark.parametrize(("answer", "is_refused"), [("y\n", False), ("n\n", True), ("\n", True)])
def test_a_person_is_asked_and_no_is_the_answer_of_who_says_nothing(
    answer: str, is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))

    if is_refused:
        with pytest.raises(typer.Exit):
            screen.confirm("End 12 sessions?", yes=False)
    else:
        screen.confirm("End 12 sessions?", yes=False)


def test_the_release_is_said() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout.startswith("sessionctl ")


@pytest.mark.parametrize(("word", "meant"), [("publsh", "publish"), ("gte", "get"), ("mappping", "mapping")])
def test_a_command_that_does_not_exist_is_answered_with_the_one_that_was_meant(word: str, meant: str) -> None:
    result = CliRunner().invoke(app, [word])

    assert result.exit_code == 2
    assert f"Did you mean '{meant}'?" in result.stderr


def test_every_command_stands_in_a_group_of_the_help() -> None:
    printed = CliRunner().invoke(app, ["-h"]).stdout

    assert [group for group in ("Begin", "Events", "Sessions and customers", "Operate") if group not in printed] == []
    assert "Commands ─" not in printed


@pytest.mark.slow
def test_no_help_cuts_the_name_of_an_option_on_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    shown = {" ".join(path): CliRunner().invoke(app, [*path, "--help"]).stdout for path in _commands(get_command(app))}

    assert len(shown) > 30
    assert {name: cut for name, text in shown.items() if (cut := re.findall(r"--[a-z-]+…", text))} == {}


def _commands(command: Any, *path: str) -> Iterator[tuple[str, ...]]:
    if not hasattr(command, "commands"):
        yield path
        return
    for name, each in command.commands.items():
        yield from _commands(each, *path, name)
