"""Build what Lambda runs, and say how large it is and how fast it starts.

SAM calls `package` for each function, through the Makefile: a folder with what the handlers import and nothing else,
for arm64 whatever machine builds it, compiled for the runtime's Python. Lambda starts functions from a read-only folder
of files dated 1980, so byte code that is missing, or that is checked against the date of its source, is made anew at
every cold start. Only the standard library is needed, because `sam build` runs with whatever `python3` there is.

`report` prints what `sam build` made, and times the start under Lambda's runtime client.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ops.runtime_api import CHECKOUT, LambdaRuntime, RuntimeClientError

PYTHON_VERSION = "3.13"
"""The runtime of the template's functions."""

SOURCES = ("processors", "schemas")
MAPPING_FILES = Path("schemas", "providers")
"""What says how the events of identity systems are read; a file added there is shipped."""

REQUIREMENTS = CHECKOUT / "requirements.txt"
BUILT = CHECKOUT / ".aws-sam" / "build"

_ARM64 = (
    *("--platform", "manylinux2014_aarch64", "--implementation", "cp"),
    *("--python-version", PYTHON_VERSION, "--only-binary=:all:"),
)
# Scanners find the packages of a deployed function by METADATA; their licences ask to stay with them.
_KEPT_OF_DIST_INFO = {"METADATA", "LICENSE", "licenses"}

_NOT_DEPLOYED = {"export.py", "openapi.py"}
"""Modules of `SOURCES` that are run by hand."""

_RUNS = 11
_BASELINE = (
    "import boto3\n\nclient = boto3.client('dynamodb')\n\n\ndef lambda_handler(event, context):\n    return None\n"
)
# Enough to make the handlers create their clients; nothing is sent for events that hold nothing to do.
_ENVIRONMENT = {
    "SESSIONS_TABLE": "sessions",
    "PROJECTIONS_TABLE": "projections",
    "SESSION_EVENTS_QUEUE_URL": "http://127.0.0.1:9/events",
    "REJECTED_EVENTS_QUEUE_URL": "http://127.0.0.1:9/rejected",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
}
# A batch without records, and an event of a kind that is ignored, in one.
_NOTHING_TO_DO = {
    "Records": [],
    "version": "0",
    "id": "start-up",
    "source": "start-up",
    "detail-type": "Nothing",
    "time": "2026-03-02T09:00:00Z",
    "detail": {},
}


class BuildError(Exception):
    """The package cannot be built or measured; the message says what to do."""


def package(target: Path, *, python: str | None, pip: Sequence[str] = (sys.executable,), arm64: bool = True) -> None:
    """Fill a folder with what a function runs.

    Args:
        target: The folder; it may exist.
        python: An interpreter of the runtime's version that compiles, or None to leave byte code out.
        pip: The interpreter whose pip installs.
        arm64: Install for Lambda; otherwise for the machine this runs on, with `pip`'s own version.

    Raises:
        BuildError: pip or the compiler failed; it has said why.
    """
    platform = _ARM64 if arm64 else ("--only-binary=:all:",)
    _install(target, *platform, "--requirement", str(REQUIREMENTS), pip=pip)
    for leftover in _leftovers(target):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    copy_sources(target)
    if python is not None:
        compile_all(target, python)


def copy_sources(target: Path) -> None:
    """Copy the modules of ours that a function runs, and the mapping files they read."""
    for source in SOURCES:
        (target / source).mkdir(parents=True, exist_ok=True)
        for module in (CHECKOUT / source).glob("*.py"):
            if module.name not in _NOT_DEPLOYED:
                shutil.copy(module, target / source)
    shutil.copytree(CHECKOUT / MAPPING_FILES, target / MAPPING_FILES, dirs_exist_ok=True)


