"""What `sam build` made: how large it is and how fast it starts."""

import hashlib
from pathlib import Path

from ops.checkout import CHECKOUT
from ops.packaging.package import BuildError, files_of, require_python, zip_folder
from ops.packaging.start_up import BASELINE, RUNS, StartUp, measure_start_up

BUILT = CHECKOUT / ".aws-sam" / "build"


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
        unzipped, archive = sum(path.stat().st_size for path in files_of(function)), zip_folder(function)
        digest = hashlib.sha256(archive).hexdigest()[:12]
        print(f"{function.name:<30}{_megabytes(unzipped):>12}{_megabytes(len(archive)):>12}  {digest}")
    python = require_python()
    if python is not None:
        _print_start_up(measure_start_up(python))


def _print_start_up(functions: dict[str, StartUp]) -> None:
    reference = functions[BASELINE]
    print(f"\n{f'start-up, median of {RUNS} on this machine':<40}{'to first next':>20}{'to first answer':>20}")
    for name, one in functions.items():
        cells = [
            f"{one.next_ms:.0f} ms {one.next_ms / reference.next_ms:5.2f}x",
            f"{one.answer_ms:.0f} ms {one.answer_ms / reference.answer_ms:5.2f}x",
        ]
        print(f"{name:<40}" + "".join(f"{cell:>20}" for cell in cells))


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"
