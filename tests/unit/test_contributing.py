"""CONTRIBUTING.md: its way to a new identity system works as it is typed."""

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
STEPS = re.findall(r"^ {3}```(bash|toml casdoor\.toml)\n(.*?)^ {3}```", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like a checkout to the commands, where they may write."""
    for name in ("tests", "providers"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.mark.slow
def test_its_mapping_is_drafted_settled_and_tested_as_it_says(checkout: Path) -> None:
    printed = []

    for kind, text in STEPS:
        if kind == "bash":
            printed += [typed(line.strip(), checkout) for line in dedent(text).splitlines()]
        else:
            (checkout / "casdoor.toml").write_text(dedent(text))

    *_, tested, covered = printed
    assert re.search(r"login +login +login +ada +casdoor:", tested)
    assert re.search(r"logout +logout_all +logout +ada", tested)
    assert covered == "casdoor: 3 of 3 types have a sample\n"


def typed(command: str, folder: Path) -> str:
    """What a command prints; it must end with 0."""
    words = command.split()
    program = [sys.executable, "-m", "ops.sessionctl"] if words[0] == "sessionctl" else [words[0]]
    ended = subprocess.run(  # noqa: S603 # a command of ours
        [*program, *words[1:]],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
    return ended.stdout