def compile_all(target: Path, python: str) -> None:
    """Compile every module in place; the same sources give the same bytes.

    Raises:
        BuildError: A module does not compile.
    """
    _run(
        *(python, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"),
        *("-s", str(target), "-p", "/var/task", str(target)),  # the folder that tracebacks in Lambda name
        environment={"PYTHONHASHSEED": "0"},
    )


def find_python() -> str | None:
    """Find an interpreter of the runtime's version: on the PATH, pyenv's, or the one this runs on.

    Each is tried, because pyenv puts programs on the PATH that only say which version is missing.
    """
    name = f"python{PYTHON_VERSION}"
    folders = [Path(folder) for folder in os.get_exec_path()]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [Path(sys.executable), *(folder / name for folder in folders)]
    candidates += sorted(pyenv.glob(f"versions/{PYTHON_VERSION}*/bin/{name}"), reverse=True)
    return next((str(candidate) for candidate in candidates if _is_of_version(candidate)), None)


def require_python() -> str | None:
    """Find the interpreter that compiles; where there is none, warn as loudly as a build can.

    Raises:
        BuildError: There is none and this is CI (the variable CI is set): what is deployed has to be compiled.
    """
    python = find_python()
    if python is None:
        problem = (
            f"No python{PYTHON_VERSION} here: the package has no byte code, and cold starts take up to twice as long. "
            f"Install Python {PYTHON_VERSION} (pyenv install {PYTHON_VERSION}) and build again."
        )
        if os.environ.get("CI"):
            raise BuildError(problem)
        print(f"{'!' * 100}\n{problem}\n{'!' * 100}", flush=True)  # SAM hides standard error where a build succeeds
    return python


def report(built: Path = BUILT) -> None:
    """Print the size of every function that `sam build` made, and the start-up of each.

    Raises:
        BuildError: Nothing was built, or a handler does not start.
    """
    functions = sorted(path for path in built.glob("*Function") if path.is_dir())
    if not functions:
        raise BuildError(f"Nothing in {built}: run make build.")
    print(f"{'function':<30}{'unzipped':>12}{'zipped':>12}  SHA-256")
    for function in functions:
        unzipped, archive = sum(path.stat().st_size for path in _files(function)), zip_folder(function)
        digest = hashlib.sha256(archive).hexdigest()[:12]
        print(f"{function.name:<30}{_megabytes(unzipped):>12}{_megabytes(len(archive)):>12}  {digest}")
    python = require_python()
    if python is not None:
        _report_start_up(python)


def start_up(handler: str, task_root: Path, python: str, runtime: Path) -> tuple[float, float]:
    """Start a function once and invoke it with nothing to do.

    Args:
        handler: As in the template.
        task_root: Its package.
        python: The interpreter.
        runtime: Folder of what the Lambda runtime brings: awslambdaric and boto3.

    Returns:
        Seconds to the first request for an event, and on to the first answer.

    Raises:
        BuildError: It does not start, or fails.
    """
    began = LambdaRuntime(handler, environment=_ENVIRONMENT, task_root=task_root, python=python, import_path=(runtime,))
    try:
        with began as function:
            answer = function.invoke(_NOTHING_TO_DO)
            if answer.is_error:
                raise BuildError(f"{handler}: {answer.payload}")
            return function.start_up_seconds, function.start_up_seconds + function.answer_seconds
    except RuntimeClientError as error:
        raise BuildError(str(error)) from error


def _report_start_up(python: str) -> None:
    from ops.template.deployment import load_deployment  # noqa: PLC0415 (`package` has to run without our dependencies)

    functions = {"boto3 and a client, for comparison": "handler.lambda_handler"}
    for resource in load_deployment(parameters={"EnableEventBridgeDirect": "true"}).resources_of(
        "AWS::Lambda::Function"
    ):
        functions[resource.logical_id] = resource.properties["Handler"]
    with tempfile.TemporaryDirectory() as folder:
        code, runtime, baseline = (Path(folder) / name for name in ("code", "runtime", "baseline"))
        package(code, python=python, pip=(python,), arm64=False)
        _install(runtime, "--only-binary=:all:", "awslambdaric>=4,<5", "boto3>=1.40,<2", pip=(python,))
        baseline.mkdir()
        (baseline / "handler.py").write_text(_BASELINE)
        for compiled in (runtime, baseline):
            compile_all(compiled, python)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
        for _ in range(_RUNS):  # in turn, so that a busy moment of the machine meets all of them
            for name, handler in functions.items():
                task_root = baseline if handler == "handler.lambda_handler" else code
                times[name].append(start_up(handler, task_root, python, runtime))
    _print_start_up(times)


def _print_start_up(times: dict[str, list[tuple[float, float]]]) -> None:
    medians = {name: [statistics.median(column) for column in zip(*runs, strict=True)] for name, runs in times.items()}
    reference = next(iter(medians.values()))
    print(f"\n{f'start-up, median of {_RUNS} on this machine':<40}{'to first next':>20}{'to first answer':>20}")
    for name, columns in medians.items():
        cells = [f"{value * 1000:.0f} ms {value / base:5.2f}x" for value, base in zip(columns, reference, strict=True)]
        print(f"{name:<40}" + "".join(f"{cell:>20}" for cell in cells))


def _install(target: Path, *arguments: str, pip: Sequence[str]) -> None:
    _run(
        *pip,
        *("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"),
        *("--no-compile", "--upgrade", "--target", str(target), *arguments),
    )


def _leftovers(target: Path) -> Iterator[Path]:
    """Give what pip leaves in a target that nothing imports."""
    yield from target.glob("bin")
    for info in target.glob("*.dist-info"):
        yield from (entry for entry in info.iterdir() if entry.name not in _KEPT_OF_DIST_INFO)


def _run(*command: str, environment: dict[str, str] | None = None) -> None:
    try:
        subprocess.run(command, check=True, env={**os.environ, **(environment or {})})  # noqa: S603 (it is ours)
    except (subprocess.CalledProcessError, OSError) as error:
        raise BuildError(f"{' '.join(command[:4])} failed: {error}") from error


def _is_of_version(python: Path) -> bool:
    question = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
    try:
        answer = subprocess.run(  # noqa: S603 (the command is ours)
            [str(python), "-c", question], check=False, capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.stdout.strip() == PYTHON_VERSION


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def zip_folder(folder: Path) -> bytes:
    """Zip a folder as `sam package` does: deflated, without dates."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _files(folder):
            archive.writestr(zipfile.ZipInfo(str(path.relative_to(folder))), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `package FOLDER` or `report`; ends the process with a message where that fails."""
    parser = argparse.ArgumentParser(prog="python -m ops.build", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("package", help="fill a folder for Lambda").add_argument("folder", type=Path)
    commands.add_parser("report", help="size and start-up of what sam build made")
    options = parser.parse_args(arguments)
    try:
        if options.command == "package":
            package(options.folder, python=require_python())
        else:
            report()
    except BuildError as error:
        sys.exit(f"build: {error}")


if __name__ == "__main__":
    main()
