"""The judge of mutation runs: what it lets pass, and what not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation import Mutant, Survivor, function_of, problems, read_reasons, table

A, B = Survivor("module.function", "return a"), Survivor("module.function", "return b")
ENTRY = '[[survivor]]\nfunction = "module.function"\nbecomes = "return a"\nreason = "{}"\n'


def test_a_run_passes_when_nine_in_ten_are_killed_and_each_survivor_has_its_reason() -> None:
    assert problems(["killed"] * 9 + ["survived"], [A], [A]) == []


def test_a_run_below_nine_in_ten_fails_however_many_reasons_there_are() -> None:
    found = problems(["killed"] * 8 + ["survived", "no tests"], [A, B], [A, B])

    assert found == ["80.0% of 10 mutants killed; at least 90%"]


def test_a_survivor_without_reason_and_a_reason_without_survivor_fail() -> None:
    found = problems(["killed"] * 20 + ["survived"], [A], [B])

    assert found == [
        "survivor without a reason: module.function: return a",
        "reason without a survivor: module.function: return b",
    ]


def test_a_run_that_did_not_finish_fails() -> None:
    assert problems([], [], []) == ["no mutants: `mutmut run` did not finish"]
    assert "were not checked" in problems(["killed", "not checked"], [], [])[0]


def test_every_module_has_its_row_and_all_have_one() -> None:
    mutants = [Mutant("b.py", "1", "killed"), Mutant("a.py", "2", "survived"), Mutant("b.py", "3", "no tests")]

    assert table(mutants)[2:] == ["| `a.py` | 1 | 0% | 1 |", "| `b.py` | 2 | 50% | 1 |", "| all | 3 | 33% | 2 |"]


def test_reasons_are_read_by_survivor() -> None:
    assert read_reasons(ENTRY.format("equivalent")) == {A: "equivalent"}
    assert read_reasons("# none") == {}


@pytest.mark.parametrize("text", [ENTRY.format(" "), ENTRY.format("x") * 2], ids=["no reason", "twice"])
def test_a_survivor_without_reason_or_given_twice_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="once, with a reason"):
        read_reasons(text)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("package.module.x_f__mutmut_1", "package.module.f"),
        ("package.module.x__f__mutmut_12", "package.module._f"),
        ("package.module.xǁClassǁf__mutmut_1", "package.module.Class.f"),
        ("package.module.xǁClassǁ__init____mutmut_1", "package.module.Class.__init__"),
    ],
)
def test_a_mutant_names_its_function_and_class(name: str, function: str) -> None:
    assert function_of(name) == function


COLLECT_TWICE = """
import json, pytest, sys, tomllib

class Names:
    def pytest_collection_finish(self, session):
        names.append({item.nodeid for item in session.items})

names = []
settings = tomllib.load(open("pyproject.toml", "rb"))["tool"]["mutmut"]
arguments = ["--co", "-q", *settings["pytest_add_cli_args"], *settings["pytest_add_cli_args_test_selection"]]
for _ in range(2):
    pytest.main(arguments, plugins=[Names()])
json.dump([len(names[0]), sorted(names[0] ^ names[1])], sys.stderr)
"""


@pytest.mark.slow
def test_every_test_of_a_mutation_run_has_the_same_name_whenever_it_is_collected() -> None:
    """pytest escapes what a function given as `ids` returns again at the next collection in one process.

    mutmut names tests by what the first collection found, and takes a name that is not found for a killed mutant.
    """
    done = subprocess.run(  # noqa: S603 # the command is ours
        [sys.executable, "-c", COLLECT_TWICE], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )

    count, changed = json.loads(done.stderr)
    assert count > 1000
    assert changed == []
