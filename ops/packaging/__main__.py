"""`python -m ops.packaging package FOLDER` is what `sam build` calls; `report` tells what it made.

`audit` asks for known vulnerabilities of what the locks name; `template FILE` writes the template that is built with
options which cannot be parameters.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ops.packaging.audit import audit
from ops.packaging.package import BuildError, package, require_python


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `package FOLDER`, `report`, `audit` or `template FILE`; ends the process with a message where that fails."""
    parser = argparse.ArgumentParser(prog="python -m ops.packaging", description="Build what Lambda runs.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("package", help="fill a folder for Lambda").add_argument("folder", type=Path)
    commands.add_parser("report", help="size and start-up of what sam build made")
    known = commands.add_parser("audit", help="known vulnerabilities; exit code 1: found, 3: nobody could be asked")
    known.add_argument("--ignore", metavar="ID", action="append", default=[], help="one that was looked at")
    template = commands.add_parser("template", help="write a template with options that cannot be parameters")
    template.add_argument("file", type=Path)
    template.add_argument("--gradual", metavar="SHIFT", help="move traffic step by step: Canary10Percent15Minutes")
    template.add_argument("--sessions-stream", metavar="ARN", help="work on the table of this stream: a restored one")
    options = parser.parse_args(arguments)
    try:
        if options.command == "package":
            package(options.folder, python=require_python())
        elif options.command == "audit":
            sys.exit(audit(ignored=options.ignore))
        elif options.command == "template":
            _write_template(options.file, options.gradual, options.sessions_stream)
        else:
            from ops.packaging.report import report  # noqa: PLC0415 (`package` has to run without our dependencies)

            report()
    except BuildError as error:
        sys.exit(f"build: {error}")


def _write_template(file: Path, shift: str | None, stream_arn: str | None) -> None:
    from ops.packaging.gradual import make_gradual  # noqa: PLC0415 (as above)
    from ops.packaging.restored import use_table  # noqa: PLC0415 (as above)
    from ops.validation.translation import load_template  # noqa: PLC0415 (as above)

    template = load_template()
    if stream_arn is not None:
        template = use_table(template, stream_arn)
    if shift is not None:
        make_gradual(template, shift=shift, deployment=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    file.write_text(json.dumps(template, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
