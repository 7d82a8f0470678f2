"""Every command of sessionctl that a page shows is there, with the options that it is shown with."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.sessionctl.app import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
_IN_BLOCKS = re.compile(r"^```[a-z ]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_IN_SENTENCES = re.compile(r"`(sessionctl [^`]+)`")
_END_OF_COMMAND = re.compile(r"(?<=\s)(?:\||>|2>|&&|;)(?=\s)")


def shown(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    lines = [line for block in _IN_BLOCKS.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    commands = {line for line in [*lines, *_IN_SENTENCES.findall(text)] if line.startswith("sessionctl ")}
    return sorted(line for line in commands if "-completion" not in line)  # that would install it


def complaint(line: str) -> str:
    """Have sessionctl read a command line: with `--help` it runs nothing, and refuses what it does not know."""
    words = shlex.split(_END_OF_COMMAND.split(line)[0], comments=True)[1:]
    result = CliRunner().invoke(app, [*words, "--help"])
    return "" if result.exit_code == 0 else f"{line}: {result.output}"


@pytest.mark.parametrize("page", [page for page in PAGES if shown(page)], ids=lambda page: page.name)
def test_the_commands_of_a_page_can_be_typed(page: Path) -> None:
    assert [found for line in shown(page) if (found := complaint(line))] == []


@pytest.mark.parametrize("line", ["sessionctl list sessions --where country=XX", "sessionctl show c-1"])
def test_a_command_that_is_not_there_is_found(line: str) -> None:
    assert complaint(line)
