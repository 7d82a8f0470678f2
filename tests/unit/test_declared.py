"""What is imported is declared, in the group of those who import it."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ops.checkout import CHECKOUT

PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
LAMBDA = (CHECKOUT / "requirements" / "lambda.in").read_text(encoding="utf-8").splitlines()
GROUPS = {
    "dependencies": PROJECT["dependencies"],
    "lambda": [line for line in LAMBDA if line and not line.startswith("#")],
    **EXTRAS,
}
OURS = {"processors", "schemas", "providers", "ops", "docs", "tests"}
DEPLOYED = ("processors", "schemas", "providers")
MAY_IMPORT = {
    **{folder: {"dependencies", "lambda"} for folder in DEPLOYED},
    "ops": {"dependencies", "ops"},
    "ops/analytics": {"dependencies", "ops", "analytics"},
    "ops/analytics/athena.py": {"dev"},  # reads the queries as Athena does, for the tests
    "ops/analytics/page/vega.py": {"dev"},  # makes the page's vega.js, which is in the repository
    "ops/packaging": {"dependencies", "ops", "build"},
    "ops/sessionctl": {"dependencies", "ops", "analytics"},  # the last in the commands that need it
    "ops/validation": {"dependencies", "ops", "dev"},  # `make validate`; the template is translated without the last
    "docs/examples": {"dependencies", "ops"},
    "tests": set(GROUPS),
}
"""The groups of each folder or module; the longest name that fits is taken."""


known_distributions = cache(packages_distributions)


@cache
def declared(group: str) -> frozenset[str]:
    """The distributions of a group, and what those bring by an extra that is asked for."""
    names = set()
    for requirement in map(Requirement, GROUPS[group]):
        names.add(canonicalize_name(requirement.name))
        for extra in requirement.extras if requirement.name != PROJECT["name"] else ():
            asked = [Requirement(text) for text in requires(requirement.name) or ()]
            names |= {
                canonicalize_name(one.name) for one in asked if one.marker and one.marker.evaluate({"extra": extra})
            }
    return frozenset(names)


def third_party(source: str) -> Iterator[tuple[str, bool]]:
    """The packages of others that a module imports, anywhere in it, and whether only its types."""
    tree = ast.parse(source)
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in {name.partition(".")[0] for name in names} - OURS - sys.stdlib_module_names:
            yield name, id(node) in for_types


def undeclared(folder: str, source: str) -> set[str]:
    """What a module of a folder imports that none of the folder's groups declares."""
    groups = MAY_IMPORT[folder]
    known = known_distributions()
    found = set()
    for name, is_for_types in third_party(source):
        allowed = frozenset().union(*(declared(group) for group in groups | ({"dev"} if is_for_types else set())))
        if not {canonicalize_name(one) for one in known.get(name, [name])} & allowed:
            found.add(name)
    return found


def modules() -> dict[str, list[Path]]:
    """The modules of each entry of `MAY_IMPORT`."""
    found: dict[str, list[Path]] = {name: [] for name in MAY_IMPORT}
    for root in ("processors", "schemas", "providers", "ops", "docs/examples", "tests"):
        for path in (CHECKOUT / root).rglob("*.py"):
            relative = path.relative_to(CHECKOUT)
            names = {relative.as_posix(), *(parent.as_posix() for parent in relative.parents)} & MAY_IMPORT.keys()
            found[max(names, key=len)].append(path)
    return found


MODULES = modules()


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_whatever_a_folder_imports_is_declared_in_a_group_of_its_own(folder: str) -> None:
    sources = {str(path.relative_to(CHECKOUT)): path.read_text(encoding="utf-8") for path in MODULES[folder]}

    found = {name: undeclared(folder, source) for name, source in sources.items()}

    assert sources
    assert {name: names for name, names in found.items() if names} == {}


def test_what_ships_is_imported_by_what_ships() -> None:
    """A distribution that nobody imports is weight and risk for nothing."""
    known = known_distributions()

    sources = [path.read_text(encoding="utf-8") for folder in DEPLOYED for path in MODULES[folder]]

    imported = {name for source in sources for name, _ in third_party(source)}
    assert declared("dependencies") <= {canonicalize_name(one) for name in imported for one in known.get(name, [])}


@pytest.mark.parametrize(
    ("folder", "source", "found"),
    [
        ("processors", "import boto3", set()),
        ("processors", "def later():\n    from duckdb import connect", {"duckdb"}),
        ("processors", "import rich.table, urllib3", {"rich", "urllib3"}),
        ("processors", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import mypy_boto3_sqs", set()),
        ("ops", "import mypy_boto3_sqs", {"mypy_boto3_sqs"}),
        ("ops", "import typer, pydantic, json, schemas.events\nfrom . import other", set()),
        ("ops/analytics", "import duckdb", set()),
        ("tests", "import click", {"click"}),
    ],
)
def test_an_import_of_another_group_or_of_none_is_found(folder: str, source: str, found: set[str]) -> None:
    assert undeclared(folder, source) == found
