"""`python -m ops.packaging package FOLDER` is what `sam build` calls; `report` tells what it made."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ops.packaging.package import BuildError, package, require_python


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `package FOLDER` or `report`; ends the process with a message where that fails."""
    parser = argparse.ArgumentParser(prog="python -m ops.packaging", description="Build what Lambda runs.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("package", help="fill a folder for Lambda").add_argument("folder", type=Path)
    commands.add_parser("report", help="size and start-up of what sam build made")
    options = parser.parse_args(arguments)
    try:
        if options.command == "package":
            package(options.folder, python=require_python())
        else:
            from ops.packaging.report import report  # noqa: PLC0415 (`package` has to run without our dependencies)

            report()
    except BuildError as error:
        sys.exit(f"build: {error}")


if __name__ == "__main__":
    main()
