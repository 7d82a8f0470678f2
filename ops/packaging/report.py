"""What `sam build` made: how large it is, what it holds of others, and how fast it starts."""

from pathlib import Path

from ops.checkout import CHECKOUT
from ops.packaging.bill_of_materials import bill_of_materials, licences
from ops.packaging.files import content_digest, files_of, zip_folder
from ops.packaging.package import BuildError, require_python
from ops.packaging.start_up import BASELINE, RUNS, StartUp, measure_start_up

BUILT = CHECKOUT / ".aws-sam" / "build"
BILL = "bundle.cdx.json"
"""The bill of materials; scanners know CycloneDX by this ending."""
LICENCES = "bundle-licences.txt"


def report(built: Path = BUILT) -> None:
    """Print the size of every function that `sam build` made, and the start-up of each; write what they hold beside.

    Raises:
        BuildError: Nothing was built, the same sources gave two packages, a licence is missing, or a handler does not
            start.
    """
    functions = sorted(path for path in built.glob("*Function") if path.is_dir())
    if not functions:
        raise BuildError(f"Nothing in {built}: run make build.")
    print(f"{'function':<30}{'unzipped':>12}{'zipped':>12}")
    for function in functions:
        unzipped = sum(path.stat().st_size for path in files_of(function))
        print(f"{function.name:<30}{_megabytes(unzipped):>12}{_megabytes(len(zip_folder(function))):>12}")
    _write_bill(functions, built.parent)
    python = require_python()
    if python is not None:
        _print_start_up(measure_start_up(python))


def _write_bill(functions: list[Path], folder: Path) -> None:
    """Print the digest that all packages share, and write their bill of materials and licences into a folder.

    Raises:
        BuildError: They differ, though all are made of the same; or a licence is missing.
    """
    digests = {function.name: content_digest(function) for function in functions}
    digest, *others = set(digests.values())
    if others:
        listed = "".join(f"\n{digest}  {name}" for name, digest in digests.items())
        raise BuildError(
            f"the functions' packages should be the same and differ; remove {functions[0].parent}:{listed}"
        )
    (folder / BILL).write_text(bill_of_materials(functions[0], digest), encoding="utf-8")
    (folder / LICENCES).write_text(licences(functions[0]), encoding="utf-8")
    print(f"\nSHA-256 of the content of each, docs/supply-chain.md: {digest}")
    print(f"What it holds of others: {folder / BILL}, {folder / LICENCES}")


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
