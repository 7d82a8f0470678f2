"""`python -m ops.packaging package FOLDER` is what `sam build` calls; `report` tells what it made.

`gradual SHIFT FILE` writes the template of a gradual deployment.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ops.packaging.package import BuildError, package, require_python


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `package FOLDER`, `report` or `gradual SHIFT FILE`; ends the process with a message where that fails."""
    parser = argparse.ArgumentParser(prog="python -m ops.packaging", description="Build what Lambda runs.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("package", help="fill a folder for Lambda").add_argument("folder", type=Path)
    commands.add_parser("report", help="size and start-up of what sam build made")
    gradual = commands.add_parser("gradual", help="write the template that moves traffic step by step")
    gradual.add_argument("shift", help="as AWS CodeDeploy names it, for example Canary10Percent15Minutes")
    gradual.add_argument("file", type=Path)
    options = parser.parse_args(arguments)
    try:
        if options.command == "package":
            package(options.folder, python=require_python())
        elif options.command == "gradual":
            _write_gradual(options.shift, options.file)
        else:
            from ops.packaging.report import report  # noqa: PLC0415 (`package` has to run without our dependencies)

            report()
    except BuildError as error:
        sys.exit(f"build: {error}")


def _write_gradual(shift: str, file: Path) -> None:
    from ops.packaging.gradual import make_gradual  # noqa: PLC0415 (as above)
    from ops.validation.translation import load_template  # noqa: PLC0415 (as above)

    template = load_template()
    make_gradual(template, shift=shift, deployment=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    file.write_text(json.dumps(template, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
