"""Real clients against a stack on the local AWS: the SAM CLI, the AWS CLI and the command line, as users run them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.local_aws.environment import aws_settings
from ops.local_aws.stack import LocalStack

ROOT = Path(__file__).parents[2]
TOOLS = Path(os.environ.get("SAM_VENV", ROOT / ".venv-sam")).absolute() / "bin"
UNTIL_HUNG = 180


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.deploy)


def settings_of(endpoint: str, region: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**inherited, **aws_settings(region=region, endpoint=endpoint), "SAM_CLI_TELEMETRY": "0"}


def run(command: list[str], environment: dict[str, str], *, cwd: Path = ROOT) -> str:
    """Run a tool; its standard output. A failure shows all that it printed."""
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603 # ours
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def eventually(what: str, is_so: Callable[[], Any]) -> Any:
    """Wait for something to become true; the limit is for what hangs."""
    hangs_after = time.monotonic() + UNTIL_HUNG
    while not (answer := is_so()):
        assert time.monotonic() < hangs_after, f"never: {what}"
        time.sleep(0.3)
    return answer


def sessionctl(stack: LocalStack, *arguments: str) -> Any:
    """What `sessionctl --stack-name` answers with --json."""
    command = [sys.executable, "-m", "ops.sessionctl", *arguments, "--stack-name", stack.name, "--json"]
    done = subprocess.run(  # noqa: S603 # ours
        command,
        env=settings_of(stack.endpoint, stack.region),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout)
