"""What docs/analytics.md shows is true, and every query can be said in Athena's SQL. Athena itself is not run."""

import gzip
import re
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlglot
from typer.testing import CliRunner

from ops.analytics import athena, generator
from ops.analytics.generator import write_archive
from ops.sessionctl.app import app

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "analytics.md").read_text(encoding="utf-8")
QUERIES = sorted((ROOT / "ops" / "analytics").rglob("*.sql"))


def blocks(kind: str) -> list[str]:
    found = re.findall(rf"^ *```{kind}\n(.*?)^ *```", GUIDE, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in found]


@pytest.mark.slow
def test_the_five_questions_have_the_answers_that_the_guide_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_archive(tmp_path / "archive", sessions=20_000, until=datetime(2026, 11, 1, tzinfo=UTC))
    report = ["report", "--from", "archive", "--out", "october", "--until", "2026-11-01"]
    assert CliRunner().invoke(app, report).exit_code == 0

    answers = [
        CliRunner().invoke(app, ["sql", query, "--from", "october", "-o", "csv"]).stdout for query in blocks("sql")
    ]

    assert len(answers) == 5
    assert answers == blocks("csv")


def test_an_archive_that_is_made_in_parts_holds_the_same_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for part in (200_000, 70):
        monkeypatch.setattr(generator, "_SLICE_SESSIONS", part)
        write_archive(tmp_path / str(part), sessions=200, days=3, until=datetime(2026, 11, 1, tzinfo=UTC))
        files = (tmp_path / str(part)).rglob("*.json.gz")
        made.append(sorted(line for file in files for line in gzip.decompress(file.read_bytes()).splitlines()))

    assert made[0] == made[1] != []


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_every_query_is_one_select_that_athenas_sql_can_say(path: Path) -> None:
    translated = athena.in_athena(path.read_text(encoding="utf-8"))

    [parsed] = sqlglot.parse(translated, read="athena")

    assert isinstance(parsed, sqlglot.exp.Query)
    assert not list(parsed.find_all(sqlglot.exp.Command))


def test_a_query_that_athena_cannot_say_is_found() -> None:
    with pytest.raises(sqlglot.errors.SqlglotError):
        athena.in_athena("SELECT * FROM a ASOF JOIN b USING (id)) x")


def test_the_script_for_athena_is_up_to_date_and_can_be_read() -> None:
    script = athena.PATH.read_text(encoding="utf-8")

    statements = [one for one in sqlglot.parse(script, read="athena") if one is not None]

    assert script == athena.athena_script(), "run `python -m ops.analytics.athena`"
    assert [type(one).__name__ for one in statements] == ["Create"] * 7
    assert "'projection.enabled' = 'true'" in script
