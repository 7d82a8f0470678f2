"""Imports go one way: handlers, tables, core, schemas. Read from the source, so that nothing has to be imported."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("processors", "schemas", "providers", "ops")
PURE = {
    f"processors.{name}"
    for name in (
        "aws.conditional_writes",
        "intake.masking",
        "intake.rejections",
        "intake.vocabulary",
        "life_cycle.agenda",
        "life_cycle.transitions",
        "policies.commands",
        "policies.ending",
        "projections.activity",
        "projections.facts",
        "projections.merge",
        "projections.rebuild",
        "projections.state",
        "register.batches",
        "register.erased_list",
        "register.searches",
        "register.sessions",
    )
}
TABLES = {
    f"processors.{name}"
    for name in (
        "session_table",
        "projection_table",
        "aws.item_store",
        "aws.transports",
        "projections.register_reads",
        "register.erased",
        "register.partitions",
        "register.reader",
        "register.session_writes",
    )
}
IMPURE = {"boto3", "botocore", "logging", "os", "time", "random", "secrets", "uuid", "threading", "socket"}
CLOCKS = {"now", "utcnow", "today"}


def modules(package: str) -> dict[str, ast.Module]:
    return {
        ".".join((*path.relative_to(ROOT).parent.parts, path.stem)): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / package).rglob("*.py"))
    }


PROCESSORS = modules("processors")
SCHEMAS = modules("schemas")
PROVIDERS = modules("providers")
HANDLERS = {
    name
    for name, tree in PROCESSORS.items()
    if any(isinstance(node, ast.FunctionDef) and node.name == "lambda_handler" for node in tree.body)
}


def imports(tree: ast.Module) -> set[str]:
    """Every module imported anywhere, in functions and for type checking too, by its full name."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            is_package = (ROOT / str(node.module).replace(".", "/")).is_dir()
            names |= {f"{node.module}.{alias.name}" if is_package else str(node.module) for alias in node.names}
    return names


def ours(tree: ast.Module) -> set[str]:
    return {name for name in imports(tree) if name.split(".")[0] in OURS}


def is_schema(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] in ("schemas", "providers")


def test_the_layers_exist() -> None:
    assert len(HANDLERS) == 5
    assert set(PROCESSORS) >= PURE | TABLES


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_import_nothing_of_ours_but_schemas(name: str) -> None:
    assert {found for found in ours(SCHEMAS[name]) if not found.startswith("schemas.")} == set()


@pytest.mark.parametrize("name", PROVIDERS)
def test_providers_import_only_schemas(name: str) -> None:
    assert {found.split(".")[0] for found in ours(PROVIDERS[name])} <= {"schemas", "providers"}


@pytest.mark.parametrize("name", PROCESSORS)
def test_processors_never_import_ops(name: str) -> None:
    assert {found for found in ours(PROCESSORS[name]) if found.startswith("ops")} == set()


@pytest.mark.parametrize("name", sorted(PURE))
def test_the_core_imports_only_core_and_schemas(name: str) -> None:
    assert {found for found in ours(PROCESSORS[name]) if not is_schema(found)} <= PURE


@pytest.mark.parametrize("name", sorted(PURE | set(SCHEMAS) | set(PROVIDERS)))
def test_the_core_has_no_clock_environment_network_log_or_chance(name: str) -> None:
    tree = (PROCESSORS | SCHEMAS | PROVIDERS)[name]

    clocks = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in CLOCKS}

    assert {found.split(".")[0] for found in imports(tree)} & IMPURE == set()
    assert clocks == set()


@pytest.mark.parametrize("name", sorted(TABLES))
def test_tables_import_no_layer_above(name: str) -> None:
    allowed = PURE | TABLES | {"processors.runtime.clock"}
    allowed |= {f"processors.aws.{name}" for name in ("deadline", "errors", "parallel")}

    assert {found for found in ours(PROCESSORS[name]) if not is_schema(found)} <= allowed


@pytest.mark.parametrize("name", PROCESSORS)
def test_nothing_imports_a_handler(name: str) -> None:
    assert ours(PROCESSORS[name]) & HANDLERS == set()


def test_no_module_of_processors_imports_itself_over_others() -> None:
    reached = {name: ours(tree) & set(PROCESSORS) for name, tree in PROCESSORS.items()}
    for _ in PROCESSORS:
        reached = {name: found.union(*(reached[other] for other in found)) for name, found in reached.items()}

    assert {name for name, found in reached.items() if name in found} == set()


@pytest.mark.parametrize("name", PROCESSORS)
def test_no_environment_is_read_and_no_client_made_at_import(name: str) -> None:
    outside_functions = [
        node
        for statement in PROCESSORS[name].body
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef)
        for node in ast.walk(statement)
    ]

    used = {ast.unparse(node) for node in outside_functions if isinstance(node, ast.Attribute)}

    assert used & {"os.environ", "os.getenv", "boto3.client", "boto3.resource", "boto3.session"} == set()


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("validation", set()),
        ("engines", set()),
        ("publishing", set()),
        ("rebuilding", set()),
        ("verification", {"rebuilding"}),
        ("inspection", {"recovery", "verification"}),
        ("revocation", {"inspection", "publishing"}),
        ("tracing", {"inspection", "recovery"}),
        ("following", set()),
        ("schema_export", set()),
        ("erasure", set()),
        ("importing", {"rebuilding"}),
        ("recovery", set()),
        ("analytics", set()),
        ("status", {"recovery", "validation", "verification"}),
        ("packaging", {"validation"}),
        ("local_aws", {"engines", "packaging", "validation"}),
    ],
)
def test_packages_of_ops_stand_on_those_below(package: str, allowed: set[str]) -> None:
    """The demo and the command line stand on all of these; `ops.checkout` and `ops.signals` belong to all."""
    packages = {path.parent.name for path in (ROOT / "ops").glob("*/__init__.py")}

    used = {
        found.split(".")[1]
        for tree in modules(f"ops/{package}").values()
        for found in ours(tree)
        if found.startswith("ops.")
    }

    assert used & packages <= allowed | {package}


def test_the_projector_starts_without_what_only_the_consumers_need() -> None:
    unwanted = ("pydantic", "boto3", "s3transfer", "schemas.events")
    question = f"import sys, processors.stream_projector; print([m for m in {unwanted} if m in sys.modules])"

    answer = subprocess.run(  # noqa: S603 # the command is ours
        [sys.executable, "-c", question], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert answer.stdout.strip() == "[]"
