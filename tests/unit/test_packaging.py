"""What the package for Lambda holds, and how it is compiled."""

import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from ops.checkout import CHECKOUT
from ops.packaging.files import content_digest, zip_folder
from ops.packaging.package import (
    SOURCES,
    BuildError,
    compile_all,
    copy_sources,
    find_python,
    require_python,
)
from ops.packaging.report import report

pytestmark = pytest.mark.slow

UNCHECKED_HASH = (0b01).to_bytes(4, "little")
"""Flags of a .pyc that is taken without a look at its source. Source: PEP 552."""


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def run_python(code: str, *, folder: Path) -> str:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603 (it is ours)
    return done.stdout.strip()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty PATH, no pyenv and a Python of another version that runs this."""
    program(tmp_path / "running", "echo 3.11")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "running"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


def test_what_is_packed_of_ours_is_what_the_handlers_import(tmp_path: Path) -> None:
    copy_sources(tmp_path)

    handlers = ", ".join(
        f"processors.{name}"
        for name in ("sqs_consumer", "eventbridge_consumer", "stream_projector", "session_publisher", "expiry_sweeper")
    )
    later = "providers.provider_mappings, providers.token_keys"  # at the first event that is not canonical
    names = f"n for n in sys.modules if n.partition('.')[0] in {SOURCES}"
    code = f"import sys, {handlers}, {later}; print(*({names}), sep='\\n')"
    imported = run_python(code, folder=tmp_path)

    files = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.py")}
    modules = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in files}
    assert modules == set(imported.split())


def test_the_mapping_files_are_packed_and_nothing_but_them_and_modules(tmp_path: Path) -> None:
    copy_sources(tmp_path)

    others = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".py"}

    assert others == {path.relative_to(CHECKOUT) for path in (CHECKOUT / "providers").glob("mappings/*.toml")}


def test_a_start_without_events_of_identity_systems_imports_nothing_of_their_mappings(tmp_path: Path) -> None:
    copy_sources(tmp_path)

    modules = ("providers.provider_mappings", "providers.tokens", "tomllib", "joserfc", "cryptography")
    code = f"import sys, processors.sqs_consumer; print(*(name in sys.modules for name in {modules}))"

    assert run_python(code, folder=tmp_path) == "False False False False False"


def test_byte_code_is_taken_whatever_date_or_text_its_source_has_and_names_the_folder_of_lambda(tmp_path: Path) -> None:
    module = tmp_path / "package" / "module.py"
    module.parent.mkdir()
    module.write_text("print('compiled')\n")

    compile_all(tmp_path, sys.executable)

    module.write_text("print('made anew')\n")
    compiled = Path(cache_from_source(str(module))).read_bytes()
    assert run_python("import package.module", folder=tmp_path) == "compiled"
    assert compiled[4:8] == UNCHECKED_HASH
    assert b"/var/task/package/module.py" in compiled


def test_the_same_sources_give_the_same_bytes_wherever_they_are_built(tmp_path: Path) -> None:
    archives = []
    for name in ("one", "another"):
        copy_sources(tmp_path / name)
        compile_all(tmp_path / name, sys.executable)
        archives.append(zip_folder(tmp_path / name))

    assert archives[0] == archives[1]


def test_a_module_that_does_not_compile_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def\n")

    with pytest.raises(BuildError, match="compileall"):
        compile_all(tmp_path, sys.executable)


def test_a_python_that_only_says_it_is_missing_is_passed_over_for_one_that_runs(machine: Path) -> None:
    program(machine / "bin" / "python3.13", "echo 'python3.13: command not found' >&2; exit 127")
    program(machine / "pyenv" / "versions" / "3.13.0" / "bin" / "python3.13", "echo 3.13")

    assert find_python() == str(machine / "pyenv" / "versions" / "3.13.0" / "bin" / "python3.13")


def test_without_the_runtimes_python_the_build_warns_on_a_laptop(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert require_python() is None
    assert "No python3.13 here: the package has no byte code" in capsys.readouterr().out


def test_without_the_runtimes_python_the_build_fails_in_ci(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(BuildError, match=r"No python3\.13 here"):
        require_python()


def test_the_report_says_of_every_function_how_large_it_is_and_what_is_in_it_and_writes_the_bill(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("OneFunction", "OtherFunction"):
        info = machine / "built" / name / "pydantic-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pydantic\nVersion: 1.0\nLicense: MIT\n")
        (info / "LICENSE").write_text("As you like.")
        (machine / "built" / name / "zeros").write_bytes(bytes(2_000_000))

    report(machine / "built")

    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[1:3]] == [
        [name, "2.0", "MB", "0.0", "MB"] for name in ("OneFunction", "OtherFunction")
    ]
    assert (
        f"SHA-256 of the content of each, docs/supply-chain.md: {content_digest(machine / 'built' / 'OneFunction')}"
        in lines
    )
    assert "pkg:pypi/pydantic@1.0" in (machine / "bundle.cdx.json").read_text()
    assert "pydantic 1.0: MIT" in (machine / "bundle-licences.txt").read_text()


def test_a_report_of_nothing_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="run make build"):
        report(tmp_path)


@pytest.mark.parametrize("function", ["SqsConsumerFunction", "StreamProjectorFunction", "EventBridgeConsumerFunction"])
def test_make_packs_a_function_where_sam_says(function: str) -> None:
    command = ["make", "--dry-run", f"build-{function}", "ARTIFACTS_DIR=/artifacts"]

    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)  # noqa: S603 (it is ours)

    assert '-m ops.packaging package "/artifacts"' in done.stdout
